//! Several servers shown to a client as one. What they list is put together, each name with its server's before it;
//! what a client asks goes to the one server it is for. It speaks the protocol without sessions, as its servers'
//! fronts do; clients of the other era meet it through the same adapter as theirs.
//!
//! It decides nothing and keeps nothing: each request to a server passes the gate under the name that server knows.
//! It must never show one server what was meant for another.

mod call;
mod discover;
mod front;
mod listen;
mod lists;
mod members;
mod owner;
mod search;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::watch;

use self::{front::Front, members::Members};
use crate::{
    gate::{Gate, Permit, Permitted, Principal},
    model::{self, Endpoint, GroupName},
    sandbox::{Exchange, Sandbox, SandboxError, Session, Stateless as _, session_over},
};

/// Every group. Cheap to clone.
#[derive(Clone)]
pub struct Groups {
    gate: Gate,
    members: Arc<dyn Members>,
    known: watch::Receiver<Arc<model::Groups>>,
}

impl Groups {
    /// The groups that `known` says at each moment, of servers in `sandbox`. `gate` decides on what they ask.
    pub fn new(gate: Gate, sandbox: Sandbox, known: watch::Receiver<Arc<model::Groups>>) -> Self {
        Self::of(gate, Arc::new(sandbox), known)
    }

    fn of(gate: Gate, members: Arc<dyn Members>, known: watch::Receiver<Arc<model::Groups>>) -> Self {
        Self { gate, members, known }
    }

    /// Whether there is a group of this name.
    pub fn has(&self, name: &GroupName) -> bool {
        self.known.borrow().contains_key(name)
    }

    /// Opens a session with the group the permit is for, for `principal`, who begins with `hello`, which is looked at
    /// and not sent. No server is started yet.
    ///
    /// # Errors
    /// When the permit is for something else.
    pub fn open(
        &self,
        permit: &Permit,
        principal: &Principal,
        hello: &[u8],
    ) -> Result<Session, SandboxError> {
        let front = self.front(permit, Permitted::Session, principal)?;
        let endpoint = permit.endpoint().clone();
        Ok(session_over(endpoint, permit.caller().clone(), hello, Arc::new(front)))
    }

    /// Asks the group the permit is for one request that stands alone, on behalf of `principal`.
    ///
    /// # Errors
    /// When the permit is for something else, or the server that is to answer cannot be had.
    pub async fn ask(
        &self,
        permit: &Permit,
        principal: &Principal,
        request: Bytes,
    ) -> Result<Exchange, SandboxError> {
        let front = self.front(permit, Permitted::Message, principal)?;
        front.ask(permit.caller().clone(), request).await
    }

    /// The input schema of a tool that a group shows, as JSON; none when it is not known.
    pub fn input_schema(&self, name: &GroupName, shown: &str) -> Option<Arc<str>> {
        let known = self.known.borrow();
        let (server, tool) = known.get(name)?.resolve(shown)?;
        self.members.input_schema(server, tool)
    }

    fn front(&self, permit: &Permit, what: Permitted, principal: &Principal) -> Result<Front, SandboxError> {
        match permit.endpoint() {
            Endpoint::Group(name) if permit.what() == what => Ok(Front {
                name: name.clone(),
                principal: principal.clone(),
                gate: self.gate.clone(),
                members: Arc::clone(&self.members),
                known: self.known.clone(),
            }),
            Endpoint::Group(_) | Endpoint::Server(_) => Err(SandboxError::WrongPermit),
        }
    }
}
