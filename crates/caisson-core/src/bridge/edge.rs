//! The HTTP edge: every request comes in here, and every check that stands before a session stands here, in
//! its order. First whether the request may be here at all, then who sends it, then what it wants.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use hyper::{
    HeaderMap, Method, Request, Response, StatusCode,
    body::Incoming,
    header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue},
};

use super::{
    Inner,
    answer::Answer,
    body, guard,
    message::{Posted, chosen_version},
    negotiate::{self, EVENT_STREAM, JSON},
    refusal::Refusal,
    route::Route,
    session::{self, Asked, Attendance, Session, SessionId},
    sse::{EventId, SseBody},
    stream::{Beginning, Reader},
    version::Version,
};
use crate::{
    gate::Principal,
    model::{RequestId, ServerName},
};

/// The header that names a session.
const SESSION_ID: HeaderName = HeaderName::from_static("mcp-session-id");
/// The header that names the last event a client saw.
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// An answer that takes no longer than this leaves alone, as JSON; a later one as an event, so that the
/// client learns in the meantime that its request has arrived.
const PATIENCE: Duration = Duration::from_millis(500);

/// A refusal, and the request it answers.
type Refused = (Refusal, Option<RequestId>);

impl Inner {
    /// Answers one HTTP request.
    pub(super) async fn handle(self: Arc<Self>, request: Request<Incoming>) -> Response<Answer> {
        match self.admit(&request) {
            Ok((principal, server)) => {
                let answered = match *request.method() {
                    Method::POST => self.post(principal, server, request).await,
                    Method::GET => self.get(&principal, &server, request.headers()).map_err(nameless),
                    Method::DELETE => self.delete(&principal, &server, request.headers()).map_err(nameless),
                    _ => Err(nameless(Refusal::Method)),
                };
                answered.unwrap_or_else(|(refusal, id)| refusal.into_response(id.as_ref()))
            }
            Err(refusal) => refusal.into_response(None),
        }
    }

    /// Who sends the request, and to which server.
    fn admit(&self, request: &Request<Incoming>) -> Result<(Principal, ServerName), Refusal> {
        let headers = request.headers();
        guard::host(headers, request.uri(), self.port)?;
        guard::origin(headers)?;
        let Route::Server(server) = Route::of(request.uri().path()).ok_or(Refusal::Path)?;
        let principal = self.gate.authenticate(bearer(headers)?).map_err(Refusal::Denied)?;
        // Before anything is said of the server: who may not use it does not learn whether it is there.
        self.gate.may_use(&principal, &server).map_err(Refusal::Denied)?;
        if !self.servers.has(&server) {
            return Err(Refusal::NoServer(server));
        }
        Ok((principal, server))
    }

    async fn post(
        self: &Arc<Self>,
        principal: Principal,
        server: ServerName,
        request: Request<Incoming>,
    ) -> Result<Response<Answer>, Refused> {
        let (parts, body) = request.into_parts();
        let headers = parts.headers;
        let body = body::read(&headers, body, self.settings.largest_body).await.map_err(nameless)?;
        negotiate::content_type(&headers).map_err(nameless)?;
        negotiate::accepts_both(&headers).map_err(nameless)?;
        let posted = Posted::read(&body).map_err(nameless)?;
        let refused = |refusal: Refusal| (refusal, posted.id().cloned());
        if posted.initializes() {
            if posted.is_batch {
                return Err(refused(Refusal::Batch("to hold initialize")));
            }
            if headers.contains_key(SESSION_ID) {
                self.session(&principal, &server, &headers).map_err(refused)?;
                return Err(refused(Refusal::Initialized));
            }
            return self.initialize(principal, server, &posted).await.map_err(refused);
        }
        let session = self.session(&principal, &server, &headers).map_err(refused)?;
        let version = session.version().ok_or_else(|| refused(Refusal::UnknownSession))?;
        version.check(&headers).map_err(refused)?;
        if posted.is_batch && !version.has_batches() {
            return Err(refused(Refusal::Batch("since protocol version 2025-06-18")));
        }
        self.forward(&session, &posted).await.map_err(refused)
    }

