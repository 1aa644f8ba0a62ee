//! The measures, each with its table. What a peer cannot do is told in its row; what Caisson cannot do ends the run.

pub(crate) mod call;
pub(crate) mod connect;
pub(crate) mod download;
pub(crate) mod first_call;
pub(crate) mod growth;
pub(crate) mod memory;
pub(crate) mod scan;
pub(crate) mod sessions;
pub(crate) mod throughput;
