//! Where Caisson does not run on Linux: engines run in virtual machines, which do not reach its sockets.

use std::path::{Path, PathBuf};

use super::{EngineFacts, Pipe};
use crate::{egress::Hatch, sandbox::Plan};

#[derive(Debug)]
pub(super) struct Meetings;

/// None ever comes about.
#[derive(Debug)]
pub(super) enum Meeting {}

impl Meetings {
    pub(super) fn new(_parent: Option<PathBuf>) -> Self {
        Self
    }

    pub(super) fn prepare(&self, _plan: &Plan, _facts: &EngineFacts) -> Option<Meeting> {
        None
    }

    pub(super) fn remember(&self, _met: bool) {}

    pub(super) fn suspect(&self) -> bool {
        true
    }
}

impl Meeting {
    pub(super) fn folder(&self) -> &Path {
        match *self {}
    }

    pub(super) fn socket_in(inside: &str) -> String {
        inside.to_owned()
    }

    pub(super) async fn meet(self) -> Option<(Box<dyn Pipe>, Option<Hatch>)> {
        match self {}
    }
}
