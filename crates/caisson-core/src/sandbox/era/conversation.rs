//! Caisson's own words to a server: what it asks to learn what the server is.

use std::{collections::HashMap, time::Duration};

use bytes::Bytes;
use serde::{Deserialize, de::IgnoredAny};
use serde_json::{json, value::RawValue};
use tokio::time::Instant;

use super::{
    super::{SandboxError, SessionError, SessionReceiver, SessionSender, exchange::Opens},
    keys,
    patience::before,
};
use crate::model::{Envelope, EnvelopeKind, RequestId, Splice, error_response};

/// Pages of a list that are asked for, so that a list without an end has one.
const MOST_PAGES: usize = 100;
/// JSON-RPC: the method is not known.
const UNKNOWN_METHOD: i32 = -32601;

/// The lists of MCP: the method, and what its result calls them.
pub(crate) const LISTS: [(&str, &str); 4] = [
    ("tools/list", "tools"),
    ("prompts/list", "prompts"),
    ("resources/list", "resources"),
    ("resources/templates/list", "resourceTemplates"),
];

/// A process nobody else speaks to.
pub(super) struct Conversation {
    sender: SessionSender,
    receiver: SessionReceiver,
    /// Until then the server may take for its answers.
    patience: Instant,
    last_id: i64,
}

/// What a server answered.
pub(super) enum Answer {
    Result(Box<RawValue>),
    Error,
}

impl Conversation {
    /// Begins one in a process of its own.
    pub(super) async fn open(opener: &dyn Opens, patience: Duration) -> Result<Self, SandboxError> {
        let (sender, receiver) = opener.open(None).await?.split();
        Ok(Self { sender, receiver, patience: Instant::now() + patience, last_id: 0 })
    }

    /// The request with which a client of the protocol with sessions begins: one of this version that can do this.
    pub(super) async fn initialize(
        &mut self,
        version: &str,
        capabilities: &serde_json::Value,
    ) -> Result<Answer, SessionError> {
        let params = json!({"protocolVersion": version, "capabilities": capabilities, "clientInfo": us()});
        self.ask("initialize", &params).await
    }

    /// Says that the session has begun.
    pub(super) async fn initialized(&self) -> Result<(), SessionError> {
        let initialized = self.sender.pass(br#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#);
        let deaf = || SessionError::Protocol("it did not take notifications/initialized in time".to_owned());
        before(self.patience, initialized).await.ok_or_else(deaf)?
    }

    /// Asks one thing and waits for the answer. What the server asks meanwhile is refused.
    pub(super) async fn ask(
        &mut self,
        method: &str,
        params: &serde_json::Value,
    ) -> Result<Answer, SessionError> {
        self.last_id += 1;
        let id = RequestId::Number(self.last_id);
        let request = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}).to_string();
        let silent = || SessionError::Protocol(format!("it did not answer {method} in time"));
        before(self.patience, self.sender.pass(request.as_bytes())).await.ok_or_else(silent)??;
        loop {
            let heard = before(self.patience, self.receiver.next()).await.ok_or_else(silent)?;
            let message: Bytes = heard.unwrap_or(Err(SessionError::Closed))?;
            let Ok((envelope, kind)) = Envelope::read(&message) else { continue };
            match kind {
                EnvelopeKind::Response if envelope.id.as_ref() == Some(&id) => {
                    return Ok(envelope
                        .result
                        .map_or(Answer::Error, |result| Answer::Result(result.to_owned())));
                }
                EnvelopeKind::Request => {
                    let refusal = error_response(envelope.id.as_ref(), UNKNOWN_METHOD, "nobody is here yet");
                    before(self.patience, self.sender.pass(&refusal)).await.ok_or_else(silent)??;
                }
                EnvelopeKind::Response | EnvelopeKind::Notification => {}
            }
        }
    }

    /// A list, all pages of it in one result. None when the server has no such list.
    pub(super) async fn list(
        &mut self,
        method: &str,
        items: &str,
    ) -> Result<Option<Box<RawValue>>, SessionError> {
        let mut pages = Pages::new(items);
        loop {
            let params = pages.cursor().map_or_else(|| json!({}), |cursor| json!({"cursor": cursor}));
            let Answer::Result(page) = self.ask(method, &params).await? else { return Ok(None) };
            if !pages.add(page) {
                return Ok(pages.whole());
            }
        }
    }
}

