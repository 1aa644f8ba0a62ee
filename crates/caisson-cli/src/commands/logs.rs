use caisson_core::{
    control::api::{LogLine, NoticeBody, ReadLogs},
    model::ServerName,
};

use super::Outcome;
use crate::{
    exit,
    failure::Failure,
    reach,
    show::{Screen, escape, style},
};

/// Show what a server wrote to its log (standard error)
#[derive(Debug, clap::Args)]
#[command(after_help = "\
With --json each line is one JSON object.

Examples:
  caisson logs everything
  caisson logs -f -n 20 everything")]
pub(crate) struct Args {
    /// The server
    server: ServerName,
    /// Go on with each new line
    #[arg(long, short)]
    follow: bool,
    /// So many recent lines at most
    #[arg(long, short = 'n', value_name = "NUMBER")]
    tail: Option<u32>,
}

pub(crate) async fn run(args: Args, screen: &Screen) -> Outcome {
    let Args { server, follow, tail } = args;
    let client = reach::client().await?;
    let (recent, mut later) = client.subscribe(&ReadLogs { server, tail, follow }).await?;
    for line in &recent.lines {
        show(line, screen)?;
    }
    while follow && let Some(notice) = later.notice().await {
        match notice {
            NoticeBody::Log(line) => show(&line, screen)?,
            NoticeBody::Lost(lines) => screen.note(format!("({lines} lines came too fast to be shown)")),
            NoticeBody::Progress(_) | NoticeBody::Event(_) | NoticeBody::Audit(_) | NoticeBody::End => {}
        }
    }
    Ok(exit::OK)
}

fn show(line: &LogLine, screen: &Screen) -> Result<(), Failure> {
    if screen.json {
        return screen.json_line(line);
    }
    let time = style::faint(screen.color, &clock(line.at));
    screen.line(format!(
        "{time} {} {}",
        style::faint(screen.color, &format!("{:>2}", line.process)),
        escape::line(&line.text)
    ))
}

/// The time of day in UTC. The date says little in a log that is kept for as long as the daemon runs.
fn clock(millis: u64) -> String {
    let seconds = millis / 1000;
    format!("{:02}:{:02}:{:02}.{:03}", seconds / 3600 % 24, seconds / 60 % 60, seconds % 60, millis % 1000)
}
