//! Relays the window's requests to the control API, each as the typed request it is.
//!
//! It decides nothing and knows no method by name but those that need more than an answer.

use std::{
    collections::HashMap,
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use caisson_core::control::{
    ControlClient, Running,
    api::{
        ApiError, ErrorCode, MethodVisitor, NoticeBody, OpenSession, ReadLogs, Request, SubscribeEvents,
        visit_methods,
    },
};
use serde_json::Value;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::link::Way;

/// Methods that go on telling after their reply.
const GOING_ON: [&str; 2] = [SubscribeEvents::METHOD, ReadLogs::METHOD];

/// Where the notices of one request go. False when nobody is there any more.
pub(crate) type Tell = Box<dyn Fn(NoticeBody) -> bool + Send + Sync>;

/// The window's way to the control API. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Relay {
    way: watch::Receiver<Way>,
    page: Arc<Mutex<Page>>,
}

/// The page the window shows, and what it asked.
#[derive(Default)]
struct Page {
    /// Cancelled when another page takes its place.
    end: CancellationToken,
    /// What ends each request that is under way, by the number the page gave it.
    calls: HashMap<u64, CancellationToken>,
}

impl Relay {
    /// A relay that asks whoever `way` leads to.
    pub(crate) fn new(way: watch::Receiver<Way>) -> Self {
        Self { way, page: Arc::default() }
    }

    /// How the way stands, and how it changes.
    pub(crate) fn way(&self) -> watch::Receiver<Way> {
        self.way.clone()
    }

    /// Makes a request.
    ///
    /// # Errors
    /// What the control API answers; [`ErrorCode::Invalid`] for what it does not know;
    /// [`ErrorCode::Daemon`] while nobody answers; [`ErrorCode::Cancelled`] after [`Self::cancel`].
    pub(crate) async fn control(
        &self,
        call: u64,
        method: &str,
        params: Value,
        tell: Tell,
    ) -> Result<Value, ApiError> {
        let client = match &*self.way.borrow() {
            Way::Up { client, .. } => client.clone(),
            Way::Down { problem } => return Err(problem.clone()),
            Way::Searching => return Err(ApiError::new(ErrorCode::Daemon, "Caisson is still starting")),
        };
        let end = self.begin(call);
        let mut dispatch =
            Dispatch { method, request: Some((client, params, tell, end.clone())), answer: None };
        visit_methods(&mut dispatch);
        let outcome = match dispatch.answer {
            None => Err(ApiError::new(
                ErrorCode::Invalid,
                format!("there is no method {}", method.escape_debug()),
            )),
            Some(answer) => tokio::select! {
                outcome = answer => outcome,
                () = end.cancelled() => Err(ApiError::new(ErrorCode::Cancelled, "the request was cancelled")),
            },
        };
        if outcome.is_err() || !GOING_ON.contains(&method) {
            self.page().calls.remove(&call);
        }
        outcome
    }

    /// Cancels a request, or ends what it subscribed to.
    pub(crate) fn cancel(&self, call: u64) {
        if let Some(end) = self.page().calls.remove(&call) {
            end.cancel();
        }
    }

    /// Begins with a new page: all that the last one asked is cancelled. The token ends with the page.
    pub(crate) fn turn_page(&self) -> CancellationToken {
        let mut page = self.page();
        page.end.cancel();
        *page = Page::default();
        page.end.clone()
    }

    fn begin(&self, call: u64) -> CancellationToken {
        let mut page = self.page();
        let end = page.end.child_token();
        page.calls.insert(call, end.clone());
        end
    }

    // A panic elsewhere leaves the page whole: every change is one call.
    fn page(&self) -> MutexGuard<'_, Page> {
        self.page.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

type Answer = Pin<Box<dyn Future<Output = Result<Value, ApiError>> + Send>>;

/// Finds the type behind a method's name, and asks with it.
struct Dispatch<'a> {
    method: &'a str,
    request: Option<(ControlClient, Value, Tell, CancellationToken)>,
    answer: Option<Answer>,
}

impl MethodVisitor for Dispatch<'_> {
    fn visit<R: Request>(&mut self) {
        // A session takes the whole connection over, and this one is everyone's.
        if R::METHOD != self.method || R::METHOD == OpenSession::METHOD {
            return;
        }
        if let Some((client, params, tell, end)) = self.request.take() {
            self.answer = Some(Box::pin(ask::<R>(client, params, tell, end)));
        }
    }
}

async fn ask<R: Request>(
    client: ControlClient,
    params: Value,
    tell: Tell,
    end: CancellationToken,
) -> Result<Value, ApiError> {
    let params: R = serde_json::from_value(params)
        .map_err(|error| ApiError::new(ErrorCode::Invalid, error.to_string()))?;
    let reply = if GOING_ON.contains(&R::METHOD) {
        let (reply, running) = client.subscribe(&params).await?;
        tokio::spawn(go_on(running, tell, end));
        reply
    } else {
        let mut running = client.start(&params).await?;
        while let Some(notice) = running.notice().await {
            tell(notice);
        }
        running.reply().await?
    };
    serde_json::to_value(reply)
        .map_err(|error| ApiError::new(ErrorCode::Internal, format!("the reply cannot be relayed: {error}")))
}

/// Tells until either side ends it. Dropping the request tells the other side.
async fn go_on<R: Request>(mut running: Running<R>, tell: Tell, end: CancellationToken) {
    loop {
        tokio::select! {
            notice = running.notice() => {
                if !notice.is_some_and(&tell) {
                    break;
                }
            }
            () = end.cancelled() => break,
        }
    }
}

#[cfg(test)]
mod tests;
