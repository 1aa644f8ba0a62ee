use tokio::time::{Instant, timeout_at};

/// What comes before `deadline`; none when nothing does. `timeout_at` alone lets through what is there at once, and a
/// server that floods has always said something: asked again and again, it would never end.
pub(super) async fn before<T>(deadline: Instant, future: impl Future<Output = T>) -> Option<T> {
    if Instant::now() >= deadline {
        return None;
    }
    timeout_at(deadline, future).await.ok()
}
