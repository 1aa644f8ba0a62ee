//! Podman and Docker. It runs nothing but a `Plan`.

mod facts;

pub use facts::{EngineFacts, EngineKind, IdMapping, LimitsEnforced};
