//! The airlock: PID 1 in every container, and the one way in and out.
//!
//! A socket that Caisson mounts, or else its standard input and output, is the pipe to Caisson. Over it the
//! airlock learns what to run and what may be reached, and carries every byte in or out. The processes it starts
//! are hostile and have its own user id: nothing of the pipe or of what the host told it may ever be within their
//! reach. When the pipe ends, so does the airlock, and with PID 1 everything in the container.

mod airlock;
mod connect;
mod egress;
mod events;
mod family;
mod files;
mod hatch;
mod input;
mod limits;
mod output;
mod pipe;
mod process;
mod processes;
mod program;
mod reaper;
mod relay;
mod sessions;
mod spare;
mod workspace;

use std::{ffi::OsStr, io::Write, path::Path, process::ExitCode};

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    let told = match *arguments.iter().map(AsRef::as_ref).collect::<Vec<&OsStr>>() {
        [] => start(None),
        [option, path] if option == "--socket" => start(Some(path.as_ref())),
        [option, task] if option == "--files" => match task.to_str() {
            Some(task) => workspace::run(task),
            None => Err("the task is not UTF-8".into()),
        },
        [option] if option == "--version" => {
            writeln!(std::io::stdout(), "caisson-airlock {}", env!("CARGO_PKG_VERSION")).map_err(Into::into)
        }
        _ => Err(
            "usage: airlock [--socket PATH | --files TASK | --version]; Caisson runs it inside containers"
                .into(),
        ),
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

fn start(socket: Option<&Path>) -> Result<(), Box<dyn std::error::Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let ended = runtime.block_on(airlock::run(socket));
    // Not to be held up by what is left of a task.
    runtime.shutdown_background();
    Ok(ended?)
}
