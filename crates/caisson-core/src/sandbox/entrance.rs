//! How a session gets into a container that runs.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::{
    SandboxError, Session, SessionError, http,
    lease::Lease,
    link::Link,
    logs::Logs,
    stdio::{self, ReaderState, StdioReader},
};
use crate::{
    gate::CallerId,
    model::{Server, ServerName, Transport},
};

/// A session that is about to be opened.
pub(super) struct Entrance {
    pub(super) name: ServerName,
    pub(super) server: Arc<Server>,
    pub(super) link: Arc<Link>,
    pub(super) logs: Logs,
    pub(super) lease: Arc<Lease>,
    /// Who it is for; whoever comes where there is none.
    pub(super) caller: Option<CallerId>,
}

impl Entrance {
    pub(super) async fn open(self) -> Result<Session, SandboxError> {
        let Self { name, server, link, logs, lease, caller } = self;
        let unopened = |error: SessionError| {
            let server = name.clone();
            if let SessionError::Full(sessions) = error {
                SandboxError::Full { server, sessions }
            } else {
                SandboxError::Ended { server, reason: error.to_string() }
            }
        };
        match &server.transport {
            Transport::Http { port, path } => {
                let guest = link.room().enter(caller).map_err(unopened)?;
                let connector = http::Connector::new(link, guest, *port, server.life.start_timeout());
                http::session(name, path, connector, lease).await
            }
            Transport::Stdio => {
                let (stream, process) = link.session().await.map_err(unopened)?;
                let (from, to) = tokio::io::split(stream);
                let state = ReaderState::default();
                let link_end = link.end();
                let gone = CancellationToken::new();
                let reader = |closed| StdioReader {
                    from,
                    process,
                    logs,
                    closed,
                    link_end,
                    lease: lease.clone(),
                    state,
                    _gone: gone.clone().drop_guard(),
                };
                let (session, ends) = Session::stdio(name.clone(), lease.clone(), reader);
                tokio::spawn(stdio::write(to, ends, gone));
                Ok(session)
            }
        }
    }
}
