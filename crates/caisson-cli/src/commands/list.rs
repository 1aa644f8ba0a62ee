use caisson_core::{control::api::ListServers, model::ServerState};

use super::Outcome;
use crate::{
    exit, reach,
    show::{Screen, Table},
};

/// List the installed servers and their states
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  caisson list
  caisson list --json")]
pub(crate) struct Args {}

pub(crate) async fn run(_: &Args, screen: &Screen) -> Outcome {
    let list = reach::call(&ListServers {}).await?;
    if screen.json {
        screen.json(&list)?;
        return Ok(exit::OK);
    }
    let mut table = Table::new(&["SERVER", "STATE", "SOURCE"]);
    for server in &list.servers {
        let state = match &server.broken {
            Some(_) => format!("{}, its file is broken", state(&server.state)),
            None => state(&server.state),
        };
        table.row([server.name.as_str(), &state, server.source.as_deref().unwrap_or("?")]);
    }
    if table.is_empty() {
        screen.note("No server is installed. Try: caisson install example");
    } else {
        screen.text(&table.render(screen.width, screen.color))?;
    }
    if list.paused {
        screen.note("All servers are paused. `caisson resume` lets them run again.");
    }
    Ok(exit::OK)
}

/// A state in a few words.
pub(crate) fn state(state: &ServerState) -> String {
    match state {
        ServerState::Stopped => "stopped".into(),
        ServerState::Starting => "starting".into(),
        ServerState::Running { sessions: 0 } => "running".into(),
        ServerState::Running { sessions: 1 } => "running, 1 session".into(),
        ServerState::Running { sessions } => format!("running, {sessions} sessions"),
        ServerState::Stopping => "stopping".into(),
        ServerState::Backoff { failures, reason } => format!("failed {failures}×, will try again: {reason}"),
        ServerState::Failed { reason } => format!("failed: {reason}"),
    }
}
