//! The user's rules on tool calls: `policy.toml`. Deciding is a pure function over the rules, the call and the time.
//!
//! Of the rules that are about a call, the strictest counts, wherever it stands: one that denies over one that asks,
//! one that asks over one that allows. Where none is, the preset decides. So no rule can undo a denial.

mod arguments;
mod condition;
mod hours;
mod path;
mod pattern;
mod rate;
mod rule;
#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, fmt, ops::Range, sync::LazyLock, time::Duration};

use jiff::{Timestamp, tz::TimeZone};
use serde::{Deserialize, Serialize};
use toml::Spanned;

pub use arguments::Arguments;
pub use pattern::{Pattern, PatternError};
pub use rate::{Rate, RateError};

use self::rule::Rule;
use super::scan::{DlpError, DlpPolicy, Scanner};
use crate::{
    model::{By, Marks, PinMode, Preset, Ruling, ServerName, Verb},
    registry::text::{self, Broken},
};

/// The file, with everything explained and nothing changed.
pub const TEMPLATE: &str = include_str!("policy/policy.toml");

/// The most rules.
const MOST_RULES: usize = 1000;

/// The rules, and what goes with them.
#[derive(Clone, PartialEq)]
pub struct Policy {
    preset: Preset,
    approvals: ApprovalSettings,
    loops: LoopSettings,
    rules: Vec<Placed>,
    dlp: Dlp,
    pins: Pins,
}

/// What messages are looked through for.
#[derive(Clone)]
struct Dlp {
    policy: DlpPolicy,
    /// None never: what is built in is right, as its tests say. Without it nothing passes.
    scanner: Option<Scanner>,
}

/// A rule, and where in the file it stands.
#[derive(Clone, Debug, PartialEq)]
struct Placed {
    rule: Rule,
    line: usize,
}

/// How people are asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ApprovalSettings {
    /// After how many seconds silence is a no.
    pub timeout: u64,
}

impl Default for ApprovalSettings {
    fn default() -> Self {
        Self { timeout: 120 }
    }
}

impl ApprovalSettings {
    /// After what time silence is a no.
    pub fn timeout(self) -> Duration {
        Duration::from_secs(self.timeout)
    }
}

/// When the same call again and again is a loop, about which a person is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LoopSettings {
    /// The same call, with the same arguments, by one client, beyond this rate.
    pub beyond: Rate,
    /// What is then done.
    pub then: Verb,
}

impl Default for LoopSettings {
    fn default() -> Self {
        Self { beyond: Rate::per_minute(100), then: Verb::Ask }
    }
}

/// What is done when servers say something else of themselves than the user has accepted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Pins {
    /// Of servers that are not named.
    pub mode: PinMode,
    /// Of these.
    pub servers: BTreeMap<ServerName, PinMode>,
}

impl Pins {
    /// What is done for one server.
    pub fn of(&self, server: &ServerName) -> PinMode {
        self.servers.get(server).copied().unwrap_or(self.mode)
    }
}

/// A call, as rules see it.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// The server.
    pub server: &'a ServerName,
    /// The tool, as the call names it.
    pub tool: &'a str,
    /// Who calls, as the user knows it.
    pub client: &'a str,
    /// How the tool's pinned definition marks it.
    pub marks: Marks,
    /// The arguments.
    pub arguments: &'a Arguments,
}

/// Counts calls, for rules that look at how many there are.
pub trait Counter {
    /// Counts one call under `rule`, which stands at this place in the file, and says whether it is beyond the rate.
    fn is_beyond(&mut self, rule: usize, rate: Rate) -> bool;
}

/// Takes each call for the first.
pub(super) struct CountNothing;

