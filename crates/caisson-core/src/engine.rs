//! Podman or Docker: finds it, says what it can do, and runs a [`Plan`](crate::sandbox::Plan), nothing else.
//!
//! Every call has a time limit, so a hung engine hangs nobody. What an engine says is repeated to people only
//! tidied, since image names and build output in it come from strangers. The engine's own configuration is
//! never changed, and nothing is pulled unless [`Engine::pull`] is asked for it.

mod address;
mod airlock;
mod archive;
mod attachment;
mod candidates;
mod client;
mod container;
mod contexts;
mod create;
mod engines;
mod error;
mod facts;
mod image;
mod machine;
#[cfg_attr(not(target_os = "linux"), path = "engine/meeting/never.rs")]
mod meeting;
mod ours;
mod pipe;
mod probe;
mod problem;
mod survey;
#[cfg(test)]
mod tests;
mod volume;

pub use address::Address;
pub use archive::Tar;
pub use candidates::{Candidate, EngineChoice, EngineEnv};
pub use client::Engine;
pub use container::{Container, ContainerHandle, ContainerId, Exit};
pub use engines::Engines;
pub use error::{EngineError, Tried};
pub use facts::{EngineFacts, EngineKind, IdMapping, LimitsEnforced};
pub use image::{BuildNetwork, ImageFacts};
pub use ours::{ContainerUse, OurContainer};
pub use pipe::Pipe;
pub use problem::{Problem, Severity};
pub use survey::{Outcome, Survey};
pub use volume::{OurVolume, Owner};
