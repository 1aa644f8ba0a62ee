use caisson_core::{
    control::api::{DecidePins, PinList, PinsView, ShowPins},
    model::{Change, MemberChange, PinKind, PinWarning, Quarantined, ServerName},
};

use super::Outcome;
use crate::{
    exit,
    failure::Failure,
    prompt, reach,
    show::{Screen, Table, distance, escape, now, style},
};

/// See and accept what servers have changed of themselves
///
/// What a server says of its tools, prompts and itself is pinned when it is installed. What it changes later, or adds, is
/// kept from clients until you accept it. `[pins]` in policy.toml says how strictly.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  caisson pins show
  caisson pins diff github
  caisson pins accept github create_issue
  caisson pins reject github --all")]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Show(Show),
    Diff(Diff),
    Accept(Accept),
    Reject(Reject),
}

/// Show what is pinned, what is kept from clients, and what to know of it
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  caisson pins show github")]
struct Show {
    /// The server; all, when none is named
    server: Option<ServerName>,
}

/// Show word by word what a server has changed
///
/// The exit code is 0 when it has changed nothing, and 4 when something is kept from clients.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  caisson pins diff github
  caisson pins diff github create_issue --json")]
struct Diff {
    /// The server
    server: ServerName,
    /// What it has changed, as `caisson pins show` calls it; all, when nothing is named
    name: Option<String>,
}

/// Accept what a server has changed
///
/// On a terminal each difference is shown, and waits for a key: Enter alone leaves it as it is.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  caisson pins accept github create_issue
  caisson pins accept github --all --yes")]
struct Accept {
    #[command(flatten)]
    which: Which,
    /// Accept it without looking at it
    #[arg(long)]
    yes: bool,
}

/// Keep what a server has changed from clients for good
///
/// It can still be accepted later.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  caisson pins reject github create_issue
  caisson pins reject github --all")]
struct Reject {
    #[command(flatten)]
    which: Which,
}

#[derive(Debug, clap::Args)]
struct Which {
    /// The server
    server: ServerName,
    /// What it has changed, as `caisson pins show` calls it
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    names: Vec<String>,
    /// Everything it has changed
    #[arg(long)]
    all: bool,
}

impl Which {
    fn has(&self, one: &Quarantined) -> bool {
        self.all || self.names.iter().any(|name| is_called(one, name))
    }
}

/// What people call it: there is one kind of thing that has no name.
fn name_of(one: &Quarantined) -> String {
    if one.kind == PinKind::Instructions { one.kind.to_string() } else { one.name.clone() }
}

fn is_called(one: &Quarantined, name: &str) -> bool {
    name_of(one) == name
}

fn title(one: &Quarantined) -> String {
    one.kind.title(&one.name)
}

fn warning(warning: &PinWarning) -> String {
    format!("{}: {}", warning.kind.title(&warning.name), warning.what)
}

pub(crate) async fn run(args: Args, screen: &Screen) -> Outcome {
    match args.command {
        Command::Show(Show { server }) => show(&reach::call(&ShowPins { server }).await?, screen)?,
        Command::Diff(Diff { server, name }) => return diff(server, name.as_deref(), screen).await,
        Command::Accept(Accept { which, yes }) => return accept(&which, yes, screen).await,
        Command::Reject(Reject { which }) => {
            for one in waiting(&which).await? {
                decide(&one, false, screen).await?;
            }
        }
    }
    Ok(exit::OK)
}

/// What to know about a server that was installed a moment ago.
pub(super) fn warn(view: &PinsView, screen: &Screen) {
    for about in &view.warnings {
        let word = style::warning(screen.err_color, "warning");
        screen.note(format!("{word}: {}", escape::line(&warning(about))));
    }
}

fn show(list: &PinList, screen: &Screen) -> Result<(), Failure> {
    if screen.json {
        return screen.json(list);
    }
    if list.servers.is_empty() {
        screen.note("Nothing is installed.");
        return Ok(());
    }
    let mut table = Table::new(&["SERVER", "PINNED", "CHANGED", "MODE"]);
    for view in &list.servers {
        let accepted = view.accepted.to_string();
        let changed = view.quarantined.len().to_string();
        table.row([view.server.as_str(), &accepted, &changed, &view.mode.to_string()]);
    }
    screen.text(&table.render(screen.width, screen.color))?;
    let all: Vec<&Quarantined> = list.servers.iter().flat_map(|view| &view.quarantined).collect();
    if !all.is_empty() {
        screen.line("\nKept from clients until you accept it:")?;
        let mut table = Table::new(&["SERVER", "", "NAME", "", "SINCE"]);
        for one in &all {
            let (kind, since) = (one.kind.to_string(), distance(one.since, now()));
            table.row([one.server.as_str(), &kind, &name_of(one), state(one), &since]);
        }
        screen.text(&table.render(screen.width, screen.color))?;
    }
    for view in &list.servers {
        for about in &view.warnings {
            let text = format!("{}: {}", view.server, warning(about));
            screen.line(format!("{} {}", style::warning(screen.color, "!"), escape::line(&text)))?;
        }
    }
    if let Some(first) = all.first() {
        screen.note(format!("Next: caisson pins diff {}", first.server));
    }
    Ok(())
}

