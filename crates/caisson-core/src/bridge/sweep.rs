use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

use super::Inner;

/// How often it is looked whether sessions have a reason to end.
const EVERY: Duration = Duration::from_secs(2);

/// Ends sessions nobody uses any more, and those whose token holds no longer. Never returns.
pub(super) async fn sweep(inner: &Inner) {
    let mut ticks = interval(EVERY.min(inner.settings.idle.max(Duration::from_millis(10))));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        for session in inner.sessions.all() {
            if let Err(denial) = inner.gate.still_holds(session.principal()) {
                session.end(denial.to_string());
            } else if session.unattended().is_some_and(|since| since > inner.settings.idle) {
                session.end("nobody used it for too long");
            }
        }
        inner.gate.tokens().keep_uses();
    }
}
