//! The HTTP edge: every request comes in here, and every check that stands before a session stands here, in
//! its order. First whether the request may be here at all, then who sends it, then which protocol it speaks.

use std::sync::Arc;

use bytes::Bytes;
use hyper::{
    HeaderMap, Method, Request, Response, StatusCode, Uri,
    body::Incoming,
    header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue},
    http::request::Parts,
};

use super::{
    Inner,
    answer::Answer,
    body, guard,
    message::Posted,
    negotiate::{self, JSON},
    rates::Turn,
    refusal::Refusal,
    route::Route,
};
use crate::{
    gate::Principal,
    model::{RequestId, ServerName},
};

/// A request that was let in, without its body.
pub(super) struct Admitted {
    /// Who sends it.
    pub(super) principal: Principal,
    /// To which server.
    pub(super) server: ServerName,
    pub(super) headers: HeaderMap,
}

/// A refusal, and the request it answers.
pub(super) type Refused = (Refusal, Option<RequestId>);

impl Inner {
    /// Answers one HTTP request. Its client's turn is over when the answer has left.
    pub(super) async fn handle(
        self: Arc<Self>,
        request: Request<Incoming>,
    ) -> (Response<Answer>, Option<Turn>) {
        let (parts, body) = request.into_parts();
        let Parts { method, uri, headers, .. } = parts;
        let admitted = self.admit(&uri, headers).and_then(|(route, admitted)| {
            Ok((route, self.rates.take(admitted.principal.caller())?, admitted))
        });
        match admitted {
            Ok((route, turn, admitted)) => {
                let answered = match (&route, method) {
                    (Route::Server(_), Method::POST) => self.post(admitted, body).await,
                    (Route::Server(_), Method::GET) => self.get(&admitted).map_err(nameless),
                    (Route::Server(_), Method::DELETE) => self.delete(&admitted).map_err(nameless),
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

    /// What the request is for, and who sends it to which server.
    fn admit(&self, uri: &Uri, headers: HeaderMap) -> Result<(Route, Admitted), Refusal> {
        guard::host(&headers, uri, self.port)?;
        guard::origin(&headers)?;
        let route = Route::of(uri.path()).ok_or(Refusal::Path)?;
        let server = route.server().clone();
        let principal = self.gate.authenticate(bearer(&headers)?).map_err(Refusal::Denied)?;
        // Before anything is said of the server: who may not use it does not learn whether it is there.
        self.gate.may_use(&principal, &server).map_err(Refusal::Denied)?;
        if !self.servers.has(&server) {
            return Err(Refusal::NoServer(server));
        }
        Ok((route, Admitted { principal, server, headers }))
    }

    async fn post(self: &Arc<Self>, from: Admitted, body: Incoming) -> Result<Response<Answer>, Refused> {
        let body = body::read(&from.headers, body, &self.settings).await.map_err(nameless)?;
        negotiate::content_type(&from.headers).map_err(nameless)?;
        negotiate::accepts_both(&from.headers).map_err(nameless)?;
        let posted = Posted::read(&body).map_err(nameless)?;
        self.post_in_session(from, &posted).await.map_err(|refusal| (refusal, posted.id().cloned()))
    }
}

/// The token in the `Authorization` header (RFC 6750, section 2.1).
fn bearer(headers: &HeaderMap) -> Result<&str, Refusal> {
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

pub(super) fn json(message: Bytes) -> Response<Answer> {
    let mut response = Response::new(Answer::whole(message));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(JSON));
    response
}
