//! The official conformance suite: run against a URL, and its outcomes read from the files it writes.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt, fs,
    path::Path,
    process::Command,
};

use serde::Deserialize;

use crate::{home::said, programs};

/// The suite, as `scripts/setup test` installs it.
const SUITE: &str = "conformance/node_modules/@modelcontextprotocol/conformance";
/// How long the time is that the suite adds to the name of a scenario's folder, with the hyphen before it.
const STAMP: usize = "-2026-07-28T00-00-00-000Z".len();

/// How a check ended; the worse the greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Outcome {
    /// No check but a note, or what it would check is left to the server.
    Info,
    /// It passed.
    Success,
    /// It was not made.
    Skipped,
    /// What the specification recommends is missing.
    Warning,
    /// What the specification demands is missing.
    Failure,
}

/// One check of a scenario. A check that was made more than once ended as its worst time did.
#[derive(Clone, Debug)]
pub struct Check {
    /// How it ended.
    pub outcome: Outcome,
    /// Why, in the suite's words, or what the suite saw where it has none.
    pub why: String,
}

/// What the suite found: the checks by scenario and by name.
#[derive(Clone, Debug, Default)]
pub struct Report {
    checks: BTreeMap<String, BTreeMap<String, Check>>,
    required: BTreeSet<String>,
}

/// Runs the scenarios of the requirement set `revision` against `url`.
///
/// # Panics
/// When the suite is not installed or does not run.
#[track_caller]
pub fn run(revision: &str, url: &str) -> Report {
    let suite = programs::installed(SUITE);
    let folder = tempfile::tempdir().expect("room for results");
    let mut command = Command::new(programs::installed("node/node_modules/.bin/node"));
    command.arg(suite.join("dist/index.js")).args(["server", "--url", url, "--requirements", revision]);
    command.arg("--output-dir").arg(folder.path()).current_dir(folder.path());
    // It ends with 1 when a required check failed: that is ours to judge.
    let said = said(command, b"");
    let report = Report {
        checks: checks(folder.path()),
        required: required(&suite.join("requirements").join(format!("{revision}.yaml"))),
    };
    assert!(!report.checks.is_empty(), "the suite did not run: {}\n{}", said.out, said.err);
    report
}

impl Report {
    /// The required scenarios that were not run or in which a check failed.
    pub fn failed(&self) -> Vec<&str> {
        let failed = |scenario: &&String| {
            self.checks
                .get(*scenario)
                .is_none_or(|checks| checks.values().any(|check| check.outcome == Outcome::Failure))
        };
        self.required.iter().filter(failed).map(String::as_str).collect()
    }

    /// How many scenarios are required.
    pub fn required(&self) -> usize {
        self.required.len()
    }

    /// The checks that ended worse here than in `direct`, or were not made here.
    pub fn worse_than<'a>(&'a self, direct: &'a Self) -> Vec<Worse<'a>> {
        let mut worse = Vec::new();
        for (scenario, checks) in &direct.checks {
            for (name, direct) in checks {
                let here = self.checks.get(scenario).and_then(|checks| checks.get(name));
                let is_worse = match here {
                    Some(check) => check.outcome > direct.outcome.max(Outcome::Success),
                    None => direct.outcome == Outcome::Success,
                };
                if is_worse {
                    worse.push(Worse { scenario, name, directly: direct.outcome, here });
                }
            }
            // What the suite says only when something is wrong has no counterpart.
            for (name, check) in self.checks.get(scenario).into_iter().flatten() {
                if check.outcome >= Outcome::Warning && !checks.contains_key(name) {
                    worse.push(Worse { scenario, name, directly: Outcome::Success, here: Some(check) });
                }
            }
        }
        worse
    }

    /// Every check that warned or failed, and every required scenario that was not run.
    pub fn complaints(&self) -> String {
        let mut complaints = Vec::new();
        for (scenario, checks) in &self.checks {
            let required = if self.required.contains(scenario) { "required" } else { "not required" };
            for (name, Check { outcome, why }) in checks {
                if *outcome >= Outcome::Warning {
                    complaints.push(format!("  {scenario} ({required}): {name}\n      {outcome:?}: {why}"));
                }
            }
        }
        let missing = self.required.iter().filter(|scenario| !self.checks.contains_key(*scenario));
        complaints.extend(missing.map(|scenario| format!("  {scenario} (required)\n      not run")));
        complaints.join("\n")
    }
}

/// A check that ended worse than it should.
#[derive(Debug)]
pub struct Worse<'a> {
    scenario: &'a str,
    name: &'a str,
    directly: Outcome,
    here: Option<&'a Check>,
}

impl fmt::Display for Worse<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scenario, name, directly, here } = self;
        let here_outcome = here.map_or("not made".to_owned(), |check| format!("{:?}", check.outcome));
        writeln!(f, "  {scenario}: {name}")?;
        write!(f, "      {here_outcome} instead of {directly:?}")?;
        match here {
            Some(check) if !check.why.is_empty() => write!(f, ": {}", check.why),
            Some(_) | None => Ok(()),
        }
    }
}

/// A check as it stands in the suite's file.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Written {
    id: String,
    status: Outcome,
    #[serde(default)]
    error_message: String,
    #[serde(default)]
    details: serde_json::Value,
}

fn checks(results: &Path) -> BTreeMap<String, BTreeMap<String, Check>> {
    let mut all = BTreeMap::new();
    for folder in fs::read_dir(results).expect("our own folder").flatten() {
        let file = folder.file_name().to_string_lossy().into_owned();
        let Ok(text) = fs::read_to_string(folder.path().join("checks.json")) else { continue };
        let written: Vec<Written> =
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("{file}: {error}\n{text}"));
        let scenario = file.strip_prefix("server-").unwrap_or(&file);
        let scenario = scenario[..scenario.len().saturating_sub(STAMP)].to_owned();
        let checks: &mut BTreeMap<String, Check> = all.entry(scenario).or_default();
        for Written { id, status, error_message, details } in written {
            let worst = checks.entry(id).or_insert(Check { outcome: Outcome::Info, why: String::new() });
            if status > worst.outcome {
                let why = if error_message.is_empty() { details.to_string() } else { error_message };
                *worst = Check { outcome: status, why };
            }
        }
    }
    all
}

/// The scenarios a server must pass: the list under `server:` in a requirement set.
fn required(set: &Path) -> BTreeSet<String> {
    let text = fs::read_to_string(set).unwrap_or_else(|error| panic!("{}: {error}", set.display()));
    let list = text.lines().skip_while(|line| *line != "server:").skip(1);
    let list = list.map_while(|line| line.strip_prefix("  - "));
    list.map(str::to_owned).collect()
}
