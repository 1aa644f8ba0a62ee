//! What messages carry that they should not: Caisson's own secrets, credentials, keys, personal data, hidden text,
//! phrases that give a model orders. It is found in all that passes, whichever field it stands in and however it is
//! encoded; rules say what is done with it.
//!
//! Pure: no I/O, no clock, and never a value in a finding. All work is bounded by the length of the message, and what
//! cannot be read is an error: whoever called does not let it pass.
//!
//! The way of a message: [`json`] walks over its strings, [`probe`] looks through each, and through what is encoded in
//! it; [`message`] asks the [`policy`] what is done with each thing and takes out what must go. All else of the
//! message stays as it was, to the byte.
//!
//! The defaults (`defaults.toml`, each with its reason) weigh what a thing is against what breaks without it. What has
//! no honest way through is stopped; what a model need not read is taken out of what it reads; what a tool may well be
//! for is passed on and told.

mod base64;
mod checks;
mod detectors;
mod escapes;
mod exact;
mod finding;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
mod json;
mod keywords;
mod kind;
mod message;
mod policy;
mod probe;
mod runs;
mod secrets;
mod site;
mod unicode;

use std::{convert::Infallible, fmt, sync::Arc};

pub use checks::Checksum;
pub use finding::{Encoding, Finding, Findings};
pub use kind::{Kind, KindError, KindPattern};
pub use policy::{Action, Canary, Detector, DlpPolicy, DlpRule};
pub use secrets::OwnSecrets;

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use detectors::Detectors;
use exact::Exact;
use message::Scan;
use probe::What;
use unicode::Hidden;

/// The shortest canary, in bytes: a shorter text stands in too many others.
const SHORTEST_CANARY: usize = 8;

/// So often is looked at what is left of a message. One of which something is left to be taken out even then was made to
/// be so.
const MOST_LOOKS: usize = 4;

/// Looks through messages. Cheap to clone.
#[derive(Clone)]
pub struct Scanner(Arc<Rules>);

/// Which way a message goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// To a server: requests with their arguments, and what a client answers.
    ToServer,
    /// From a server: results, errors, what it asks and what it tells.
    ToClient,
}

/// What a message is part of.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// Which way it goes.
    pub direction: Direction,
    /// The server it goes to or comes from.
    pub server: &'a str,
    /// The tool it calls, or answers for.
    pub tool: Option<&'a str>,
    /// The secrets that must not be seen in it.
    pub secrets: &'a OwnSecrets,
}

/// What becomes of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It goes on; nothing was found.
    Clean,
    /// It goes on as it is, and this was found. The gravest tells whether the user is to hear of it.
    Noted(Findings),
    /// This goes on in its place.
    Redacted {
        /// The message without what was taken out; JSON if it was.
        message: Vec<u8>,
        /// What was found.
        findings: Findings,
    },
    /// It does not go on.
    Blocked(Findings),
}

/// Why a message could not be looked through. It does not go on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// It is no JSON in UTF-8.
    #[error("it is no JSON, from byte {at} on")]
    Json {
        /// Where it stops being so.
        at: usize,
    },
    /// It is nested deeper than anything reads.
    #[error("it is nested too deep")]
    TooDeep,
}

/// Why there is no scanner for a policy.
#[derive(Debug, thiserror::Error)]
pub enum DlpError {
    /// What is built in cannot be read.
    #[error("the built-in rules are not right: {0}")]
    BuiltIn(toml::de::Error),
    /// A detector is not right.
    #[error("the detector {kind} is not right: {why}")]
    Detector {
        /// The detector.
        kind: Kind,
        /// What is wrong.
        why: String,
    },
    /// A kind is found by two detectors.
    #[error("there are two detectors for {0}")]
    Twice(Kind),
    /// A canary is not right.
    #[error("the canary \"{}\" is not right: {why}", .name.escape_debug())]
    Canary {
        /// What it is called.
        name: String,
        /// What is wrong.
        why: String,
    },
    /// The secrets are too long.
    #[error("the secrets are too long to be looked for")]
    Secrets(#[source] aho_corasick::BuildError),
}

/// All a scanner knows.
struct Rules {
    detectors: Detectors,
    canaries: Exact,
    /// The user's rules and then the defaults.
    rules: Vec<DlpRule>,
    detected: Vec<Known>,
    planted: Vec<Known>,
    own: Known,
    hidden: [Known; 4],
    unread: Known,
}

/// A kind, and the rules that are for it, in order.
#[derive(Clone)]
struct Known {
    kind: Kind,
    title: Arc<str>,
    rules: Vec<u16>,
}

impl Scanner {
    /// A scanner for what is built in and what the user adds.
    ///
    /// # Errors
    /// When something of the user's is not right.
    pub fn new(policy: &DlpPolicy) -> Result<Self, DlpError> {
        let mut rules = policy.rules.clone();
        rules.extend(policy::defaults().map_err(DlpError::BuiltIn)?);
        let known = |kind: Kind, title: &str| {
            let rules =
                rules.iter().zip(0..).filter(|(rule, _)| rule.kind.has(&kind)).map(|(_, at)| at).collect();
            Known { kind, title: title.into(), rules }
        };
        let built_in = |kind: &str, title: &str| -> Result<Known, DlpError> {
            let wrong = |error: KindError| DlpError::Canary { name: kind.to_owned(), why: error.to_string() };
            Ok(known(kind.parse().map_err(wrong)?, title))
        };
        let planted = policy.canaries.iter().map(|Canary { name, text }| {
            if text.len() < SHORTEST_CANARY {
                return Err(DlpError::Canary {
                    name: name.clone(),
                    why: "its text has less than 8 bytes".to_owned(),
                });
            }
            let title = format!("canary {name}");
            let kind = format!("canary.{name}").parse::<Kind>();
            kind.map(|kind| known(kind, &title))
                .map_err(|error| DlpError::Canary { name: name.clone(), why: error.to_string() })
        });
        let planted = planted.collect::<Result<_, _>>()?;
        let detectors = Detectors::new(policy)?;
        let detected =
            detectors.all().iter().map(|ready| known(ready.detector.kind.clone(), &ready.detector.title));
        Ok(Self(Arc::new(Rules {
            canaries: Exact::new(policy.canaries.iter().map(|canary| canary.text.as_bytes()))
                .map_err(DlpError::Secrets)?,
            detected: detected.collect(),
            planted,
            own: built_in("secret.own", "secret")?,
            hidden: [
                built_in("unicode.zero-width", "zero-width characters")?,
                built_in("unicode.bidi", "hidden order of text")?,
                built_in("unicode.tags", "hidden text")?,
                built_in("unicode.variation", "hidden bytes")?,
            ],
            unread: built_in("encoded.too-large", "encoded data too large to look through")?,
            detectors,
            rules,
        })))
    }

