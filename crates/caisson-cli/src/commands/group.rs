use caisson_core::{
    control::api::{GroupView, ListGroups, RemoveGroup, SetGroup},
    model::{Group, GroupName, ServerName},
};

use super::Outcome;
use crate::{
    exit,
    failure::Failure,
    reach,
    show::{Screen, Table, escape},
};

/// Show several servers to clients as one
///
/// A client connects to group/NAME as it does to a server. It sees the tools of all the group's servers, each with its
/// server's name before it: time__now.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  caisson group set work github time
  caisson connect cursor group/work
  caisson group list
  caisson group remove work")]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Set(Set),
    List(List),
    Remove(Remove),
}

/// Make a group, or change the one of this name
///
/// Clients that are connected to it see the change at once.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  caisson group set work github time
  caisson group set everything github time memory --search")]
struct Set {
    /// The group
    name: GroupName,
    /// Its servers
    #[arg(required = true)]
    servers: Vec<ServerName>,
    /// Show two tools, to find tools and to call them, in place of all there are: for clients whose context is small
    #[arg(long)]
    search: bool,
}

/// List the groups and their servers
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  caisson group list")]
struct List {}

/// Remove a group; its servers stay
///
/// Clients connected to it are disconnected, and tokens for it alone end.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  caisson group remove work")]
struct Remove {
    /// The group
    name: GroupName,
}

pub(crate) async fn run(args: Args, screen: &Screen) -> Outcome {
    match args.command {
        Command::Set(args) => set(args, screen).await,
        Command::List(List {}) => list(screen).await,
        Command::Remove(Remove { name }) => {
            let done = reach::call(&RemoveGroup { name: name.clone() }).await?;
            if screen.json {
                screen.json(&done)?;
            } else {
                screen.line(format!("Removed the group {name}"))?;
            }
            Ok(exit::OK)
        }
    }
}

async fn set(args: Set, screen: &Screen) -> Outcome {
    let Set { name, servers, search } = args;
    let group = Group::new(servers, search)
        .map_err(|error| Failure::new(exit::USAGE, "these servers make no group").why(error.to_string()))?;
    let view = reach::call(&SetGroup { name, group }).await?;
    if screen.json {
        screen.json(&view)?;
        return Ok(exit::OK);
    }
    screen.line(format!("{}  {}", view.name, members(&view)))?;
    screen.line(format!("url   {}", view.url))?;
    screen.note(format!("Connect a client: caisson connect CLIENT group/{}", view.name));
    Ok(exit::OK)
}

async fn list(screen: &Screen) -> Outcome {
    let list = reach::call(&ListGroups {}).await?;
    if screen.json {
        screen.json(&list)?;
        return Ok(exit::OK);
    }
    let mut table = Table::new(&["GROUP", "SHOWS", "SERVERS"]);
    for view in &list.groups {
        let shows = if view.group.search() { "find and call" } else { "all tools" };
        table.row([view.name.as_str(), shows, &members(view)]);
    }
    if table.is_empty() {
        screen.note("There are no groups. Try: caisson group set NAME SERVER…");
    } else {
        screen.text(&table.render(screen.width, screen.color))?;
    }
    if let Some(broken) = &list.broken {
        screen.note(format!(
            "groups.toml is broken, and what was in force before still is: {}",
            escape::lines(broken)
        ));
    }
    Ok(exit::OK)
}

/// The servers of a group, in its order.
fn members(view: &GroupView) -> String {
    let member = |server: &ServerName| {
        if view.missing.contains(server) { format!("{server} (not installed)") } else { server.to_string() }
    };
    view.group.servers().iter().map(member).collect::<Vec<_>>().join(", ")
}
