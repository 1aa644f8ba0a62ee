//! The facade: the one place that sees every module, with a method for each thing a user can do.

mod paths;

pub use paths::{Paths, PathsError};
