//! A session of which it shows only with the first message what it is: a client of HTTP+SSE opens its stream
//! before it says anything. Nothing is started before, and nothing is decided.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::mpsc;

use super::{
    super::{Session, SessionError},
    Front,
};
use crate::{
    gate::CallerId,
    model::{Envelope, EnvelopeKind, error_response},
};

/// What SDKs report for a connection that closed.
const CLOSED: i32 = -32000;

type Incoming = mpsc::Sender<Result<Bytes, SessionError>>;

/// The session.
pub(super) fn session(front: Arc<Front>, caller: CallerId) -> Session {
    let (session, ends, incoming) = Session::carried(front.opener.server().clone().into(), None);
    tokio::spawn(carry(front, caller, ends.outgoing, incoming));
    session
}

async fn carry(front: Arc<Front>, caller: CallerId, mut outgoing: mpsc::Receiver<Bytes>, incoming: Incoming) {
    while let Some(first) = outgoing.recv().await {
        let opened = tokio::select! {
            opened = front.session(caller.clone(), &first) => opened,
            () = incoming.closed() => return,
        };
        match opened {
            Ok(session) => return connect(session, &first, outgoing, incoming).await,
            Err(error) => {
                let Ok((envelope, EnvelopeKind::Request)) = Envelope::read(&first) else { continue };
                let refusal = error_response(envelope.id.as_ref(), CLOSED, &error.to_string());
                if incoming.send(Ok(refusal.into())).await.is_err() {
                    return;
                }
            }
        }
    }
}

/// Passes `first` on, and everything after it, both ways, until one side ends.
async fn connect(session: Session, first: &[u8], mut outgoing: mpsc::Receiver<Bytes>, incoming: Incoming) {
    let (sender, mut receiver) = session.split();
    let up = async {
        sender.pass(first).await?;
        while let Some(message) = outgoing.recv().await {
            sender.pass(&message).await?;
        }
        Ok::<(), SessionError>(())
    };
    let down = async {
        while let Some(message) = receiver.next().await {
            if incoming.send(message).await.is_err() {
                return;
            }
        }
    };
    // The server's last words are heard when the client has nothing more to say; not the other way round.
    tokio::pin!(down);
    tokio::select! {
        _ = up => {}
        () = &mut down => return,
        () = incoming.closed() => return,
    }
    drop(sender);
    tokio::select! {
        () = down => {}
        () = incoming.closed() => {}
    }
}