/// The pages of a list.
pub(crate) struct Pages<'a> {
    items: &'a str,
    first: Option<Box<RawValue>>,
    all: Vec<Box<RawValue>>,
    cursor: Option<String>,
    count: usize,
}

impl<'a> Pages<'a> {
    /// The pages of a list whose results call it `items`.
    pub(crate) fn new(items: &'a str) -> Self {
        Self { items, first: None, all: Vec::new(), cursor: None, count: 0 }
    }

    /// Where the next page begins; none for the first.
    pub(crate) fn cursor(&self) -> Option<&str> {
        self.cursor.as_deref()
    }

    /// Adds a page. Whether there is another to ask for.
    pub(crate) fn add(&mut self, page: Box<RawValue>) -> bool {
        self.count += 1;
        // A list that goes round, or never ends, is none.
        let ends = self.count >= MOST_PAGES;
        let Some((items, next)) = self.read(&page) else {
            self.first = None;
            return false;
        };
        self.all.extend(items);
        if self.count == 1 {
            self.first = Some(page);
        }
        if next.is_some() && (ends || next == self.cursor) {
            self.first = None;
            return false;
        }
        self.cursor = next;
        self.cursor.is_some()
    }

    /// What is on a page, and where the next begins.
    fn read(&self, page: &RawValue) -> Option<(Vec<Box<RawValue>>, Option<String>)> {
        let page: HashMap<String, Box<RawValue>> = serde_json::from_str(page.get()).ok()?;
        let next = page.get("nextCursor").map(|next| serde_json::from_str(next.get())).transpose().ok()?;
        Some((serde_json::from_str(page.get(self.items)?.get()).ok()?, next.flatten()))
    }

    /// All pages as the result of one; none when the pages were no list.
    pub(crate) fn whole(self) -> Option<Box<RawValue>> {
        let first = self.first?;
        if self.count == 1 {
            return Some(first);
        }
        let mut whole: serde_json::Map<String, serde_json::Value> = serde_json::from_str(first.get()).ok()?;
        whole.remove("nextCursor");
        whole.insert(self.items.to_owned(), serde_json::to_value(&self.all).ok()?);
        serde_json::value::to_raw_value(&whole).ok()
    }
}

/// What Caisson says of itself.
fn us() -> serde_json::Value {
    json!({"name": "caisson", "title": "Caisson", "version": env!("CARGO_PKG_VERSION")})
}

/// The `_meta` of Caisson's own requests that stand alone, as a client with these capabilities.
pub(super) fn meta(capabilities: &serde_json::Value) -> serde_json::Value {
    json!({
        keys::PROTOCOL_VERSION: keys::VERSION, keys::CLIENT_CAPABILITIES: capabilities, keys::CLIENT_INFO: us(),
    })
}

/// What a client can do that can do all there is (MCP 2025-11-25, "Lifecycle: Capability Negotiation").
pub(super) fn able() -> serde_json::Value {
    json!({
        "roots": {"listChanged": true},
        "sampling": {"context": {}, "tools": {}},
        "elicitation": {"form": {}, "url": {}},
        "tasks": {"list": {}, "cancel": {}, "requests": {
            "sampling": {"createMessage": {}}, "elicitation": {"create": {}},
        }},
    })
}

/// Whether a message is a request that stands alone.
pub(super) fn stands_alone(message: &[u8]) -> bool {
    Splice::of(message)
        .is_some_and(|message| message.get(&["params", "_meta", keys::PROTOCOL_VERSION]).is_some())
}

/// A request that stands alone and asks for all there is of one thing.
pub(super) fn standalone_question(method: &str, capabilities: &serde_json::Value) -> Bytes {
    let params = json!({"_meta": meta(capabilities)});
    json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).to_string().into()
}

