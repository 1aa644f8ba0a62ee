//! Who may call what. Only here a [`Permit`] is made, and what is not known is denied.
//!
//! The decisions ([`decide`]) are pure functions over values: who asks, for what, and what time it is.
//! [`Gate`] looks the token up, reads the clock and asks them. It must never forward anything itself.

mod admission;
pub mod approvals;
mod counts;
mod decide;
mod denial;
mod expected;
mod inspect;
mod ledger;
mod listing;
mod permit;
pub mod policy;
mod principal;
pub mod review;
mod scope;
#[cfg(test)]
mod tests;
pub mod tokens;

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::SystemTime,
};

pub use admission::{Admission, Asked};
pub use caisson_scan as scan;
pub use denial::Denial;
pub use expected::Expected;
pub use inspect::Inspector;
pub use ledger::OpenCall;
#[cfg(test)]
pub(crate) use permit::permit_for_test;
pub use permit::{Permit, Permitted};
pub use principal::{CallerId, LocalCaller, Principal, Who};
pub use scope::{Scope, ToolScope};

use jiff::{Timestamp, tz::TimeZone};
use serde::Deserialize;
use tokio::{sync::watch, time::Instant};

use self::{
    approvals::{Approvals, Asking, render},
    counts::{Counts, CountsOf},
    decide::{InScope, Unread},
    inspect::Looked,
    ledger::{Entry, Ledger},
    policy::{Arguments, Call, Policy},
    review::Review,
    scan::{Context, Direction, OwnSecrets, Verdict},
    tokens::Tokens,
};
use crate::{
    audit::Audit,
    metrics::Metrics,
    model::{
        By, Digest, Endpoint, Envelope, EnvelopeKind, Groups, Lasting, Marks, PinKind, Preset, Ruling,
        ServerName, Statement, Verb,
    },
};

/// Tells the time. Handed in, so that tests can turn it forward.
pub type Clock = Arc<dyn Fn() -> SystemTime + Send + Sync>;

/// What is known of servers.
pub trait Known: Send + Sync {
    /// What a tool was found to be, when its server was asked; none when it is not known.
    fn tool(&self, server: &ServerName, tool: &str) -> Option<Definition>;

    /// The secrets that a server was given.
    fn secrets(&self, server: &ServerName) -> OwnSecrets;
}

/// What is known of a tool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Definition {
    /// How it is marked.
    pub marks: Marks,
    /// The digest of all that is said of it.
    pub digest: Digest,
}

/// What a gate is made of.
pub struct GateParts {
    /// The tokens it knows.
    pub tokens: Tokens,
    /// Tells the time.
    pub clock: Clock,
    /// The user's time zone.
    pub zone: TimeZone,
    /// The groups there are: a token for one is a token for the servers it has at the time.
    pub groups: watch::Receiver<Arc<Groups>>,
    /// The user's rules.
    pub policy: watch::Receiver<Arc<Policy>>,
    /// Asks people.
    pub approvals: Approvals,
    /// What is known of servers.
    pub known: Arc<dyn Known>,
    /// What was accepted of what servers say of themselves.
    pub review: Review,
    /// Where it is noted what became of calls.
    pub audit: Audit,
    /// Whether the arguments of calls are noted there, as people are shown them.
    pub keeps_arguments: bool,
    /// Where calls are counted.
    pub metrics: Metrics,
}

/// Decides, for every session and every message. Cheap to clone.
#[derive(Clone)]
pub struct Gate(Arc<Inner>);

struct Inner {
    tokens: Tokens,
    clock: Clock,
    zone: TimeZone,
    groups: watch::Receiver<Arc<Groups>>,
    policy: watch::Receiver<Arc<Policy>>,
    approvals: Approvals,
    known: Arc<dyn Known>,
    review: Review,
    ledger: Ledger,
    counting: Mutex<Counting>,
}

/// What was counted, and under which rules.
#[derive(Default)]
struct Counting {
    counts: Counts,
    policy: Option<Arc<Policy>>,
}

