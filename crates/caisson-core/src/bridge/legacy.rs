//! Streamable HTTP with sessions, as the versions 2025-03-26 to 2025-11-25 have it (MCP 2025-11-25,
//! "Transports: Streamable HTTP"): a session begins with `initialize`, and each of its requests names it.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use hyper::{
    Response, StatusCode,
    header::{HeaderName, HeaderValue},
};
use tokio::time::Instant;

use super::{
    Inner,
    answer::{Answer, PATIENCE},
    edge::{self, Admitted, json, status},
    guard,
    message::{Posted, chosen_version},
    negotiate,
    refusal::Refusal,
    session::{self, Asked, Attendance, Carriage, Session, SessionId},
    sse::{EventId, SseBody},
    stream::{Beginning, Reader},
    version::Version,
};
use crate::{
    gate::{Admission, Principal},
    model::Endpoint,
};

/// The header that names a session.
pub(super) const SESSION_ID: HeaderName = HeaderName::from_static("mcp-session-id");
/// The header that names the last event a client saw.
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

impl Inner {
    /// Answers what was posted: it opens a session, or belongs to one.
    pub(super) async fn post_in_session(
        self: &Arc<Self>,
        from: Admitted,
        posted: &Posted<'_>,
    ) -> Result<Response<Answer>, Refusal> {
        if posted.initializes() {
            if posted.is_batch {
                return Err(Refusal::Batch("to hold initialize"));
            }
            if from.headers.contains_key(SESSION_ID) {
                self.session(&from)?;
                return Err(Refusal::Initialized);
            }
            return self.initialize(from.principal, from.endpoint, posted).await;
        }
        let session = self.session(&from)?;
        let version = session.version().ok_or(Refusal::UnknownSession)?;
        version.check(&from.headers)?;
        if posted.is_batch && !version.has_batches() {
            return Err(Refusal::Batch("since protocol version 2025-06-18"));
        }
        self.forward(&session, posted).await
    }

    /// Opens a session on which nothing has been said yet, for a client that begins with `hello`, where that is known.
    /// It is in no table.
    pub(super) async fn open(
        self: &Arc<Self>,
        principal: Principal,
        endpoint: Endpoint,
        carriage: Carriage,
        hello: &[u8],
    ) -> Result<Arc<Session>, Refusal> {
        if self.draining.is_cancelled() {
            return Err(Refusal::Draining);
        }
        let permit = self.gate.open(&principal, &endpoint).map_err(Refusal::Denied)?;
        let place = self.sessions.take_place(&principal, &endpoint)?;
        let cannot_start = |why: String| Refusal::CannotStart { endpoint: endpoint.clone(), why };
        let principal = principal.in_session();
        let opened = self.servers.open(permit, &principal, hello).await;
        let opened = opened.map_err(|error| cannot_start(error.to_string()))?;
        let id = SessionId::random().map_err(|error| cannot_start(error.to_string()))?;
        let sessions = Arc::clone(&self.sessions);
        Ok(session::open(id, principal, endpoint, carriage, opened, move |session| {
            sessions.remove(session.id());
            drop(place);
        }))
    }

    /// Opens a session, and answers once the server has.
    async fn initialize(
        self: &Arc<Self>,
        principal: Principal,
        endpoint: Endpoint,
        posted: &Posted<'_>,
    ) -> Result<Response<Answer>, Refusal> {
        let hello = posted.messages.first().map_or(&[][..], |message| message.raw);
        let session = self.open(principal, endpoint.clone(), Carriage::ManyStreams, hello).await?;
        let mut opening = Opening { session: &session, opened: false };
        let Some(mut asked) = session.begin(posted)? else { return Err(Refusal::NoSession) };
        self.send(&session, posted).await?;
        asked.sent();
        let limit = self.settings.initialize_timeout;
        let Some(Beginning::Answers(answers)) = beginning(&asked, limit).await else {
            return Err(Refusal::NoAnswer(limit.as_secs()));
        };
        // Without an answer of the server's the session has ended, and the answer says why.
        if let Some(why) = session.ended() {
            return Err(Refusal::CannotStart { endpoint, why: why.to_owned() });
        }
        let answer = answers.into_iter().next().unwrap_or_default();
        let Some(version) = chosen_version(&answer) else { return Ok(json(answer)) };
        session.agree(Version::negotiated(Some(&version)));
        self.sessions.insert(&session);
        opening.opened = true;
        let mut response = json(answer);
        if let Ok(id) = HeaderValue::from_str(session.id().as_str()) {
            response.headers_mut().insert(SESSION_ID, id);
        }
        // The end may have come between the answer and the table, and would not find it there again.
        if session.ended().is_some() {
            self.sessions.remove(session.id());
        }
        Ok(response)
    }

