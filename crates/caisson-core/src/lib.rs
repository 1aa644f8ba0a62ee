//! Caisson, the product, as a library.
//!
//! It prints nothing, prompts nobody, and reads neither environment nor home folder: paths, clock and
//! settings are handed to it. `ARCHITECTURE.md` maps the modules; a module knows [`model`] and its
//! right-hand neighbour on the way of a call: bridge → group → gate → sandbox → engine.

pub mod audit;
pub mod bridge;
pub mod catalog;
pub mod clients;
pub mod control;
pub mod egress;
pub mod engine;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
pub mod gate;
pub mod group;
pub mod host;
pub mod metrics;
pub mod model;
pub mod otlp;
pub mod pins;
pub mod registry;
pub mod sandbox;
pub mod secrets;
