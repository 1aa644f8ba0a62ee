//! The commands, one file each: arguments, the request, how its reply reads.

pub(crate) mod approvals;
pub(crate) mod audit;
pub(crate) mod call;
pub(crate) mod clients;
pub(crate) mod completions;
pub(crate) mod daemon;
pub(crate) mod doctor;
pub(crate) mod events;
pub(crate) mod group;
pub(crate) mod install;
pub(crate) mod learn;
pub(crate) mod list;
pub(crate) mod logs;
pub(crate) mod network;
pub(crate) mod pause;
pub(crate) mod pins;
pub(crate) mod plan;
pub(crate) mod policy;
pub(crate) mod remove;
pub(crate) mod secret;
pub(crate) mod server;
pub(crate) mod stats;
pub(crate) mod stdio;
pub(crate) mod token;
pub(crate) mod tools;
pub(crate) mod verify;
pub(crate) mod workspace;

use std::future::Future;

use crate::{
    arguments::{Cli, Command},
    exit,
    failure::Failure,
    show::Screen,
};

/// What a command ends with: an exit code of [`crate::exit`].
pub(crate) type Outcome = Result<u8, Failure>;

pub(crate) fn run(cli: Cli, screen: &Screen) -> Outcome {
    match cli.command {
        Command::Install(args) => client(install::run(*args, screen)),
        Command::List(args) => client(list::run(&args, screen)),
        Command::Show(args) => client(server::show(args, screen)),
        Command::Plan(args) => client(plan::run(args, screen)),
        Command::Verify(args) => client(verify::run(args, screen)),
        Command::Start(args) => client(server::start(args, screen)),
        Command::Stop(args) => client(server::stop(args, screen)),
        Command::Restart(args) => client(server::restart(args, screen)),
        Command::Remove(args) => client(remove::run(args, screen)),
        Command::Tools(args) => client(tools::run(args, screen)),
        Command::Call(args) => client(call::run(args, screen)),
        Command::Logs(args) => client(logs::run(args, screen)),
        Command::Network(args) => client(network::run(args, screen)),
        Command::Learn(args) => client(learn::run(args, screen)),
        Command::Policy(args) => client(policy::run(args, screen)),
        Command::Pins(args) => client(pins::run(args, screen)),
        Command::Approvals(args) => client(approvals::run(args, screen)),
        Command::Audit(args) => client(audit::run(*args, screen)),
        Command::Stats(args) => client(stats::run(args, screen)),
        Command::Group(args) => client(group::run(args, screen)),
        Command::Connect(args) => client(clients::connect(args, screen)),
        Command::Disconnect(args) => client(clients::disconnect(args, screen)),
        Command::Clients(args) => client(clients::list(&args, screen)),
        Command::Secret(args) => client(secret::run(args, screen)),
        Command::Workspace(args) => client(workspace::run(args, screen)),
        Command::Token(args) => client(token::run(args, screen)),
        Command::Pause(args) => client(pause::pause(&args, screen)),
        Command::Resume(args) => client(pause::resume(&args, screen)),
        Command::Events(args) => client(events::run(&args, screen)),
        Command::Doctor(args) => client(doctor::run(&args, screen)),
        Command::Daemon(args) => daemon::run(&args, screen),
        Command::Stdio(args) => stdio::run(&args, screen),
        Command::Completions(args) => completions::run(&args, screen),
    }
}

/// Runs a command that only talks to the daemon: one thread is enough. Ctrl-C ends it.
fn client<T>(command: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    alone(async {
        tokio::select! {
            outcome = command => outcome,
            // Dropping the command ends its connection, which cancels what it asked for.
            _ = tokio::signal::ctrl_c() => Err(Failure::new(exit::INTERRUPTED, "interrupted")),
        }
    })
}

/// Runs on one thread, and leaves signals to do what they do.
fn alone<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime
        .map_err(|error| Failure::new(exit::FAILURE, "Caisson could not start").why(error.to_string()))?;
    let outcome = runtime.block_on(work);
    // A thread may still wait for somebody to type; nobody waits for it.
    runtime.shutdown_background();
    outcome
}