/// A call that is within its sender's scope.
struct Asks<'a> {
    principal: &'a Principal,
    server: &'a ServerName,
    tool: &'a str,
    arguments: Option<Unread<'a>>,
    /// What a person should hear of first.
    suspect: Option<String>,
}

impl Gate {
    /// A gate of these parts.
    pub fn new(parts: GateParts) -> Self {
        let GateParts {
            tokens,
            clock,
            zone,
            groups,
            policy,
            approvals,
            known,
            review,
            audit,
            keeps_arguments,
            metrics,
        } = parts;
        let ledger = Ledger::new(audit, metrics, known.clone(), keeps_arguments);
        let counting = Mutex::default();
        Self(Arc::new(Inner {
            tokens,
            clock,
            zone,
            groups,
            policy,
            approvals,
            known,
            review,
            ledger,
            counting,
        }))
    }

    /// The tokens it knows: to issue, list and revoke them.
    pub fn tokens(&self) -> &Tokens {
        &self.0.tokens
    }

    /// Whoever holds `bearer`, the text after `Bearer ` in an `Authorization` header.
    ///
    /// # Errors
    /// When the token is unknown, revoked or expired.
    pub fn authenticate(&self, bearer: &str) -> Result<Principal, Denial> {
        let now = (self.0.clock)();
        let token = self.0.tokens.used(bearer, now).ok_or(Denial::UnknownToken)?;
        decide::token_holds(&token, now)?;
        Ok(Principal::client(token))
    }

    /// A caller on the control socket: its peer has been found to be the user, who may do everything.
    pub fn local(&self, what: LocalCaller) -> Principal {
        Principal::local(what)
    }

    /// Whether a principal that was let in earlier would still be. Asked of those who hold a session open.
    ///
    /// # Errors
    /// When its token was revoked or has expired meanwhile.
    pub fn still_holds(&self, principal: &Principal) -> Result<(), Denial> {
        match principal.who() {
            Who::Local(_) => Ok(()),
            Who::Client(client) => {
                let token = self.0.tokens.by_id(&client.token).ok_or(Denial::UnknownToken)?;
                decide::token_holds(&token, (self.0.clock)())
            }
        }
    }

    /// Whether `principal` may use `endpoint` at all: for what is said of one before anything is sent to it.
    ///
    /// # Errors
    /// When the endpoint is outside the principal's scope.
    pub fn may_use(&self, principal: &Principal, endpoint: &Endpoint) -> Result<(), Denial> {
        decide::use_at_all(principal, endpoint, &self.0.groups.borrow())
    }

    /// Whether `principal` may read the numbers: how often tools were called, and what servers use.
    ///
    /// # Errors
    /// When its token is for something else.
    pub fn may_meter(&self, principal: &Principal) -> Result<(), Denial> {
        decide::meter(principal)
    }

    /// Permits `principal` to open a session with `endpoint`.
    ///
    /// # Errors
    /// When the endpoint is outside the principal's scope.
    pub fn open(&self, principal: &Principal, endpoint: &Endpoint) -> Result<Permit, Denial> {
        let permit = decide::open(principal, endpoint, &self.0.groups.borrow())?;
        Ok(match endpoint {
            Endpoint::Server(server) => permit.inspected(self.inspector(server)),
            Endpoint::Group(_) => permit,
        })
    }

