//! Which requests are open on a shared process, and whose.

use std::collections::HashMap;

use bytes::Bytes;
use tokio::sync::mpsc;

use super::super::{
    super::{SessionError, mark::unmarked},
    keys,
};
use crate::{
    gate::CallerId,
    model::{Envelope, EnvelopeKind, RequestId, Splice, is_mistakable},
};

/// Where what comes back on a request goes.
pub(super) type Sink = mpsc::Sender<Result<Bytes, SessionError>>;

/// Requests that are open.
#[derive(Debug, Default)]
pub(super) struct Calls {
    open: HashMap<i64, Call>,
    last: i64,
    /// The only caller this process has served, as long as there is only one.
    callers: Callers,
}

#[derive(Debug, Default)]
enum Callers {
    #[default]
    None,
    One(CallerId),
    Several,
}

/// A request, as its client wrote it.
#[derive(Debug)]
struct Call {
    caller: CallerId,
    /// Its id, as JSON.
    id: String,
    /// Its progress token, as JSON.
    progress: Option<String>,
    /// Whether it wants log messages.
    logs: bool,
    /// Whether it is a subscription, to which nothing belongs but what names it.
    listens: bool,
    sink: Sink,
}

/// What becomes of a message of the server.
#[derive(Debug)]
pub(super) enum Routed {
    /// It is the last on its request.
    Answer(Sink, Bytes),
    /// It belongs to the request with this number of ours.
    Notice(i64, Sink, Bytes),
    /// Nothing says whose it is.
    Unknown,
    /// The server asks something, which this protocol has no place for.
    Asked(RequestId),
}

impl Calls {
    /// Takes a request in. Answers its number and the request as the server is to read it. None when it is not a
    /// request.
    pub(super) fn begin(&mut self, caller: &CallerId, request: &[u8], sink: Sink) -> Option<(i64, Vec<u8>)> {
        const TOKEN: [&str; 3] = ["params", "_meta", "progressToken"];
        let mut splice = Splice::of(request)?;
        let id = splice.get(&["id"])?.get().to_owned();
        self.last += 1;
        let number = self.last;
        let ours = number.to_string();
        let progress = splice.get(&TOKEN).map(|token| token.get().to_owned());
        splice.set(&["id"], &ours);
        if progress.is_some() {
            splice.set(&TOKEN, &ours);
        }
        let listens = method(&splice).as_deref() == Some("subscriptions/listen");
        let logs = splice.get(&["params", "_meta", keys::LOG_LEVEL]).is_some();
        self.callers = match std::mem::take(&mut self.callers) {
            Callers::None => Callers::One(caller.clone()),
            Callers::One(one) if one == *caller => Callers::One(one),
            Callers::One(_) | Callers::Several => Callers::Several,
        };
        self.open.insert(number, Call { caller: caller.clone(), id, progress, logs, listens, sink });
        Some((number, splice.done()))
    }

    /// Whether a server might take another field of a request for its progress token than the one that
    /// [`Self::begin`] replaces. It would tell somebody else of this one's progress.
    pub(super) fn may_mistake_token(request: &[u8]) -> bool {
        let Some(params) = Splice::of(request).and_then(|request| request.get(&["params"])) else {
            return false;
        };
        let meta = Splice::of(params.get().as_bytes()).and_then(|params| params.get(&["_meta"]));
        is_mistakable(params, "_meta") || meta.is_some_and(|meta| is_mistakable(meta, "progressToken"))
    }

    /// How many requests of `caller` are open.
    pub(super) fn count(&self, caller: &CallerId) -> usize {
        self.open.values().filter(|call| call.caller == *caller).count()
    }

    /// Lets go of a request; whether it was open.
    pub(super) fn end(&mut self, number: i64) -> bool {
        self.open.remove(&number).is_some()
    }

