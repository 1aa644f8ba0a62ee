//! The HTTP edge on a connection in memory, before a server that answers whatever it is asked.

use std::{sync::Arc, time::Duration, time::SystemTime};

use bytes::Bytes;
use futures::future::BoxFuture;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, duplex, split},
    runtime::{Builder, Runtime},
    task::yield_now,
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use super::{
    Bridge, BridgeSettings, Inner, Servers, guard::Door, refusal::Refusal, serve::converse,
    session::Carriage, sweep::sweep, version::Version,
};
use crate::{
    gate::{Gate, GateParts, Permit, Principal, Scope, tokens::Tokens},
    model::{Endpoint, Envelope, EnvelopeKind},
    registry::State,
    sandbox::{Exchange, SandboxError, Session},
};

const PORT: u16 = 7332;
/// So long, by a clock that does not wait, a connection is listened to: longer than anything lasts that ends.
const LIMIT: Duration = Duration::from_secs(300);

/// A bridge that is fed byte by byte.
pub struct Edge {
    runtime: Runtime,
    inner: Arc<Inner>,
    token: String,
}

impl Edge {
    /// A bridge before one server, `fuzz`.
    ///
    /// # Errors
    /// When the system has no more of something.
    pub fn new() -> Result<Self, String> {
        let text = |error: &dyn std::fmt::Display| error.to_string();
        let state = State::in_memory().map_err(|error| text(&error))?;
        let tokens = Tokens::open(state, SystemTime::now()).map_err(|error| text(&error))?;
        let gate = Gate::new(GateParts::for_test(tokens, Arc::new(SystemTime::now)));
        let issued = gate.tokens().issue("fuzz", Scope::All, None, SystemTime::now());
        let (_, token) = issued.map_err(|error| text(&error))?;
        let settings = BridgeSettings { largest_body: 64 << 10, ..BridgeSettings::default() };
        let inner = Bridge::new(gate, Echo, settings).begin(PORT, CancellationToken::new());
        let runtime = Builder::new_current_thread().enable_time().start_paused(true).build();
        Ok(Self { runtime: runtime.map_err(|error| text(&error))?, inner, token: token.expose().to_owned() })
    }

    /// Says `bytes` on a connection, with `$TOKEN`, `$SESSION` and `$STREAM` replaced by a token, a session of
    /// Streamable HTTP and one of HTTP+SSE; and returns all that was answered.
    ///
    /// # Errors
    /// When the connection or something it began is not over in time, or what came back is not HTTP.
    pub fn feed(&self, bytes: &[u8]) -> Result<Vec<u8>, String> {
        self.runtime.block_on(async {
            let answered = tokio::select! {
                answered = self.converse(bytes) => answered.map_err(|refusal| refusal.to_string())?,
                () = sweep(&self.inner) => Vec::new(),
            };
            for session in self.inner.sessions.all() {
                session.end("the connection is over");
            }
            for _ in 0..10_000 {
                if self.inner.sessions.is_empty() && self.inner.seats.are_empty() {
                    return check(answered);
                }
                yield_now().await;
            }
            Err("a session or a connection is left".to_owned())
        })
    }

    async fn converse(&self, bytes: &[u8]) -> Result<Vec<u8>, Refusal> {
        let streamable = self.open(Carriage::ManyStreams).await?;
        let beside = self.open(Carriage::OneStream).await?;
        let mut said = bytes.to_vec();
        for (mark, text) in [("$TOKEN", &self.token), ("$SESSION", &streamable), ("$STREAM", &beside)] {
            said = replaced(&said, mark.as_bytes(), text.as_bytes());
        }
        let (near, far) = duplex(64 << 10);
        let taking = Arc::new(self.inner.seats.take().await);
        tokio::spawn(converse(
            Arc::clone(&self.inner),
            Door::Loopback,
            near,
            taking,
            CancellationToken::new(),
        ));
        let (mut from, mut to) = split(far);
        let mut answered = Vec::new();
        let talk = async {
            // A connection that was closed is written to in vain.
            let (_, _) = tokio::join!(to.write_all(&said), from.read_to_end(&mut answered));
        };
        // What still runs then is a stream of events, which ends with its connection.
        drop(timeout(LIMIT, talk).await);
        Ok(answered)
    }

    /// Opens a session and gives its id.
    async fn open(&self, carriage: Carriage) -> Result<String, Refusal> {
        let principal = self.inner.gate.authenticate(&self.token).map_err(Refusal::Denied)?;
        let server = "fuzz".parse().map_err(|_| Refusal::Path)?;
        let session = self.inner.open(principal, server, carriage, &[]).await?;
        if carriage == Carriage::ManyStreams {
            session.agree(Version::negotiated(None));
        }
        self.inner.sessions.insert(&session);
        Ok(session.id().as_str().to_owned())
    }
}

fn check(answered: Vec<u8>) -> Result<Vec<u8>, String> {
    let is_http = answered.is_empty() || answered.starts_with(b"HTTP/1.");
    if is_http { Ok(answered) } else { Err(String::from_utf8_lossy(&answered).into_owned()) }
}

