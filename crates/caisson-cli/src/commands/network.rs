use caisson_core::{
    control::api::{AllowFolder, AllowHost, BlockHost, ForgetHost, NetworkView, ShowNetwork},
    model::{HostRule, ServerName},
    sandbox::{Missed, Reached, Tried},
};

use super::Outcome;
use crate::{
    exit,
    failure::Failure,
    reach,
    show::{Screen, Table, escape, size},
};

/// See and decide what a server may reach
///
/// A server reaches nothing but the hosts you allow, by name, through Caisson. What it tried is kept here, and a decision is
/// in force at once, without a restart.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A host is a name (api.example.com), all names beneath one ('*.example.com'), an
address or a network (10.0.0.0/8), with :PORT; without one, port 443 is meant.
What lies in this machine or its networks wants a rule that names the address.

Examples:
  caisson network show github
  caisson network allow github api.github.com
  caisson network allow github db.example.com:5432 --once
  caisson network block github telemetry.example.com")]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Show(Show),
    Allow(Allow),
    Block(Block),
    Forget(Forget),
    Folder(Folder),
}

/// Show what a server may reach, has reached, and was refused
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  caisson network show github")]
struct Show {
    /// The server
    server: ServerName,
}

/// Let a server reach hosts
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  caisson network allow github api.github.com '*.githubusercontent.com'
  caisson network allow github db.example.com:5432 --once")]
struct Allow {
    /// The server
    server: ServerName,
    /// Hosts, each with :PORT or port 443
    #[arg(required = true, value_name = "HOST")]
    hosts: Vec<HostRule>,
    /// Only until the server stops
    #[arg(long)]
    once: bool,
}

/// Keep hosts from a server for good, and hear no more about them
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A blocked host wins over an allowed one: '*.example.com' but not this one.

Example:
  caisson network block github telemetry.example.com")]
struct Block {
    /// The server
    server: ServerName,
    /// Hosts, each with :PORT or port 443
    #[arg(required = true, value_name = "HOST")]
    hosts: Vec<HostRule>,
}

/// Take back what was decided on hosts, allowed or blocked
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Connections that nothing else allows are cut.

Example:
  caisson network forget github api.github.com")]
struct Forget {
    /// The server
    server: ServerName,
    /// Hosts, as they stand in `caisson network show`
    #[arg(required = true, value_name = "HOST")]
    hosts: Vec<HostRule>,
}

/// Show a server a folder of yours, at the same place
#[derive(Debug, clap::Args)]
#[command(after_help = "\
In force at the server's next start.

Example:
  caisson network folder notes /home/me/notes --write")]
struct Folder {
    /// The server
    server: ServerName,
    /// The folder, whole path
    folder: std::path::PathBuf,
    /// Let it change what is in the folder
    #[arg(long)]
    write: bool,
}

pub(crate) async fn run(args: Args, screen: &Screen) -> Outcome {
    let view = match args.command {
        Command::Show(Show { server }) => reach::call(&ShowNetwork { server }).await?,
        Command::Allow(Allow { server, hosts, once }) => {
            each(hosts, |rule| AllowHost { server: server.clone(), rule, once }).await?
        }
        Command::Block(Block { server, hosts }) => {
            each(hosts, |rule| BlockHost { server: server.clone(), rule }).await?
        }
        Command::Forget(Forget { server, hosts }) => {
            each(hosts, |rule| ForgetHost { server: server.clone(), rule }).await?
        }
        Command::Folder(Folder { server, folder, write }) => {
            reach::call(&AllowFolder { server, folder, write }).await?
        }
    };
    if screen.json {
        screen.json(&view)?
    } else {
        show(&view, screen)?
    }
    Ok(exit::OK)
}

/// Makes one request for each host; the last reply is the state of things.
async fn each<R>(hosts: Vec<HostRule>, request: impl Fn(HostRule) -> R) -> Result<NetworkView, Failure>
where
    R: caisson_core::control::api::Request<Reply = NetworkView>,
{
    let client = reach::client().await?;
    let mut view = None;
    for host in hosts {
        view = Some(client.call(&request(host)).await?);
    }
    view.ok_or_else(|| Failure::usage("no host was named"))
}

fn show(view: &NetworkView, screen: &Screen) -> Result<(), Failure> {
    let NetworkView { allowed, once, blocked, reached, tried, missed } = view;
    let mut rules = Table::new(&["HOST", "DECISION"]);
    for (hosts, decision) in [(allowed, "allowed"), (once, "allowed until it stops"), (blocked, "blocked")] {
        hosts.iter().for_each(|host| rules.row([&host.to_string(), decision]));
    }
    if rules.is_empty() {
        screen.note("It may reach nothing.");
    } else {
        screen.text(&rules.render(screen.width, screen.color))?;
    }
    let mut table = Table::new(&["REACHED", "CONNECTIONS", "SENT", "RECEIVED"]);
    for Reached { host, port, connections, open, sent, received, .. } in reached {
        let connections =
            if *open > 0 { format!("{connections}, {open} open") } else { connections.to_string() };
        table.row([&format!("{host}:{port}"), &connections, &size(*sent), &size(*received)]);
    }
    section(&table, screen)?;
    let mut table = Table::new(&["REFUSED", "TIMES", "WHY"]);
    for Tried { host, port, times, reason, .. } in tried {
        table.row([&target(host, *port), &times.to_string(), reason]);
    }
    section(&table, screen)?;
    let mut table = Table::new(&["MISSED FOLDER", "WANTED TO"]);
    for Missed { folder, write } in missed {
        table.row([&folder.display().to_string(), if *write { "change it" } else { "read it" }]);
    }
    section(&table, screen)?;
    if let Some(rule) = tried.iter().find_map(|tried| tried.rule.as_ref()) {
        let rule = rule.to_string();
        screen.note(format!(
            "Decide: caisson network allow|block SERVER {}  (--once: until it stops)",
            escape::line(&rule)
        ));
    }
    Ok(())
}

fn section(table: &Table, screen: &Screen) -> Result<(), Failure> {
    if table.is_empty() {
        Ok(())
    } else {
        screen.text(&format!("\n{}", table.render(screen.width, screen.color)))
    }
}

/// A host and port as people read them; 0 stands for a name that was asked for.
pub(super) fn target(host: &str, port: u16) -> String {
    if port == 0 { format!("{host} (its name)") } else { format!("{host}:{port}") }
}
