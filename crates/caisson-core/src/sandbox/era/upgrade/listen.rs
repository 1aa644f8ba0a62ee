//! `subscriptions/listen` on a server of sessions. Such a server tells each session what happens in its own
//! process; so a client that listens has one session that serves no requests and lives as long as it listens.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{
    Shared,
    audience::{Audience, Ear, Filter},
    client::Client,
    heard::Heard,
    outlet::Outlet,
    process::Process,
    request::{INTERNAL, INVALID_PARAMS, Request},
    reshape::{self, Hello},
};
use crate::{
    gate::CallerId,
    model::{Envelope, Splice, error_response},
    sandbox::{Exchange, SandboxError, SessionError},
};

/// Clients of one caller that may listen at a time, however many listeners each has.
const MOST_WATCHES: usize = 8;

/// A session that serves no requests: it keeps a process alive for what happens in it. When dropped, it ends.
#[derive(Debug)]
pub(super) struct Watch {
    hello: Arc<Hello>,
    /// Why it has ended, once it has.
    ended: watch::Receiver<Option<SessionError>>,
    _ends: DropGuard,
}

/// How many sessions of this kind each caller has.
#[derive(Debug, Default)]
pub(super) struct Watches(Mutex<HashMap<CallerId, usize>>);

/// One of them, until it is dropped.
struct Counted {
    watches: Arc<Watches>,
    caller: CallerId,
}

impl Watches {
    fn count(self: &Arc<Self>, caller: &CallerId) -> Option<Counted> {
        let mut callers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = callers.entry(caller.clone()).or_default();
        if *count >= MOST_WATCHES {
            return None;
        }
        *count += 1;
        Some(Counted { watches: self.clone(), caller: caller.clone() })
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut callers = self.watches.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = callers.get_mut(&self.caller) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                callers.remove(&self.caller);
            }
        }
    }
}

/// Lets a client listen.
///
/// # Errors
/// When the server cannot be had.
pub(super) async fn listen(
    shared: &Shared,
    client: &Client,
    request: Request,
) -> Result<Exchange, SandboxError> {
    let refused = |code, why: &str| Exchange::answered(error_response(Some(&request.id), code, why));
    let filter = match Envelope::read(&request.message) {
        Ok((envelope, _)) => Filter::read(envelope.params),
        Err(_) => Err("it cannot be read"),
    };
    let filter = match filter {
        Ok(filter) => filter,
        Err(why) => return Ok(refused(INVALID_PARAMS, why)),
    };
    let audience = shared.audience(client);
    let Some(watch) = watch(shared, client, &audience).await? else {
        return Ok(refused(INTERNAL, "too many clients listen at a time"));
    };
    let filter = filter.honoured(&watch.hello);
    let honoured = filter.json();
    let Some(ear) = audience.join(filter) else {
        return Ok(refused(INTERNAL, "too many listen at a time; end another subscription first"));
    };
    let (outlet, exchange) = Outlet::new();
    let id = reshape::id(&request);
    tokio::spawn(async move {
        let acknowledged = format!(
            r#"{{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{{"_meta":{{"io.modelcontextprotocol/subscriptionId":{id}}},"notifications":{honoured}}}}}"#,
        );
        let told = async { outlet.say(acknowledged.into_bytes()).await && tell(&outlet, &ear, &id).await };
        let mut ended = watch.ended.clone();
        let error = tokio::select! {
            _ = told => None,
            () = outlet.dropped() => None,
            error = ended.wait_for(Option::is_some) => error.ok().and_then(|error| error.clone()),
        };
        if let Some(error) = error {
            outlet.fail(error).await;
        }
        // The listener goes before the session does.
        drop((ear, watch));
    });
    Ok(exchange)
}

/// Tells a listener what happens, until it listens no more.
async fn tell(outlet: &Outlet, ear: &Ear, id: &str) -> bool {
    loop {
        for message in ear.hear().await {
            let Some(mut splice) = Splice::of(&message) else { continue };
            splice.set(&["params", "_meta", "io.modelcontextprotocol/subscriptionId"], id);
            if !outlet.say(splice.done()).await {
                return false;
            }
        }
    }
}

/// The session the listeners of a client share; opened where there is none. None when its caller has too many.
async fn watch(
    shared: &Shared,
    client: &Client,
    audience: &Arc<Audience>,
) -> Result<Option<Arc<Watch>>, SandboxError> {
    let mut place = audience.watch().lock().await;
    let is_live = |watch: &Arc<Watch>| watch.ended.borrow().is_none();
    if let Some(watch) = place.upgrade().filter(is_live) {
        return Ok(Some(watch));
    }
    let Some(counted) = shared.watches.count(client.caller()) else { return Ok(None) };
    let process = shared.begin(client, audience.clone()).await?;
    let hello = process.hello().clone();
    let (end, ended) = watch::channel(None);
    let ends = CancellationToken::new();
    let watch = Arc::new(Watch { hello, ended, _ends: ends.clone().drop_guard() });
    tokio::spawn(async move {
        tokio::select! {
            () = ends.cancelled() => {}
            error = attend(process) => drop(end.send_replace(Some(error))),
        }
        drop(counted);
    });
    *place = Arc::downgrade(&watch);
    Ok(Some(watch))
}

/// Hears a process that serves no request, until it ends.
async fn attend(mut process: Process) -> SessionError {
    loop {
        match process.hear().await {
            Ok(Heard::Ask(ask)) => process.refuse(&ask),
            Ok(Heard::Response(..) | Heard::Notification(..)) => {}
            Err(error) => return error,
        }
    }
}

/// Where the session that listeners share is kept.
pub(super) type Place = tokio::sync::Mutex<Weak<Watch>>;
