mod export;
mod verify;
mod words;

use caisson_core::{
    audit::{AuditEntry, KINDS},
    control::api::{AnchorAudit, AuditFilter, NoticeBody, ReadAudit},
    model::ServerName,
};
use clap::builder::PossibleValuesParser;

use super::Outcome;
use crate::{
    exit,
    failure::Failure,
    reach,
    show::{Screen, escape, style},
    values,
};

/// Show, search, follow, export and check the record of what happened
///
/// Which tools were called and by whom, which containers ran and with which secrets, what they reached and sent, what was
/// refused, what you decided, and what you changed. Each entry holds a hash of all before it, so that a change of the record
/// shows.
#[derive(Debug, clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
With --json each entry is one JSON object on a line. A server that is called as one of the commands: caisson audit list NAME.

Examples:
  caisson audit
  caisson audit github -n 20
  caisson audit --kind denied --since 2h
  caisson audit --client cursor --text /etc/passwd
  caisson audit -f
  caisson audit export --since 2026-11-01 -o november.jsonl
  caisson audit verify"
)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    list: List,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    List(List),
    Export(export::Args),
    Verify(verify::Args),
    Anchor(Anchor),
}

/// Show entries, the latest last; what `caisson audit` does by itself
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  caisson audit list export")]
struct List {
    #[command(flatten)]
    filter: Filter,
    /// So many entries, the latest
    #[arg(long, short = 'n', value_name = "NUMBER", default_value_t = 100)]
    last: u32,
    /// Go on with each new entry
    #[arg(long, short)]
    follow: bool,
}

/// Which entries are meant.
#[derive(Debug, clap::Args)]
struct Filter {
    /// About this server alone
    server: Option<ServerName>,
    /// From then on: 2h, 7d (ago), 2026-11-24, or 2026-11-24T21:30:00Z
    #[arg(long, value_name = "TIME", value_parser = values::moment)]
    since: Option<u64>,
    /// Before then
    #[arg(long, value_name = "TIME", value_parser = values::moment)]
    until: Option<u64>,
    /// In which this client had a part
    #[arg(long, value_name = "CLIENT")]
    client: Option<String>,
    /// In which this tool had a part
    #[arg(long, value_name = "TOOL")]
    tool: Option<String>,
    /// Of these kinds alone, separated by commas
    #[arg(long = "kind", value_name = "KIND", value_delimiter = ',', value_parser = PossibleValuesParser::new(KINDS), hide_possible_values = true)]
    kinds: Vec<String>,
    /// In which this text stands
    #[arg(long, value_name = "TEXT")]
    text: Option<String>,
}

/// Print where the record ends: its last entry's number and hash
///
/// Kept elsewhere, on another machine or on paper, it shows later that nothing up to there was changed, cut off or
/// replaced: `caisson audit verify --anchor`. Caisson keeps one by itself, every five minutes, in its state file and in the
/// keychain.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  caisson audit anchor
  caisson audit verify --anchor 1204:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08")]
struct Anchor {
    /// Take the record as it is from here on, though it is not what it was: after a backup was put back
    #[arg(long)]
    renew: bool,
}

pub(crate) async fn run(args: Args, screen: &Screen) -> Outcome {
    match args.command {
        None => list(args.list, screen).await,
        Some(Command::List(args)) => list(args, screen).await,
        Some(Command::Export(args)) => export::run(args, screen).await,
        Some(Command::Verify(args)) => verify::run(args, screen).await,
        Some(Command::Anchor(Anchor { renew })) => {
            let anchor = reach::call(&AnchorAudit { renew }).await?;
            if screen.json {
                screen.json(&anchor)?;
            } else {
                screen.line(&anchor.anchor)?;
            }
            Ok(exit::OK)
        }
    }
}

async fn list(args: List, screen: &Screen) -> Outcome {
    let List { filter, last, follow } = args;
    let read = ReadAudit { filter: filter.into(), last: Some(last), follow };
    let client = reach::client().await?;
    let (list, mut later) = client.subscribe(&read).await?;
    for entry in &list.entries {
        show(entry, screen)?;
    }
    if list.entries.is_empty() && !follow {
        screen.note("There are no such entries.");
    }
    if !follow {
        return Ok(exit::OK);
    }
    loop {
        match later.notice().await {
            Some(NoticeBody::Audit(entry)) => show(&entry, screen)?,
            Some(
                NoticeBody::Lost(_) | NoticeBody::Log(_) | NoticeBody::Progress(_) | NoticeBody::Event(_),
            ) => {}
            Some(NoticeBody::End) | None => return Ok(exit::OK),
        }
    }
}

fn show(entry: &AuditEntry, screen: &Screen) -> Result<(), Failure> {
    if screen.json {
        return screen.json_line(entry);
    }
    let time = style::faint(screen.color, &words::moment(entry.at));
    let server = entry.server.as_ref().map_or("-", ServerName::as_str);
    screen.line(format!("{time} {server}: {}", escape::line(&words::text(entry))))
}

impl From<Filter> for AuditFilter {
    fn from(filter: Filter) -> Self {
        let Filter { server, since, until, client, tool, kinds, text } = filter;
        Self { server, after: None, before: None, since, until, client, tool, kinds, text }
    }
}
