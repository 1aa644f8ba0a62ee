use caisson_core::{
    control::api::{ListSecrets, RemoveSecret, SetSecret},
    model::{SecretName, ServerName},
};

use super::Outcome;
use crate::{
    exit,
    failure::Failure,
    prompt, reach,
    show::{Screen, Table},
};

/// Keep secrets for servers in the system's keychain
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A secret can be set and removed, and its name listed. Nothing shows its value.

Examples:
  caisson secret set github GITHUB_TOKEN
  pass show github | caisson secret set github GITHUB_TOKEN
  caisson secret list github")]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Set(Set),
    List(List),
    Remove(Remove),
}

/// Set a secret, typed without echo or read from standard input
#[derive(Debug, clap::Args)]
#[command(after_help = "\
One line end at the end of standard input is no part of the secret.

Examples:
  caisson secret set github GITHUB_TOKEN
  caisson secret set github GITHUB_TOKEN < token.txt")]
struct Set {
    /// The server it is for
    server: ServerName,
    /// Its name: the variable or the file the server finds it in
    name: SecretName,
    /// Taken, so that a value given here by mistake is refused without being repeated.
    #[arg(hide = true)]
    value: Vec<std::ffi::OsString>,
}

/// List the names of a server's secrets
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  caisson secret list github")]
struct List {
    /// The server
    server: ServerName,
}

/// Remove a secret from the keychain
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  caisson secret remove github GITHUB_TOKEN")]
struct Remove {
    /// The server
    server: ServerName,
    /// The secret
    name: SecretName,
}

pub(crate) async fn run(args: Args, screen: &Screen) -> Outcome {
    match args.command {
        Command::Set(args) => set(args, screen).await,
        Command::List(args) => list(args, screen).await,
        Command::Remove(Remove { server, name }) => {
            let done = reach::call(&RemoveSecret { server: server.clone(), name: name.clone() }).await?;
            if screen.json {
                screen.json(&done)?;
            } else {
                screen.line(format!("Removed {name} of {server}"))?;
            }
            Ok(exit::OK)
        }
    }
}

async fn set(args: Set, screen: &Screen) -> Outcome {
    let Set { server, name, value } = args;
    if !value.is_empty() {
        return Err(Failure::usage("a secret is never an argument")
            .why("arguments stand in the shell's history and in every list of processes")
            .fix(format!("run `caisson secret set {server} {name}` and type it, or pipe it in; and replace the one you just typed")));
    }
    let value = prompt::secret(&format!("Value of {name} for {server}: ")).await?;
    if value.expose().is_empty() {
        return Err(Failure::usage("the secret is empty").fix("type it, or pipe it in"));
    }
    let done = reach::call(&SetSecret { server: server.clone(), name: name.clone(), value }).await?;
    if screen.json {
        screen.json(&done)?;
    } else {
        screen.line(format!("Set {name} for {server}"))?;
        screen.note(format!("A server that runs finds it after: caisson restart {server}"));
    }
    Ok(exit::OK)
}

async fn list(args: List, screen: &Screen) -> Outcome {
    let list = reach::call(&ListSecrets { server: args.server }).await?;
    if screen.json {
        screen.json(&list)?;
        return Ok(exit::OK);
    }
    let mut table = Table::new(&["SECRET", "STATE"]);
    for name in &list.stored {
        table.row([name.as_str(), "set"]);
    }
    for name in &list.missing {
        table.row([name.as_str(), "granted, not set"]);
    }
    if table.is_empty() {
        screen.note("It has no secrets.");
    } else {
        screen.text(&table.render(screen.width, screen.color))?;
    }
    Ok(exit::OK)
}
