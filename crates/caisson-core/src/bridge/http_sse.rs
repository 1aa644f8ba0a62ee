//! HTTP+SSE, as the version 2024-11-05 has it (MCP 2024-11-05, "Transports: HTTP with SSE"): a GET opens a
//! session and its one stream of events, the first of which says where to post; everything the server says
//! comes on that stream, and the session ends with it.

use std::sync::Arc;

use hyper::{Response, StatusCode, body::Incoming};

use super::{
    Inner,
    answer::Answer,
    body,
    edge::{self, Admitted, Refused, nameless, status},
    message::Posted,
    negotiate,
    refusal::Refusal,
    session::Carriage,
    sse::SseBody,
};

impl Inner {
    /// Opens a session, and answers with its stream.
    pub(super) async fn events(self: &Arc<Self>, from: Admitted) -> Result<Response<Answer>, Refusal> {
        negotiate::accepts_stream(&from.headers)?;
        let session = self.open(from.principal, from.endpoint, Carriage::OneStream, &[]).await?;
        let attendance = session.attend_to_the_end();
        let reader = session.listen()?;
        self.sessions.insert(&session);
        // The end may have come before the session was in the table, and would not find it there again.
        if let Some(why) = session.ended() {
            self.sessions.remove(session.id());
            return Err(Refusal::CannotStart { endpoint: session.endpoint().clone(), why: why.to_owned() });
        }
        let endpoint = format!("{}/messages?session={}", session.endpoint().path(), session.id().as_str());
        Ok(edge::events(SseBody::with_endpoint(reader, &endpoint, attendance)))
    }

    /// Takes a message for the session that `query` names. What it is answered with comes on the stream.
    pub(super) async fn post_beside(
        &self,
        from: Admitted,
        query: Option<&str>,
        body: Incoming,
    ) -> Result<Response<Answer>, Refused> {
        let body = body::read(&from.headers, body, &self.settings).await.map_err(nameless)?;
        negotiate::content_type(&from.headers).map_err(nameless)?;
        let posted = Posted::read(&body).map_err(nameless)?;
        self.send_beside(&from, query, &posted).await.map_err(|refusal| (refusal, posted.id().cloned()))?;
        Ok(status(StatusCode::ACCEPTED))
    }

    async fn send_beside(
        &self,
        from: &Admitted,
        query: Option<&str>,
        posted: &Posted<'_>,
    ) -> Result<(), Refusal> {
        let id = query.and_then(named_session).ok_or(Refusal::NoSessionNamed)?;
        let session = self.sessions.get(id, &from.principal, &from.endpoint, Carriage::OneStream);
        let session = session.ok_or(Refusal::UnknownSession)?;
        if posted.is_batch {
            return Err(Refusal::Batch("over HTTP+SSE"));
        }
        let asked = session.begin(posted)?;
        self.send(&session, posted).await?;
        if let Some(mut asked) = asked {
            asked.sent();
        }
        Ok(())
    }
}

/// The session's id in a query. It has no character that is ever percent-encoded.
fn named_session(query: &str) -> Option<&str> {
    query.split('&').find_map(|parameter| parameter.strip_prefix("session="))
}