    /// Looks through a JSON-RPC message.
    ///
    /// # Errors
    /// When it is no JSON in UTF-8, or nested too deep: it must not go on.
    pub fn message(&self, message: &[u8], context: &Context<'_>) -> Result<Verdict, Unreadable> {
        settled(message, |message| Scan::new(&self.0, context, message).message())
    }

    /// Looks through a line of text, as a server writes it to its log. What is redacted is so in place.
    pub fn line(&self, line: &[u8], context: &Context<'_>) -> Verdict {
        let Ok(verdict) = settled(line, |line| Ok::<_, Infallible>(Scan::new(&self.0, context, line).line()));
        verdict
    }

    /// All kinds of things that are found, with what people call them. Of the user's canaries, too.
    pub fn kinds(&self) -> impl Iterator<Item = (&Kind, &str)> {
        let Rules { detected, planted, own, hidden, unread, .. } = &*self.0;
        let all = detected.iter().chain(planted).chain([own]).chain(hidden).chain([unread]);
        all.map(|known| (&known.kind, &*known.title))
    }
}

/// Looks again where something was taken out: what it was glued to may only be read once it stands alone.
fn settled<E>(message: &[u8], look: impl Fn(&[u8]) -> Result<Verdict, E>) -> Result<Verdict, E> {
    let (mut message, mut findings) = match look(message)? {
        Verdict::Redacted { message, findings } => (message, findings),
        verdict @ (Verdict::Clean | Verdict::Noted(_) | Verdict::Blocked(_)) => return Ok(verdict),
    };
    for _ in 0..MOST_LOOKS {
        match look(&message)? {
            Verdict::Clean | Verdict::Noted(_) => return Ok(Verdict::Redacted { message, findings }),
            Verdict::Blocked(more) => {
                findings.add(more);
                return Ok(Verdict::Blocked(findings));
            }
            Verdict::Redacted { message: rest, findings: more } => {
                message = rest;
                findings.add(more);
            }
        }
    }
    Ok(Verdict::Blocked(findings))
}

impl Rules {
    fn known(&self, what: What) -> &Known {
        match what {
            What::Own(_) => &self.own,
            What::Canary(number) => &self.planted[usize::from(number)],
            What::Detector(number) => &self.detected[usize::from(number)],
            What::Hidden(Hidden::ZeroWidth) => &self.hidden[0],
            What::Hidden(Hidden::Bidi) => &self.hidden[1],
            What::Hidden(Hidden::Tags) => &self.hidden[2],
            What::Hidden(Hidden::Variation) => &self.hidden[3],
            What::Unread => &self.unread,
        }
    }

    fn kind(&self, what: What) -> Kind {
        self.known(what).kind.clone()
    }

    fn title(&self, what: What, context: &Context<'_>) -> Arc<str> {
        match what {
            What::Own(number) => context.secrets.title(number),
            What::Canary(_) | What::Detector(_) | What::Hidden(_) | What::Unread => {
                self.known(what).title.clone()
            }
        }
    }

    /// What is done with it: what the first rule says that fits. Caisson's own secrets never go on, whatever it says.
    fn action(&self, what: What, context: &Context<'_>) -> Action {
        let Context { direction, server, tool, .. } = *context;
        let rules = self.known(what).rules.iter().map(|at| &self.rules[usize::from(*at)]);
        let action = rules.filter(|rule| rule.fits(direction, server, tool)).map(|rule| rule.action).next();
        let least = if matches!(what, What::Own(_)) { Action::Redact } else { Action::Ignore };
        // The defaults fit everything; what no rule fits would be unknown.
        action.unwrap_or(Action::Block).max(least)
    }
}

impl fmt::Debug for Scanner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Rules { rules, detected, planted, .. } = &*self.0;
        write!(f, "Scanner({} detectors, {} canaries, {} rules)", detected.len(), planted.len(), rules.len())
    }
}

#[cfg(test)]
mod tests;