fn state(one: &Quarantined) -> &'static str {
    match (one.refused, one.is_new) {
        (true, _) => "rejected",
        (false, true) => "new",
        (false, false) => "changed",
    }
}

async fn quarantined(server: ServerName) -> Result<Vec<Quarantined>, Failure> {
    let list = reach::call(&ShowPins { server: Some(server) }).await?;
    Ok(list.servers.into_iter().flat_map(|view| view.quarantined).collect())
}

/// What a person names, which must be there.
async fn waiting(which: &Which) -> Result<Vec<Quarantined>, Failure> {
    let all = quarantined(which.server.clone()).await?;
    for name in &which.names {
        if !all.iter().any(|one| is_called(one, name)) {
            return Err(missing(&which.server, name));
        }
    }
    Ok(all.into_iter().filter(|one| which.has(one)).collect())
}

fn missing(server: &ServerName, name: &str) -> Failure {
    Failure::new(exit::NOT_FOUND, format!("{server} has changed nothing called {}", escape::line(name)))
        .fix(format!("`caisson pins show {server}` shows what it has changed"))
}

async fn diff(server: ServerName, name: Option<&str>, screen: &Screen) -> Outcome {
    let mut all = quarantined(server.clone()).await?;
    all.retain(|one| name.is_none_or(|name| is_called(one, name)));
    if let (true, Some(name)) = (all.is_empty(), name) {
        return Err(missing(&server, name));
    }
    if screen.json {
        screen.json(&all)?;
    } else if all.is_empty() {
        screen.line(format!("{server} says of itself what you have accepted."))?;
    }
    for one in all.iter().filter(|_| !screen.json) {
        difference(one, screen)?;
    }
    Ok(if all.is_empty() { exit::OK } else { exit::REFUSED })
}

fn difference(one: &Quarantined, screen: &Screen) -> Result<(), Failure> {
    let title = format!("{} of {} ({})", title(one), one.server, state(one));
    screen.line(style::strong(screen.color, &escape::line(&title)))?;
    for MemberChange { member, words } in &one.changes {
        screen.line(format!("  {}", escape::line(member)))?;
        let mut text = String::new();
        for piece in words {
            let words = escape::lines(&piece.text);
            match piece.change {
                Change::Same => text.push_str(&words),
                Change::Gone => text.push_str(&style::bad(screen.color, &format!("[-{words}-]"))),
                Change::Come => text.push_str(&style::good(screen.color, &format!("{{+{words}+}}"))),
            }
        }
        screen.text(&text.lines().map(|line| format!("    {line}\n")).collect::<String>())?;
    }
    screen.line("")
}

async fn accept(which: &Which, yes: bool, screen: &Screen) -> Outcome {
    let all = waiting(which).await?;
    if !yes && !all.is_empty() && (screen.json || !prompt::possible()) {
        return Err(Failure::usage("nobody is there to look at what has changed")
            .why("what is accepted is shown first, and this is no terminal")
            .fix("add --yes to accept it unseen; `caisson pins diff SERVER` shows it"));
    }
    if all.is_empty() {
        screen.note(format!("{} says of itself what you have accepted.", which.server));
    }
    for one in &all {
        if !yes {
            difference(one, screen)?;
            if !prompt::confirm("Accept this?").await? {
                continue;
            }
        }
        decide(one, true, screen).await?;
    }
    Ok(exit::OK)
}

/// Decides on what was looked at, and on nothing that has taken its place since.
async fn decide(one: &Quarantined, accept: bool, screen: &Screen) -> Result<(), Failure> {
    let request = DecidePins {
        server: one.server.clone(),
        name: Some(one.name.clone()),
        digest: Some(one.digest.clone()),
        accept,
    };
    let decided = reach::call(&request).await?;
    if screen.json {
        return screen.json_line(&decided);
    }
    let word = if accept { "Accepted" } else { "Rejected" };
    let what = format!("{word}: {} of {}", title(one), one.server);
    screen.line(escape::line(&what))
}
