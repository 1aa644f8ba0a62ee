//! The airlock, run as a child of the test and spoken to over its pipe, as Caisson does.

#![cfg(test)]

mod container;
mod egress;
mod endings;
mod harness;
mod launch;
mod sessions;