    /// Sends what was posted on, and answers with what the server does.
    async fn forward(
        &self,
        session: &Arc<Session>,
        posted: &Posted<'_>,
    ) -> Result<Response<Answer>, Refusal> {
        let attendance = session.attend();
        let Some(mut asked) = session.begin(posted)? else {
            self.send(session, posted).await?;
            return Ok(status(StatusCode::ACCEPTED));
        };
        self.send(session, posted).await?;
        asked.sent();
        match beginning(&asked, PATIENCE).await {
            Some(Beginning::Answers(mut answers)) => match answers.pop() {
                Some(only) if !posted.is_batch => Ok(json(only)),
                last => {
                    answers.extend(last);
                    Ok(json(batch(&answers)))
                }
            },
            Some(Beginning::Stream) | None => {
                let reader = asked.into_events().ok_or(Refusal::UnknownSession)?;
                Ok(events(reader, session, attendance))
            }
        }
    }

    /// Sends each message for which there is a permit; one about which a person is asked, when they have allowed it. A
    /// request without one is answered with the denial; one that the server does not read in time, with an error.
    pub(super) async fn send(&self, session: &Arc<Session>, posted: &Posted<'_>) -> Result<(), Refusal> {
        let limit = self.settings.request_timeout;
        let deadline = Instant::now() + limit;
        for message in &posted.messages {
            let admission =
                self.gate.admit(session.principal(), session.endpoint(), message.raw, message.read_as());
            let sent = match admission {
                Admission::Permitted(permit) => session.send_before(permit, message, deadline, limit).await,
                Admission::Denied(denial) => Err(Refusal::Denied(denial)),
                Admission::Asked(asked) => {
                    session.hold(asked, message.raw, limit);
                    Ok(())
                }
            };
            match (sent, &message.envelope.id) {
                (Ok(()), _) => {}
                (Err(refusal), Some(id)) if message.is_request() => session.answer(id, &refusal),
                (Err(refusal), _) => return Err(refusal),
            }
        }
        Ok(())
    }

    /// Opens a stream for what belongs to no request, or resumes one.
    pub(super) fn get(&self, from: &Admitted) -> Result<Response<Answer>, Refusal> {
        let headers = &from.headers;
        negotiate::accepts_stream(headers)?;
        let session = self.session(from)?;
        session.version().ok_or(Refusal::UnknownSession)?.check(headers)?;
        if self.draining.is_cancelled() {
            return Err(Refusal::Draining);
        }
        let seen = guard::single(headers, &LAST_EVENT_ID).map_err(|()| Refusal::UnknownEvent)?;
        let reader = match seen.filter(|seen| !seen.is_empty()) {
            None => session.listen()?,
            Some(seen) => session.resume(seen.parse::<EventId>().map_err(|()| Refusal::UnknownEvent)?)?,
        };
        let attendance = session.attend();
        Ok(events(reader, &session, attendance))
    }

    /// Ends a session.
    pub(super) fn delete(&self, from: &Admitted) -> Result<Response<Answer>, Refusal> {
        let session = self.session(from)?;
        self.sessions.remove(session.id());
        session.end("its client ended the session");
        Ok(status(StatusCode::NO_CONTENT))
    }

    /// The session the request names.
    fn session(&self, from: &Admitted) -> Result<Arc<Session>, Refusal> {
        let id = guard::single(&from.headers, &SESSION_ID).map_err(|()| Refusal::UnknownSession)?;
        let id = id.ok_or(Refusal::NoSession)?;
        let session = self.sessions.get(id, &from.principal, &from.endpoint, Carriage::ManyStreams);
        session.ok_or(Refusal::UnknownSession)
    }
}

/// Ends a session that was being opened, unless it was.
struct Opening<'a> {
    session: &'a Session,
    opened: bool,
}

impl Drop for Opening<'_> {
    fn drop(&mut self) {
        if !self.opened {
            self.session.end("it was never opened");
        }
    }
}

async fn beginning(asked: &Asked, patience: Duration) -> Option<Beginning> {
    match asked.reader() {
        Some(reader) => Some(reader.beginning(patience).await),
        None => None,
    }
}

fn events(reader: Reader, session: &Session, attendance: Attendance) -> Response<Answer> {
    // What is over without an event has nothing to resume.
    let prime = session.version().is_some_and(Version::is_primed) && !reader.stream().is_closed();
    edge::events(SseBody::new(reader, prime, attendance))
}

/// Answers, as a batch.
fn batch(answers: &[Bytes]) -> Bytes {
    let size: usize = answers.iter().map(|answer| answer.len() + 1).sum();
    let mut batch = Vec::with_capacity(size + 1);
    batch.push(b'[');
    for (index, answer) in answers.iter().enumerate() {
        if index > 0 {
            batch.push(b',');
        }
        batch.extend_from_slice(answer);
    }
    batch.push(b']');
    batch.into()
}
