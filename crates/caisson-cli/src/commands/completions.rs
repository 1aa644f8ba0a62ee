use clap::CommandFactory as _;
use clap_complete::Shell;

use super::Outcome;
use crate::{arguments::Cli, exit, show::Screen};

/// Print a shell's completion script
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  caisson completions bash > ~/.local/share/bash-completion/completions/caisson")]
pub(crate) struct Args {
    /// The shell
    shell: Shell,
}

pub(crate) fn run(args: &Args, screen: &Screen) -> Outcome {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "caisson", &mut script);
    screen.text(&String::from_utf8_lossy(&script))?;
    Ok(exit::OK)
}
