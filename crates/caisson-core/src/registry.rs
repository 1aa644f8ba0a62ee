//! What is installed: one TOML file a server, and the state that is no text, in SQLite.

pub mod atomic;
pub mod state;

pub use state::{State, StateError};