    /// Opens a session, and answers once the server has.
    async fn initialize(
        self: &Arc<Self>,
        principal: Principal,
        server: ServerName,
        posted: &Posted<'_>,
    ) -> Result<Response<Answer>, Refusal> {
        if self.draining.is_cancelled() {
            return Err(Refusal::Draining);
        }
        let permit = self.gate.open(&principal, &server).map_err(Refusal::Denied)?;
        let place = self.sessions.take_place(&principal)?;
        let cannot_start = |why: String| Refusal::CannotStart { server: server.clone(), why };
        let opened = self.servers.open(permit).await.map_err(|error| cannot_start(error.to_string()))?;
        let id = SessionId::random().map_err(|error| cannot_start(error.to_string()))?;
        let sessions = Arc::clone(&self.sessions);
        let session = session::open(id, principal, server.clone(), opened, move |session| {
            sessions.remove(session.id());
            drop(place);
        });
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
            return Err(cannot_start(why.to_owned()));
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

    /// Sends each message for which there is a permit. A request without one is answered with the denial.
    async fn send(&self, session: &Session, posted: &Posted<'_>) -> Result<(), Refusal> {
        for message in &posted.messages {
            let permit =
                self.gate.admit(session.principal(), session.server(), &message.envelope, message.kind);
            let sent = match permit {
                Ok(permit) => session.send(permit, message).await,
                Err(denial) => Err(Refusal::Denied(denial)),
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
    fn get(
        &self,
        principal: &Principal,
        server: &ServerName,
        headers: &HeaderMap,
    ) -> Result<Response<Answer>, Refusal> {
        negotiate::accepts_stream(headers)?;
        let session = self.session(principal, server, headers)?;
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
    fn delete(
        &self,
        principal: &Principal,
        server: &ServerName,
        headers: &HeaderMap,
    ) -> Result<Response<Answer>, Refusal> {
        let session = self.session(principal, server, headers)?;
        self.sessions.remove(session.id());
        session.end("its client ended the session");
        Ok(status(StatusCode::NO_CONTENT))
    }

    /// The session the request names.
    fn session(
        &self,
        principal: &Principal,
        server: &ServerName,
        headers: &HeaderMap,
    ) -> Result<Arc<Session>, Refusal> {
        let id = guard::single(headers, &SESSION_ID).map_err(|()| Refusal::UnknownSession)?;
        let id = id.ok_or(Refusal::NoSession)?;
        self.sessions.get(id, principal, server).ok_or(Refusal::UnknownSession)
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

/// The token in the `Authorization` header (RFC 6750, section 2.1).
fn bearer(headers: &HeaderMap) -> Result<&str, Refusal> {
    let value = guard::single(headers, &AUTHORIZATION).ok().flatten().ok_or(Refusal::NoToken)?;
    let (scheme, token) = value.split_once(' ').ok_or(Refusal::NoToken)?;
    if scheme.eq_ignore_ascii_case("bearer") { Ok(token.trim()) } else { Err(Refusal::NoToken) }
}

fn nameless(refusal: Refusal) -> Refused {
    (refusal, None)
}

fn status(status: StatusCode) -> Response<Answer> {
    let mut response = Response::new(Answer::empty());
    *response.status_mut() = status;
    response
}

fn json(message: Bytes) -> Response<Answer> {
    let mut response = Response::new(Answer::whole(message));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(JSON));
    response
}

fn events(reader: Reader, session: &Session, attendance: Attendance) -> Response<Answer> {
    // What is over without an event has nothing to resume.
    let prime = session.version().is_some_and(Version::is_primed) && !reader.stream().is_closed();
    let mut response = Response::new(Answer::Stream(Box::new(SseBody::new(reader, prime, attendance))));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(EVENT_STREAM));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
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
