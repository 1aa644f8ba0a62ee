//! The airlock: PID 1 in every container, and the one way in and out.
//!
//! Its standard input and output are the pipe to Caisson. Over it the airlock learns what to run and what
//! may be reached, and carries every byte in or out. The processes it starts are hostile and have its own
//! user id: nothing of the pipe or of what the host told it may ever be within their reach. When the pipe
//! ends, so does the airlock, and with PID 1 everything in the container.

mod airlock;
mod connect;
mod egress;
mod events;
mod family;
mod files;
mod input;
mod limits;
mod output;
mod pipe;
mod process;
mod processes;
mod program;
mod reaper;
mod relay;
mod spare;

use std::{io::Write, process::ExitCode};

fn main() -> ExitCode {
    let told = match std::env::args().nth(1).as_deref() {
        None => start(),
        Some("--version") => {
            writeln!(std::io::stdout(), "caisson-airlock {}", env!("CARGO_PKG_VERSION")).map_err(Into::into)
        }
        Some(_) => Err("it takes no arguments but --version; Caisson runs it as PID 1 of a container".into()),
    };
    match told {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            // Nothing is left to be done when even this cannot be said.
            drop(writeln!(std::io::stderr(), "caisson-airlock: {fault}"));
            ExitCode::FAILURE
        }
    }
}

fn start() -> Result<(), Box<dyn std::error::Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let ended = runtime.block_on(airlock::run());
    // Not to be held up by what is left of a task.
    runtime.shutdown_background();
    Ok(ended?)
}
