//! Servers of the protocol without sessions (MCP 2026-07-28, "Transports: Streamable HTTP"): each request is a
//! POST of its own, whose headers repeat what its body says, and everything that belongs to it comes on its
//! response. Closing that connection cancels the request. There is no GET, no DELETE and no session.

mod headers;
mod tools;

use std::{collections::HashMap, sync::Arc};

use bytes::Bytes;
use hyper::HeaderMap;
use tokio::{
    sync::mpsc,
    task::{AbortHandle, JoinSet},
    time::timeout,
};

pub(super) use tools::Tools;

use super::{
    Dial,
    carrier::{Call, Carrier, LAST_ANSWERS},
};
use crate::model::{Envelope, EnvelopeKind, RequestId, Splice};

/// Where a request says which version it is of.
const VERSION: [&str; 3] = ["params", "_meta", "io.modelcontextprotocol/protocolVersion"];

/// Whether a message is a request that stands alone.
pub(super) fn stands_alone(message: &[u8]) -> bool {
    let is_request = Envelope::read(message).is_ok_and(|(_, kind)| kind == EnvelopeKind::Request);
    is_request && Splice::of(message).is_some_and(|message| message.get(&VERSION).is_some())
}

impl<D: Dial> Carrier<D> {
    /// Carries requests that stand alone, `first` before all others.
    pub(super) async fn carry_alone(self: Arc<Self>, first: Bytes, mut outgoing: mpsc::Receiver<Bytes>) {
        // Dropped, it ends what runs in it, and with it the connections.
        let mut posts = JoinSet::new();
        let mut running: HashMap<RequestId, AbortHandle> = HashMap::new();
        let mut next = Some(first);
        while let Some(message) = next {
            while posts.try_join_next().is_some() {}
            running.retain(|_, post| !post.is_finished());
            if let Ok((envelope, kind)) = Envelope::read(&message) {
                match (kind, envelope.id.clone()) {
                    (EnvelopeKind::Request, Some(id)) => {
                        let post = posts.spawn(self.clone().ask(message, id.clone()));
                        running.insert(id, post);
                    }
                    (EnvelopeKind::Notification, _) => match envelope.cancels() {
                        Some(id) => {
                            if let Some(post) = running.remove(&id) {
                                post.abort();
                            }
                        }
                        None => drop(posts.spawn(self.clone().notify(message))),
                    },
                    // Servers of this protocol ask nothing that is answered so.
                    (EnvelopeKind::Request | EnvelopeKind::Response, _) => {}
                }
            }
            next = outgoing.recv().await;
        }
        let last = async { while posts.join_next().await.is_some() {} };
        drop(timeout(LAST_ANSWERS, last).await);
    }

    /// Asks one request, and sees to its answer.
    async fn ask(self: Arc<Self>, message: Bytes, id: RequestId) {
        let mut headers = headers::of(&message);
        self.mirror(&message, &mut headers).await;
        let lists = headers.get(headers::METHOD).is_some_and(|method| method == tools::LIST);
        let call = Call { id: Some(id), initializes: false, alone: Some(headers), lists_tools: lists };
        self.call(message, &call).await;
    }

    async fn notify(self: Arc<Self>, message: Bytes) {
        let headers = headers::of(&message);
        let call = Call { id: None, initializes: false, alone: Some(headers), lists_tools: false };
        self.call(message, &call).await;
    }

    /// Adds the headers that repeat a tool call's arguments, where the tool wants them.
    async fn mirror(&self, message: &Bytes, headers: &mut HeaderMap) {
        if headers.get(headers::METHOD).is_none_or(|method| method != tools::CALL) {
            return;
        }
        let Some(tool) = tools::called(message) else { return };
        if !self.tools.knows(&tool).await {
            self.learn(message).await;
        }
        self.tools.mirror(&tool, message, headers).await;
    }
}
