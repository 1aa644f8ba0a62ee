use clap::{Parser, Subcommand};

use crate::{commands, exit};

const EXAMPLES: &str = "\
Examples:
  caisson install npm:@modelcontextprotocol/server-everything
  caisson call everything echo '{\"message\":\"hello\"}'
  caisson connect cursor everything

Environment:
  CAISSON_HOME       keep everything in this folder, not in the system's places
  CAISSON_ARTIFACTS  where airlock-linux-ARCH is, when not beside caisson
  CAISSON_LOG        what the daemon logs: info, or caisson_core=debug
  DOCKER_HOST,       the container engine, when settings.toml names none
  CONTAINER_HOST
  NO_COLOR           no colour";

/// Runs MCP servers in watertight containers.
///
/// Each server gets a container without any network; one pipe, its airlock, is the only way in or out, under
/// a policy you can read (`caisson plan SERVER`). Commands start the daemon by themselves.
#[derive(Debug, Parser)]
#[command(
    name = "caisson",
    version,
    after_long_help = format!("{EXAMPLES}\n\n{}", exit::HELP),
    after_help = "`caisson --help` shows examples, environment variables and exit codes.",
    max_term_width = 80,
    subcommand_required = true,
    arg_required_else_help = true,
    disable_help_subcommand = true
)]
pub(crate) struct Cli {
    /// Write JSON for programs: replies to standard output, errors to standard error
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Install(Box<commands::install::Args>),
    List(commands::list::Args),
    Show(commands::server::Show),
    Plan(commands::plan::Args),
    Verify(commands::verify::Args),
    Start(commands::server::Start),
    Stop(commands::server::Stop),
    Restart(commands::server::Restart),
    Remove(commands::remove::Args),
    Tools(commands::tools::Args),
    Call(commands::call::Args),
    Logs(commands::logs::Args),
    Network(commands::network::Args),
    Learn(commands::learn::Args),
    Policy(commands::policy::Args),
    Pins(commands::pins::Args),
    Approvals(commands::approvals::Args),
    Audit(Box<commands::audit::Args>),
    Stats(commands::stats::Args),
    Group(commands::group::Args),
    Connect(commands::clients::Connect),
    Disconnect(commands::clients::Disconnect),
    Clients(commands::clients::List),
    Secret(commands::secret::Args),
    Workspace(commands::workspace::Args),
    Token(commands::token::Args),
    Pause(commands::pause::Pause),
    Resume(commands::pause::Resume),
    Events(commands::events::Args),
    Doctor(commands::doctor::Args),
    Daemon(commands::daemon::Args),
    Stdio(commands::stdio::Args),
    Completions(commands::completions::Args),
}

#[cfg(test)]
mod tests {
    use clap::{Command, CommandFactory as _};

    use super::*;

    fn helps(command: &mut Command, path: &str, out: &mut Vec<(String, String)>) {
        out.push((path.to_owned(), command.render_long_help().to_string()));
        for inner in command.get_subcommands_mut() {
            let path = format!("{path} {}", inner.get_name());
            helps(inner, &path, out);
        }
    }

    #[test]
    fn help_reads_well() {
        let mut command = Cli::command().term_width(80);
        command.build();
        let mut all = Vec::new();
        helps(&mut command, "caisson", &mut all);
        for (path, help) in all {
            let wide = help.lines().find(|line| line.chars().count() > 80);
            assert!(wide.is_none(), "{path}: {wide:?}");
            insta::assert_snapshot!(path.replace(' ', "-"), help);
        }
    }

    #[test]
    fn every_command_has_an_example() {
        let mut command = Cli::command();
        command.build();
        let mut all = Vec::new();
        helps(&mut command, "caisson", &mut all);
        let without: Vec<_> = all.iter().filter(|(_, help)| !help.contains("Example")).collect();
        assert!(without.is_empty(), "{without:?}");
    }

    #[test]
    fn a_wrong_value_reaches_no_terminal_unescaped() {
        for words in [
            &["caisson", "start", "a\u{1b}]0;owned\u{7}"][..],
            &["caisson", "st\u{1b}[31mart"],
            &["caisson", "list", "--\u{9b}31m"],
        ] {
            let error = Cli::try_parse_from(words).unwrap_err();
            let text = crate::usage_error(&error);
            assert!(!text.contains(['\u{1b}', '\u{7}', '\u{9b}']), "{text:?}");
        }
    }
}
