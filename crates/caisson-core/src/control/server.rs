use std::time::Duration;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{Listener, Service, serve_stream};

/// So many connections at once: each `caisson stdio` is one.
const MOST_CONNECTIONS: usize = 512;

/// Serves every connection until `shutdown` is cancelled; the last answers are written before it returns.
pub async fn serve<S: Service>(mut listener: Listener, service: S, shutdown: CancellationToken) {
    let mut connections = JoinSet::new();
    let mut is_failing = false;
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((reader, writer)) if connections.len() < MOST_CONNECTIONS => {
                    is_failing = false;
                    connections.spawn(serve_stream(service.clone(), reader, writer, shutdown.clone()));
                }
                Ok(_) => tracing::warn!("turned a connection away: {MOST_CONNECTIONS} are open"),
                Err(error) => {
                    if !is_failing {
                        tracing::warn!(%error, "the control socket could not accept a connection");
                    }
                    is_failing = true;
                    // Out of file descriptors, most likely: trying again at once would only burn time.
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            },
            Some(_) = connections.join_next() => {}
            () = shutdown.cancelled() => break,
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}
