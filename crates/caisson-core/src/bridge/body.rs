use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use hyper::{
    HeaderMap,
    body::{Body, Incoming},
    header::EXPECT,
};
use tokio::time::timeout;

use super::{BridgeSettings, refusal::Refusal};

/// So long a client may pause in the middle of a body.
const PAUSE: Duration = Duration::from_secs(30);
/// Of a body that is too large, so much is read and thrown away, so that the client gets to reading why:
/// one whose connection closes while it writes sees a broken connection and no answer.
const MOST_DISCARDED: u64 = 64 << 20;

/// Reads a body that is no larger, and comes no slower, than `settings` say. A larger one is never held: as soon as
/// it shows, what has come is dropped, and what follows is thrown away as it comes.
pub(super) async fn read(
    headers: &HeaderMap,
    body: Incoming,
    settings: &BridgeSettings,
) -> Result<Bytes, Refusal> {
    // A body that trickles never pauses for long, and would take its place for ever.
    let whole = timeout(settings.body, whole(headers, body, settings.largest_body)).await;
    whole.unwrap_or(Err(Refusal::Slow))
}

async fn whole(headers: &HeaderMap, mut body: Incoming, most: usize) -> Result<Bytes, Refusal> {
    let announced = body.size_hint().lower();
    if announced > most as u64 {
        // Who asks first whether to send it is answered before it does (RFC 9110, 10.1.1).
        if !headers.contains_key(EXPECT) {
            discard(&mut body, 0).await;
        }
        return Err(Refusal::TooLarge { most });
    }
    // Most messages come in one piece, which is used as it is.
    let Some(first) = piece(&mut body).await? else { return Ok(Bytes::new()) };
    let mut whole = match piece(&mut body).await? {
        None if first.len() <= most => return Ok(first),
        None => return Err(Refusal::TooLarge { most }),
        Some(second) => {
            let mut whole = BytesMut::with_capacity(first.len() + second.len());
            whole.extend_from_slice(&first);
            whole.extend_from_slice(&second);
            whole
        }
    };
    while whole.len() <= most {
        match piece(&mut body).await? {
            Some(next) => whole.extend_from_slice(&next),
            None => return Ok(whole.freeze()),
        }
    }
    let read = whole.len() as u64;
    drop(whole);
    discard(&mut body, read).await;
    Err(Refusal::TooLarge { most })
}

/// The next piece; none at the end.
async fn piece(body: &mut Incoming) -> Result<Option<Bytes>, Refusal> {
    loop {
        match timeout(PAUSE, body.frame()).await {
            Err(_) => return Err(Refusal::Slow),
            Ok(None) => return Ok(None),
            Ok(Some(Err(error))) => return Err(Refusal::Broken(error.to_string())),
            Ok(Some(Ok(frame))) => {
                // Trailers say nothing to MCP.
                if let Ok(data) = frame.into_data() {
                    return Ok(Some(data));
                }
            }
        }
    }
}

/// Throws away what follows, within reason.
async fn discard(body: &mut Incoming, mut read: u64) {
    while read <= MOST_DISCARDED {
        match piece(body).await {
            Ok(Some(data)) => read += data.len() as u64,
            Ok(None) | Err(_) => return,
        }
    }
}
