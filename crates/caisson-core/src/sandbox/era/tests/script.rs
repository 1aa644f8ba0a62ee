//! Processes of a server that say what a test wants, in this process.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use bytes::Bytes;
use futures::future::BoxFuture;
use serde_json::Value;
use tokio::sync::mpsc;

use crate::{gate::CallerId, model::ServerName};

use super::super::super::{SandboxError, Session, SessionError, exchange::Opens};

/// Opens sessions; the far ends of each are handed to the test.
pub(in crate::sandbox) struct Script {
    server: ServerName,
    opened: mpsc::UnboundedSender<Process>,
    /// How many were opened.
    pub(in crate::sandbox) count: Arc<AtomicUsize>,
}

/// The far ends of one session.
pub(in crate::sandbox) struct Process {
    pub(in crate::sandbox) from_client: mpsc::Receiver<Bytes>,
    pub(in crate::sandbox) to_client: mpsc::Sender<Result<Bytes, SessionError>>,
}

impl Script {
    pub(in crate::sandbox) fn new() -> (Arc<Self>, mpsc::UnboundedReceiver<Process>) {
        let (opened, processes) = mpsc::unbounded_channel();
        (Arc::new(Self { server: "fake".parse().unwrap(), opened, count: Arc::default() }), processes)
    }
}

impl Opens for Script {
    fn server(&self) -> &ServerName {
        &self.server
    }

    fn open(&self, _: Option<CallerId>) -> BoxFuture<'_, Result<Session, SandboxError>> {
        Box::pin(async move {
            let server = self.server.clone();
            let (session, from_client, to_client) = Session::for_test(server.clone().into());
            self.count.fetch_add(1, Ordering::SeqCst);
            let process = Process { from_client, to_client };
            self.opened.send(process).map_err(|_| SandboxError::Stopped(server))?;
            Ok(session)
        })
    }
}

impl Process {
    /// The next message of the client.
    pub(in crate::sandbox) async fn hears(&mut self) -> Value {
        serde_json::from_slice(&self.from_client.recv().await.expect("the client says something")).unwrap()
    }

    pub(in crate::sandbox) async fn says(&self, message: Value) {
        self.to_client.send(Ok(message.to_string().into())).await.unwrap();
    }
}
