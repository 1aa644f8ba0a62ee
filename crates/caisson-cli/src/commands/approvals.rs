use std::time::Duration;

use caisson_core::{
    control::{
        ControlClient,
        api::{
            AllowCall, ApprovalList, DenyCall, ErrorCode, ListApprovals, LockCalls, NoticeBody, RevokeGrant,
            SubscribeEvents,
        },
    },
    gate::approvals::{Grant, GrantId},
    model::{Event, Lasting, Offer, Question, QuestionId},
};

use super::Outcome;
use crate::{
    exit,
    failure::Failure,
    prompt, reach,
    show::{Screen, Table, distance, escape, now},
    values,
};

/// Answer what tools may do
///
/// A call that needs a yes waits for it, for two minutes unless policy.toml says otherwise; silence is a no.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  caisson approvals list
  caisson approvals allow 3
  caisson approvals allow 3 --for 1h
  caisson approvals deny 3
  caisson approvals watch")]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    List(List),
    Allow(Allow),
    Deny(Deny),
    Watch(Watch),
    Grants(Grants),
    Revoke(Revoke),
    Lock(Lock),
    Unlock(Unlock),
}

/// Show the calls that wait for a yes, and what servers are kept from until you decide
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  caisson approvals list --history")]
struct List {
    /// Also those that were settled since Caisson started
    #[arg(long)]
    history: bool,
}

/// Let calls through that wait
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Without an option, the call that waits is let through and nothing else.

Examples:
  caisson approvals allow 3
  caisson approvals allow 3 --session
  caisson approvals allow 3 --for 1h
  caisson approvals allow 3 --always")]
struct Allow {
    /// Numbers, as `caisson approvals list` shows them
    #[arg(required = true, value_name = "NUMBER")]
    ids: Vec<u64>,
    /// Also all calls of this tool by this client until its session ends
    #[arg(long, conflicts_with_all = ["lasting", "always"])]
    session: bool,
    /// Also all calls of this tool by this client for a time, such as 30m or 1h
    #[arg(long = "for", value_name = "TIME", value_parser = values::duration, conflicts_with = "always")]
    lasting: Option<Duration>,
    /// Also all calls of this tool by this client, until you take it back
    #[arg(long)]
    always: bool,
}

/// Refuse calls that wait
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  caisson approvals deny 3 4")]
struct Deny {
    /// Numbers, as `caisson approvals list` shows them
    #[arg(required = true, value_name = "NUMBER")]
    ids: Vec<u64>,
}

/// Answer calls as they come
///
/// On a terminal each is shown with its arguments and waits for a key: Enter alone is a no. What a server is kept from, a host
/// or a change of what it says of itself, is shown with the commands that decide on it.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
With --json each question is one JSON object on a line, and nothing is asked.

Example:
  caisson approvals watch")]
struct Watch {}

/// Show what you have allowed for longer than once
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  caisson approvals grants")]
struct Grants {}

/// Take back what you have allowed
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  caisson approvals revoke 7")]
struct Revoke {
    /// Numbers, as `caisson approvals grants` shows them
    #[arg(required = true, value_name = "NUMBER")]
    ids: Vec<u64>,
}

/// Refuse every call from here on, also over restarts
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  caisson approvals lock")]
struct Lock {}

/// Let things take their course again
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  caisson approvals unlock")]
struct Unlock {}

