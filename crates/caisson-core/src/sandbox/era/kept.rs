//! Requests that stand alone and can be answered from pins, while the server does not run; and the keeping of
//! the answers that pass by while it does.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, value::RawValue};

use super::{super::Exchange, conversation::LISTS, keys};
use crate::{
    gate::{CallerId, Definition},
    model::{Digest, Envelope, EnvelopeKind, Marks, Splice},
    pins::{Eras, Pin, Profile},
};

/// A request whose answer is kept.
pub(super) struct Kept {
    /// Its id, as JSON.
    id: String,
    method: &'static str,
    /// What its caller alone was told.
    own: Option<Profile>,
    /// What its caller may be told although others were: what the server says to anybody, or said to Caisson in a
    /// process that had heard nothing before.
    shared: Profile,
    /// Whether the server itself says who may be told.
    has_scope: bool,
}

impl Kept {
    /// The request of `caller`, if it is one whose answer is kept, to a server of which this is pinned.
    pub(super) fn of(request: &[u8], eras: Eras, caller: &CallerId, pin: &Pin) -> Option<Self> {
        #[derive(Deserialize)]
        struct Request<'a> {
            #[serde(borrow)]
            id: &'a RawValue,
            #[serde(borrow)]
            params: BTreeMap<std::borrow::Cow<'a, str>, &'a RawValue>,
        }
        let (envelope, _) = Envelope::read(request).ok()?;
        let method = method(envelope.method.as_deref()?)?;
        let Request { id, params } = serde_json::from_slice(request).ok()?;
        if narrows(params.keys()) {
            return None;
        }
        let capabilities = params.get("_meta").and_then(|meta| capabilities(meta));
        let own = capabilities.as_ref().map(|capabilities| Profile::modern_with(capabilities, caller));
        let shared = if eras.modern {
            Profile::modern()
        } else {
            let capabilities = capabilities?;
            if pin.is_uniform() {
                Profile::shared()
            } else {
                Profile::modern_with(&capabilities, &CallerId::caisson())
            }
        };
        Some(Self { id: id.get().to_owned(), method, own, shared, has_scope: eras.modern })
    }

    /// The answer, from pins.
    pub(super) fn answer(&self, pin: &Pin) -> Option<Exchange> {
        let (own, shared) = (self.own.as_ref(), Some(&self.shared));
        // What a server says to anybody is forgotten when it says otherwise to one; so it is the newer, if it is there.
        let profiles = if self.has_scope { [shared, own] } else { [own, shared] };
        let profiles = profiles.into_iter().flatten();
        let result = profiles.filter_map(|profile| pin.result(profile, self.method)).next()?;
        let result = stale(&result)?;
        Some(Exchange::answered(format!(r#"{{"jsonrpc":"2.0","id":{},"result":{result}}}"#, self.id)))
    }

    /// The same exchange, with the answer kept when it comes by.
    pub(super) fn keeping(self, exchange: Exchange, pin: Pin) -> Exchange {
        exchange.through(move |message| {
            self.keep(&message, &pin);
            message
        })
    }

    fn keep(&self, message: &Bytes, pin: &Pin) {
        let Ok((Envelope { result: Some(result), .. }, EnvelopeKind::Response)) = Envelope::read(message)
        else {
            return;
        };
        if !is_whole(result) {
            return;
        }
        if self.has_scope && is_public(result) {
            pin.set_result(&self.shared, self.method, result);
            self.own.iter().for_each(|own| pin.forget_result(own, self.method));
        } else {
            if let Some(own) = &self.own {
                pin.set_result(own, self.method, result);
            }
            if self.has_scope {
                pin.forget_result(&self.shared, self.method);
            }
        }
    }
}

/// What a request's `_meta` says its client can do.
fn capabilities(meta: &RawValue) -> Option<BTreeMap<String, serde_json::Value>> {
    let meta: BTreeMap<String, serde_json::Value> = serde_json::from_str(meta.get()).ok()?;
    serde_json::from_value(meta.get(keys::CLIENT_CAPABILITIES)?.clone()).ok()
}

/// The method as one whose result is kept.
fn method(method: &str) -> Option<&'static str> {
    let lists = LISTS.iter().map(|(method, _)| *method);
    lists.chain(["server/discover"]).find(|kept| *kept == method)
}

/// Whether a result says that it may be told to anybody (MCP 2026-07-28, "Caching").
fn is_public(result: &RawValue) -> bool {
    #[derive(Deserialize)]
    struct Cacheable {
        #[serde(rename = "cacheScope")]
        scope: String,
    }
    serde_json::from_str::<Cacheable>(result.get()).is_ok_and(|result| result.scope == "public")
}

/// Whether a result is all there is: no page after it, and no question to the user.
pub(super) fn is_whole(result: &RawValue) -> bool {
    #[derive(Deserialize)]
    struct Page<'a> {
        #[serde(rename = "nextCursor", borrow)]
        next: Option<&'a RawValue>,
        #[serde(rename = "resultType")]
        kind: Option<String>,
    }
    serde_json::from_str::<Page<'_>>(result.get())
        .is_ok_and(|page| page.next.is_none() && page.kind.is_none_or(|kind| kind == "complete"))
}

