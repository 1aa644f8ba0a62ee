use bytes::Bytes;

use super::{CallerId, Expected, inspect::Inspector};
use crate::model::{Endpoint, ServerName};

/// The gate's word that one thing may be done with one endpoint. `sandbox` does nothing without one.
///
/// It is used up by what it permits: it cannot be copied, and only the gate can make it.
#[derive(Debug)]
#[must_use = "a permit that is not handed to the sandbox permits nothing"]
pub struct Permit {
    endpoint: Endpoint,
    what: Permitted,
    caller: CallerId,
    /// What is done with the answer, if anything is.
    expected: Option<Box<Expected>>,
    /// What is sent in the message's place.
    instead: Option<Bytes>,
    /// Looks through what comes back, when it is for a server.
    inspector: Option<Box<Inspector>>,
}

/// What a [`Permit`] permits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permitted {
    /// Opening a session, and with it starting the server.
    Session,
    /// Sending one message to the server, in a session or as a request that stands alone.
    Message,
}

impl Permit {
    pub(super) fn new(endpoint: Endpoint, what: Permitted, caller: CallerId) -> Self {
        Self { endpoint, what, caller, expected: None, instead: None, inspector: None }
    }

    pub(super) fn expecting(self, expected: Expected) -> Self {
        Self { expected: Some(Box::new(expected)), ..self }
    }

    pub(super) fn with_message(self, instead: Option<Vec<u8>>) -> Self {
        Self { instead: instead.map(Bytes::from), ..self }
    }

    pub(super) fn inspected(self, inspector: Inspector) -> Self {
        Self { inspector: Some(Box::new(inspector)), ..self }
    }

    /// What is sent in the place of the message it was asked for, if not that.
    pub(crate) fn take_message(&mut self) -> Option<Bytes> {
        self.instead.take()
    }

    /// Looks through what comes back.
    pub(crate) fn take_inspector(&mut self) -> Option<Box<Inspector>> {
        self.inspector.take()
    }

    /// What it lets through, to be told of the answer.
    pub(crate) fn take_expected(&mut self) -> Option<Box<Expected>> {
        self.expected.take()
    }

    /// What it is for.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// The server it is for, when it is for one.
    pub fn server(&self) -> Option<&ServerName> {
        self.endpoint.server()
    }

    /// What it permits.
    pub fn what(&self) -> Permitted {
        self.what
    }

    /// On whose behalf: what is kept for one caller is never shown to another.
    pub fn caller(&self) -> &CallerId {
        &self.caller
    }
}

/// A permit that no gate has decided on.
#[cfg(test)]
pub(crate) fn permit_for_test(server: ServerName, what: Permitted) -> Permit {
    Permit::new(server.into(), what, CallerId::for_test("test"))
}
