//! Entries of the record in words.

use caisson_core::{
    audit::{AuditEntry, Happening, Part, Phase},
    gate::scan::{Action, Direction},
    model::SecretName,
};

use crate::{commands::network::target, show::size};

/// What an entry says. Not escaped.
pub(super) fn text(entry: &AuditEntry) -> String {
    let phase = match entry.phase {
        Phase::Run => "",
        Phase::Install => "(install) ",
        Phase::Verify => "(verify) ",
    };
    let what = match &entry.happening {
        Happening::Started { plan, secrets } if secrets.is_empty() => {
            format!("started under the plan {plan}")
        }
        Happening::Started { plan, secrets } => {
            let names: Vec<&str> = secrets.iter().map(SecretName::as_str).collect();
            format!("started under the plan {plan}, and given {}", names.join(", "))
        }
        Happening::NotStarted { reason } => format!("could not be started: {reason}"),
        Happening::Ended { reason } => format!("ended by itself: {reason}"),
        Happening::Stopped => "stopped".to_owned(),
        Happening::Connected { host, port, address } => {
            format!("connected to {} at {address}", target(host, *port))
        }
        Happening::Closed { host, port, sent, received, lasted } => format!(
            "closed {} after {}.{} s: {} sent, {} received",
            target(host, *port),
            lasted / 1000,
            lasted % 1000 / 100,
            size(*sent),
            size(*received)
        ),
        Happening::Refused { host, port, reason, .. } => format!("refused {}: {reason}", target(host, *port)),
        Happening::Rules { change, rule } => format!("{change} {rule}"),
        Happening::Called { call, client, tool, by, bytes, shown, .. } => {
            let shown = shown.as_ref().map(|shown| format!(": {shown}")).unwrap_or_default();
            format!("call {call}: {client} called {tool} with {} (let through by {by}){shown}", size(*bytes))
        }
        Happening::Answered { call, failed, bytes, lasted } => format!(
            "call {call}: {} after {lasted} ms, {}",
            if *failed { "failed" } else { "answered" },
            size(*bytes)
        ),
        Happening::Unanswered { call, lasted } => format!("call {call}: not answered, after {lasted} ms"),
        Happening::Denied { client, tool, reason, .. } => format!("refused {client} {tool}: {reason}"),
        Happening::Found { title, place, action, direction, tool, client, .. } => {
            let whose = client.as_deref().unwrap_or("it");
            let where_to = match direction {
                Direction::ToServer => "sent to it",
                Direction::ToClient => "said",
            };
            let done = match action {
                Action::Ignore | Action::Log => "noted",
                Action::Warn => "warned of",
                Action::Redact => "taken out",
                Action::Block => "stopped",
            };
            let tool = tool.as_ref().map(|tool| format!(" for {tool}")).unwrap_or_default();
            format!("{done}: {title} at {place}, which {whose} {where_to}{tool}")
        }
        Happening::Decided { question, client, tool, outcome } => {
            format!("question {question}, {client} calling {tool}: {outcome}")
        }
        Happening::Quarantined { kind, name, is_new } => {
            let change = if *is_new { "is new" } else { "has changed" };
            format!("kept from clients: {} {change}", kind.title(name))
        }
        Happening::Reviewed { kind, name, accepted } => {
            format!("{}: {}", if *accepted { "accepted" } else { "not accepted" }, kind.title(name))
        }
        Happening::Configured { part, name, change } => {
            let part = match part {
                Part::Server => "server",
                Part::Secret => "secret",
                Part::Token => "token",
                Part::Client => "client",
                Part::Group => "group",
                Part::Policy => "policy",
                Part::Grant => "grant",
                Part::Lock => "lock",
                Part::Pause => "pause",
                Part::Workspace => "workspace",
                Part::Audit => "audit",
            };
            let name = if name.is_empty() { String::new() } else { format!(" {name}") };
            format!("{part}{name}: {change}")
        }
        Happening::Tampered { reason } => format!("this record is not what it was: {reason}"),
        Happening::Lost { entries } => format!("{entries} entries before this one were lost"),
    };
    format!("{phase}{what}")
}

/// Date and time in UTC (RFC 3339), to the second. What no calendar holds is shown as it is.
pub(super) fn moment(millis: u64) -> String {
    let moment =
        i64::try_from(millis / 1000).ok().and_then(|seconds| jiff::Timestamp::from_second(seconds).ok());
    moment.map_or_else(|| format!("{millis} ms"), |moment| moment.to_string())
}
