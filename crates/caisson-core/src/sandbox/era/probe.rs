//! Finds out what a server is: which eras it knows, and what it says of itself. Each question has a process of
//! its own, since a process locks to the first era it hears.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{json, value::RawValue};
use tokio::time::timeout;

use super::{
    super::{SandboxError, SessionError, exchange::Opens},
    conversation::{Answer, Conversation, LISTS, meta},
    keys,
};
use crate::pins::{Eras, Pin, Profile};

/// A server that has answered in one era may take so long to answer in the other.
const GRACE: Duration = Duration::from_secs(3);

/// Finds out which eras the server knows. `patience` is how long it may take to answer.
///
/// # Errors
/// When it cannot be started, or answers in neither.
pub(super) async fn eras(opener: &dyn Opens, patience: Duration) -> Result<Eras, SandboxError> {
    let (with_sessions, without) = (with_sessions(opener, patience), without(opener, patience));
    tokio::pin!(with_sessions, without);
    let (legacy, modern) = tokio::select! {
        legacy = &mut with_sessions => {
            let modern = if matches!(legacy, Ok(Ok(()))) {
                timeout(GRACE, without).await.unwrap_or(Ok(Err(SessionError::Closed)))
            } else {
                without.await
            };
            (legacy, modern)
        }
        modern = &mut without => {
            let legacy = if matches!(modern, Ok(Ok(()))) {
                timeout(GRACE, with_sessions).await.unwrap_or(Ok(Err(SessionError::Closed)))
            } else {
                with_sessions.await
            };
            (legacy, modern)
        }
    };
    match (legacy?, modern?) {
        (Err(error), Err(_)) => {
            Err(SandboxError::Ended { server: opener.server().clone(), reason: error.to_string() })
        }
        (legacy, modern) => Ok(Eras { legacy: legacy.is_ok(), modern: modern.is_ok() }),
    }
}

async fn with_sessions(
    opener: &dyn Opens,
    patience: Duration,
) -> Result<Result<(), SessionError>, SandboxError> {
    let mut conversation = Conversation::open(opener, patience).await?;
    Ok(conversation.initialize().await.and_then(accepted).map(drop))
}

async fn without(opener: &dyn Opens, patience: Duration) -> Result<Result<(), SessionError>, SandboxError> {
    #[derive(Deserialize)]
    struct Discovered {
        #[serde(rename = "supportedVersions")]
        versions: Vec<String>,
    }
    let mut conversation = Conversation::open(opener, patience).await?;
    let discovered = conversation.ask("server/discover", &json!({"_meta": meta()})).await.and_then(accepted);
    Ok(discovered.and_then(|result| {
        let speaks = serde_json::from_str::<Discovered>(result.get())
            .is_ok_and(|discovered| discovered.versions.iter().any(|version| version == keys::VERSION));
        if speaks { Ok(()) } else { Err(SessionError::Protocol("it speaks other versions".to_owned())) }
    }))
}

fn accepted(answer: Answer) -> Result<Box<RawValue>, SessionError> {
    match answer {
        Answer::Result(result) => Ok(result),
        Answer::Error => {
            Err(SessionError::Protocol("it answered the first request with an error".to_owned()))
        }
    }
}

/// Asks what a server with sessions says of itself to clients that can do nothing beyond the least, and pins it.
///
/// # Errors
/// When it ends in the middle, or does not answer in time.
pub(super) async fn learn(opener: &dyn Opens, pin: &Pin, patience: Duration) -> Result<(), SandboxError> {
    let mut conversation = Conversation::open(opener, patience).await?;
    let ended = |error: SessionError| SandboxError::Ended {
        server: opener.server().clone(),
        reason: error.to_string(),
    };
    let Answer::Result(result) = conversation.initialize().await.map_err(ended)? else { return Ok(()) };
    conversation.initialized().await.map_err(ended)?;
    let profile = Profile::least();
    pin.set_result(&profile, "initialize", &result);
    for (method, items) in LISTS {
        if let Some(list) = conversation.list(method, items).await.map_err(ended)? {
            pin.set_result(&profile, method, &list);
        }
    }
    Ok(())
}