pub(crate) async fn run(args: Args, screen: &Screen) -> Outcome {
    let client = reach::client().await?;
    match args.command {
        Command::List(List { history }) => list(&client.call(&ListApprovals {}).await?, history, screen)?,
        Command::Grants(Grants {}) => grants(&client.call(&ListApprovals {}).await?.grants, screen)?,
        Command::Allow(Allow { ids, session, lasting, always }) => {
            let lasting = match lasting {
                Some(time) => Lasting::Time { seconds: time.as_secs() },
                None if always => Lasting::Always,
                None if session => Lasting::Session,
                None => Lasting::Once,
            };
            for id in ids {
                let question = client.call(&AllowCall { id: QuestionId(id), lasting }).await?;
                answered(&question, &format!("allowed {lasting}"), screen)?;
            }
        }
        Command::Deny(Deny { ids }) => {
            for id in ids {
                answered(&client.call(&DenyCall { id: QuestionId(id) }).await?, "denied", screen)?;
            }
        }
        Command::Watch(Watch {}) => return watch(&client, screen).await,
        Command::Revoke(Revoke { ids }) => {
            for id in ids {
                let grant = client.call(&RevokeGrant { id: GrantId(id) }).await?;
                if screen.json {
                    screen.json_line(&grant)?;
                } else {
                    let text =
                        format!("{} may not call {} of {} any more", grant.client, grant.tool, grant.server);
                    screen.line(escape::line(&text))?;
                }
            }
        }
        Command::Lock(Lock {}) => lock(&client, true, screen).await?,
        Command::Unlock(Unlock {}) => lock(&client, false, screen).await?,
    }
    Ok(exit::OK)
}

async fn lock(client: &ControlClient, locked: bool, screen: &Screen) -> Result<(), Failure> {
    client.call(&LockCalls { locked }).await?;
    screen.note(if locked {
        "Every call is refused from here on. `caisson approvals unlock` takes that off."
    } else {
        "Calls take their course again."
    });
    Ok(())
}

fn list(list: &ApprovalList, history: bool, screen: &Screen) -> Result<(), Failure> {
    if screen.json {
        return screen.json(list);
    }
    if list.locked {
        screen.note("Every call is refused: Caisson is locked. `caisson approvals unlock` takes that off.");
    }
    if list.waiting.is_empty() {
        screen.note("Nothing waits for an answer.");
    }
    for question in &list.waiting {
        screen.line(escape::line(&asked(question)))?;
        screen.text(&indented(&question.arguments))?;
    }
    for offer in &list.offers {
        offered(offer, screen)?;
    }
    if history {
        let mut table = Table::new(&["", "WHEN", "CLIENT", "SERVER", "TOOL", ""]);
        for settled in &list.settled {
            let question = &settled.question;
            table.row([
                &question.id.to_string(),
                &distance(settled.at, now()),
                &question.client,
                question.server.as_str(),
                &question.tool,
                &settled.outcome.to_string(),
            ]);
        }
        screen.text(&table.render(screen.width, screen.color))?;
    }
    Ok(())
}

fn grants(grants: &[Grant], screen: &Screen) -> Result<(), Failure> {
    if screen.json {
        return screen.json(&grants);
    }
    if grants.is_empty() {
        screen.note("Nothing is allowed for longer than once.");
        return Ok(());
    }
    let mut table = Table::new(&["", "CLIENT", "SERVER", "TOOL", "UNTIL"]);
    for grant in grants {
        let until = match grant.until {
            Some(until) => distance(until, now()),
            None if grant.session => "its session ends".into(),
            None => "you take it back".into(),
        };
        table.row([&grant.id.to_string(), &grant.client, grant.server.as_str(), &grant.tool, &until]);
    }
    screen.text(&table.render(screen.width, screen.color))
}

fn answered(question: &Question, how: &str, screen: &Screen) -> Result<(), Failure> {
    if screen.json {
        return screen.json_line(question);
    }
    screen.line(escape::line(&format!("{how}: {}", call(question))))
}

