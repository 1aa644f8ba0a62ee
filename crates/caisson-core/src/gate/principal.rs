use std::{fmt, sync::Arc};

use super::{
    Scope,
    tokens::{Token, TokenId},
};

/// Who asks. Only the gate makes one, from a token or for a caller on the control socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal(Who);

/// What a [`Principal`] is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Who {
    /// The user, through the control socket.
    Local(LocalCaller),
    /// A client with a token of its own.
    Client(Client),
}

/// Tells callers apart, without a word on what they may do.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CallerId(Arc<str>);

impl CallerId {
    /// Caisson itself, when it asks a server what it is.
    pub(crate) fn caisson() -> Self {
        Self("caisson".into())
    }

    /// It as text.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    #[cfg(test)]
    pub(crate) fn for_test(name: &str) -> Self {
        Self(name.into())
    }
}

/// Through what the user asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LocalCaller {
    /// A command such as `caisson call`, or the window.
    Control,
    /// `caisson stdio SERVER`, on behalf of the client that started it.
    Shim,
}

/// A client with a token of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    /// What the token was issued to, as the user knows it: `cursor`.
    pub subject: Arc<str>,
    /// Which token it showed.
    pub token: TokenId,
    /// What it may use.
    pub scope: Arc<Scope>,
}

impl Principal {
    pub(super) fn local(what: LocalCaller) -> Self {
        Self(Who::Local(what))
    }

    pub(super) fn client(token: Token) -> Self {
        Self(Who::Client(Client { subject: token.subject, token: token.id, scope: token.scope }))
    }

    /// What tells it from every other, for what is kept apart between callers.
    pub fn caller(&self) -> CallerId {
        match &self.0 {
            Who::Local(_) => CallerId("you".into()),
            Who::Client(client) => CallerId(format!("token {}", client.token).into()),
        }
    }

    /// What it is.
    pub fn who(&self) -> &Who {
        &self.0
    }
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Who::Local(LocalCaller::Control) => f.write_str("you"),
            Who::Local(LocalCaller::Shim) => f.write_str("a client on standard input and output"),
            Who::Client(client) => f.write_str(&client.subject),
        }
    }
}
