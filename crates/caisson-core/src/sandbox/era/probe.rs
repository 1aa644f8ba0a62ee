//! Finds out what a server is: which eras it knows, and what it says of itself. Each question has a process of
//! its own, since a process locks to the first era it hears.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{json, value::RawValue};
use tokio::time::{Instant, timeout, timeout_at};

use super::{
    super::{SandboxError, SessionError, exchange::Opens},
    conversation::{Answer, Conversation, able, lists_of, meta},
    keys,
};
use crate::pins::{Eras, Pin, Profile, SESSION_VERSIONS};

/// The version that Caisson speaks with servers with sessions.
const NEWEST: &str = SESSION_VERSIONS[0];
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
            let modern = other(&legacy, without).await;
            (legacy, modern)
        }
        modern = &mut without => (other(&modern, with_sessions).await, modern),
    };
    match (legacy?, modern?) {
        (Err(error), Err(_)) => {
            Err(SandboxError::Ended { server: opener.server().clone(), reason: error.to_string() })
        }
        (legacy, modern) => Ok(Eras { legacy: legacy.is_ok(), modern: modern.is_ok() }),
    }
}

/// What a server was found to answer in an era.
type Answered = Result<Result<(), SessionError>, SandboxError>;

/// What it answers in the other era, when it has answered in one.
async fn other(answered: &Answered, other: impl Future<Output = Answered>) -> Answered {
    if matches!(answered, Ok(Ok(()))) {
        timeout(GRACE, other).await.unwrap_or(Ok(Err(SessionError::Closed)))
    } else {
        other.await
    }
}

async fn with_sessions(opener: &dyn Opens, patience: Duration) -> Answered {
    let mut conversation = Conversation::open(opener, patience).await?;
    Ok(conversation.initialize(NEWEST, &json!({})).await.and_then(accepted).map(drop))
}

async fn without(opener: &dyn Opens, patience: Duration) -> Answered {
    #[derive(Deserialize)]
    struct Discovered {
        #[serde(rename = "supportedVersions")]
        versions: Vec<String>,
    }
    let mut conversation = Conversation::open(opener, patience).await?;
    let discovered =
        conversation.ask("server/discover", &json!({"_meta": meta(&json!({}))})).await.and_then(accepted);
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

/// Asks what a server with sessions says of itself to clients that can do nothing beyond the least, and pins it; and
/// whether it says the same to others. `patience` is how long all of it may take.
///
/// # Errors
/// When it ends in the middle, or does not answer in time, those that can do the least.
pub(super) async fn learn(opener: &dyn Opens, pin: &Pin, patience: Duration) -> Result<(), SandboxError> {
    let mut conversation = Conversation::open(opener, patience).await?;
    let deadline = Instant::now() + patience;
    pin.set_uniform(false);
    let ended = |error: SessionError| SandboxError::Ended {
        server: opener.server().clone(),
        reason: error.to_string(),
    };
    let profile = Profile::least();
    let Answer::Result(result) = conversation.initialize(NEWEST, &json!({})).await.map_err(ended)? else {
        return Ok(());
    };
    conversation.initialized().await.map_err(ended)?;
    pin.set_result(&profile, "initialize", &result);
    for (method, items) in lists_of(&result) {
        if let Some(list) = conversation.list(method, items).await.map_err(ended)? {
            pin.set_result(&profile, method, &list);
        }
    }
    drop(conversation);
    let others = async { tokio::join!(compare(opener, pin, patience), begin(opener, pin, patience)) };
    if timeout_at(deadline, others).await.is_err() {
        tracing::debug!(server = %opener.server(), "not all that it says to others was learnt in time");
    }
    Ok(())
}

/// Finds out whether the server says the same to a client that can do all there is, and pins that it does, or what else
/// it says.
async fn compare(opener: &dyn Opens, pin: &Pin, patience: Duration) {
    let Ok(mut conversation) = Conversation::open(opener, patience).await else { return };
    match hear_as_able(&mut conversation, pin).await {
        Ok(is_uniform) => pin.set_uniform(is_uniform),
        Err(error) => {
            tracing::debug!(server = %opener.server(), %error, "what it says to an able client was not learnt");
        }
    }
}

/// Whether all that an able client hears is what one that can do the least does.
async fn hear_as_able(conversation: &mut Conversation, pin: &Pin) -> Result<bool, SessionError> {
    let is_same = |method: &str, said: Option<&RawValue>| {
        let pinned = pin.result(&Profile::least(), method);
        let is_same = pinned.as_deref().map(RawValue::get) == said.map(RawValue::get);
        if let (false, Some(said)) = (is_same, said) {
            pin.set_result(&Profile::able(), method, said);
        }
        is_same
    };
    let hello = conversation.initialize(NEWEST, &able()).await.and_then(accepted)?;
    let mut is_uniform = is_same("initialize", Some(&hello));
    conversation.initialized().await?;
    for (method, items) in lists_of(&hello) {
        let list = conversation.list(method, items).await?;
        is_uniform &= is_same(method, list.as_deref());
    }
    Ok(is_uniform)
}

/// Asks how the server begins with clients of older versions that can do nothing beyond the least, and pins it.
async fn begin(opener: &dyn Opens, pin: &Pin, patience: Duration) {
    for version in &SESSION_VERSIONS[1..] {
        let Ok(mut conversation) = Conversation::open(opener, patience).await else { return };
        if let Ok(Answer::Result(result)) = conversation.initialize(version, &json!({})).await {
            pin.set_result(&Profile::plain(version), "initialize", &result);
        }
    }
}
