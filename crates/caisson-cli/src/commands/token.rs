use std::time::Duration;

use caisson_core::{
    control::api::{IssueToken, ListTokens, RevokeToken, TokenServers, TokenView},
    model::Endpoint,
};

use super::Outcome;
use crate::{
    exit, reach,
    show::{Screen, Table, distance, escape, now},
    values,
};

/// Issue, list and revoke tokens for clients that speak HTTP
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  caisson token issue --server everything --ttl 1h
  caisson token list
  caisson token revoke 5f3a9c01")]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Issue(Issue),
    List(List),
    Revoke(Revoke),
}

/// Issue a token, shown this one time
///
/// A client uses it as `Authorization: Bearer TOKEN` at the URL that is printed. An old client that speaks HTTP+SSE
/// alone takes the same URL with `/sse` in place of `/mcp`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  caisson token issue --server everything --ttl 1h
  caisson token issue --server memory --tool read_graph --subject nightly-job
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
    #[arg(long, conflicts_with_all = ["all", "tools"])]
    metrics: bool,
    /// A tool it may call; without this, every tool of those servers
    #[arg(long = "tool", value_name = "TOOL")]
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
Example:
  caisson token list")]
struct List {}

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
        Command::List(List {}) => list(screen).await,
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
    let Issue { servers, all, metrics, tools, ttl, subject } = args;
    let servers = match (all, metrics) {
        (true, _) => TokenServers::All,
        (false, true) => TokenServers::Metrics,
        (false, false) => TokenServers::Only(servers),
    };
    let tools = (!tools.is_empty()).then_some(tools);
    let ttl = ttl.map(|ttl| ttl.as_secs());
    let issued = reach::call(&IssueToken { subject, servers, tools, ttl }).await?;
    if screen.json {
        screen.json(&issued)?;
        return Ok(exit::OK);
    }
    for url in &issued.urls {
        screen.line(format!("url    {url}"))?;
    }
    screen.line(format!("token  {}", issued.token))?;
    let ends = issued
        .expires_at
        .map_or_else(|| "until revoked".to_owned(), |at| format!("for {}", distance(now(), at)));
    screen.note(format!(
        "It holds {ends}, and is not shown again. To end it: caisson token revoke {}",
        issued.id
    ));
    Ok(exit::OK)
}

async fn list(screen: &Screen) -> Outcome {
    let list = reach::call(&ListTokens {}).await?;
    if screen.json {
        screen.json(&list)?;
        return Ok(exit::OK);
    }
    let mut table = Table::new(&["ID", "SUBJECT", "SERVERS", "ISSUED", "ENDS"]);
    let now = now();
    for token in &list.tokens {
        let ends = match token.expires_at {
            None => "when revoked".into(),
            Some(at) if at <= now => "expired".into(),
            Some(at) => format!("in {}", distance(now, at)),
        };
        let issued = format!("{} ago", distance(token.issued_at, now));
        table.row([&token.id, &token.subject, &reach_of(token), &issued, &ends]);
    }
    if table.is_empty() {
        screen.note("There are no tokens.");
    } else {
        screen.text(&table.render(screen.width, screen.color))?;
    }
    Ok(exit::OK)
}

fn reach_of(token: &TokenView) -> String {
    let servers = match &token.servers {
        TokenServers::All => "all".to_owned(),
        TokenServers::Metrics => "none (metrics)".to_owned(),
        TokenServers::Only(servers) => servers.iter().map(Endpoint::to_string).collect::<Vec<_>>().join(", "),
    };
    match &token.tools {
        None => servers,
        Some(tools) => format!("{servers} ({} alone)", tools.join(", ")),
    }
}
