//! Servers that speak HTTP+SSE alone (MCP 2024-11-05, "Transports: HTTP with SSE"): one stream of events brings
//! everything, first of all the address to post to; what is posted is answered on the stream.

use std::{collections::HashSet, future::ready, sync::Arc, time::Duration};

use bytes::Bytes;
use futures::future::BoxFuture;
use http_body_util::{BodyExt as _, Limited};
use hyper::{HeaderMap, StatusCode, Uri, header::CONTENT_TYPE};
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinSet,
    time::{Instant, sleep_until, timeout},
};

use super::{
    super::SessionError,
    Dial,
    carrier::{CLOSED, Carrier, ERROR_BODY, Fault, IN_ORDER, LAST_ANSWERS},
    endpoint::Reply,
    events::{Events, Position},
};
use crate::model::{Envelope, EnvelopeKind, RequestId, error_response};

/// So long the server may take to say where to post.
const FIRST_EVENT: Duration = Duration::from_secs(10);

/// A message that was not taken, and why.
type Untaken = (RequestId, String);

impl<D: Dial> Carrier<D> {
    /// Carries the whole session, from `initialize` on, if the server speaks HTTP+SSE. Says whether it does;
    /// if not, nothing was sent and `outgoing` is untouched.
    pub(super) async fn carry_beside(
        self: Arc<Self>,
        initialize: &Bytes,
        outgoing: &mut mpsc::Receiver<Bytes>,
    ) -> bool {
        let Ok(Some(mut reply)) = timeout(FIRST_EVENT, self.stream_of_events()).await else { return false };
        let mut events = Events::of(reply.response.body_mut());
        let Ok(Some(named)) = timeout(FIRST_EVENT, events.endpoint()).await else { return false };
        let Some(address) = self.endpoint.resolve(&named) else {
            tracing::debug!("an HTTP server named an address elsewhere to post to");
            return false;
        };
        let mut beside = Beside {
            carrier: self,
            address,
            posts: JoinSet::new(),
            unanswered: HashSet::new(),
            turn: Box::pin(ready(())),
            is_free: true,
        };
        beside.post(initialize.clone());
        beside.carry(&mut events, outgoing).await;
        true
    }

    async fn stream_of_events(&self) -> Option<Reply> {
        let reply = self.endpoint.get(None).await.ok()?;
        let kind = reply.response.headers().get(CONTENT_TYPE)?.to_str().ok()?;
        let is_stream = kind.split(';').next().is_some_and(|kind| kind.trim() == "text/event-stream");
        (reply.response.status() == StatusCode::OK && is_stream).then_some(reply)
    }

    /// Posts one message, whose answer comes elsewhere.
    async fn post_beside(&self, address: Uri, message: Bytes) -> Result<(), String> {
        let reply = self.endpoint.post_to(address, message, HeaderMap::new()).await;
        let mut reply = reply.map_err(|no_reply| match Fault::from(no_reply) {
            Fault::Over(error) => error.to_string(),
            Fault::Message(why) | Fault::NotHere(why) => why,
        })?;
        let status = reply.response.status();
        let body = Limited::new(reply.response.body_mut(), ERROR_BODY).collect().await;
        if status.is_success() {
            if body.is_ok() {
                self.endpoint.done(reply);
            }
            return Ok(());
        }
        let body = body.map(http_body_util::Collected::to_bytes).unwrap_or_default();
        let text: String = String::from_utf8_lossy(&body).trim().chars().take(200).collect();
        Err(format!("the server answered {status}: {}", text.escape_debug()))
    }
}

/// A session on one stream of events.
struct Beside<D> {
    carrier: Arc<Carrier<D>>,
    /// Where to post.
    address: Uri,
    posts: JoinSet<Option<Untaken>>,
    unanswered: HashSet<RequestId>,
    /// Until when the next message has to wait for the last, so that they arrive in their order.
    turn: BoxFuture<'static, ()>,
    is_free: bool,
}

impl<D: Dial> Beside<D> {
    async fn carry(&mut self, events: &mut Events<'_>, outgoing: &mut mpsc::Receiver<Bytes>) {
        let mut position = Position::default();
        let mut last = None;
        let end = loop {
            let is_idle = self.unanswered.is_empty() && self.posts.is_empty();
            if last.is_some_and(|last| is_idle || Instant::now() >= last) {
                return;
            }
            tokio::select! {
                said = events.next(&mut position) => match said {
                    Ok(Some(message)) => {
                        if self.heard(&message).await.is_err() {
                            return;
                        }
                    }
                    Ok(None) => break "the server closed its stream of events".to_owned(),
                    Err(why) => break why,
                },
                message = outgoing.recv(), if self.is_free && last.is_none() => match message {
                    Some(message) => self.post(message),
                    None => last = Some(Instant::now() + LAST_ANSWERS),
                },
                () = &mut self.turn, if !self.is_free => self.is_free = true,
                Some(posted) = self.posts.join_next() => self.posted(posted.ok().flatten()).await,
                () = sleep_until(last.unwrap_or_else(Instant::now)), if last.is_some() => return,
            }
        };
        // Nobody listens any more when the session is over.
        drop(self.carrier.incoming.send(Err(SessionError::Ended(end))).await);
    }

    fn post(&mut self, message: Bytes) {
        let Ok((envelope, kind)) = Envelope::read(&message) else { return };
        let id = if kind == EnvelopeKind::Request { envelope.id } else { None };
        let initializes = envelope.method.as_deref() == Some("initialize");
        let (done, is_done) = oneshot::channel::<()>();
        if id.is_none() || initializes {
            self.is_free = false;
            self.turn = Box::pin(async { drop(timeout(IN_ORDER, is_done).await) });
        }
        self.unanswered.extend(id.clone());
        let (carrier, address) = (Arc::clone(&self.carrier), self.address.clone());
        self.posts.spawn(async move {
            let posted = carrier.post_beside(address, message).await;
            drop(done);
            let why = posted.err()?;
            tracing::debug!(why, "an HTTP server did not take a message");
            Some((id?, why))
        });
    }

    /// Answers a request in the server's place that it did not take.
    async fn posted(&mut self, untaken: Option<Untaken>) {
        if let Some((id, why)) = untaken.filter(|(id, _)| self.unanswered.remove(id)) {
            let answer = error_response(Some(&id), CLOSED, &why);
            drop(self.carrier.incoming.send(Ok(answer.into())).await);
        }
    }

    async fn heard(&mut self, said: &str) -> Result<(), Fault> {
        for message in super::carrier::parts(said.as_bytes()) {
            if let Ok((Envelope { id: Some(id), .. }, EnvelopeKind::Response)) = Envelope::read(message) {
                self.unanswered.remove(&id);
            }
            self.carrier.pass(message).await?;
        }
        Ok(())
    }
}
