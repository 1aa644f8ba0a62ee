use caisson_core::{
    control::api::{CheckPolicy, CheckedPolicy, PolicyView, SetPreset, ShowPolicy},
    model::{Preset, ServerName, Verb},
};
use serde_json::Value;

use super::{Outcome, call};
use crate::{
    exit,
    failure::Failure,
    prompt, reach,
    show::{Screen, escape},
};

/// Say which tool calls are allowed, asked about, denied
///
/// The rules stand in policy.toml, which explains itself and is read again whenever it changes. Where no rule is about a
/// call, the preset decides.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  caisson policy show
  caisson policy preset ask-for-everything
  caisson policy check github create_issue '{\"owner\":\"me\"}'")]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Show(Show),
    Preset(SetTo),
    Check(Check),
}

/// Show the preset, and where the rules stand
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  caisson policy show")]
struct Show {}

/// Choose what is done about calls that no rule is about
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  caisson policy preset ask-for-changes")]
struct SetTo {
    /// What is done
    preset: Choice,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Choice {
    /// Ask about every call
    AskForEverything,
    /// Allow tools that are marked as read-only, ask about all others
    AskForChanges,
    /// Allow all
    NeverAsk,
}

/// Explain what would be done about a call
///
/// Nothing is called and nobody is asked. The exit code is 0 when it would be allowed, 11 when a person would be asked,
/// and 4 when it would be denied.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  caisson policy check files write_file '{\"path\":\"/workspace/output/a\"}'
  caisson policy check github create_issue --client cursor --json")]
struct Check {
    /// The server
    server: ServerName,
    /// The tool
    tool: String,
    /// The arguments, a JSON object; `-` reads them from standard input
    #[arg(value_name = "JSON")]
    arguments: Option<String>,
    /// Who calls: the name of a client or token
    #[arg(long, value_name = "NAME")]
    client: Option<String>,
}

pub(crate) async fn run(args: Args, screen: &Screen) -> Outcome {
    let view = match args.command {
        Command::Show(Show {}) => reach::call(&ShowPolicy {}).await?,
        Command::Preset(SetTo { preset }) => reach::call(&SetPreset { preset: preset.into() }).await?,
        Command::Check(Check { server, tool, arguments, client }) => {
            let arguments = prompt::aside(move || call::arguments(arguments.as_deref())).await?;
            return check(server, tool, arguments, client, screen).await;
        }
    };
    if screen.json {
        screen.json(&view)?;
    } else {
        show(&view, screen)?;
    }
    Ok(exit::OK)
}

fn show(view: &PolicyView, screen: &Screen) -> Result<(), Failure> {
    let PolicyView { file, preset, rules, timeout, broken, locked } = view;
    if *locked {
        screen
            .line("Every call is refused: Caisson is locked. `caisson approvals unlock` takes that off.")?;
    }
    let rest = match preset {
        Preset::AskForEverything => "a person is asked about every call",
        Preset::AskForChanges => "tools marked as read-only are allowed, a person is asked about all others",
        Preset::NeverAsk => "every call is allowed",
    };
    screen.line(format!("Rules      {rules}, in {}", escape::line(&file.display().to_string())))?;
    screen.line(format!("Otherwise  {rest} (\"{preset}\")"))?;
    screen.line(format!("Silence    is a no after {timeout} seconds"))?;
    if let Some(broken) = broken {
        screen.line(format!(
            "\nThe file is broken; what held before stays in force:\n{}",
            escape::lines(broken)
        ))?;
    }
    Ok(())
}

async fn check(
    server: ServerName,
    tool: String,
    arguments: Value,
    client: Option<String>,
    screen: &Screen,
) -> Outcome {
    let checked = reach::call(&CheckPolicy { server, tool, arguments, client }).await?;
    if screen.json {
        screen.json(&checked)?;
    } else {
        screen.line(escape::line(&sentence(&checked)))?;
        if checked.marks.is_none() {
            screen.note("The server does not list such a tool, as far as is known.");
        }
    }
    Ok(match checked.ruling.verb {
        Verb::Allow => exit::OK,
        Verb::Ask => exit::ASK,
        Verb::Deny => exit::REFUSED,
    })
}

fn sentence(checked: &CheckedPolicy) -> String {
    let verb = match checked.ruling.verb {
        Verb::Allow => "allowed",
        Verb::Ask => "a person would be asked",
        Verb::Deny => "denied",
    };
    format!("{verb}: {}", checked.because)
}

impl From<Choice> for Preset {
    fn from(choice: Choice) -> Self {
        match choice {
            Choice::AskForEverything => Self::AskForEverything,
            Choice::AskForChanges => Self::AskForChanges,
            Choice::NeverAsk => Self::NeverAsk,
        }
    }
}
