use std::{io::IsTerminal as _, time::Duration};

use caisson_core::{
    control::{
        ControlClient,
        api::{DaemonStatus, GetStatus, Shutdown},
    },
    host::{Host, Setup},
    sandbox::UserIds,
};

use super::{Outcome, client};
use crate::{
    exit,
    failure::Failure,
    reach,
    show::{Screen, Table},
    surroundings,
};

/// So long a daemon may take to stop its servers.
const PATIENCE: Duration = Duration::from_secs(30);

/// Run the daemon here, or ask for its status, or stop it
///
/// Commands start it in the background by themselves; running it here shows its log. It owns all state,
/// serves the control socket and the bridge, and stops every server when it ends.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Ctrl-C or SIGTERM stops all servers and ends it. CAISSON_LOG says how much it logs (info).

Examples:
  caisson daemon
  caisson daemon --status
  caisson daemon --stop")]
pub(crate) struct Args {
    /// Show whether it runs, and how
    #[arg(long, conflicts_with = "stop")]
    status: bool,
    /// Stop it and all servers
    #[arg(long)]
    stop: bool,
    /// Started by a command: leave the terminal's session
    #[arg(long, hide = true, conflicts_with_all = ["status", "stop"])]
    background: bool,
}

pub(crate) fn run(args: &Args, screen: &Screen) -> Outcome {
    if args.status {
        return client(status(screen));
    }
    if args.stop {
        return client(stop(screen));
    }
    if args.background {
        #[cfg(unix)]
        // It fails for the leader of a process group, whom no terminal's signals reach anyway.
        let _ = rustix::process::setsid();
    }
    let paths = surroundings::paths()?;
    log_to_stderr();
    let (uid, gid) = surroundings::user();
    let setup = Setup {
        engine: surroundings::engine_env(&paths),
        paths,
        user: UserIds { uid, gid },
        role: "daemon".into(),
        program: surroundings::program()?,
        clients: surroundings::clients()?,
        zone: jiff::tz::TimeZone::system(),
    };
    let runtime = tokio::runtime::Runtime::new()
        .map_err(|error| Failure::new(exit::FAILURE, "the daemon could not start").why(error.to_string()))?;
    let outcome = runtime.block_on(async {
        let host = Host::open(setup).await?;
        let signals = tokio::spawn(shut_down_on_signal(host.clone()));
        let served = host.serve().await;
        signals.abort();
        served
    });
    // A keychain call that hangs must not keep the process from ending.
    runtime.shutdown_timeout(Duration::from_secs(1));
    outcome?;
    Ok(exit::OK)
}

fn log_to_stderr() {
    use tracing_subscriber::{EnvFilter, fmt};
    let filter = EnvFilter::try_new(surroundings::log_filter()).unwrap_or_else(|_| EnvFilter::new("info"));
    let ansi = std::io::stderr().is_terminal() && surroundings::color_wanted();
    fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(ansi).init();
}

async fn shut_down_on_signal(host: Host) {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        // The log's reader may be a terminal that closes: that is no reason to end (SIGHUP is taken and unused).
        match (signal(SignalKind::terminate()), signal(SignalKind::hangup())) {
            (Ok(mut terminate), Ok(mut hangup)) => loop {
                tokio::select! {
                    _ = terminate.recv() => break,
                    _ = tokio::signal::ctrl_c() => break,
                    _ = hangup.recv() => {}
                }
            },
            (Err(error), _) | (_, Err(error)) => {
                tracing::error!(%error, "signals cannot be taken; SIGKILL still leaves no container behind");
                return;
            }
        }
    }
    #[cfg(not(unix))]
    drop(tokio::signal::ctrl_c().await);
    tracing::info!("told to stop");
    host.shutdown();
}

async fn status(screen: &Screen) -> Outcome {
    let Some(client) = reach::running().await? else {
        return Err(Failure::new(exit::DAEMON, "no daemon runs")
            .fix("any command starts it, `caisson list` for example"));
    };
    let status = client.call(&GetStatus {}).await?;
    if screen.json {
        screen.json(&status)?;
    } else {
        screen.text(&table(&status).render(screen.width, screen.color))?;
    }
    Ok(exit::OK)
}

fn table(status: &DaemonStatus) -> Table {
    let mut table = Table::new(&["", ""]);
    table.row(["Caisson", &format!("{} ({}, process {})", status.version, status.role, status.pid)]);
    let servers =
        format!("{} installed, {} running, {} sessions", status.servers, status.running, status.sessions);
    table.row(["Servers", &servers]);
    if status.paused {
        table.row(["Paused", "yes: caisson resume"]);
    }
    let bridge = match (&status.bridge, &status.bridge_problem) {
        (Some(bridge), _) => bridge.clone(),
        (None, Some(problem)) => format!("not listening: {problem}"),
        (None, None) => "not listening".into(),
    };
    table.row(["Bridge", &bridge]);
    if let Some(socket) = &status.socket {
        table.row(["Agents", &socket.display().to_string()]);
    } else if let Some(problem) = &status.socket_problem {
        table.row(["Agents", &format!("no socket: {problem}")]);
    }
    if let Some(engine) = &status.engine {
        let rootless = if engine.rootless { ", rootless" } else { "" };
        table.row(["Engine", &format!("{} {}{rootless}", engine.kind, engine.version)]);
    }
    table.row(["Settings", &status.config.display().to_string()]);
    table.row(["State", &status.data.display().to_string()]);
    table
}

async fn stop(screen: &Screen) -> Outcome {
    let stopped = match reach::running().await? {
        None => false,
        Some(client) => {
            client.call(&Shutdown {}).await?;
            wait_for_end(&client).await?;
            true
        }
    };
    if screen.json {
        screen.json(&serde_json::json!({ "stopped": stopped }))?;
    } else {
        screen.line(if stopped { "The daemon has stopped" } else { "No daemon ran" })?;
    }
    Ok(exit::OK)
}

/// The lock is free when the process is about to end: then another may start.
async fn wait_for_end(_: &ControlClient) -> Result<(), Failure> {
    let paths = surroundings::paths()?;
    let ended = async {
        while caisson_core::host::is_running(&paths) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, ended).await.map_err(|_| {
        Failure::new(exit::DAEMON, "the daemon does not end")
            .why(format!("it was asked to {} s ago", PATIENCE.as_secs()))
            .fix(format!("its log is {}", paths.daemon_log().display()))
    })
}
