use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{Fault, Upward};
use crate::model::{Envelope, RequestId};

/// Requests of one client at a time, those included that wait to be asked or for the client itself. Twice as
/// many as are with the server: while some wait for the client's answers, there is room to hear them.
const MOST_CALLS: usize = 512;

/// A client's requests in progress. When dropped, all are given up.
#[derive(Debug, Default)]
pub(in super::super) struct Calls {
    tasks: JoinSet<()>,
    running: Arc<Running>,
}

#[derive(Debug, Default)]
struct Running(Mutex<HashMap<RequestId, CancellationToken>>);

impl Calls {
    /// Whether another may start.
    pub(in super::super) fn has_room(&self) -> bool {
        self.tasks.len() < MOST_CALLS
    }

    /// Starts a request whose answer is what `work` comes to; none is told for none. When the session ends
    /// before, the answer is the reason.
    ///
    /// # Errors
    /// When a request with this id is in progress.
    pub(in super::super) fn start(
        &mut self,
        upward: &Arc<Upward>,
        id: RequestId,
        work: impl Future<Output = Result<Option<Bytes>, Fault>> + Send + 'static,
    ) -> Result<(), Fault> {
        let cancel = CancellationToken::new();
        match self.running.table().entry(id.clone()) {
            Entry::Occupied(_) => {
                return Err(Fault::refused(format!("a request with the id {id} is in progress already")));
            }
            Entry::Vacant(place) => place.insert(cancel.clone()),
        };
        let (upward, running) = (upward.clone(), self.running.clone());
        self.tasks.spawn(async move {
            let done = tokio::select! {
                biased;
                () = cancel.cancelled() => Ok(None),
                done = work => done,
                why = upward.ended() => Err(Fault::Over(why)),
            };
            // A client may use the id again as soon as it has the answer.
            running.table().remove(&id);
            match done {
                Ok(Some(answer)) => upward.tell(answer).await,
                Ok(None) => {}
                Err(fault) => {
                    if let Fault::Over(why) = &fault {
                        upward.end(why.clone());
                    }
                    upward.tell(fault.response(&id)).await;
                }
            }
        });
        Ok(())
    }

    /// Hears a notification of the client. One that cancels a request gives it up; for a request that is not in
    /// progress it has come too late.
    pub(in super::super) fn notified(&self, envelope: &Envelope<'_>) {
        let Some(id) = envelope.cancels() else { return };
        if let Some(cancel) = self.running.table().get(&id) {
            cancel.cancel();
        }
    }

    /// Whether none is in progress.
    pub(in super::super) fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }

    /// Returns when one has ended, or none is in progress. Cancel-safe.
    pub(in super::super) async fn one_ends(&mut self) {
        drop(self.tasks.join_next().await);
    }

    /// Returns when all have ended.
    pub(in super::super) async fn all_end(&mut self) {
        while self.tasks.join_next().await.is_some() {}
    }
}

impl Running {
    fn table(&self) -> MutexGuard<'_, HashMap<RequestId, CancellationToken>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
