//! One request on its way through a server of sessions: which of what is heard meanwhile its client is told.

use std::collections::VecDeque;

use bytes::Bytes;

use super::{
    asks::Asks,
    heard::Heard,
    outlet::{Job, Outlet},
    request::{Level, Members, Request},
    reshape,
};
use crate::model::{Envelope, Splice};

/// A request that a process serves.
pub(super) struct Call {
    /// As the client asked it last.
    pub(super) request: Request,
    /// Where the answer goes; none while nobody waits for it.
    pub(super) outlet: Option<Outlet>,
    /// The id the server knows it by.
    pub(super) id: i64,
    /// The progress token the server knows it by, as JSON.
    progress: Option<String>,
    /// What the server has asked meanwhile.
    pub(super) asks: Asks,
    /// What was heard while nobody waited.
    pub(super) held: VecDeque<Heard>,
}

impl Call {
    pub(super) fn new(job: Job) -> Self {
        let Job { request, outlet } = job;
        let progress = request.progress.clone();
        Self { request, outlet: Some(outlet), id: 0, progress, asks: Asks::default(), held: VecDeque::new() }
    }

    /// Goes on for a client that has asked again.
    pub(super) fn resume(&mut self, job: Job) {
        self.request = job.request;
        self.outlet = Some(job.outlet);
    }

    /// Puts a message to the client. False when it waits no more.
    pub(super) async fn say(&self, message: impl Into<Bytes>) -> bool {
        match &self.outlet {
            Some(outlet) => outlet.say(message).await,
            None => false,
        }
    }

    /// A notification as the client is to have it; none when it is not for it.
    pub(super) fn notification(&self, method: &str, message: Bytes) -> Option<Bytes> {
        match method {
            "notifications/message" => self.log(message),
            "notifications/progress" => self.progress(message),
            // Of what the server asks, clients of this protocol are told in results alone.
            "notifications/cancelled" | "notifications/elicitation/complete" => None,
            _ => Some(message),
        }
    }

    /// A log message, where the client wants those of its level.
    fn log(&self, message: Bytes) -> Option<Bytes> {
        let from = self.request.level?;
        let (envelope, _) = Envelope::read(&message).ok()?;
        let level = Members::of(envelope.params).text("level");
        let is_wanted = level.as_deref().and_then(Level::named).is_none_or(|level| level >= from);
        is_wanted.then_some(message)
    }

    /// Progress of this request, with the token the client gave it last.
    fn progress(&self, message: Bytes) -> Option<Bytes> {
        let token = self.request.progress.as_deref()?;
        let mut splice = Splice::of(&message)?;
        let told = splice.get(&["params", "progressToken"])?.get();
        if Some(told) != self.progress.as_deref() {
            return None;
        }
        if told == token {
            return Some(message);
        }
        splice.set(&["params", "progressToken"], token);
        Some(splice.done().into())
    }

    /// The server's response as the client is to have it.
    pub(super) fn response(&self, message: &[u8]) -> Vec<u8> {
        reshape::response(&self.request, message)
    }
}
