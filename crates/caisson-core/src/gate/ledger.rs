//! What became of each call: noted in the audit, and counted.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use serde::Deserialize;
use tokio::time::Instant;

use super::{
    Denial, Known,
    principal::Visit,
    scan::{Direction, Finding},
    tokens::TokenId,
};
use crate::{
    audit::{Audit, Happening, Phase, Written},
    metrics::{Metrics, Series},
    model::{By, Digest, Envelope, Outcome, PinKind, QuestionId, RequestId, ServerName, utc},
};

/// Notes what became of calls. Cheap to clone.
#[derive(Clone)]
pub(super) struct Ledger {
    audit: Audit,
    metrics: Metrics,
    known: Arc<dyn Known>,
    /// The number of the last call.
    calls: Arc<AtomicU64>,
    /// Whether the arguments of calls are kept, as people are shown them.
    keeps_arguments: bool,
}

/// A call, as it is noted.
#[derive(Clone, Debug)]
pub(super) struct Entry<'a> {
    pub(super) visit: &'a Visit,
    pub(super) server: &'a ServerName,
    pub(super) tool: &'a str,
    /// The arguments, as they came.
    pub(super) arguments: &'a str,
    /// The arguments as people are shown them, where they are kept.
    pub(super) shown: Option<String>,
}

/// A call that was let through and is not answered yet. Dropped without an answer, that is noted.
#[derive(Debug)]
pub struct OpenCall {
    audit: Audit,
    series: Arc<Series>,
    /// The request's id; none for a call that wants no answer.
    id: Option<RequestId>,
    number: u64,
    server: ServerName,
    tool: String,
    began: Instant,
    answered: bool,
    /// That it was let through, written in the audit.
    noted: Written,
}

impl Ledger {
    pub(super) fn new(audit: Audit, metrics: Metrics, known: Arc<dyn Known>, keeps_arguments: bool) -> Self {
        Self { audit, metrics, known, calls: Arc::default(), keeps_arguments }
    }

    /// The arguments of a call as they are kept, if they are.
    pub(super) fn kept(&self, rendered: impl FnOnce() -> String) -> Option<String> {
        self.keeps_arguments.then(rendered)
    }

    /// A call is let through.
    pub(super) fn begin(&self, entry: Entry<'_>, id: Option<RequestId>, by: &By) -> OpenCall {
        let number = self.calls.fetch_add(1, Ordering::Relaxed) + 1;
        let (token, expires) = shown(entry.visit);
        let noted = self.audit.note_watched(
            entry.server,
            Phase::Run,
            Happening::Called {
                call: number,
                client: entry.visit.client.to_string(),
                token,
                expires,
                tool: entry.tool.to_owned(),
                by: by.to_string(),
                arguments: Digest::of(entry.arguments.as_bytes()),
                bytes: entry.arguments.len() as u64,
                shown: entry.shown,
            },
        );
        let series = self.series(entry.server, entry.tool);
        series.called();
        OpenCall {
            audit: self.audit.clone(),
            series,
            id,
            number,
            server: entry.server.clone(),
            tool: entry.tool.to_owned(),
            began: Instant::now(),
            answered: false,
            noted,
        }
    }

    /// A call is refused.
    pub(super) fn refuse(&self, visit: &Visit, server: &ServerName, tool: &str, denial: &Denial) {
        self.series(server, tool).denied();
        let (token, expires) = shown(visit);
        self.note(
            server,
            Happening::Denied {
                client: visit.client.to_string(),
                token,
                expires,
                tool: tool.to_owned(),
                reason: denial.to_string(),
            },
        );
    }

    /// Something was found in a message.
    pub(super) fn found(
        &self,
        server: &ServerName,
        finding: &Finding,
        direction: Direction,
        tool: Option<&str>,
        client: Option<&str>,
    ) {
        self.note(
            server,
            Happening::Found {
                kind: finding.kind.to_string(),
                title: finding.title.to_string(),
                place: finding.at.clone(),
                action: finding.action,
                direction,
                tool: tool.map(str::to_owned),
                client: client.map(str::to_owned),
            },
        );
    }

    /// Something a server says of itself is kept from clients from here on.
    pub(super) fn quarantined(&self, server: &ServerName, kind: PinKind, name: String, is_new: bool) {
        self.note(server, Happening::Quarantined { kind, name, is_new });
    }

    /// A question was settled.
    pub(super) fn settled(
        &self,
        visit: &Visit,
        server: &ServerName,
        tool: &str,
        (question, outcome): (QuestionId, Outcome),
    ) {
        self.note(
            server,
            Happening::Decided {
                question: question.0,
                client: visit.client.to_string(),
                tool: tool.to_owned(),
                outcome: outcome.to_string(),
            },
        );
    }

    fn series(&self, server: &ServerName, tool: &str) -> Arc<Series> {
        self.metrics.series(server, tool, || self.known.tool(server, tool).is_some())
    }

    fn note(&self, server: &ServerName, happening: Happening) {
        self.audit.note(server, Phase::Run, happening);
    }
}

impl OpenCall {
    /// The request's id; none for a call that wants no answer.
    pub fn id(&self) -> Option<&RequestId> {
        self.id.as_ref()
    }

    /// The tool it calls.
    pub fn tool(&self) -> &str {
        &self.tool
    }

    /// It was answered with this message, which may be passed on when what is given back is ready: nobody is answered
    /// before their call is in the audit.
    pub fn answered(mut self, message: &[u8]) -> Written {
        self.answered = true;
        let failed = has_failed(message);
        self.series.answered(self.began.elapsed(), failed);
        let happening = Happening::Answered {
            call: self.number,
            failed,
            bytes: message.len() as u64,
            lasted: self.lasted(),
        };
        self.audit.note(&self.server, Phase::Run, happening);
        std::mem::take(&mut self.noted)
    }

    fn lasted(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

impl Drop for OpenCall {
    fn drop(&mut self) {
        if !self.answered && self.id.is_some() {
            self.series.unanswered();
            let happening = Happening::Unanswered { call: self.number, lasted: self.lasted() };
            self.audit.note(&self.server, Phase::Run, happening);
        }
    }
}

/// The token that was shown, and when it ends, in seconds since 1970.
fn shown(visit: &Visit) -> (Option<TokenId>, Option<u64>) {
    let Some((token, expires)) = &visit.token else { return (None, None) };
    (Some(token.clone()), expires.map(utc::whole_seconds))
}

/// Whether a response says that the call has failed.
fn has_failed(message: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Result {
        #[serde(rename = "isError", default)]
        is_error: bool,
    }
    match Envelope::read(message) {
        Ok((Envelope { result: Some(result), .. }, _)) => {
            serde_json::from_str::<Result>(result.get()).is_ok_and(|result| result.is_error)
        }
        Ok(_) | Err(_) => true,
    }
}
