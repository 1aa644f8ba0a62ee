//! Who may call what. Only here a [`Permit`] is made, and what is not known is denied.
//!
//! The decisions ([`decide`]) are pure functions over values: who asks, for what, and what time it is.
//! [`Gate`] looks the token up, reads the clock and asks them. It must never forward anything itself.

mod decide;
mod denial;
mod permit;
mod principal;
mod scope;
pub mod tokens;

use std::{sync::Arc, time::SystemTime};

pub use denial::Denial;
#[cfg(test)]
pub(crate) use permit::permit_for_test;
pub use permit::{Permit, Permitted};
pub use principal::{CallerId, LocalCaller, Principal, Who};
pub use scope::{Scope, ToolScope};

use tokio::sync::watch;

use crate::model::{Endpoint, Envelope, EnvelopeKind, Groups};
use tokens::Tokens;

/// Tells the time. Handed in, so that tests can turn it forward.
pub type Clock = Arc<dyn Fn() -> SystemTime + Send + Sync>;

/// Decides, for every session and every message. Cheap to clone.
#[derive(Clone)]
pub struct Gate {
    tokens: Tokens,
    clock: Clock,
    groups: watch::Receiver<Arc<Groups>>,
}

impl Gate {
    /// A gate that knows `tokens` and reads the time from `clock`. It knows no groups.
    pub fn new(tokens: Tokens, clock: Clock) -> Self {
        let (_, groups) = watch::channel(Arc::default());
        Self { tokens, clock, groups }
    }

    /// The same gate, which knows `groups`: a token for one is a token for the servers it has at the time.
    #[must_use]
    pub fn with_groups(self, groups: watch::Receiver<Arc<Groups>>) -> Self {
        Self { groups, ..self }
    }

    /// The tokens it knows: to issue, list and revoke them.
    pub fn tokens(&self) -> &Tokens {
        &self.tokens
    }

    /// Whoever holds `bearer`, the text after `Bearer ` in an `Authorization` header.
    ///
    /// # Errors
    /// When the token is unknown, revoked or expired.
    pub fn authenticate(&self, bearer: &str) -> Result<Principal, Denial> {
        let now = (self.clock)();
        let token = self.tokens.used(bearer, now).ok_or(Denial::UnknownToken)?;
        decide::token_holds(&token, now)?;
        Ok(Principal::client(token))
    }

    /// A caller on the control socket: its peer has been found to be the user, who may do everything.
    pub fn local(&self, what: LocalCaller) -> Principal {
        Principal::local(what)
    }

    /// Whether a principal that was let in earlier would still be. Asked of those who hold a session open.
    ///
    /// # Errors
    /// When its token was revoked or has expired meanwhile.
    pub fn still_holds(&self, principal: &Principal) -> Result<(), Denial> {
        match principal.who() {
            Who::Local(_) => Ok(()),
            Who::Client(client) => {
                let token = self.tokens.by_id(&client.token).ok_or(Denial::UnknownToken)?;
                decide::token_holds(&token, (self.clock)())
            }
        }
    }

    /// Whether `principal` may use `endpoint` at all: for what is said of one before anything is sent to it.
    ///
    /// # Errors
    /// When the endpoint is outside the principal's scope.
    pub fn may_use(&self, principal: &Principal, endpoint: &Endpoint) -> Result<(), Denial> {
        decide::use_at_all(principal, endpoint, &self.groups.borrow())
    }

    /// Permits `principal` to open a session with `endpoint`.
    ///
    /// # Errors
    /// When the endpoint is outside the principal's scope.
    pub fn open(&self, principal: &Principal, endpoint: &Endpoint) -> Result<Permit, Denial> {
        decide::open(principal, endpoint, &self.groups.borrow())
    }

    /// Permits one message of `principal` to `endpoint`.
    ///
    /// # Errors
    /// When the endpoint, or the tool the message calls, is outside the principal's scope.
    pub fn admit(
        &self,
        principal: &Principal,
        endpoint: &Endpoint,
        envelope: &Envelope<'_>,
        kind: EnvelopeKind,
    ) -> Result<Permit, Denial> {
        decide::admit(principal, endpoint, &self.groups.borrow(), envelope, kind)
    }
}
