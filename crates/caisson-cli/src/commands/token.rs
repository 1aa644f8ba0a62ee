use std::{path::Path, time::Duration};

use caisson_core::{
    control::api::{
        IssueToken, IssuedToken, ListTokens, RevokeToken, RotateClient, RotateToken, TokenServers, TokenView,
    },
    gate::tokens::TokenState,
    model::Endpoint,
};

use super::{Outcome, clients};
use crate::{
    exit, reach,
    show::{Screen, Table, distance, escape, now},
    values,
};

/// Issue, list, rotate and revoke tokens for clients that speak HTTP
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  caisson token issue --server everything --ttl 1h
  caisson token list
  caisson token rotate 5f3a9c01
  caisson token revoke 5f3a9c01")]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Issue(Issue),
    List(List),
    Rotate(Rotate),
    Revoke(Revoke),
}

/// Issue a token, shown this one time
///
/// A client uses it as `Authorization: Bearer TOKEN` at the URL that is printed. An old client that speaks HTTP+SSE
/// alone takes the same URL with `/sse` in place of `/mcp`. An agent in a container needs no network for it: mount
/// the socket's folder, read-only, and ask for the same path on the socket, under any host's name.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  caisson token issue --server everything --ttl 1h
  caisson token issue --server memory --tools read_graph,search_nodes --ttl 15m --subject job-42
  caisson token issue --server group/work --ttl 8h
  caisson token issue --metrics --subject prometheus
  caisson token issue --all --json")]
struct Issue {
    /// A server it opens, or group/NAME; can be given several times
    #[arg(
        long = "server", value_name = "SERVER", required_unless_present_any = ["all", "metrics"],
        conflicts_with_all = ["all", "metrics"]
    )]
    servers: Vec<Endpoint>,
    /// It opens every server, also later ones
    #[arg(long)]
    all: bool,
    /// It opens no server, and reads the numbers at /metrics
    #[arg(long, conflicts_with_all = ["all", "tool", "tools"])]
    metrics: bool,
    /// A tool it may see and call, by its exact name; can be given several times. Without this, every tool
    #[arg(long = "tool", value_name = "TOOL")]
    tool: Vec<String>,
    /// The same, several at once
    #[arg(long, value_name = "TOOL,TOOL", value_delimiter = ',')]
    tools: Vec<String>,
    /// How long it lives: 30m, 1h, 7d; without this, until it is revoked
    #[arg(long, value_name = "TIME", value_parser = values::duration)]
    ttl: Option<Duration>,
    /// Who uses it, for `caisson token list`
    #[arg(long, default_value = "command line")]
    subject: String,
}

/// List tokens: who may use what until when
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  caisson token list
  caisson token list --all")]
struct List {
    /// Also those that expired within a week, or were revoked since Caisson was started
    #[arg(long)]
    all: bool,
}

/// Put a new token in the place of one, for the same subject, tools and time
///
/// The new one is shown this one time. A client that Caisson has connected gets it written into its file, and goes on
/// working.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  caisson token rotate 5f3a9c01
  caisson token rotate 5f3a9c01 --grace 5m
  caisson token rotate --client cursor")]
struct Rotate {
    /// The token's id, as `caisson token list` shows it
    #[arg(required_unless_present = "client", conflicts_with = "client")]
    id: Option<String>,
    /// How long the old one still holds: 30s, 5m; without this, it is revoked at once, and its sessions end
    #[arg(long, value_name = "TIME", value_parser = values::duration, conflicts_with = "client")]
    grace: Option<Duration>,
    /// A connected client whose token it is, as `caisson clients` names it
    #[arg(long)]
    client: Option<String>,
}

/// Revoke a token; its sessions end at once
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  caisson token revoke 5f3a9c01")]
struct Revoke {
    /// The token's id, as `caisson token list` shows it
    id: String,
}

pub(crate) async fn run(args: Args, screen: &Screen) -> Outcome {
    match args.command {
        Command::Issue(args) => issue(args, screen).await,
        Command::List(List { all }) => list(all, screen).await,
        Command::Rotate(args) => rotate(args, screen).await,
        Command::Revoke(Revoke { id }) => {
            let done = reach::call(&RevokeToken { id: id.clone() }).await?;
            if screen.json {
                screen.json(&done)?;
            } else {
                screen.line(format!("Revoked {}", escape::line(&id)))?;
            }
            Ok(exit::OK)
        }
    }
}

async fn issue(args: Issue, screen: &Screen) -> Outcome {
    let Issue { servers, all, metrics, tool, tools, ttl, subject } = args;
    let servers = match (all, metrics) {
        (true, _) => TokenServers::All,
        (false, true) => TokenServers::Metrics,
        (false, false) => TokenServers::Only(servers),
    };
    let tools = [tool, tools].concat();
    let tools = (!tools.is_empty()).then_some(tools);
    let ttl = ttl.map(|ttl| ttl.as_secs());
    let issued = reach::call(&IssueToken { subject, servers, tools, ttl }).await?;
    shown(&issued, screen)
}

