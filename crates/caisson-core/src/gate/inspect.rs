//! Messages looked through for what they should not carry, and what the user's rules then do.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::watch;

use super::{
    Denial, Expected, Known, Review, ToolScope,
    ledger::Ledger,
    listing,
    policy::Policy,
    review::Reviewed,
    scan::{Action, Context, Direction, Findings, Verdict},
};
use crate::model::{Envelope, EnvelopeKind, ServerName, Statement};

/// So many findings of one message are noted.
const NOTED: usize = 16;

/// Looks through what passes between clients and one server.
#[derive(Clone)]
pub struct Inspector {
    policy: watch::Receiver<Arc<Policy>>,
    known: Arc<dyn Known>,
    review: Review,
    server: ServerName,
    ledger: Ledger,
}

/// What becomes of a message to a server.
pub(super) enum Looked {
    /// It passes as it is.
    Passes,
    /// It passes, and a person should hear of this first.
    Suspect(String),
    /// This passes in its place.
    Instead(Vec<u8>),
    /// It does not pass.
    Stopped(Denial),
}

impl Inspector {
    pub(super) fn new(
        policy: watch::Receiver<Arc<Policy>>,
        (known, review): (Arc<dyn Known>, Review),
        server: ServerName,
        ledger: Ledger,
    ) -> Self {
        Self { policy, known, review, server, ledger }
    }

    /// Looks through a message of `client` to the server.
    pub(super) fn outgoing(&self, message: &[u8], tool: Option<&str>, client: &str) -> Looked {
        match self.verdict(message, Direction::ToServer, tool) {
            Ok(Verdict::Clean) => Looked::Passes,
            Ok(Verdict::Noted(findings)) => {
                self.note(&findings, Direction::ToServer, tool, Some(client));
                if findings.gravest() >= Some(Action::Warn) {
                    Looked::Suspect(words(&findings))
                } else {
                    Looked::Passes
                }
            }
            Ok(Verdict::Redacted { message, findings }) => {
                self.note(&findings, Direction::ToServer, tool, Some(client));
                Looked::Instead(message)
            }
            Ok(Verdict::Blocked(findings)) => {
                self.note(&findings, Direction::ToServer, tool, Some(client));
                Looked::Stopped(Denial::Carries { what: words(&findings) })
            }
            Err(what) => Looked::Stopped(Denial::Carries { what }),
        }
    }

    /// What of a message of the server's may reach a client, which answers what was `expected`. None: nothing may, and
    /// nobody waits for it.
    pub(crate) fn incoming(&self, message: Bytes, expected: Option<&Expected>) -> Option<Bytes> {
        let tool = expected.and_then(Expected::tool);
        let message = match expected.and_then(Expected::statement) {
            Some((statement, tools)) => match self.reviewed(statement, tools, message.clone()) {
                Ok(message) => message,
                Err(denial) => return answer(&message, &denial),
            },
            None => message,
        };
        let denial = match self.verdict(&message, Direction::ToClient, tool) {
            Ok(Verdict::Clean) => return Some(message),
            Ok(Verdict::Noted(findings)) => {
                self.note(&findings, Direction::ToClient, tool, None);
                return Some(message);
            }
            Ok(Verdict::Redacted { message, findings }) => {
                self.note(&findings, Direction::ToClient, tool, None);
                return Some(message.into());
            }
            Ok(Verdict::Blocked(findings)) => {
                self.note(&findings, Direction::ToClient, tool, None);
                Denial::Answer { what: words(&findings) }
            }
            Err(what) => Denial::Answer { what },
        };
        answer(&message, &denial)
    }

    /// What a server says of itself, without what the user has not accepted, and tools that are not for whoever asked.
    fn reviewed(&self, statement: Statement, tools: &ToolScope, message: Bytes) -> Result<Bytes, Denial> {
        let mode = self.policy.borrow().pins().of(&self.server);
        let Reviewed { message, fresh } = self.review.look(&self.server, statement, message, mode)?;
        for (kind, name, is_new) in fresh {
            self.ledger.quarantined(&self.server, kind, name, is_new);
        }
        listing::narrowed(message, statement, tools)
    }

    fn verdict(&self, message: &[u8], direction: Direction, tool: Option<&str>) -> Result<Verdict, String> {
        let policy = self.policy.borrow().clone();
        let scanner = policy.scanner().ok_or("what it carries cannot be looked for")?;
        let secrets = self.known.secrets(&self.server);
        let context = Context { direction, server: self.server.as_str(), tool, secrets: &secrets };
        scanner.message(message, &context).map_err(|error| error.to_string())
    }

    fn note(&self, findings: &Findings, direction: Direction, tool: Option<&str>, client: Option<&str>) {
        let worth = findings.iter().filter(|finding| finding.action >= Action::Log);
        for finding in worth.take(NOTED) {
            self.ledger.found(&self.server, finding, direction, tool, client);
        }
    }
}

/// A denial in place of what a server answers. What is no answer is not replaced: whoever is asked something by a server
/// need not answer.
fn answer(message: &[u8], denial: &Denial) -> Option<Bytes> {
    match Envelope::read(message) {
        Ok((Envelope { id: Some(id), .. }, EnvelopeKind::Response)) => Some(denial.response(&id).into()),
        Ok(_) | Err(_) => None,
    }
}

/// What was found, for people: each kind of thing once.
fn words(findings: &Findings) -> String {
    let mut titles: Vec<&str> = findings
        .iter()
        .filter(|finding| finding.action >= Action::Warn)
        .map(|finding| &*finding.title)
        .collect();
    titles.sort_unstable();
    titles.dedup();
    titles.join(", ")
}

impl std::fmt::Debug for Inspector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inspector").field("server", &self.server).finish_non_exhaustive()
    }
}
