use caisson_core::{control::api::RemoveServer, model::ServerName};

use super::Outcome;
use crate::{
    exit,
    failure::Failure,
    prompt, reach,
    show::{Screen, escape, style},
};

/// Remove a server and all that belongs to it
///
/// Its container, its secrets, its entries in clients, what it stored between runs, and its image when
/// nothing else uses it.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  caisson remove everything
  caisson remove memory --keep-state --yes")]
pub(crate) struct Args {
    /// The server
    server: ServerName,
    /// Keep what it stored, for a later install under the same name
    #[arg(long)]
    keep_state: bool,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
}

pub(crate) async fn run(args: Args, screen: &Screen) -> Outcome {
    let Args { server, keep_state, yes } = args;
    if !yes {
        if screen.json || !prompt::possible() {
            return Err(Failure::usage("nobody is there to be asked")
                .fix("add --yes to remove it without a question"));
        }
        let with = if keep_state { "its secrets" } else { "its secrets and what it stored" };
        if !prompt::confirm(&format!("Remove {server} with {with}?")).await? {
            return Err(Failure::new(exit::REFUSED, "nothing was removed").why("you said no"));
        }
    }
    let removed = reach::call(&RemoveServer { server: server.clone(), keep_state }).await?;
    let all = removed.problems.is_empty();
    if screen.json {
        screen.json(&removed)?;
    } else {
        screen.line(format!("Removed {server}"))?;
        for what in &removed.removed {
            screen.line(format!("  {}", escape::line(what)))?;
        }
        for problem in &removed.problems {
            screen.note(format!(
                "{}: {}",
                style::warning(screen.err_color, "left behind"),
                escape::line(problem)
            ));
        }
    }
    Ok(if all { exit::OK } else { exit::FAILURE })
}