/// The lists a server has, as it describes itself in the result of `initialize` or `server/discover`. One that has not
/// a list may not answer when it is asked for it, nor refuse.
pub(super) fn lists_of(about: &RawValue) -> impl Iterator<Item = (&'static str, &'static str)> {
    #[derive(Deserialize)]
    struct About {
        capabilities: Option<HashMap<String, IgnoredAny>>,
    }
    let capabilities = serde_json::from_str::<About>(about.get()).ok().and_then(|about| about.capabilities);
    LISTS.into_iter().filter(move |(method, _)| {
        let kind = method.split('/').next().unwrap_or_default();
        capabilities.as_ref().is_none_or(|capabilities| capabilities.contains_key(kind))
    })
}

#[cfg(test)]
mod tests {
    use futures::future::BoxFuture;

    use super::*;
    use crate::{gate::CallerId, model::ServerName, sandbox::Session};

    fn raw(json: &str) -> Box<RawValue> {
        RawValue::from_string(json.to_owned()).unwrap()
    }

    /// A server that asks without end and reads nothing.
    struct Flood(ServerName);

    impl Opens for Flood {
        fn server(&self) -> &ServerName {
            &self.0
        }

        fn open(&self, _: Option<CallerId>) -> BoxFuture<'_, Result<Session, SandboxError>> {
            let (session, unread, asks) = Session::for_test(self.0.clone().into());
            tokio::spawn(async move {
                let ask = Bytes::from_static(br#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#);
                while asks.send(Ok(ask.clone())).await.is_ok() {}
                drop(unread);
            });
            Box::pin(async { Ok(session) })
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_only_asks_is_not_waited_for() {
        let flood = Flood("flood".parse().unwrap());
        let mut conversation = Conversation::open(&flood, Duration::from_secs(5)).await.unwrap();
        let began = Instant::now();
        let error =
            tokio::time::timeout(Duration::from_secs(60), conversation.initialize("2025-11-25", &json!({})))
                .await
                .unwrap();
        assert!(error.is_err_and(|error| error.to_string().contains("initialize in time")));
        assert!(began.elapsed() < Duration::from_secs(6));
    }

    #[test]
    fn lists_are_those_a_server_says_it_has() {
        let lists = |about: &str| lists_of(&raw(about)).map(|(method, _)| method).collect::<Vec<_>>();
        assert_eq!(lists(r#"{"capabilities":{"tools":{}}}"#), ["tools/list"]);
        assert_eq!(
            lists(r#"{"capabilities":{"resources":{},"logging":{}}}"#),
            ["resources/list", "resources/templates/list"]
        );
        assert!(lists(r#"{"capabilities":{}}"#).is_empty());
        assert_eq!(lists("{}").len(), LISTS.len(), "it does not say");
    }

    #[test]
    fn pages_become_one_list() {
        let mut pages = Pages::new("tools");
        assert!(!pages.add(raw(r#"{"tools":[ 1 ],"_meta":{}}"#)));
        assert_eq!(pages.whole().unwrap().get(), r#"{"tools":[ 1 ],"_meta":{}}"#);

        let mut pages = Pages::new("tools");
        assert!(pages.add(raw(r#"{"tools":[{"a":1}],"nextCursor":"2","ttlMs":5}"#)));
        assert_eq!(pages.cursor(), Some("2"));
        assert!(!pages.add(raw(r#"{"tools":[{"b":2}]}"#)));
        let whole: serde_json::Value = serde_json::from_str(pages.whole().unwrap().get()).unwrap();
        assert_eq!(whole, json!({"tools": [{"a": 1}, {"b": 2}], "ttlMs": 5}));
    }

    #[test]
    fn what_is_no_list_is_none() {
        for bad in [r#"{}"#, r#"{"tools":{}}"#, "[]"] {
            let mut pages = Pages::new("tools");
            assert!(!pages.add(raw(bad)), "{bad}");
            assert!(pages.whole().is_none(), "{bad}");
        }
        let mut pages = Pages::new("tools");
        let mut asked = 0;
        while pages.add(raw(&format!(r#"{{"tools":[1],"nextCursor":"{asked}"}}"#))) {
            asked += 1;
        }
        assert!(asked < MOST_PAGES && pages.whole().is_none());
        let mut pages = Pages::new("tools");
        assert!(pages.add(raw(r#"{"tools":[],"nextCursor":"x"}"#)));
        assert!(!pages.add(raw(r#"{"tools":[],"nextCursor":"x"}"#)));
        assert!(pages.whole().is_none());
    }
}
