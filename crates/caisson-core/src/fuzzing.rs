//! Entrances for fuzzing and for the tests that do the same in small. No part of the product: they are there in
//! tests, and with the feature `fuzzing`.

pub use crate::{bridge::fuzzing::Edge, sandbox::are_lines};
