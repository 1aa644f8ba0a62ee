use caisson_core::{
    audit::{AuditEntry, Happening, Phase},
    control::api::{CheckAudit, ReadAudit},
    gate::scan::{Action, Direction},
    model::ServerName,
};

use super::{Outcome, network::target};
use crate::{
    exit,
    failure::Failure,
    reach,
    show::{Screen, escape, size, style},
};

/// Show the record of what happened
///
/// Which tools were called and by whom, which containers ran, what they reached and sent, what was refused, and what you
/// decided. Each entry holds a hash of all
/// before it, so that a change of the record shows.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
With --json each entry is one JSON object on a line.

Examples:
  caisson audit
  caisson audit github -n 20
  caisson audit --check")]
pub(crate) struct Args {
    /// Of this server alone
    server: Option<ServerName>,
    /// So many entries, the latest
    #[arg(long, short = 'n', value_name = "NUMBER", default_value_t = 100)]
    last: u32,
    /// See whether the record is whole
    #[arg(long, conflicts_with_all = ["server", "last"])]
    check: bool,
}

pub(crate) async fn run(args: Args, screen: &Screen) -> Outcome {
    if args.check {
        return check(screen).await;
    }
    let read = ReadAudit { server: args.server, after: None, last: Some(args.last) };
    for entry in reach::call(&read).await?.entries {
        if screen.json {
            screen.json_line(&entry)?;
            continue;
        }
        let time = style::faint(screen.color, &moment(entry.at));
        let server = entry.server.as_ref().map_or("-", ServerName::as_str);
        screen.line(format!("{time} {server}: {}", escape::line(&text(&entry))))?;
    }
    Ok(exit::OK)
}

async fn check(screen: &Screen) -> Outcome {
    let report = reach::call(&CheckAudit {}).await?;
    if screen.json {
        screen.json(&report)?;
    }
    match report.broken_at {
        None => {
            if !screen.json {
                screen.line(format!("The record is whole: {} entries, each follows from those before it", report.entries))?;
            }
            Ok(exit::OK)
        }
        Some(number) => Err(Failure::new(exit::FAILURE, "the record was changed")
            .why(format!("entry {number} does not follow from those before it"))
            .fix("whoever may write to Caisson's data folder may have done it; a backup shows what stood there")),
    }
}

fn text(entry: &AuditEntry) -> String {
    let phase = match entry.phase {
        Phase::Run => "",
        Phase::Install => "(install) ",
        Phase::Verify => "(verify) ",
    };
    let what = match &entry.happening {
        Happening::Started { plan } => format!("started under the plan {plan}"),
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
        Happening::Called { call, client, tool, by, bytes, .. } => {
            format!("call {call}: {client} called {tool} with {} (let through by {by})", size(*bytes))
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
        Happening::Lost { entries } => format!("{entries} entries before this one were lost"),
    };
    format!("{phase}{what}")
}

/// Date and time in UTC (RFC 3339), to the second. What no calendar holds is shown as it is.
fn moment(millis: u64) -> String {
    let moment =
        i64::try_from(millis / 1000).ok().and_then(|seconds| jiff::Timestamp::from_second(seconds).ok());
    moment.map_or_else(|| format!("{millis} ms"), |moment| moment.to_string())
}
