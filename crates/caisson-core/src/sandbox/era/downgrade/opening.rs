//! `initialize` becomes `server/discover`, and what that tells of the server becomes the result of `initialize`.

use std::{
    borrow::Cow,
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use bytes::Bytes;
use serde::Deserialize;
use serde_json::{
    Value, json,
    value::{RawValue, to_raw_value},
};
use tokio::sync::mpsc;

use super::{
    super::{
        super::SessionError,
        pair::{Below, Fault, Upward, invalid},
    },
    client::Client,
    empty,
};
use crate::model::{Endpoint, Envelope, EnvelopeKind, RequestId, Splice};

/// The versions that have sessions. A client that asks for another is offered the last of them.
const VERSIONS: [&str; 4] = ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"];
/// What a description of a server has in the era without sessions alone.
const MODERN_ONLY: [&str; 4] = ["supportedVersions", "resultType", "ttlMs", "cacheScope"];
/// Messages that wait while the server is discovered.
const MOST_HELD: usize = 16;

/// A session on which nothing was said yet.
#[derive(Debug)]
pub(super) struct Opening {
    pub(super) endpoint: Endpoint,
    pub(super) upward: Arc<Upward>,
    pub(super) below: Below,
}

/// A session that was initialized.
pub(super) struct Opened {
    pub(super) opening: Opening,
    pub(super) client: Client,
    /// The kinds of lists whose changes the server promises to tell, as a subscription names them.
    pub(super) promised: Vec<&'static str>,
    /// What the client has said meanwhile.
    pub(super) held: VecDeque<Bytes>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Initialize<'a> {
    #[serde(borrow)]
    protocol_version: Cow<'a, str>,
    #[serde(borrow)]
    capabilities: Option<&'a RawValue>,
    #[serde(borrow)]
    client_info: Option<&'a RawValue>,
}

/// What the server is, and what the client is told of it.
struct Discovered {
    promised: Vec<&'static str>,
    result: Bytes,
}

impl Opening {
    /// Waits until the client has initialized. None when the client, or the server, is gone.
    pub(super) async fn open(self, messages: &mut mpsc::Receiver<Bytes>) -> Option<Opened> {
        let upward = self.upward.clone();
        loop {
            let message = tokio::select! {
                () = upward.gone() => return None,
                message = messages.recv() => message?,
            };
            let message = message.slice_ref(message.trim_ascii());
            let (envelope, kind) = match Envelope::read(&message) {
                Ok(read) => read,
                Err(error) => {
                    upward.tell(invalid(&error.to_string())).await;
                    continue;
                }
            };
            let (EnvelopeKind::Request, Some(id)) = (kind, &envelope.id) else { continue };
            let fault = match envelope.method.as_deref() {
                Some("initialize") => {
                    let mut held = VecDeque::new();
                    let discovered = tokio::select! {
                        () = hold(&upward, messages, &mut held) => return None,
                        discovered = self.initialize(&envelope, id) => discovered,
                    };
                    match discovered {
                        Ok((client, Discovered { promised, result })) => {
                            upward.tell(result).await;
                            return Some(Opened { opening: self, client, promised, held });
                        }
                        Err(fault) => fault,
                    }
                }
                Some("ping") => {
                    upward.tell(empty(id)).await;
                    continue;
                }
                _ => Fault::refused("this session is not initialized; initialize comes first"),
            };
            let why = match fault {
                Fault::Over(why) => why,
                Fault::NotStarted(why) => SessionError::NotStarted(why),
                fault @ (Fault::Failed { .. } | Fault::Given(_)) => {
                    upward.tell(fault.response(id)).await;
                    continue;
                }
            };
            // Who waits for the answer learns by the end why there is none.
            upward.end(why);
            upward.part().await;
            return None;
        }
    }

    async fn initialize(
        &self,
        envelope: &Envelope<'_>,
        id: &RequestId,
    ) -> Result<(Client, Discovered), Fault> {
        let params = envelope.params.map_or("{}", RawValue::get);
        let params: Initialize<'_> = serde_json::from_str(params)
            .map_err(|error| Fault::params(format!("the parameters of initialize are wrong: {error}")))?;
        let client = Client::new(params.capabilities, params.client_info)?;
        let discover = json!({"jsonrpc": "2.0", "id": id, "method": "server/discover"}).to_string();
        let discover = client.envelop(discover.as_bytes(), None)?;
        let response = self.below.ask(&self.upward, id, discover).await?;
        let response = response.ok_or_else(|| Fault::broken("gave up server/discover"))?;
        Ok((client, self.discovered(&response, &params.protocol_version)?))
    }

    /// The response to `server/discover` as one to `initialize`: with the same fields and two more, and without those
    /// that only the other era has. SDKs tell the two results apart by them.
    fn discovered(&self, response: &Bytes, asked: &str) -> Result<Discovered, Fault> {
        let strange = || Fault::broken("answered server/discover with what is no description of a server");
        let mut splice = Splice::of(response).ok_or_else(strange)?;
        if let Some(error) = splice.get(&["error"]) {
            return Err(Fault::Given(error.get().to_owned()));
        }
        let raw = splice.get(&["result"]).ok_or_else(strange)?;
        let result: Value = serde_json::from_str(raw.get()).map_err(|_| strange())?;
        let capabilities =
            result.get("capabilities").filter(|found| found.is_object()).ok_or_else(strange)?;
        let changes = |kind: &str| capabilities[kind]["listChanged"] == true;
        let promised = [
            ("tools", "toolsListChanged"),
            ("prompts", "promptsListChanged"),
            ("resources", "resourcesListChanged"),
        ];
        let promised = promised.into_iter().filter(|(kind, _)| changes(kind)).map(|(_, name)| name).collect();
        let info = &result["_meta"]["io.modelcontextprotocol/serverInfo"];
        let info = if info["name"].is_string() && info["version"].is_string() {
            info.clone()
        } else {
            // A client of this era cannot do without.
            json!({"name": self.endpoint.name(), "version": "unknown"})
        };
        let version = VERSIONS.into_iter().find(|version| *version == asked).unwrap_or(VERSIONS[3]);
        let mut said: BTreeMap<Cow<'_, str>, &RawValue> =
            serde_json::from_str(raw.get()).map_err(|_| strange())?;
        said.retain(|key, _| !MODERN_ONLY.contains(&&**key));
        let version = to_raw_value(version).map_err(|_| strange())?;
        let info = to_raw_value(&info).map_err(|_| strange())?;
        said.insert("protocolVersion".into(), &version);
        said.insert("serverInfo".into(), &info);
        splice.set(&["result"], &serde_json::to_string(&said).map_err(|_| strange())?);
        Ok(Discovered { promised, result: splice.done().into() })
    }
}

/// Holds what the client says while it should wait, and answers its pings. Returns when it is gone.
async fn hold(upward: &Upward, messages: &mut mpsc::Receiver<Bytes>, held: &mut VecDeque<Bytes>) {
    loop {
        let message = tokio::select! {
            () = upward.gone() => return,
            message = messages.recv(), if held.len() < MOST_HELD => message,
        };
        let Some(message) = message else { return };
        match Envelope::read(&message) {
            Ok((Envelope { id: Some(id), method: Some(method), .. }, _)) if method == "ping" => {
                upward.tell(empty(&id)).await;
            }
            _ => held.push_back(message),
        }
    }
}
