//! Streamable HTTP without sessions, as protocol version 2026-07-28 has it (MCP 2026-07-28, "Transports:
//! Streamable HTTP"): each POST is one request that says all of itself, and its response is all there is of the
//! answer. Nothing outlives the response: a client that goes away has cancelled its request. It must never let
//! one caller's message reach another's request.

mod header;
mod ladder;
mod open;
mod params;
mod respond;

use std::sync::Arc;

use bytes::Bytes;
use futures::future::Either;
use hyper::{Response, StatusCode};

pub(super) use ladder::claims_version;
pub(super) use open::Exchanges;

use super::{
    Inner,
    answer::Answer,
    edge::{Admitted, status},
    message::{Message, Posted},
    refusal::Refusal,
};
use crate::{gate::Admission, model::EnvelopeKind, sandbox::Exchange};
use ladder::Params;
use respond::Answering;

/// The request whose answer is a stream of what changes, for as long as the client listens.
pub(super) const LISTEN: &str = "subscriptions/listen";
/// The request that clients begin with.
pub(super) const DISCOVER: &str = "server/discover";

impl Inner {
    /// Answers what was posted without a session: one request. `body` is what `posted` was read from.
    pub(super) async fn post_alone(
        &self,
        from: Admitted,
        body: &Bytes,
        posted: &Posted<'_>,
    ) -> Result<Response<Answer>, Refusal> {
        let (false, [message]) = (posted.is_batch, &posted.messages[..]) else {
            return Err(Refusal::Batch("without a session"));
        };
        match message.kind {
            EnvelopeKind::Response => Err(Refusal::Response),
            EnvelopeKind::Notification => {
                // The protocol has none that a server acts on: ids are the clients' own, so a cancellation
                // could name another's request. To cancel is to close the response.
                ladder::check_notification(&from.headers)?;
                Ok(status(StatusCode::ACCEPTED))
            }
            EnvelopeKind::Request => self.exchange(from, body.slice_ref(message.raw), message).await,
        }
    }

    /// Asks the server, and answers with what it says.
    async fn exchange(
        &self,
        from: Admitted,
        request: Bytes,
        message: &Message<'_>,
    ) -> Result<Response<Answer>, Refusal> {
        let Admitted { principal, endpoint, headers } = from;
        let envelope = &message.envelope;
        let params = ladder::check(&headers, envelope)?;
        let method = envelope.method.as_deref().unwrap_or_default();
        if method == "initialize" {
            // No server is to hear it: a process that speaks both eras would take up the other one.
            return Err(Refusal::NoMethod("initialize"));
        }
        // Before a tool's schema is looked at: who may not call it does not learn what it looks like.
        let admitted = match self.gate.admit(&principal, &endpoint, message.raw, message.read_as()) {
            Admission::Permitted(permit) => Either::Left(permit),
            Admission::Asked(asked) => Either::Right(asked),
            Admission::Denied(denial) => return Err(Refusal::Denied(denial)),
        };
        if let ("tools/call", Params { name: Some(tool), arguments, .. }) = (method, &params)
            && let Some(schema) = self.servers.input_schema(&endpoint, tool)
        {
            params::check(&schema, *arguments, &headers)?;
        }
        let listens = method == LISTEN;
        let mut place = self.exchanges.take_place(principal.clone(), principal.caller(), listens)?;
        let asked = async {
            match admitted {
                Either::Left(permit) => self.servers.ask(permit, &principal, request).await,
                Either::Right(asked) => {
                    let (servers, principal) = (Arc::clone(&self.servers), principal.clone());
                    Ok(Exchange::when_allowed(asked, move |permit| {
                        Box::pin(async move { servers.ask(permit, &principal, request).await })
                    }))
                }
            }
        };
        let asked = tokio::select! {
            asked = asked => asked,
            refusal = place.ended() => return Err(refusal),
        };
        let exchange = asked.map_err(|error| Refusal::CannotStart { endpoint, why: error.to_string() })?;
        // It may have taken long to start, and begins to be silent now.
        place.heard();
        Ok(respond::respond(Answering::new(exchange, place, envelope.id.clone(), listens)).await)
    }
}