fn replaced(text: &[u8], mark: &[u8], with: &[u8]) -> Vec<u8> {
    let mut replaced = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.first() {
        if let Some(after) = rest.strip_prefix(mark) {
            replaced.extend_from_slice(with);
            rest = after;
        } else {
            replaced.push(*first);
            rest = &rest[1..];
        }
    }
    replaced
}

/// A server that answers every request with its parameters, and says a word before.
struct Echo;

impl Servers for Echo {
    fn has(&self, endpoint: &Endpoint) -> bool {
        endpoint.name() == "fuzz"
    }

    fn open<'a>(
        &'a self,
        permit: Permit,
        _: &'a Principal,
        _: &'a [u8],
    ) -> BoxFuture<'a, Result<Session, SandboxError>> {
        let (session, mut from_client, to_client) = Session::for_test(permit.endpoint().clone());
        tokio::spawn(async move {
            while let Some(message) = from_client.recv().await {
                let Ok((envelope, EnvelopeKind::Request)) = Envelope::read(&message) else { continue };
                let note =
                    json!({"jsonrpc": "2.0", "method": "notifications/message", "params": {}}).to_string();
                let params = envelope.params.map_or("{}", |params| params.get());
                let id = json!(envelope.id);
                let answer = format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{params}}}"#);
                for said in [note, answer] {
                    if to_client.send(Ok(said.into())).await.is_err() {
                        return;
                    }
                }
            }
        });
        Box::pin(async move { Ok(session) })
    }

    fn ask<'a>(
        &'a self,
        _: Permit,
        _: &'a Principal,
        _: Bytes,
    ) -> BoxFuture<'a, Result<Exchange, SandboxError>> {
        Box::pin(async move { Err(SandboxError::Paused) })
    }

    fn input_schema(&self, _: &Endpoint, _: &str) -> Option<Arc<str>> {
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_corpus_is_answered() {
        let edge = Edge::new().unwrap();
        let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/corpus/http");
        let mut statuses = Vec::new();
        for entry in std::fs::read_dir(corpus).unwrap() {
            let path = entry.unwrap().path();
            let answered = edge.feed(&std::fs::read(&path).unwrap());
            let answered = answered.unwrap_or_else(|why| panic!("{}: {why}", path.display()));
            let status = String::from_utf8_lossy(answered.get(9..12).unwrap_or_default()).into_owned();
            statuses.push((path.file_name().unwrap().to_str().unwrap().to_owned(), status));
        }
        statuses.sort();
        let is = |name: &str, status: &str| statuses.contains(&(name.to_owned(), status.to_owned()));
        assert!(is("call", "200") && is("events", "200") && is("beside", "202"), "{statuses:?}");
    }

    fn request() -> impl Strategy<Value = String> {
        let line = prop_oneof![
            Just("POST /s/fuzz/mcp"),
            Just("GET /s/fuzz/mcp"),
            Just("DELETE /s/fuzz/mcp"),
            Just("POST /s/fuzz/messages?session=$STREAM"),
            Just("GET /s/fuzz/sse"),
            Just("OPTIONS *"),
            Just("GET http://x/"),
        ];
        let header = prop_oneof![
            Just("Authorization: Bearer $TOKEN".to_owned()),
            Just("Mcp-Session-Id: $SESSION".to_owned()),
            Just("Last-Event-ID: 1-1".to_owned()),
            Just("Transfer-Encoding: chunked".to_owned()),
            Just("Expect: 100-continue".to_owned()),
            "[A-Za-z-]{1,12}: [ -~]{0,20}",
        ];
        let body = prop_oneof![
            Just(r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"x"}}"#.to_owned()),
            Just(
                r#"[{"jsonrpc":"2.0","id":1,"method":"ping"},{"jsonrpc":"2.0","id":2,"method":"ping"}]"#
                    .to_owned()
            ),
            r#"[\[\]{}",:0-9a-z]{0,40}"#,
        ];
        (line, proptest::collection::vec(header, 0..5), body, any::<bool>()).prop_map(
            |(line, headers, body, is_good)| {
                let mut said = format!("{line} HTTP/1.1\r\nHost: 127.0.0.1:7332\r\n");
                if is_good {
                    said +=
                        "Authorization: Bearer $TOKEN\r\nContent-Type: application/json\r\nAccept: */*\r\n";
                }
                for header in headers {
                    said += &format!("{header}\r\n");
                }
                format!("{said}Content-Length: {}\r\n\r\n{body}", body.len())
            },
        )
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn whatever_is_said_is_answered_or_closed(
            requests in proptest::collection::vec(request(), 1..5),
            cut in 0usize..200,
        ) {
            let said = requests.concat();
            let said = &said.as_bytes()[..said.len().saturating_sub(cut)];
            let edge = Edge::new().unwrap();
            prop_assert!(edge.feed(said).is_ok(), "{:?}", edge.feed(said));
        }
    }
}
