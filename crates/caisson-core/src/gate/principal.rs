use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::SystemTime,
};

use super::{
    Scope,
    tokens::{Token, TokenId},
};

/// Who asks. Only the gate makes one, from a token or for a caller on the control socket. In another session it is the
/// same.
#[derive(Clone, Debug)]
pub struct Principal {
    who: Who,
    session: SessionNumber,
    /// Whether the person it speaks for says yes to whatever they would be asked.
    consents: bool,
}

/// Which session a principal speaks in; 0 outside of any.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct SessionNumber(u64);

/// The last that was given to a session.
static SESSIONS: AtomicU64 = AtomicU64::new(0);

/// Who asks, as a person knows it, and in which session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Visit {
    pub(super) client: Arc<str>,
    /// The token it showed, and when that ends; none for the user's own.
    pub(super) token: Option<(TokenId, Option<SystemTime>)>,
    pub(super) session: SessionNumber,
}

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

/// A client with a token of its own. It is the same as long as the token is, whatever becomes of that.
#[derive(Clone, Debug)]
pub struct Client {
    /// What the token was issued to, as the user knows it: `cursor`.
    pub subject: Arc<str>,
    /// Which token it showed.
    pub token: TokenId,
    /// From when on that token is of no use; none means never.
    pub expires: Option<SystemTime>,
    /// What it may use.
    pub scope: Arc<Scope>,
}

impl Principal {
    pub(super) fn local(what: LocalCaller) -> Self {
        Self { who: Who::Local(what), session: SessionNumber::default(), consents: false }
    }

    pub(super) fn client(token: Token) -> Self {
        let Token { id, subject, expires, scope, .. } = token;
        let who = Who::Client(Client { subject, token: id, expires, scope });
        Self { who, session: SessionNumber::default(), consents: false }
    }

    /// The same, in a session of its own: what is granted for a session ends with it.
    #[must_use]
    pub fn in_session(self) -> Self {
        let session = SessionNumber(SESSIONS.fetch_add(1, Ordering::Relaxed) + 1);
        Self { session, ..self }
    }

    /// The same, for a person who says yes to whatever they would be asked.
    pub(crate) fn consenting(self) -> Self {
        Self { consents: true, ..self }
    }

    pub(super) fn consents(&self) -> bool {
        self.consents
    }

    /// What a person knows it by: the name its token was issued to; `you` and `stdio` for the user's own.
    pub fn name(&self) -> Arc<str> {
        match &self.who {
            Who::Local(LocalCaller::Control) => "you".into(),
            Who::Local(LocalCaller::Shim) => "stdio".into(),
            Who::Client(client) => client.subject.clone(),
        }
    }

    pub(super) fn visit(&self) -> Visit {
        let token = match &self.who {
            Who::Local(_) => None,
            Who::Client(client) => Some((client.token.clone(), client.expires)),
        };
        Visit { client: self.name(), token, session: self.session }
    }

    /// What tells it from every other, for what is kept apart between callers.
    pub fn caller(&self) -> CallerId {
        match &self.who {
            Who::Local(_) => CallerId("you".into()),
            Who::Client(client) => CallerId(format!("token {}", client.token).into()),
        }
    }

    /// What it is.
    pub fn who(&self) -> &Who {
        &self.who
    }
}

impl PartialEq for Client {
    fn eq(&self, other: &Self) -> bool {
        self.token == other.token
    }
}

impl Eq for Client {}

impl PartialEq for Principal {
    fn eq(&self, other: &Self) -> bool {
        self.who == other.who
    }
}

impl Eq for Principal {}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.who {
            Who::Local(LocalCaller::Control) => f.write_str("you"),
            Who::Local(LocalCaller::Shim) => f.write_str("a client on standard input and output"),
            Who::Client(client) => f.write_str(&client.subject),
        }
    }
}
