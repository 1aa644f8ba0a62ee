//! What the end-to-end tests stand on: engines, a Caisson of their own with its own home, and clients.
//!
//! Nothing here stands in for the real thing. A test that cannot run says so loudly, and fails in CI.

pub mod clients;
pub mod conformance;
pub mod desktop;
pub mod engines;
pub mod fixture;
pub mod forwarder;
pub mod home;
pub mod images;
pub mod internet;
pub mod programs;
pub mod raw;
pub mod site;

pub use engines::TestEngine;
pub use home::{Home, Said};
pub use internet::Internet;