    /// Lets go of all requests.
    pub(super) fn end_all(&mut self) -> Vec<Sink> {
        self.open.drain().map(|(_, call)| call.sink).collect()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// Finds out whose a message of the server is, and gives it back the client's names for things.
    pub(super) fn route(&mut self, message: &Bytes) -> Routed {
        if let Some((number, message)) = unmarked(message) {
            return self.notice(&message, Some(number));
        }
        let Ok((envelope, kind)) = Envelope::read(message) else { return Routed::Unknown };
        match (kind, envelope.id) {
            (EnvelopeKind::Response, Some(RequestId::Number(number))) => self.answer(number, message),
            (EnvelopeKind::Response, _) => Routed::Unknown,
            (EnvelopeKind::Request, Some(id)) => Routed::Asked(id),
            (EnvelopeKind::Request | EnvelopeKind::Notification, _) => self.notice(message, None),
        }
    }

    fn answer(&mut self, number: i64, message: &[u8]) -> Routed {
        const SUBSCRIPTION: [&str; 3] = ["result", "_meta", keys::SUBSCRIPTION];
        let (Some(call), Some(mut splice)) = (self.open.remove(&number), Splice::of(message)) else {
            return Routed::Unknown;
        };
        splice.set(&["id"], &call.id);
        if splice.get(&SUBSCRIPTION).is_some() {
            splice.set(&SUBSCRIPTION, &call.id);
        }
        Routed::Answer(call.sink, splice.done().into())
    }

    /// A notification, which came on the request with number `on`, where that is known.
    fn notice(&mut self, message: &Bytes, on: Option<i64>) -> Routed {
        const PROGRESS: [&str; 2] = ["params", "progressToken"];
        const SUBSCRIPTION: [&str; 3] = ["params", "_meta", keys::SUBSCRIPTION];
        const REQUEST: [&str; 2] = ["params", "requestId"];
        let Some(mut splice) = Splice::of(message) else { return Routed::Unknown };
        let method = method(&splice);
        for path in [PROGRESS.as_slice(), &SUBSCRIPTION, &REQUEST] {
            let Some(named) = splice.get(path) else { continue };
            // It names a request, so it belongs to that one or, when it is over, to nobody.
            let Some((number, call)) =
                named.get().parse().ok().and_then(|number| Some((number, self.open.get(&number)?)))
            else {
                return Routed::Unknown;
            };
            let theirs = if path == PROGRESS { call.progress.as_ref() } else { Some(&call.id) };
            let Some(theirs) = theirs else { return Routed::Unknown };
            splice.set(path, theirs);
            // One that ends a subscription may name it both ways.
            if path == SUBSCRIPTION && splice.get(&REQUEST).is_some_and(|also| also.get() == named.get()) {
                splice.set(&REQUEST, &call.id);
            }
            let sink = call.sink.clone();
            // A subscription alone is the server's to end (MCP 2026-07-28, "Cancellation").
            if call.listens && method.as_deref() == Some("notifications/cancelled") {
                self.open.remove(&number);
                return Routed::Answer(sink, splice.done().into());
            }
            return Routed::Notice(number, sink, splice.done().into());
        }
        // A log message names no request, and is for those that want it alone. It is delivered where no doubt is
        // possible: to the request it came on, or the only one there is, of the only caller there ever was.
        let is_log = method.as_deref() == Some("notifications/message");
        let is_for = |call: &Call| !call.listens && (call.logs || !is_log);
        let mut open = self.open.iter().filter(|(_, call)| is_for(call));
        let sole = match (on, &self.callers) {
            (Some(on), _) => open.find(|(number, _)| **number == on),
            (None, Callers::One(_)) => open.next().filter(|_| open.next().is_none()),
            (None, Callers::None | Callers::Several) => None,
        };
        sole.map_or(Routed::Unknown, |(number, call)| {
            Routed::Notice(*number, call.sink.clone(), message.clone())
        })
    }
}

/// What a message's method is, however it is spelled.
fn method(message: &Splice<'_>) -> Option<String> {
    message.get(&["method"]).and_then(|method| serde_json::from_str(method.get()).ok())
}
