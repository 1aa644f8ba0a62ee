use std::{sync::Arc, time::Duration};

use serde_json::json;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::{Inner, message::Posted, session::Session};
use crate::model::RequestId;

/// How often it is looked whether sessions have a reason to end.
const EVERY: Duration = Duration::from_secs(2);

/// How often it is written down when tokens were last used.
const KEEP_USES: Duration = Duration::from_secs(60);

/// Ends sessions nobody uses any more, and sessions and exchanges whose token holds no longer; gives up requests of
/// either kind on which nothing is heard, and connections that do not get to the end of a request's head. Never returns.
pub(super) async fn sweep(inner: &Arc<Inner>) {
    let settings = &inner.settings;
    let shortest = settings.idle.min(settings.request_timeout).min(settings.head);
    let mut ticks = interval(EVERY.min(shortest.max(Duration::from_millis(10))));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut last_kept = Instant::now();
    loop {
        ticks.tick().await;
        inner.seats.clear(settings.head);
        for session in inner.sessions.all() {
            if let Err(denial) = inner.gate.still_holds(session.principal()) {
                session.end(denial.to_string());
            } else if session.unattended().is_some_and(|since| since > settings.idle) {
                session.end("nobody used it for too long");
            }
            for id in session.give_up(settings.request_timeout) {
                // A server that answers nothing may read nothing either: nobody else is to wait for it.
                tokio::spawn(cancel(Arc::clone(inner), Arc::clone(&session), id));
            }
        }
        inner.exchanges.end_denied(|principal| inner.gate.still_holds(principal));
        inner.exchanges.end_silent(settings.request_timeout);
        if last_kept.elapsed() > KEEP_USES {
            last_kept = Instant::now();
            keep_uses(inner).await;
        }
    }
}

/// Tells the server that nobody waits for its answer any more.
async fn cancel(inner: Arc<Inner>, session: Arc<Session>, id: RequestId) {
    let params = json!({"requestId": id, "reason": "Caisson heard nothing of it for too long"});
    let message =
        json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": params}).to_string();
    if let Ok(cancelled) = Posted::read(message.as_bytes())
        && let Err(refusal) = inner.send(&session, &cancelled).await
    {
        tracing::debug!(%refusal, "a server was not told that a request is cancelled");
    }
}

/// Writes down when tokens were last used.
pub(super) async fn keep_uses(inner: &Inner) {
    let tokens = inner.gate.tokens().clone();
    if let Err(error) = tokio::task::spawn_blocking(move || tokens.keep_uses()).await {
        tracing::debug!(%error, "when tokens were last used was not written down");
    }
}
