use std::path::PathBuf;

use caisson_core::{
    control::api::{
        CollectWorkspace, CopyView, DropSnapshot, ListWorkspace, ResetWorkspace, RestoreWorkspace,
        SnapshotWorkspace, WorkspaceRemark,
    },
    model::{ServerName, SnapshotName},
};

use super::Outcome;
use crate::{
    exit,
    failure::Failure,
    prompt, reach,
    show::{Screen, Table, distance, escape, now, size, style},
    values,
};

/// Collect, keep and empty what servers have put out
///
/// A server with a workspace writes to /workspace/output, a volume of its own. Nothing of it reaches a folder of
/// yours until you collect it.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  caisson install npm:PACKAGE --workspace-output ~/reports
  caisson workspace list reports
  caisson workspace collect reports
  caisson workspace snapshot reports before-the-change
  caisson workspace restore reports before-the-change")]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    List(List),
    Collect(Collect),
    Snapshot(Take),
    Snapshots(Snapshots),
    Restore(Restore),
    Drop(Drop),
    Reset(Reset),
}

/// List the files a server has put out
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  caisson workspace list reports")]
struct List {
    /// The server
    server: ServerName,
}

/// Copy what a server has put out into a new folder of yours
///
/// The new folder is made within the chosen one and named after the server and the time, so nothing that is there
/// is overwritten. Regular files and folders are copied, none of them executable; links, pipes and devices are not,
/// and names that could mislead are changed. What was left out is said.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  caisson workspace collect reports
  caisson workspace collect reports --to ~/Desktop")]
struct Collect {
    /// The server
    server: ServerName,
    /// The folder in which the new one is made; else the one chosen at its install
    #[arg(long, value_name = "FOLDER", value_parser = values::whole)]
    to: Option<PathBuf>,
}

/// Keep a copy of what a server has put out
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  caisson workspace snapshot reports
  caisson workspace snapshot reports before-the-change")]
struct Take {
    /// The server
    server: ServerName,
    /// What the copy is to be called; else by the time
    name: Option<SnapshotName>,
}

/// List a server's snapshots
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  caisson workspace snapshots reports")]
struct Snapshots {
    /// The server
    server: ServerName,
}

/// Put a snapshot in the place of what a server has put out since
///
/// The server must be stopped.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  caisson workspace restore reports before-the-change")]
struct Restore {
    /// The server
    server: ServerName,
    /// The snapshot
    snapshot: SnapshotName,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
}

/// Drop a snapshot
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  caisson workspace drop reports before-the-change")]
struct Drop {
    /// The server
    server: ServerName,
    /// The snapshot
    snapshot: SnapshotName,
}

/// Empty what a server has put out; its snapshots stay
///
/// The server must be stopped.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  caisson workspace reset reports")]
struct Reset {
    /// The server
    server: ServerName,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
}

pub(crate) async fn run(args: Args, screen: &Screen) -> Outcome {
    match args.command {
        Command::List(List { server }) => list(server, screen).await,
        Command::Collect(Collect { server, to }) => collect(server, to, screen).await,
        Command::Snapshot(Take { server, name }) => take(server, name, screen).await,
        Command::Snapshots(Snapshots { server }) => snapshots(server, screen).await,
        Command::Restore(args) => restore(args, screen).await,
        Command::Drop(Drop { server, snapshot }) => {
            let done =
                reach::call(&DropSnapshot { server: server.clone(), snapshot: snapshot.clone() }).await?;
            if screen.json {
                screen.json(&done)?;
            } else {
                screen.line(format!("Dropped the snapshot {snapshot} of {server}"))?;
            }
            Ok(exit::OK)
        }
        Command::Reset(args) => reset(args, screen).await,
    }
}

async fn list(server: ServerName, screen: &Screen) -> Outcome {
    let view = reach::call(&ListWorkspace { server: server.clone() }).await?;
    if screen.json {
        screen.json(&view)?;
        return Ok(exit::OK);
    }
    let mut table = Table::new(&["FILE", "SIZE"]);
    for file in &view.found {
        table.row([file.path.as_str(), &size(file.bytes)]);
    }
    if table.is_empty() {
        screen.note("It has put out no files.");
    } else {
        screen.text(&table.render(screen.width, screen.color))?;
        screen.note(format!("{} file(s), {}", view.files, size(view.bytes)));
    }
    tell(&view.remarks, view.more_remarks, screen);
    if !view.snapshots.is_empty() {
        let names: Vec<_> = view.snapshots.iter().map(|snapshot| snapshot.name.as_str()).collect();
        screen.note(format!("Snapshots: {}", names.join(", ")));
    }
    Ok(exit::OK)
}