/// Shows questions as they come, those that wait first, and asks on a terminal.
async fn watch(client: &ControlClient, screen: &Screen) -> Outcome {
    let (_, mut events) = client.subscribe(&SubscribeEvents {}).await?;
    let ApprovalList { mut waiting, mut offers, .. } = client.call(&ListApprovals {}).await?;
    waiting.reverse();
    for offer in &offers {
        offered(offer, screen)?;
    }
    loop {
        while let Some(question) = waiting.pop() {
            if screen.json {
                screen.json_line(&question)?;
                continue;
            }
            screen.line(escape::line(&asked(&question)))?;
            screen.text(&indented(&question.arguments))?;
            if prompt::possible() {
                answer(client, &question, screen).await?;
            }
        }
        match events.notice().await {
            Some(NoticeBody::Event(Event::Asked { question })) => waiting.push(*question),
            Some(NoticeBody::Event(Event::Answered { id, outcome }))
                if !screen.json && !prompt::possible() =>
            {
                screen.line(format!("question {id}: {outcome}"))?;
            }
            Some(NoticeBody::Event(event)) if let Some(offer) = Offer::of(&event) => {
                // Servers try again and again; once is enough.
                if !offers.iter().any(|known| known.is_same(&offer)) {
                    offered(&offer, screen)?;
                    offers.push(offer);
                }
            }
            Some(NoticeBody::Lost(_)) => waiting = client.call(&ListApprovals {}).await?.waiting,
            Some(
                NoticeBody::Event(_) | NoticeBody::Progress(_) | NoticeBody::Log(_) | NoticeBody::Audit(_),
            ) => {}
            Some(NoticeBody::End) | None => return Ok(exit::OK),
        }
    }
}

/// Asks the person at the terminal, and gives their answer. Whether it was a yes.
pub(super) async fn answer(
    client: &ControlClient,
    question: &Question,
    screen: &Screen,
) -> Result<bool, Failure> {
    let lasting = match prompt::line("Allow it? [o]nce, for this [s]ession, for an [h]our, [a]lways, [N]o ")
        .await?
        .as_str()
    {
        "o" | "once" | "y" | "yes" => Some(Lasting::Once),
        "s" | "session" => Some(Lasting::Session),
        "h" | "hour" => Some(Lasting::Time { seconds: 3600 }),
        "a" | "always" => Some(Lasting::Always),
        _ => None,
    };
    let given = match lasting {
        Some(lasting) => client.call(&AllowCall { id: question.id, lasting }).await,
        None => client.call(&DenyCall { id: question.id }).await,
    };
    match given {
        Ok(_) => Ok(lasting.is_some()),
        // Somebody else was faster, or the time was over.
        Err(error) if error.code == ErrorCode::NotFound => {
            screen.note(escape::line(&error.to_string()));
            Ok(false)
        }
        Err(error) => Err(error.into()),
    }
}

/// What a server is kept from, and the commands that decide on it.
fn offered(offer: &Offer, screen: &Screen) -> Result<(), Failure> {
    if screen.json {
        return screen.json_line(offer);
    }
    screen.line(escape::line(&format!("kept from it: {offer}")))?;
    match offer {
        Offer::Reach { server, rule, reason } => {
            screen.line(format!("    {}", escape::line(reason)))?;
            screen.line(format!("    caisson network allow {server} {rule} (--once: until it stops)"))?;
            screen.line(format!("    caisson network block {server} {rule}"))
        }
        Offer::Change { server, .. } => screen.line(format!("    caisson pins diff {server}")),
    }
}

/// One line on a question.
pub(super) fn asked(question: &Question) -> String {
    let calls = if question.calls > 1 { format!(" ({} times)", question.calls) } else { String::new() };
    let marks = match (question.marks.read_only, question.marks.destructive) {
        (true, _) => "read-only",
        (false, true) => "may change or destroy",
        (false, false) => "may change",
    };
    format!(
        "question {}: {}{calls} [{marks}]; asked because of {}",
        question.id,
        call(question),
        question.because
    )
}

fn call(question: &Question) -> String {
    format!("{} calls {} of {}", question.client, question.tool, question.server)
}

fn indented(text: &str) -> String {
    escape::lines(text).lines().map(|line| format!("    {line}\n")).collect()
}
