use caisson_core::{
    control::api::{ClientChange, ConnectClient, DisconnectClient, ListClients},
    model::Endpoint,
};

use super::Outcome;
use crate::{
    exit, reach,
    show::{Screen, Table, escape},
};

/// Write servers and groups into a client's configuration
///
/// Keeps comments, order and everything that is not Caisson's, and leaves a backup. Clients that speak HTTP
/// get a token of their own. No secret of a server ever stands in a client's file.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  caisson connect cursor everything
  caisson connect claude-desktop
  caisson connect vscode everything memory
  caisson connect cursor group/work")]
pub(crate) struct Connect {
    /// The client, as `caisson clients` names it
    client: String,
    /// The servers, and groups as group/NAME; all servers when none is named
    servers: Vec<Endpoint>,
}

/// Take servers and groups out of a client's configuration
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Only entries that Caisson wrote are taken out. The client's token ends with them.

Examples:
  caisson disconnect cursor
  caisson disconnect cursor everything")]
pub(crate) struct Disconnect {
    /// The client, as `caisson clients` names it
    client: String,
    /// The servers, and groups as group/NAME; everything when none is named
    servers: Vec<Endpoint>,
}

/// List the clients Caisson knows, and what is connected
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  caisson clients")]
pub(crate) struct List {}

pub(crate) async fn list(_: &List, screen: &Screen) -> Outcome {
    let list = reach::call(&ListClients {}).await?;
    if screen.json {
        screen.json(&list)?;
        return Ok(exit::OK);
    }
    let mut table = Table::new(&["CLIENT", "NAME", "FOUND", "SERVERS"]);
    for client in &list.clients {
        let servers = match &client.problem {
            Some(problem) => problem.clone(),
            None if client.servers.is_empty() => "-".into(),
            None => names(&client.servers),
        };
        table.row([&client.client, &client.title, if client.found { "yes" } else { "no" }, &servers]);
    }
    screen.text(&table.render(screen.width, screen.color))?;
    Ok(exit::OK)
}

pub(crate) async fn connect(args: Connect, screen: &Screen) -> Outcome {
    let Connect { client, servers } = args;
    let change = reach::call(&ConnectClient { client, servers }).await?;
    said(screen, &change, "Connected", "to", "was already connected")
}

pub(crate) async fn disconnect(args: Disconnect, screen: &Screen) -> Outcome {
    let Disconnect { client, servers } = args;
    let change = reach::call(&DisconnectClient { client, servers }).await?;
    said(screen, &change, "Disconnected", "from", "had nothing of Caisson's")
}

/// A client's token was rotated.
pub(super) fn rotated(change: &ClientChange, screen: &Screen) -> Outcome {
    said(screen, change, "Wrote a new token for", "to", "has no token")
}

fn said(screen: &Screen, change: &ClientChange, done: &str, way: &str, nothing: &str) -> Outcome {
    if screen.json {
        screen.json(change)?;
        return Ok(exit::OK);
    }
    let title = escape::line(&change.title);
    if change.servers.is_empty() {
        screen.line(format!("{title} {nothing}"))?;
        return Ok(exit::OK);
    }
    screen.line(format!("{done} {} {way} {title}", names(&change.servers)))?;
    screen.line(format!("  file    {}", escape::line(&change.file.display().to_string())))?;
    if let Some(backup) = &change.backup {
        screen.line(format!("  backup  {}", escape::line(&backup.display().to_string())))?;
    }
    screen.note(format!("Restart {title} if it does not notice by itself."));
    Ok(exit::OK)
}

fn names(servers: &[Endpoint]) -> String {
    servers.iter().map(Endpoint::to_string).collect::<Vec<_>>().join(", ")
}