    /// Decides on one message of `principal` to `endpoint`. What was read of it is `envelope`.
    pub fn admit(
        &self,
        principal: &Principal,
        endpoint: &Endpoint,
        message: &[u8],
        (envelope, kind): (&Envelope<'_>, EnvelopeKind),
    ) -> Admission {
        let scope = match decide::scope(principal, endpoint, &self.0.groups.borrow(), envelope, kind) {
            Ok(scope) => scope,
            Err(denial) => {
                if let Denial::Tool { server, tool } = &denial {
                    self.0.ledger.refuse(&principal.visit(), server, tool, &denial);
                }
                return Admission::Denied(denial);
            }
        };
        let Endpoint::Server(server) = endpoint else {
            return Admission::Permitted(Permit::new(
                endpoint.clone(),
                Permitted::Message,
                principal.caller(),
            ));
        };
        let tool = if let InScope::Call { tool, .. } = &scope { Some(&**tool) } else { None };
        let inspector = self.inspector(server);
        let looked = inspector.outgoing(message, tool, &principal.name());
        let permit =
            Permit::new(endpoint.clone(), Permitted::Message, principal.caller()).inspected(inspector);
        let (suspect, instead) = match looked {
            Looked::Passes => (None, None),
            Looked::Suspect(what) => (Some(what), None),
            Looked::Instead(message) => (None, Some(message)),
            Looked::Stopped(denial) => {
                self.0.ledger.refuse(&principal.visit(), server, tool.unwrap_or("-"), &denial);
                return Admission::Denied(denial);
            }
        };
        // What is sent is what is decided on.
        let redacted = instead.as_deref().map(Envelope::read);
        let (envelope, scope) = match &redacted {
            None => (envelope, Ok(scope)),
            Some(Ok((envelope, kind))) => {
                let groups = self.0.groups.borrow();
                (envelope, decide::scope(principal, endpoint, &groups, envelope, *kind))
            }
            Some(Err(_)) => (envelope, Err(Denial::NamelessCall)),
        };
        let permit = permit.with_message(instead.clone());
        match scope {
            Err(denial) => Admission::Denied(denial),
            Ok(InScope::Else(_)) if self.is_shut_to(envelope) => Admission::Denied(Denial::Locked),
            Ok(InScope::Else(tools)) => self.admit_else(server, (envelope, kind), tools, permit),
            Ok(InScope::Call { server, tool, arguments }) => {
                let asks = Asks { principal, server, tool: &tool, arguments, suspect };
                self.admit_call(&asks, envelope, permit)
            }
        }
    }

    /// Lets through what is no call, and takes note of what the server is to say of itself.
    fn admit_else(
        &self,
        server: &ServerName,
        (envelope, kind): (&Envelope<'_>, EnvelopeKind),
        tools: &ToolScope,
        permit: Permit,
    ) -> Admission {
        let method = envelope.method.as_deref().unwrap_or_default();
        let prompt = (method == "prompts/get").then(|| named(envelope)).flatten();
        if let Some(denial) = prompt.and_then(|name| self.quarantine(server, PinKind::Prompt, &name)) {
            return Admission::Denied(denial);
        }
        let statement = Statement::asked_by(method).filter(|_| kind == EnvelopeKind::Request);
        Admission::Permitted(match (statement, &envelope.id) {
            (Some(statement), Some(id)) => {
                let (id, tools) = (id.clone(), tools.clone());
                permit.expecting(Expected::Statement { id, statement, tools })
            }
            (Some(_), None) | (None, _) => permit,
        })
    }

    /// Why something of a server cannot be used: it is not what the user has accepted.
    fn quarantine(&self, server: &ServerName, kind: PinKind, name: &str) -> Option<Denial> {
        let mode = self.0.policy.borrow().pins().of(server);
        let holds_back = self.0.review.holds_back(server, kind, name, mode);
        holds_back.then(|| Denial::Quarantined { server: server.clone(), kind, name: name.to_owned() })
    }

    /// What was accepted of what servers say of themselves.
    pub fn review(&self) -> &Review {
        &self.0.review
    }

    fn inspector(&self, server: &ServerName) -> Inspector {
        let Inner { policy, known, review, ledger, .. } = &*self.0;
        let known = (Arc::clone(known), review.clone());
        Inspector::new(policy.clone(), known, server.clone(), ledger.clone())
    }

    /// What would be done about a call of `client`, and by what, with nothing counted and nobody asked.
    pub fn explain(&self, client: &str, server: &ServerName, tool: &str, arguments: &Arguments) -> Ruling {
        let marks = self.definition(server, tool).map(|definition| definition.marks).unwrap_or_default();
        let call = Call { server, tool, client, marks, arguments };
        self.policy().decide(&call, self.now(), &self.0.zone, &mut policy::CountNothing)
    }

    /// Asks people.
    pub fn approvals(&self) -> &Approvals {
        &self.0.approvals
    }

    /// The user's rules.
    pub fn policy(&self) -> Arc<Policy> {
        self.0.policy.borrow().clone()
    }

    /// What is known of a tool.
    pub fn definition(&self, server: &ServerName, tool: &str) -> Option<Definition> {
        self.0.known.tool(server, tool)
    }

    fn admit_call(&self, asks: &Asks<'_>, envelope: &Envelope<'_>, permit: Permit) -> Admission {
        let Asks { principal, server, tool, arguments, ref suspect } = *asks;
        let (visit, ledger) = (principal.visit(), &self.0.ledger);
        let refuse = |denial: Denial| {
            ledger.refuse(&visit, server, tool, &denial);
            Admission::Denied(denial)
        };
        if self.0.approvals.is_locked() {
            return refuse(Denial::Locked);
        }
        if let Some(denial) = self.quarantine(server, PinKind::Tool, tool) {
            return refuse(denial);
        }
        let read = match Arguments::read(arguments.map(|Unread(arguments)| arguments)) {
            Ok(read) => read,
            Err(error) => return refuse(Denial::Unclear { why: error.to_string() }),
        };
        let definition = self.definition(server, tool);
        let (marks, definition) = match definition {
            Some(Definition { marks, digest }) => (marks, Some(digest)),
            None => (Marks::default(), None),
        };
        let call = Call { server, tool, client: &visit.client, marks, arguments: &read };
        let fingerprint = Digest::of(read.value().to_string().as_bytes());
        let policy = self.policy();
        let ruling = match (self.rule(&policy, &call, &fingerprint), suspect) {
            // Who never wants to be asked, or has a rule for it, has said so.
            (Ruling { verb: Verb::Allow, by: By::Preset { preset, .. } }, Some(what))
                if preset != Preset::NeverAsk =>
            {
                Ruling { verb: Verb::Ask, by: By::Carries { what: what.clone() } }
            }
            (ruling, _) => ruling,
        };
        let ruling = match ruling {
            Ruling { verb: Verb::Ask, .. } if principal.consents() => {
                Ruling { verb: Verb::Allow, by: By::Person { lasting: Lasting::Once } }
            }
            Ruling { verb: Verb::Ask, by: By::Rule { .. } | By::Preset { .. } } => {
                match self.0.approvals.granted(&visit, server, tool, definition.as_ref()) {
                    Some(grant) => Ruling { verb: Verb::Allow, by: By::Grant { id: grant.0 } },
                    None => ruling,
                }
            }
            ruling => ruling,
        };
        let raw = arguments.map_or("", |Unread(arguments)| arguments.get());
        let id = envelope.id.clone();
        match ruling.verb {
            Verb::Allow => {
                let shown = ledger.kept(|| self.rendered(server, tool, &read));
                let entry = Entry { visit: &visit, server, tool, arguments: raw, shown };
                let call = Expected::Call(ledger.begin(entry, id, &ruling.by));
                Admission::Permitted(permit.expecting(call))
            }
            Verb::Deny => refuse(Denial::Rule { by: ruling.by }),
            Verb::Ask => {
                let asking = Asking {
                    visit: visit.clone(),
                    server: server.clone(),
                    tool: tool.to_owned(),
                    marks,
                    definition,
                    fingerprint,
                    arguments: self.rendered(server, tool, &read),
                    by: ruling.by,
                };
                let patience = policy.approvals().timeout();
                let Some(waiting) = self.0.approvals.ask(asking.clone(), patience) else {
                    return refuse(Denial::TooManyQuestions);
                };
                Admission::Asked(Box::new(Asked {
                    waiting,
                    asking,
                    ledger: ledger.clone(),
                    permit,
                    arguments: raw.to_owned(),
                    id,
                    progress: envelope.progress_token(),
                    patience,
                }))
            }
        }
    }

    /// Arguments as a person reads them: without secrets.
    fn rendered(&self, server: &ServerName, tool: &str, arguments: &Arguments) -> String {
        let text = render::arguments(arguments.value());
        let secrets = self.0.known.secrets(server);
        let (direction, server) = (Direction::ToClient, server.as_str());
        let context = Context { direction, server, tool: Some(tool), secrets: &secrets };
        match self.policy().scanner().map(|scanner| scanner.line(text.as_bytes(), &context)) {
            Some(Verdict::Clean | Verdict::Noted(_)) => text,
            Some(Verdict::Redacted { message, .. }) => String::from_utf8_lossy(&message).into_owned(),
            Some(Verdict::Blocked(_)) | None => "(not shown: it carries what your policy stops)".to_owned(),
        }
    }

    /// What the rules say, and the look for loops.
    fn rule(&self, policy: &Arc<Policy>, call: &Call<'_>, fingerprint: &Digest) -> Ruling {
        let now = Instant::now();
        // What a panic may have left is a count too many or too few.
        let mut counting = self.0.counting.lock().unwrap_or_else(PoisonError::into_inner);
        if !counting.policy.as_ref().is_some_and(|known| Arc::ptr_eq(known, policy)) {
            counting.counts.forget_rules();
            counting.policy = Some(policy.clone());
        }
        let counts = &mut counting.counts;
        let mut of = CountsOf { counts, client: call.client, server: call.server, now };
        let ruling = policy.decide(call, self.now(), &self.0.zone, &mut of);
        let same = [call.client, call.server.as_str(), call.tool, fingerprint.as_str()].join("\0");
        let loops = policy.loops();
        if counts.is_loop(Digest::of(same.as_bytes()), loops.beyond, now) && loops.then > ruling.verb {
            return Ruling { verb: loops.then, by: By::Loop { beyond: loops.beyond.to_string() } };
        }
        ruling
    }

    /// While everything is refused, nothing is asked of a server but what it is.
    fn is_shut_to(&self, envelope: &Envelope<'_>) -> bool {
        const CONTENT: [&str; 4] = ["resources/read", "prompts/get", "completion/complete", "tools/call"];
        let method = envelope.method.as_deref();
        method.is_some_and(|method| CONTENT.contains(&method)) && self.0.approvals.is_locked()
    }

    fn now(&self) -> Timestamp {
        // A clock beyond what a calendar has is at its end.
        Timestamp::try_from((self.0.clock)()).unwrap_or(Timestamp::MAX)
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate").finish_non_exhaustive()
    }
}

/// What a request names.
fn named(envelope: &Envelope<'_>) -> Option<String> {
    #[derive(Deserialize)]
    struct Named {
        name: String,
    }
    serde_json::from_str::<Named>(envelope.params?.get()).ok().map(|named| named.name)
}

/// No tool is known.
#[cfg(any(test, feature = "fuzzing"))]
struct NothingKnown;

#[cfg(any(test, feature = "fuzzing"))]
impl Known for NothingKnown {
    fn tool(&self, _: &ServerName, _: &str) -> Option<Definition> {
        None
    }

    fn secrets(&self, _: &ServerName) -> OwnSecrets {
        OwnSecrets::default()
    }
}

#[cfg(any(test, feature = "fuzzing"))]
impl GateParts {
    /// A gate that asks nobody, and knows no groups.
    #[expect(clippy::unwrap_used, reason = "a test has no better answer")]
    pub(crate) fn for_test(tokens: Tokens, clock: Clock) -> Self {
        let state = crate::registry::State::in_memory().unwrap();
        let policy = Policy::parse("preset = 'never-ask'\n[loop]\nthen = 'allow'").unwrap();
        let events = tokio::sync::broadcast::Sender::new(64);
        Self {
            approvals: Approvals::open(state.clone(), events.clone(), clock.clone()).unwrap(),
            review: Review::new(state, events, clock.clone()),
            tokens,
            metrics: Metrics::new(clock.clone(), TimeZone::UTC),
            clock,
            zone: TimeZone::UTC,
            groups: watch::channel(Arc::default()).1,
            policy: watch::channel(Arc::new(policy)).1,
            known: Arc::new(NothingKnown),
            audit: Audit::in_memory(SystemTime::now).unwrap(),
            keeps_arguments: false,
        }
    }
}
