use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval};

use super::Inner;

/// How often it is looked whether sessions have a reason to end.
const EVERY: Duration = Duration::from_secs(2);

/// How often it is written down when tokens were last used.
const KEEP_USES: Duration = Duration::from_secs(60);

/// Ends sessions nobody uses any more, and sessions and exchanges whose token holds no longer. Never returns.
pub(super) async fn sweep(inner: &Inner) {
    let mut ticks = interval(EVERY.min(inner.settings.idle.max(Duration::from_millis(10))));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut last_kept = Instant::now();
    loop {
        ticks.tick().await;
        for session in inner.sessions.all() {
            if let Err(denial) = inner.gate.still_holds(session.principal()) {
                session.end(denial.to_string());
            } else if session.unattended().is_some_and(|since| since > inner.settings.idle) {
                session.end("nobody used it for too long");
            }
        }
        inner.exchanges.end_denied(|principal| inner.gate.still_holds(principal));
        if last_kept.elapsed() > KEEP_USES {
            last_kept = Instant::now();
            keep_uses(inner).await;
        }
    }
}

/// Writes down when tokens were last used.
pub(super) async fn keep_uses(inner: &Inner) {
    let tokens = inner.gate.tokens().clone();
    if let Err(error) = tokio::task::spawn_blocking(move || tokens.keep_uses()).await {
        tracing::debug!(%error, "when tokens were last used was not written down");
    }
}
