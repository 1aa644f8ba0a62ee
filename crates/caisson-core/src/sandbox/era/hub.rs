//! One process of a server without sessions, shared by all clients. Ids, progress tokens and subscription ids are
//! replaced by numbers of ours on the way in and put back on the way out, so no client ever sees another's, and
//! clients may use the same ones. It must never deliver a message that may belong to somebody else.

mod calls;
mod wire;

use std::sync::Arc;

use bytes::Bytes;
use futures::future::BoxFuture;
use tokio::sync::Mutex;

use self::wire::Wire;
use super::super::{
    Exchange, SandboxError,
    exchange::{Opens, Stateless},
    logs::Logs,
};
use crate::{gate::CallerId, model::ServerName};

/// The requests of all clients to one server without sessions.
pub(in crate::sandbox) struct Hub {
    server: ServerName,
    opener: Arc<dyn Opens>,
    logs: Logs,
    /// The process that is shared, while there is one.
    wire: Mutex<Option<Arc<Wire>>>,
}

impl Hub {
    /// A hub before the server that `opener` opens. No process is started yet.
    pub(in crate::sandbox) fn new(server: ServerName, opener: Arc<dyn Opens>, logs: Logs) -> Self {
        Self { server, opener, logs, wire: Mutex::new(None) }
    }

    /// The process that runs, or a new one. `spent` is one that takes no more.
    async fn wire(&self, spent: Option<&Arc<Wire>>) -> Result<Arc<Wire>, SandboxError> {
        // Held while a process is opened: whoever comes meanwhile shares it.
        let mut current = self.wire.lock().await;
        if let Some(wire) = &*current
            && !wire.is_closed()
            && spent.is_none_or(|spent| !Arc::ptr_eq(spent, wire))
        {
            return Ok(Arc::clone(wire));
        }
        let session = self.opener.open().await?;
        let wire = Wire::start(session, self.logs.clone());
        *current = Some(Arc::clone(&wire));
        Ok(wire)
    }
}

impl Stateless for Hub {
    fn ask(&self, caller: CallerId, request: Bytes) -> BoxFuture<'_, Result<Exchange, SandboxError>> {
        Box::pin(async move {
            let ended = |reason: String| SandboxError::Ended { server: self.server.clone(), reason };
            let wire = self.wire(None).await?;
            match wire.ask(&caller, &request).await {
                Ok(exchange) => Ok(exchange),
                // It closed for idleness, or ended, just before: one more try.
                Err(_) if wire.is_closed() => {
                    let wire = self.wire(Some(&wire)).await?;
                    wire.ask(&caller, &request).await.map_err(|error| ended(error.to_string()))
                }
                Err(error) => Err(ended(error.to_string())),
            }
        })
    }
}
