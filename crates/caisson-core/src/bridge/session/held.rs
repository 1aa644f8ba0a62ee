//! Calls that wait for a person's answer before they are sent.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use super::{
    super::{
        message::{Message, Posted},
        refusal::Refusal,
    },
    Session,
};
use crate::{
    gate::{Asked, Permit},
    model::{Envelope, RequestId},
};

/// The calls of a session that wait, each with what withdraws it.
#[derive(Default)]
pub(super) struct Held(Mutex<HashMap<RequestId, CancellationToken>>);

impl Held {
    /// Withdraws a call, if it waits.
    pub(super) fn release(&self, id: &RequestId) -> bool {
        self.lock().remove(id).inspect(CancellationToken::cancel).is_some()
    }

    // No panic happens while the lock is held.
    fn lock(&self) -> MutexGuard<'_, HashMap<RequestId, CancellationToken>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Session {
    /// Holds a call back until a person has answered; then sends it within `limit`, or answers it with the denial. Must be
    /// called within a Tokio runtime.
    pub(in crate::bridge) fn hold(self: &Arc<Self>, asked: Box<Asked>, raw: &[u8], limit: Duration) {
        let (session, raw) = (Arc::clone(self), raw.to_vec());
        let withdrawn = self.ending.child_token();
        let id = asked.id().cloned();
        if let Some(id) = &id {
            self.held.lock().insert(id.clone(), withdrawn.clone());
        }
        tokio::spawn(async move {
            let settled = asked.settle(|progress| session.report(progress));
            let Some(settled) = withdrawn.run_until_cancelled(settled).await else { return };
            if let Some(id) = &id {
                session.held.lock().remove(id);
            }
            let sent = match (settled, Posted::read(&raw)) {
                (Ok(permit), Ok(Posted { messages, .. })) => match messages.first() {
                    Some(message) => {
                        session.send_before(permit, message, Instant::now() + limit, limit).await
                    }
                    None => Ok(()),
                },
                (Ok(_), Err(refusal)) => Err(refusal),
                (Err(denial), _) => Err(Refusal::Denied(denial)),
            };
            if let (Err(refusal), Some(id)) = (sent, &id) {
                session.answer(id, &refusal);
            }
        });
    }

    /// Sends one message on, as [`Self::send`] does, before `deadline`, which is `limit` after it was asked for.
    pub(in crate::bridge) async fn send_before(
        &self,
        permit: Permit,
        message: &Message<'_>,
        deadline: Instant,
        limit: Duration,
    ) -> Result<(), Refusal> {
        let sent = timeout_at(deadline, self.send(permit, message)).await;
        sent.unwrap_or(Err(Refusal::Silent(limit.as_secs())))
    }

    /// Tells the client that its call is still waited for.
    fn report(&self, progress: Bytes) {
        if let Ok((envelope, kind)) = Envelope::read(&progress) {
            drop(self.routes().deliver(envelope, kind, progress.clone()));
        }
    }
}
