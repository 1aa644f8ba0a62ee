use caisson_core::{
    control::api::{ListWorkspace, RemoveServer, ShowServer},
    model::ServerName,
};

use super::Outcome;
use crate::{
    exit,
    failure::Failure,
    prompt, reach,
    show::{Screen, escape, size, style},
};

/// Remove a server and all that belongs to it
///
/// Its container, its secrets, its entries in clients, what it stored between runs, its workspace with all
/// snapshots, and its image when nothing else uses it.
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
        if !keep_state {
            tell_of_workspace(&server, screen).await;
        }
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

/// Says what is in the server's workspace and would go with it. Where that is not known, the question alone must do.
async fn tell_of_workspace(server: &ServerName, screen: &Screen) {
    let Ok(shown) = reach::call(&ShowServer { server: server.clone() }).await else { return };
    if shown.definition.is_none_or(|server| server.permissions.workspace.is_none()) {
        return;
    }
    if let Ok(view) = reach::call(&ListWorkspace { server: server.clone() }).await
        && (view.files > 0 || !view.snapshots.is_empty())
    {
        screen.note(format!(
            "Its workspace holds {} file(s), {}, and {} snapshot(s): caisson workspace collect {server} saves them",
            view.files,
            size(view.bytes),
            view.snapshots.len()
        ));
    }
}
