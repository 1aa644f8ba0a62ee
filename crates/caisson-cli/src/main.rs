//! `caisson`: the commands, the daemon and the stdio shim.
//!
//! Only this crate reads the environment and writes to a terminal; what it does, it asks of the process that
//! owns the state, over the control API.

mod arguments;
mod commands;
mod exit;
mod failure;
mod prompt;
mod reach;
mod show;
mod surroundings;
mod values;

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

use clap::Parser as _;

use arguments::Cli;
use show::Screen;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) if error.use_stderr() => {
            drop(io::stderr().write_all(usage_error(&error).as_bytes()));
            return ExitCode::from(exit::USAGE);
        }
        Err(help) => {
            // Nobody left to read it is no reason to fail.
            drop(help.print());
            return ExitCode::from(exit::OK);
        }
    };
    let screen = Screen::new(cli.json);
    match commands::run(cli, &screen) {
        Ok(code) => ExitCode::from(code),
        Err(failure) => {
            failure.print(&screen);
            ExitCode::from(failure.exit)
        }
    }
}

/// What is wrong with the command line. It repeats words of it, which may have come from anywhere.
fn usage_error(error: &clap::Error) -> String {
    show::escape::lines(&error.to_string()).into_owned()
}