async fn collect(server: ServerName, to: Option<PathBuf>, screen: &Screen) -> Outcome {
    let collected = reach::call(&CollectWorkspace { server, to }).await?;
    if screen.json {
        screen.json(&collected)?;
        return Ok(exit::OK);
    }
    let folder = escape::line(&collected.folder.display().to_string()).into_owned();
    screen.line(format!("Collected {} into {folder}", amount(&collected.copied)))?;
    tell(&collected.copied.remarks, collected.copied.more_remarks, screen);
    Ok(exit::OK)
}

async fn take(server: ServerName, name: Option<SnapshotName>, screen: &Screen) -> Outcome {
    let taken = reach::call(&SnapshotWorkspace { server: server.clone(), name }).await?;
    if screen.json {
        screen.json(&taken)?;
        return Ok(exit::OK);
    }
    screen.line(format!("Kept {} of {server} as {}", amount(&taken.copied), taken.name))?;
    tell(&taken.copied.remarks, taken.copied.more_remarks, screen);
    Ok(exit::OK)
}

async fn snapshots(server: ServerName, screen: &Screen) -> Outcome {
    let view = reach::call(&ListWorkspace { server }).await?;
    if screen.json {
        screen.json(&view.snapshots)?;
        return Ok(exit::OK);
    }
    let now = now();
    let mut table = Table::new(&["SNAPSHOT", "MADE"]);
    for snapshot in &view.snapshots {
        let made = snapshot.made_at.map(|at| format!("{} ago", distance(at, now)));
        table.row([snapshot.name.as_str(), &made.unwrap_or_default()]);
    }
    if table.is_empty() {
        screen.note("It has no snapshots.");
    } else {
        screen.text(&table.render(screen.width, screen.color))?;
    }
    Ok(exit::OK)
}

async fn restore(args: Restore, screen: &Screen) -> Outcome {
    let Restore { server, snapshot, yes } = args;
    let question = format!("Replace what {server} has put out by the snapshot {snapshot}?");
    agreed(yes, &question, screen).await?;
    let copied =
        reach::call(&RestoreWorkspace { server: server.clone(), snapshot: snapshot.clone() }).await?;
    if screen.json {
        screen.json(&copied)?;
        return Ok(exit::OK);
    }
    screen.line(format!("Restored {} of {server} from {snapshot}", amount(&copied)))?;
    tell(&copied.remarks, copied.more_remarks, screen);
    Ok(exit::OK)
}

async fn reset(args: Reset, screen: &Screen) -> Outcome {
    let Reset { server, yes } = args;
    agreed(yes, &format!("Delete all that {server} has put out?"), screen).await?;
    let done = reach::call(&ResetWorkspace { server: server.clone() }).await?;
    if screen.json {
        screen.json(&done)?;
    } else {
        screen.line(format!("Emptied the output of {server}"))?;
    }
    Ok(exit::OK)
}

/// Asks, where files would be lost.
async fn agreed(yes: bool, question: &str, screen: &Screen) -> Result<(), Failure> {
    if yes {
        return Ok(());
    }
    if screen.json || !prompt::possible() {
        return Err(
            Failure::usage("nobody is there to be asked").fix("add --yes to do it without a question")
        );
    }
    if prompt::confirm(question).await? {
        return Ok(());
    }
    Err(Failure::new(exit::REFUSED, "nothing was changed").why("you said no"))
}

fn amount(copied: &CopyView) -> String {
    format!("{} file(s), {},", copied.files, size(copied.bytes))
}

/// What is not as one would expect. Paths are the server's words.
fn tell(remarks: &[WorkspaceRemark], more: u64, screen: &Screen) {
    for remark in remarks {
        let word = style::warning(screen.err_color, "note");
        screen.note(format!("{word}: {}: {}", escape::line(&remark.path), escape::line(&remark.text)));
    }
    if more > 0 {
        screen.note(format!("and {more} more"));
    }
}
