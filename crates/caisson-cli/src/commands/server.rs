use caisson_core::{
    control::api::{RestartServer, ServerDetails, ServerView, ShowServer, StartServer, StopServer},
    model::{FolderGrant, SecretPlace, ServerName, Transport, Workspace, WorkspacePer},
};

use super::{Outcome, list, verify};
use crate::{
    exit, reach,
    show::{Screen, Table, escape},
};

/// Show what one server is and what it may do
#[derive(Debug, clap::Args)]
#[command(after_help = "\
`caisson plan SERVER` shows the container it runs in, line by line.

Examples:
  caisson show everything
  caisson show everything --json")]
pub(crate) struct Show {
    /// The server
    server: ServerName,
}

/// Start a server and wait until it is ready
///
/// Not needed before a call: the first session starts it.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  caisson start everything")]
pub(crate) struct Start {
    /// The server
    server: ServerName,
}

/// Stop a server; its sessions end
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The next session starts it again. `caisson pause` keeps all servers from running.

Example:
  caisson stop everything")]
pub(crate) struct Stop {
    /// The server
    server: ServerName,
}

/// Stop a server and start it under its current plan
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  caisson restart everything")]
pub(crate) struct Restart {
    /// The server
    server: ServerName,
}

pub(crate) async fn start(args: Start, screen: &Screen) -> Outcome {
    said(screen, &reach::call(&StartServer { server: args.server }).await?)
}

pub(crate) async fn stop(args: Stop, screen: &Screen) -> Outcome {
    said(screen, &reach::call(&StopServer { server: args.server }).await?)
}

pub(crate) async fn restart(args: Restart, screen: &Screen) -> Outcome {
    said(screen, &reach::call(&RestartServer { server: args.server }).await?)
}

fn said(screen: &Screen, server: &ServerView) -> Outcome {
    if screen.json {
        screen.json(server)?;
    } else {
        screen.line(format!("{}: {}", server.name, escape::line(&list::state(&server.state))))?;
    }
    Ok(exit::OK)
}

pub(crate) async fn show(args: Show, screen: &Screen) -> Outcome {
    let details = reach::call(&ShowServer { server: args.server }).await?;
    if screen.json {
        screen.json(&details)?;
    } else {
        screen.text(&table(&details).render(screen.width, screen.color))?;
        for name in &details.missing_secrets {
            let server = &details.view.name;
            let name = escape::line(name);
            screen.note(format!(
                "It was granted the secret {name}, which is not set: caisson secret set {server} {name}"
            ));
        }
    }
    Ok(exit::OK)
}

fn table(details: &ServerDetails) -> Table {
    let mut table = Table::new(&["", ""]);
    let view = &details.view;
    table.row(["Server", view.name.as_str()]);
    table.row(["State", &list::state(&view.state)]);
    if let Some(broken) = &view.broken {
        table.row(["Broken", broken]);
    }
    let verified = view.verified.as_ref().map_or_else(|| "never".to_owned(), verify::glance);
    table.row(["Verified", &verified]);
    table.row(["URL", &view.url]);
    table.row(["File", &details.file.display().to_string()]);
    let Some(server) = &details.definition else { return table };
    table.row(["Source", &server.source.to_string()]);
    table.row(["Image", server.image.as_str()]);
    table.row(["Command", &server.command.join(" ")]);
    if let Transport::Http { port, path } = &server.transport {
        table.row(["Speaks", &format!("Streamable HTTP on its port {port}, {path}")]);
    }
    for (name, value) in &server.env {
        table.row(["Variable", &format!("{name}={value}")]);
    }
    let may = &server.permissions;
    for host in &may.hosts {
        table.row(["Host", &host.to_string()]);
    }
    for FolderGrant { host, inside, write } in &may.folders {
        let right = if *write { "read and write" } else { "read only" };
        table.row(["Folder", &format!("{} at {}, {right}", host.display(), inside.display())]);
    }
    for secret in &may.secrets {
        let place = match secret.place {
            SecretPlace::Env => "as a variable",
            SecretPlace::File => "as a file in /run/secrets",
        };
        table.row(["Secret", &format!("{} {place}", secret.name)]);
    }
    if let Some(state) = &may.state {
        table.row(["Keeps", &state.display().to_string()]);
    }
    if let Some(workspace) = &may.workspace {
        table.row(["Workspace", &words(workspace)]);
    }
    if may.root {
        table.row(["Root", "it runs as root inside its container"]);
    }
    if let Some(runtime) = &may.runtime {
        table.row(["Runtime", runtime]);
    }
    let limits = &server.limits;
    let limits = format!(
        "{} memory, {} CPU, {} processes, {} files, {} scratch",
        limits.memory, limits.cpus, limits.processes, limits.files, limits.scratch
    );
    table.row(["Limits", &limits]);
    table
}

/// A workspace in a line.
fn words(workspace: &Workspace) -> String {
    let per = match workspace.per {
        WorkspacePer::Server => "one for all sessions",
        WorkspacePer::Session => "one for each session",
    };
    let input = workspace.input.as_ref().map(|folder| format!(", reads {}", folder.display()));
    let output = workspace.output.as_ref().map(|folder| format!(", collected into {}", folder.display()));
    [per, input.as_deref().unwrap_or(""), output.as_deref().unwrap_or("")].concat()
}
