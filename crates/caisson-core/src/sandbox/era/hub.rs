//! One process of a server without sessions, shared by all clients. Ids, progress tokens and subscription ids are
//! replaced by numbers of ours on the way in and put back on the way out, so no client ever sees another's, and
//! clients may use the same ones. It must never deliver a message that may belong to somebody else.

mod calls;
mod wire;

use std::sync::Arc;

use bytes::Bytes;
use futures::future::BoxFuture;
use tokio::{sync::Mutex, time::Instant};

use self::{calls::Calls, wire::Wire};
use super::super::{
    Exchange, SandboxError, SessionError,
    exchange::{Opens, Stateless},
    logs::Logs,
};
use crate::{
    gate::CallerId,
    model::{Envelope, ServerName, error_response},
};

/// JSON-RPC: not a valid request.
const INVALID_REQUEST: i32 = -32600;
/// JSON-RPC: the parameters are not what the method takes.
const INVALID_PARAMS: i32 = -32602;

/// The requests of all clients to one server without sessions.
pub(in crate::sandbox) struct Hub {
    server: ServerName,
    opener: Arc<dyn Opens>,
    logs: Logs,
    shared: Mutex<Shared>,
}

#[derive(Default)]
struct Shared {
    /// The process, while there is one.
    wire: Option<Arc<Wire>>,
    /// When the last attempt to open one failed, and why.
    failed: Option<(Instant, SandboxError)>,
}

impl Hub {
    /// A hub before the server that `opener` opens. No process is started yet.
    pub(in crate::sandbox) fn new(server: ServerName, opener: Arc<dyn Opens>, logs: Logs) -> Self {
        Self { server, opener, logs, shared: Mutex::default() }
    }

    /// The process that runs, or a new one. `spent` is one that takes no more.
    async fn wire(&self, spent: Option<&Arc<Wire>>) -> Result<Arc<Wire>, SandboxError> {
        let came = Instant::now();
        // Held while a process is opened: whoever comes meanwhile shares it, or the reason why there is none.
        let mut shared = self.shared.lock().await;
        if let Some(wire) = &shared.wire
            && !wire.is_closed()
            && spent.is_none_or(|spent| !Arc::ptr_eq(spent, wire))
        {
            return Ok(Arc::clone(wire));
        }
        if let Some((when, error)) = &shared.failed
            && came < *when
        {
            return Err(error.clone());
        }
        let session = match self.opener.open(None).await {
            Ok(session) => session,
            Err(error) => {
                shared.failed = Some((Instant::now(), error.clone()));
                return Err(error);
            }
        };
        let wire = Wire::start(session, self.logs.clone());
        shared.wire = Some(Arc::clone(&wire));
        Ok(wire)
    }
}

impl Stateless for Hub {
    fn ask(&self, caller: CallerId, request: Bytes) -> BoxFuture<'_, Result<Exchange, SandboxError>> {
        Box::pin(async move {
            if Calls::may_mistake_token(&request) {
                return Ok(refused(
                    &request,
                    INVALID_PARAMS,
                    "params._meta and its progressToken must be given once, and nothing that may be taken for them",
                ));
            }
            let wire = self.wire(None).await?;
            let asked = match wire.ask(&caller, &request).await {
                // It closed for idleness, or ended, just before: one more try.
                Err(_) if wire.is_closed() => self.wire(Some(&wire)).await?.ask(&caller, &request).await,
                asked => asked,
            };
            match asked {
                Err(error @ SessionError::TooLarge(_)) => {
                    Ok(refused(&request, INVALID_REQUEST, &error.to_string()))
                }
                asked => asked.map_err(|error| SandboxError::Ended {
                    server: self.server.clone(),
                    reason: error.to_string(),
                }),
            }
        })
    }
}

/// The answer to a request that no server is asked.
fn refused(request: &[u8], code: i32, why: &str) -> Exchange {
    let id = Envelope::read(request).ok().and_then(|(envelope, _)| envelope.id);
    Exchange::answered(error_response(id.as_ref(), code, why))
}