async fn rotate(args: Rotate, screen: &Screen) -> Outcome {
    let Rotate { id, grace, client } = args;
    if let Some(client) = client {
        let change = reach::call(&RotateClient { client }).await?;
        return clients::rotated(&change, screen);
    }
    let grace = grace.unwrap_or_default().as_secs();
    let issued = reach::call(&RotateToken { id: id.unwrap_or_default(), grace }).await?;
    shown(&issued, screen)
}

fn shown(issued: &IssuedToken, screen: &Screen) -> Outcome {
    if screen.json {
        screen.json(issued)?;
        return Ok(exit::OK);
    }
    for url in &issued.urls {
        screen.line(format!("url     {url}"))?;
    }
    if let Some(socket) = &issued.socket {
        screen.line(format!("socket  {}", escape::line(&socket.display().to_string())))?;
    }
    screen.line(format!("token   {}", issued.token))?;
    let ends = issued
        .expires_at
        .map_or_else(|| "until revoked".to_owned(), |at| format!("for {}", distance(now(), at)));
    screen.note(format!(
        "It holds {ends}, and is not shown again. To end it: caisson token revoke {}",
        issued.id
    ));
    if let (Some(socket), Some(url)) = (&issued.socket, &issued.url)
        && let Some(example) = in_a_container(socket, url)
    {
        screen.note(format!("From a container, even one without a network:\n  {example}"));
    }
    Ok(exit::OK)
}

/// How an agent's container reaches `url` by the socket.
fn in_a_container(socket: &Path, url: &str) -> Option<String> {
    let (folder, file) = (socket.parent()?.display().to_string(), socket.file_name()?.display());
    let path = url.splitn(4, '/').nth(3)?;
    Some(format!(
        "podman run --network none -v {}:/run/caisson:ro IMAGE \\\n    curl --unix-socket /run/caisson/{file} \
         -H \"Authorization: Bearer $TOKEN\" http://caisson/{path} …",
        escape::line(&folder)
    ))
}

async fn list(all: bool, screen: &Screen) -> Outcome {
    let list = reach::call(&ListTokens { all }).await?;
    if screen.json {
        screen.json(&list)?;
        return Ok(exit::OK);
    }
    let mut table = Table::new(&["ID", "SUBJECT", "SERVERS", "TOOLS", "ISSUED", "LAST USED", "STATE"]);
    let now = now();
    let ago = |at: u64| format!("{} ago", distance(at, now));
    for token in &list.tokens {
        let used = token.last_used_at.map_or_else(|| "never".to_owned(), ago);
        let issued = ago(token.issued_at);
        table.row([
            &token.id,
            &token.subject,
            &servers_of(token),
            &tools_of(token),
            &issued,
            &used,
            &state_of(token, now),
        ]);
    }
    if table.is_empty() {
        screen.note("There are no tokens.");
    } else {
        screen.text(&table.render(screen.width, screen.color))?;
    }
    Ok(exit::OK)
}

fn servers_of(token: &TokenView) -> String {
    match &token.servers {
        TokenServers::All => "all".to_owned(),
        TokenServers::Metrics => "none (metrics)".to_owned(),
        TokenServers::Only(servers) => servers.iter().map(Endpoint::to_string).collect::<Vec<_>>().join(", "),
    }
}

fn tools_of(token: &TokenView) -> String {
    token.tools.as_ref().map_or_else(|| "all".to_owned(), |tools| tools.join(", "))
}

fn state_of(token: &TokenView, now: u64) -> String {
    match (token.state, token.expires_at) {
        (TokenState::Holds, None) => "holds until revoked".to_owned(),
        (TokenState::Holds, Some(at)) => format!("holds for {}", distance(now, at)),
        (TokenState::Expired, Some(at)) => format!("expired {} ago", distance(at, now)),
        (TokenState::Expired, None) => "expired".to_owned(),
        (TokenState::Revoked, _) => "revoked".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_in_from_a_container_is_spelled_out() {
        let example = in_a_container(
            Path::new("/run/user/1000/caisson/bridge/mcp.sock"),
            "http://127.0.0.1:7332/s/memory/mcp",
        );
        assert_eq!(
            example.as_deref(),
            Some(
                "podman run --network none -v /run/user/1000/caisson/bridge:/run/caisson:ro IMAGE \\\n    \
                 curl --unix-socket /run/caisson/mcp.sock -H \"Authorization: Bearer $TOKEN\" \
                 http://caisson/s/memory/mcp …"
            )
        );
    }
}
