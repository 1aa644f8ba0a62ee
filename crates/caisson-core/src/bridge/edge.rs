//! The HTTP edge: every request comes in here, and every check that stands before a session stands here, in
//! its order. First whether the request may be here at all, then who sends it, then which protocol it speaks.

use std::sync::Arc;

use bytes::Bytes;
use hyper::{
    HeaderMap, Method, Request, Response, StatusCode, Uri,
    body::Incoming,
    header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue},
    http::request::Parts,
};

use super::{
    Inner,
    answer::Answer,
    body,
    guard::{self, Door},
    legacy::SESSION_ID,
    message::Posted,
    modern,
    negotiate::{self, EVENT_STREAM, JSON},
    rates::Turn,
    refusal::Refusal,
    route::Route,
    sse::SseBody,
    version,
};
use crate::{
    gate::Principal,
    model::{Endpoint, RequestId},
};

/// A request that was let in, without its body.
pub(super) struct Admitted {
    /// Who sends it.
    pub(super) principal: Principal,
    /// To what.
    pub(super) endpoint: Endpoint,
    pub(super) headers: HeaderMap,
}

/// A refusal, and the request it answers.
pub(super) type Refused = (Refusal, Option<RequestId>);

impl Inner {
    /// Answers one HTTP request. Its client's turn is over when the answer has left.
    pub(super) async fn handle(
        self: Arc<Self>,
        door: Door,
        request: Request<Incoming>,
    ) -> (Response<Answer>, Option<Turn>) {
        let (parts, body) = request.into_parts();
        let Parts { method, uri, headers, .. } = parts;
        if self.is_metered(&uri) {
            return match self.meter(door, &method, &uri, &headers).await {
                Ok((response, turn)) => (response, Some(turn)),
                Err(refusal) => (refusal.into_response(None), None),
            };
        }
        let admitted = self.admit(door, &uri, headers).and_then(|(route, admitted)| {
            Ok((route, self.rates.take(admitted.principal.caller())?, admitted))
        });
        match admitted {
            Ok((route, turn, admitted)) => {
                let answered = match (&route, method) {
                    (Route::Mcp(_), Method::POST) => self.post(admitted, body).await,
                    (Route::Mcp(_), Method::GET | Method::DELETE) if keeps_no_session(&admitted.headers) => {
                        Err(nameless(Refusal::Method("POST")))
                    }
                    (Route::Mcp(_), Method::GET) => self.get(&admitted).map_err(nameless),
                    (Route::Mcp(_), Method::DELETE) => self.delete(&admitted).map_err(nameless),
                    (Route::Events(_), Method::GET) => self.events(admitted).await.map_err(nameless),
                    (Route::Messages(_), Method::POST) => self.post_beside(admitted, uri.query(), body).await,
                    _ => Err(nameless(Refusal::Method(route.methods()))),
                };
                let response = answered.unwrap_or_else(|(refusal, id)| refusal.into_response(id.as_ref()));
                (response, Some(turn))
            }
            Err(refusal) => (refusal.into_response(None), None),
        }
    }

    /// What the request is for, and who sends it to what.
    fn admit(&self, door: Door, uri: &Uri, headers: HeaderMap) -> Result<(Route, Admitted), Refusal> {
        guard::host(door, &headers, uri, self.port)?;
        guard::origin(&headers)?;
        let route = Route::of(uri.path()).ok_or(Refusal::Path)?;
        let endpoint = route.endpoint().clone();
        let principal = self.gate.authenticate(bearer(&headers)?).map_err(Refusal::Denied)?;
        // Before anything is said of it: who may not use it does not learn whether it is there.
        self.gate.may_use(&principal, &endpoint).map_err(Refusal::Denied)?;
        if !self.servers.has(&endpoint) {
            return Err(match endpoint {
                Endpoint::Server(server) => Refusal::NoServer(server),
                Endpoint::Group(group) => Refusal::NoGroup(group),
            });
        }
        Ok((route, Admitted { principal, endpoint, headers }))
    }

    async fn post(self: &Arc<Self>, from: Admitted, body: Incoming) -> Result<Response<Answer>, Refused> {
        let body = body::read(&from.headers, body, &self.settings).await.map_err(nameless)?;
        negotiate::content_type(&from.headers).map_err(nameless)?;
        negotiate::accepts_both(&from.headers).map_err(nameless)?;
        let posted = Posted::read(&body).map_err(nameless)?;
        let answered = if stands_alone(&from.headers, &posted) {
            self.post_alone(from, &body, &posted).await
        } else {
            self.post_in_session(from, &posted).await
        };
        answered.map_err(|refusal| (refusal, posted.id().cloned()))
    }
}

/// Whether what was posted is of the protocol without sessions: it names no session, and says so itself, in
/// header or body, or by a method that only this protocol has. `initialize` opens a session, unless its body
/// says that it knows of none.
fn stands_alone(headers: &HeaderMap, posted: &Posted<'_>) -> bool {
    if headers.contains_key(SESSION_ID) {
        return false;
    }
    let claims = || posted.messages.iter().any(|message| modern::claims_version(&message.envelope));
    let only_there = || {
        let methods = posted.messages.iter().filter_map(|message| message.envelope.method.as_deref());
        methods.into_iter().any(|method| matches!(method, modern::DISCOVER | modern::LISTEN))
    };
    if posted.initializes() {
        return claims();
    }
    keeps_no_session(headers) || only_there() || claims()
}

/// Whether the headers alone tell that the client speaks the protocol without sessions.
fn keeps_no_session(headers: &HeaderMap) -> bool {
    !headers.contains_key(SESSION_ID) && version::is_no_session_version(headers)
}

/// The token in the `Authorization` header (RFC 6750, section 2.1).
pub(super) fn bearer(headers: &HeaderMap) -> Result<&str, Refusal> {
    let value = guard::single(headers, &AUTHORIZATION).ok().flatten().ok_or(Refusal::NoToken)?;
    let (scheme, token) = value.split_once(' ').ok_or(Refusal::NoToken)?;
    if scheme.eq_ignore_ascii_case("bearer") { Ok(token.trim()) } else { Err(Refusal::NoToken) }
}

pub(super) fn nameless(refusal: Refusal) -> Refused {
    (refusal, None)
}

pub(super) fn status(status: StatusCode) -> Response<Answer> {
    let mut response = Response::new(Answer::empty());
    *response.status_mut() = status;
    response
}

/// A stream of messages. Whatever stands between is to pass each on as it comes.
pub(super) fn events(body: SseBody) -> Response<Answer> {
    let mut response = Response::new(Answer::Stream(Box::new(body)));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(EVENT_STREAM));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    response
}

pub(super) fn json(message: Bytes) -> Response<Answer> {
    let mut response = Response::new(Answer::whole(message));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(JSON));
    response
}
