mod corpus;
mod kinds;
mod made;
mod messages;
mod own;

use std::sync::LazyLock;

use super::*;

/// Everything is told, so that every kind is seen.
const ALL: &str = "[[rule]]\nkind = '*'\naction = 'log'";

fn made(policy: &str) -> Scanner {
    Scanner::new(&toml::from_str(policy).unwrap()).unwrap()
}

/// A scanner for a policy; the two that most tests need are made once.
fn scanner(policy: &str) -> Scanner {
    static OF_DEFAULTS: LazyLock<Scanner> = LazyLock::new(|| made(""));
    static OF_ALL: LazyLock<Scanner> = LazyLock::new(|| made(ALL));
    match policy {
        "" => OF_DEFAULTS.clone(),
        ALL => OF_ALL.clone(),
        other => made(other),
    }
}

/// The verdict on a message without secrets of its own.
fn verdict(scanner: &Scanner, direction: Direction, message: &str) -> Verdict {
    let secrets = OwnSecrets::default();
    let context = Context { direction, server: "notes", tool: None, secrets: &secrets };
    scanner.message(message.as_bytes(), &context).unwrap()
}

fn findings(verdict: &Verdict) -> Vec<&Finding> {
    match verdict {
        Verdict::Clean => Vec::new(),
        Verdict::Noted(findings) | Verdict::Blocked(findings) | Verdict::Redacted { findings, .. } => {
            findings.iter().collect()
        }
    }
}

fn kinds(verdict: &Verdict) -> Vec<&str> {
    findings(verdict).into_iter().map(|finding| finding.kind.as_str()).collect()
}

/// A result that says a text.
fn result(text: &str) -> String {
    serde_json::json!({"jsonrpc": "2.0", "id": 1, "result": {"content": [{"type": "text", "text": text}]}})
        .to_string()
}
