//! A client without sessions that speaks on a pair of message ends, as on standard input and output (MCP
//! 2026-07-28): each of its requests stands alone, and is asked below as it came.

use std::{borrow::Cow, sync::Arc};

use bytes::Bytes;
use serde::Deserialize;
use serde_json::{json, value::RawValue};
use tokio::sync::mpsc;

use super::{
    super::{Session, exchange::Stateless},
    pair::{Below, CLIENT_CAPABILITIES, Calls, Fault, MODERN, PROTOCOL_VERSION, Upward, invalid},
};
use crate::{
    gate::CallerId,
    model::{Endpoint, Envelope, EnvelopeKind, RequestId, Splice},
};

/// MCP 2026-07-28: the protocol version is not one that is spoken here.
const UNSUPPORTED_VERSION: i32 = -32022;

/// A session for a client without sessions, with what `below` answers for. Must be called within a
/// Tokio runtime.
pub(in crate::sandbox) fn session(
    endpoint: Endpoint,
    caller: CallerId,
    below: Arc<dyn Stateless>,
) -> Session {
    let (session, ends, incoming) = Session::carried(endpoint, None);
    let upward = Arc::new(Upward::new(incoming));
    let duplex = Duplex { upward, below: Arc::new(Below::new(below, caller)), calls: Calls::default() };
    tokio::spawn(duplex.carry(ends.outgoing));
    session
}

struct Duplex {
    upward: Arc<Upward>,
    below: Arc<Below>,
    calls: Calls,
}

impl Duplex {
    /// Carries until the client or the server is gone.
    async fn carry(mut self, mut messages: mpsc::Receiver<Bytes>) {
        let upward = self.upward.clone();
        loop {
            tokio::select! {
                () = upward.gone() => return,
                _ = upward.ended() => break,
                message = messages.recv(), if self.calls.has_room() => match message {
                    Some(message) => self.hear(message).await,
                    None => return,
                },
                () = self.calls.one_ends(), if !self.calls.is_empty() => {}
            }
        }
        let parting = async {
            self.calls.all_end().await;
            upward.part().await;
        };
        tokio::select! {
            () = upward.gone() => {}
            () = parting => {}
        }
    }

    async fn hear(&mut self, message: Bytes) {
        let message = message.slice_ref(message.trim_ascii());
        let (envelope, kind) = match Envelope::read(&message) {
            Ok(read) => read,
            Err(error) => return self.upward.tell(invalid(&error.to_string())).await,
        };
        match (kind, &envelope.id) {
            (EnvelopeKind::Request, Some(id)) => {
                if let Err(fault) = self.request(&envelope, id, message.clone()) {
                    self.upward.tell(fault.response(id)).await;
                }
            }
            (EnvelopeKind::Notification, _) => self.calls.notified(&envelope),
            // Nothing is ever asked of this client.
            (EnvelopeKind::Response | EnvelopeKind::Request, _) => {}
        }
    }

    fn request(&mut self, envelope: &Envelope<'_>, id: &RequestId, message: Bytes) -> Result<(), Fault> {
        if envelope.method.as_deref() == Some("initialize") {
            return Err(initializes(envelope));
        }
        is_enveloped(&message)?;
        let (upward, below) = (self.upward.clone(), self.below.clone());
        let asked = id.clone();
        let work = async move { below.ask(&upward, &asked, message).await };
        self.calls.start(&self.upward, id.clone(), work)
    }
}

/// Why `initialize` is refused here, with what would be understood.
fn initializes(envelope: &Envelope<'_>) -> Fault {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Initialize<'a> {
        #[serde(borrow)]
        protocol_version: Option<Cow<'a, str>>,
    }
    let params = envelope.params.and_then(|params| serde_json::from_str::<Initialize<'_>>(params.get()).ok());
    let requested = params.and_then(|params| params.protocol_version);
    unsupported(requested.as_deref(), ", which has no initialize: begin with server/discover")
}

/// The refusal of a version. `rest` ends the sentence that names the one spoken here.
fn unsupported(requested: Option<&str>, rest: &str) -> Fault {
    let mut data = json!({"supported": [MODERN]});
    if let Some(version) = requested {
        data["requested"] = version.into();
    }
    let message = format!("this connection speaks MCP {MODERN}{rest}");
    Fault::Given(json!({"code": UNSUPPORTED_VERSION, "message": message, "data": data}).to_string())
}

/// Whether the request says what every request must, and is of the version spoken here (MCP 2026-07-28,
/// "Per-request protocol fields").
fn is_enveloped(message: &[u8]) -> Result<(), Fault> {
    #[derive(Deserialize)]
    struct Meta<'a> {
        #[serde(borrow, rename = "io.modelcontextprotocol/protocolVersion")]
        version: Option<&'a RawValue>,
        #[serde(borrow, rename = "io.modelcontextprotocol/clientCapabilities")]
        capabilities: Option<&'a RawValue>,
    }
    let splice = Splice::of(message);
    let meta = splice.and_then(|splice| splice.get(&["params", "_meta"]));
    let meta = meta.and_then(|meta| serde_json::from_str::<Meta<'_>>(meta.get()).ok());
    let needs = |what: &str| Fault::params(format!("each request of MCP {MODERN} needs params._meta {what}"));
    let Some(Meta { version, capabilities }) = meta else {
        return Err(needs(&format!("with {PROTOCOL_VERSION} and {CLIENT_CAPABILITIES}")));
    };
    let version = version.and_then(|version| serde_json::from_str::<String>(version.get()).ok());
    let version = version.ok_or_else(|| needs(&format!("with {PROTOCOL_VERSION}, a text")))?;
    if !capabilities.is_some_and(|capabilities| capabilities.get().starts_with('{')) {
        return Err(needs(&format!("with {CLIENT_CAPABILITIES}, an object")));
    }
    if version != MODERN {
        return Err(unsupported(Some(&version), " alone"));
    }
    Ok(())
}
