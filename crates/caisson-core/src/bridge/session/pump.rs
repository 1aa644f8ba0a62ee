use std::sync::Arc;

use bytes::Bytes;
use serde_json::value::RawValue;

use super::Session;
use crate::{model::Envelope, sandbox::SessionReceiver};

/// Listens to the server and puts what it says on its streams, until it ends or the session does; then ends
/// the session and calls `ended`.
pub(super) fn start(
    session: Arc<Session>,
    mut receiver: SessionReceiver,
    ended: impl FnOnce(&Session) + Send + 'static,
) {
    tokio::spawn(async move {
        let why = tokio::select! {
            () = session.ending.cancelled() => "it was told to".to_owned(),
            why = listen(&session, &mut receiver) => why,
        };
        session.end(why);
        // The server's process ends once nobody holds either end of its pipe.
        drop(receiver);
        ended(&session);
    });
}

/// Returns why the server is heard no longer.
async fn listen(session: &Session, receiver: &mut SessionReceiver) -> String {
    loop {
        match receiver.next().await {
            Some(Ok(message)) if message.trim_ascii_start().first() == Some(&b'[') => {
                // A batch, which a server of 2025-03-26 may send. Its messages belong on different streams.
                let Ok(parts) = serde_json::from_slice::<Vec<&RawValue>>(&message) else { continue };
                for part in parts {
                    deliver(session, message.slice_ref(part.get().as_bytes())).await;
                }
            }
            Some(Ok(message)) => deliver(session, message).await,
            Some(Err(error)) => return error.to_string(),
            None => return "it closed its output".to_owned(),
        }
    }
}

/// Delivers one message, and waits while its reader is behind: so a slow client slows its server down, and
/// nothing piles up in between.
async fn deliver(session: &Session, message: Bytes) {
    let stream = match Envelope::read(&message) {
        Ok((envelope, kind)) => session.routes().deliver(envelope, kind, message.clone()),
        Err(error) => {
            tracing::debug!(endpoint = %session.endpoint, %error, "a server sent what is no message");
            return;
        }
    };
    match stream {
        Some(stream) => stream.has_room().await,
        None => tracing::debug!(endpoint = %session.endpoint, "a server answered what nobody asked"),
    }
}
