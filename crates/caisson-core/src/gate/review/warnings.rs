//! What a person should know about what a server says of itself: names that are taken for others, text that people do not
//! see, words that give a model orders.

use std::collections::BTreeSet;

use unicode_security::skeleton;

use super::{
    super::scan::{Context, Direction, Findings, OwnSecrets, Scanner, Verdict},
    Accepted,
};
use crate::model::{PinKind, PinWarning, ServerName};

/// The shortest name of another server's tool that is looked for in a text: shorter ones are words.
const SHORTEST_NAME: usize = 6;
/// Kinds of findings that are about a model.
const KINDS: [&str; 2] = ["unicode.", "injection."];

/// The tools of all servers, with the servers they belong to.
pub(crate) type Tools = Vec<(ServerName, String)>;

/// What to know about what was accepted of `server`.
pub(crate) fn warnings(
    server: &ServerName,
    accepted: &[Accepted],
    tools: &Tools,
    scanner: Option<&Scanner>,
) -> Vec<PinWarning> {
    let others: Vec<_> = tools.iter().filter(|(other, _)| other != server).collect();
    let mut all = Vec::new();
    for Accepted { kind, name, said } in accepted {
        let mut warn = |what: String| all.push(PinWarning { kind: *kind, name: name.clone(), what });
        if *kind == PinKind::Tool {
            names(name, &others).into_iter().for_each(&mut warn);
        }
        for (other, tool) in &others {
            if tool != name && is_name(tool) && mentions(said, tool) {
                warn(format!(
                    "it speaks of {tool}, a tool of the server {other}, and may steer how that is used"
                ));
            }
        }
        if let Some(scanner) = scanner {
            found(server, said, scanner).into_iter().for_each(&mut warn);
        }
    }
    all
}

/// What to know about a tool's name.
fn names(name: &str, others: &[&(ServerName, String)]) -> Vec<String> {
    let alike: String = skeleton(name).collect();
    let mut all = Vec::new();
    if !name.is_ascii() {
        all.push("its name has characters that may be taken for others".to_owned());
    }
    for (other, tool) in others {
        if tool == name {
            all.push(format!(
                "the server {other} has a tool of the same name: a model may take one for the other"
            ));
        } else if skeleton(tool).eq(alike.chars()) {
            all.push(format!("its name looks like {tool}, a tool of the server {other}"));
        }
    }
    all
}

/// Whether a tool's name is no word of a language, so that a text in which it stands means the tool.
fn is_name(tool: &str) -> bool {
    tool.len() >= SHORTEST_NAME
        && (tool.contains(['_', '-', '.']) || tool.chars().skip(1).any(char::is_uppercase))
}

/// Whether a text has a name in it that is not a part of another.
fn mentions(text: &str, name: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
    text.match_indices(name)
        .any(|(at, _)| !text[..at].ends_with(is_part) && !text[at + name.len()..].starts_with(is_part))
}

/// What the scanner finds that is meant for a model: each kind of thing once.
fn found(server: &ServerName, said: &str, scanner: &Scanner) -> BTreeSet<String> {
    let secrets = OwnSecrets::default();
    let context =
        Context { direction: Direction::ToClient, server: server.as_str(), tool: None, secrets: &secrets };
    let found = match scanner.message(said.as_bytes(), &context) {
        Ok(Verdict::Noted(findings) | Verdict::Redacted { findings, .. } | Verdict::Blocked(findings)) => {
            findings
        }
        Ok(Verdict::Clean) => Findings::default(),
        Err(error) => return [format!("it cannot be looked through: {error}")].into(),
    };
    let about_a_model =
        found.iter().filter(|finding| KINDS.iter().any(|kind| finding.kind.to_string().starts_with(kind)));
    about_a_model.map(|finding| format!("it carries {}", finding.title)).collect()
}