/// Whether a list is asked for with more than `_meta`: a later page, or anything else that narrows the question.
fn narrows<'a>(params: impl IntoIterator<Item = impl AsRef<str> + 'a>) -> bool {
    params.into_iter().any(|key| key.as_ref() != "_meta")
}

/// Whether a request with these parameters asks for all there is.
pub(super) fn asks_for_all(params: Option<&RawValue>) -> bool {
    let Some(params) = params else { return true };
    serde_json::from_str::<BTreeMap<String, serde::de::IgnoredAny>>(params.get())
        .is_ok_and(|params| !narrows(params.keys()))
}

/// A result, without a promise that it stays true: that was made when it was given.
fn stale(result: &RawValue) -> Option<String> {
    let mut splice = Splice::of(result.get().as_bytes())?;
    if splice.get(&["ttlMs"]).is_some() {
        splice.set(&["ttlMs"], "0");
    }
    String::from_utf8(splice.done()).ok()
}

/// Keeps the schemas of the tools a server lists, though it may say to nobody else which it has.
pub(super) fn keep_schemas(result: &RawValue, pin: &Pin) {
    if is_whole(result) {
        pin.set_result(&Profile::unspoken(), "tools/list", result);
    }
}

/// The tools that are pinned, read once for as long as the pins stay as they are.
#[derive(Default)]
pub(super) struct KnownTools(Mutex<Option<(u64, Tools)>>);

type Tools = HashMap<String, Arc<KnownTool>>;

/// What a server says of one of its tools.
pub(super) struct KnownTool {
    /// Its input schema, as JSON.
    pub(super) schema: Option<Arc<str>>,
    pub(super) definition: Definition,
}

impl KnownTools {
    /// What is known of a tool.
    pub(super) fn get(&self, pin: &Pin, tool: &str) -> Option<Arc<KnownTool>> {
        // Before the reading: what changes meanwhile is read again.
        let changes = pin.changes();
        // No panic happens while the lock is held.
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.as_ref().is_some_and(|(read, _)| *read != changes) {
            *known = None;
        }
        let (_, tools) = known.get_or_insert_with(|| (changes, tools(pin).unwrap_or_default()));
        tools.get(tool).cloned()
    }
}

/// The tools in the list that is pinned.
fn tools(pin: &Pin) -> Option<Tools> {
    #[derive(Deserialize)]
    struct List {
        tools: Vec<Value>,
    }
    let list = pin
        .result(&Profile::modern(), "tools/list")
        .or_else(|| pin.result(&Profile::least(), "tools/list"))
        .or_else(|| pin.result(&Profile::unspoken(), "tools/list"))?;
    let List { tools } = serde_json::from_str(list.get()).ok()?;
    // Of two with one name, the first counts.
    Some(
        tools
            .iter()
            .rev()
            .filter_map(|tool| Some((tool["name"].as_str()?.to_owned(), known(tool))))
            .collect(),
    )
}

fn known(tool: &Value) -> Arc<KnownTool> {
    let usual = Marks::default();
    let marked = |mark: &str, usual: bool| tool["annotations"][mark].as_bool().unwrap_or(usual);
    let marks = Marks {
        read_only: marked("readOnlyHint", usual.read_only),
        destructive: marked("destructiveHint", usual.destructive),
        idempotent: marked("idempotentHint", usual.idempotent),
        open_world: marked("openWorldHint", usual.open_world),
    };
    let schema = tool.get("inputSchema").map(|schema| schema.to_string().into());
    // A value is written with its names in order, so that equal ones are the same text.
    let digest = Digest::of(tool.to_string().as_bytes());
    Arc::new(KnownTool { schema, definition: Definition { marks, digest } })
}
