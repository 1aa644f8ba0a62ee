//! The adapters between the eras, each before what answers as a test says.

mod downgrade;
mod duplex;
mod fake;
mod front;
mod hub;
mod lazy;
mod probe;
mod script;