impl Counter for CountNothing {
    fn is_beyond(&mut self, _: usize, _: Rate) -> bool {
        false
    }
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct File {
    preset: Preset,
    approvals: ApprovalSettings,
    #[serde(rename = "loop")]
    loops: LoopSettings,
    rule: Vec<Spanned<Rule>>,
    dlp: DlpPolicy,
    pins: Pins,
}

impl Policy {
    /// Reads `policy.toml`.
    ///
    /// # Errors
    /// When something in it is not what it should be, with the line.
    pub fn parse(text: &str) -> Result<Self, Broken> {
        let File { preset, approvals, loops, rule, dlp, pins } = text::parse(text)?;
        if rule.len() > MOST_RULES {
            return Err(Broken::whole(format!("there are more than {MOST_RULES} rules")));
        }
        if approvals.timeout == 0 {
            return Err(Broken::whole("a person needs at least a second to answer: `timeout` is 0"));
        }
        let placed = |rule: Spanned<Rule>| {
            let Range { start, .. } = rule.span();
            Placed { line: line_of(text, start), rule: rule.into_inner() }
        };
        for server in dlp.rules.iter().filter_map(|rule| rule.server.as_deref()) {
            if let Err(error) = server.parse::<ServerName>() {
                return Err(Broken::whole(format!("in [dlp]: {server:?} is no name of a server: {error}")));
            }
        }
        let dlp = Dlp::new(dlp).map_err(|error| Broken::whole(format!("in [dlp]: {error}")))?;
        Ok(Self { preset, approvals, loops, rules: rule.into_iter().map(placed).collect(), dlp, pins })
    }

    /// What is done when servers say something else of themselves.
    pub fn pins(&self) -> &Pins {
        &self.pins
    }

    /// What holds while the file cannot be understood: each call is asked about.
    pub fn strictest() -> Self {
        Self { preset: Preset::AskForEverything, ..Self::default() }
    }

    /// Looks through messages; none when it cannot, and then nothing may pass.
    pub fn scanner(&self) -> Option<&Scanner> {
        self.dlp.scanner.as_ref()
    }

    /// What decides where no rule does.
    pub fn preset(&self) -> Preset {
        self.preset
    }

    /// How people are asked.
    pub fn approvals(&self) -> ApprovalSettings {
        self.approvals
    }

    /// When calls are a loop.
    pub fn loops(&self) -> LoopSettings {
        self.loops
    }

    /// How many rules there are.
    pub fn len(&self) -> usize {
        self.rules.len()
    }

    /// Whether there is no rule.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Decides on a call. Every rule with a rate that is about it counts it.
    pub fn decide(
        &self,
        call: &Call<'_>,
        now: Timestamp,
        zone: &TimeZone,
        counter: &mut dyn Counter,
    ) -> Ruling {
        let mut strictest: Option<&Placed> = None;
        for placed in &self.rules {
            let Placed { rule, line } = placed;
            let applies = rule.is_about(call, now, zone)
                && rule.beyond.is_none_or(|rate| counter.is_beyond(*line, rate));
            if applies && strictest.is_none_or(|before| rule.then > before.rule.then) {
                strictest = Some(placed);
            }
        }
        match strictest {
            Some(Placed { rule, line }) => {
                Ruling { verb: rule.then, by: By::Rule { line: *line, why: rule.why.clone() } }
            }
            None => by_preset(self.preset, call.marks),
        }
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            preset: Preset::default(),
            approvals: ApprovalSettings::default(),
            loops: LoopSettings::default(),
            rules: Vec::new(),
            dlp: Dlp::built_in(),
            pins: Pins::default(),
        }
    }
}

impl Dlp {
    fn new(policy: DlpPolicy) -> Result<Self, DlpError> {
        if policy == DlpPolicy::default() {
            return Ok(Self::built_in());
        }
        Ok(Self { scanner: Some(Scanner::new(&policy)?), policy })
    }

    /// What is looked for where the user says nothing, made once.
    fn built_in() -> Self {
        static SCANNER: LazyLock<Option<Scanner>> =
            LazyLock::new(|| Scanner::new(&DlpPolicy::default()).ok());
        Self { policy: DlpPolicy::default(), scanner: SCANNER.clone() }
    }
}

impl PartialEq for Dlp {
    fn eq(&self, other: &Self) -> bool {
        self.policy == other.policy
    }
}

impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Policy")
            .field("preset", &self.preset)
            .field("rules", &self.rules)
            .finish_non_exhaustive()
    }
}

/// What a preset does about a call.
fn by_preset(preset: Preset, marks: Marks) -> Ruling {
    let verb = match preset {
        Preset::AskForEverything => Verb::Ask,
        Preset::AskForChanges if marks.read_only => Verb::Allow,
        Preset::AskForChanges => Verb::Ask,
        Preset::NeverAsk => Verb::Allow,
    };
    Ruling { verb, by: By::Preset { preset, read_only: marks.read_only } }
}

fn line_of(text: &str, at: usize) -> usize {
    // Byte 0 of a text is always one of its boundaries.
    text.get(..at).unwrap_or_default().matches('\n').count() + 1
}
