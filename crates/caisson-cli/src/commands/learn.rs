use std::time::Duration;

use caisson_core::{
    control::{
        ControlClient,
        api::{AllowFolder, AllowHost, CallTool, Learn, Learning, NoticeBody, Proposal, Propose},
    },
    egress::Trial,
    model::{Endpoint, Event, HostRule, ServerName},
    sandbox::Missed,
};
use serde_json::Value;
use tokio::sync::mpsc;

use super::{Outcome, events};
use crate::{
    exit,
    failure::Failure,
    prompt, reach,
    show::{Screen, Table, escape},
};

/// So long after the last call what the server prints is still heard.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Try a server out, and propose the smallest permissions it needs
///
/// While the trial runs, use the server from a client, or let Caisson call its tools with --call. What it tries to reach is
/// shown as it happens, and you are asked about each host. At the end the permissions it needed are proposed.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The trial ends with Enter, with the end of the last --call, or with Ctrl-C.
Without a terminal nobody is asked, and nothing is changed without --yes.

Examples:
  caisson learn github
  caisson learn fetch --open --call 'fetch {\"url\":\"https://example.com\"}'")]
pub(crate) struct Args {
    /// The server
    server: ServerName,
    /// Let it reach whatever lies outside this machine and its networks, while the trial runs
    #[arg(long)]
    open: bool,
    /// Call this tool; may be given several times
    #[arg(long, value_name = "TOOL [JSON]", value_parser = call)]
    call: Vec<(String, Value)>,
    /// Grant what is proposed without asking
    #[arg(long, short)]
    yes: bool,
}

fn call(text: &str) -> Result<(String, Value), String> {
    match text.trim().split_once(char::is_whitespace) {
        None => Ok((text.trim().to_owned(), Value::Null)),
        Some((tool, arguments)) => {
            let arguments = serde_json::from_str(arguments)
                .map_err(|error| format!("no JSON after the tool: {error}"))?;
            Ok((tool.to_owned(), arguments))
        }
    }
}

pub(crate) async fn run(args: Args, screen: &Screen) -> Outcome {
    let Args { server, open, call, yes } = args;
    let client = reach::client().await?;
    let trial = if open { Trial::Open } else { Trial::Ask };
    let (Learning { since }, mut notices) =
        client.subscribe(&Learn { server: server.clone(), trial }).await?;
    let typed = if call.is_empty() || prompt::possible() { typed() } else { mpsc::channel(1).1 };
    let mut asking = Asking { server: server.clone(), client: client.clone(), typed, asked: Vec::new() };
    screen.note(format!(
        "The trial of {server} runs. {}",
        if call.is_empty() { "Use it from a client; Enter ends the trial." } else { "Its tools are called." }
    ));
    let calls = calls(&client, &server, call, screen);
    tokio::pin!(calls);
    loop {
        tokio::select! {
            called = &mut calls => { called?; break }
            more = asking.hear(screen) => if !more? { break },
            notice = notices.notice() => match notice {
                Some(NoticeBody::Event(event)) => asking.see(event, screen)?,
                Some(
                    NoticeBody::Lost(_) | NoticeBody::Progress(_) | NoticeBody::Log(_) | NoticeBody::Audit(_),
                ) => {}
                Some(NoticeBody::End) | None => break,
            },
            _ = tokio::signal::ctrl_c() => break,
        }
    }
    let proposal = client.call(&Propose { server: server.clone(), since }).await?;
    drop(notices);
    if screen.json {
        screen.json(&proposal)?;
    } else {
        show(&proposal, screen)?;
    }
    grant(&client, &server, proposal, yes, &mut asking.typed, screen).await
}

/// Calls the tools one after the other. Without any, waits until the user ends the trial.
async fn calls(
    client: &ControlClient,
    server: &ServerName,
    calls: Vec<(String, Value)>,
    screen: &Screen,
) -> Result<(), Failure> {
    if calls.is_empty() {
        std::future::pending::<()>().await;
    }
    for (tool, arguments) in calls {
        let call =
            CallTool { server: Endpoint::from(server.clone()), tool: tool.clone(), arguments, allow: true };
        let outcome = match client.call(&call).await {
            Ok(reply) if reply.is_error => "answered with an error".to_owned(),
            Ok(_) => "answered".to_owned(),
            Err(error) => format!("failed: {error}"),
        };
        screen.note(format!("{}: {}", escape::line(&tool), escape::line(&outcome)));
    }
    tokio::time::sleep(LAST_WORDS).await;
    Ok(())
}

/// What the user is asked while the trial runs.
struct Asking {
    server: ServerName,
    client: ControlClient,
    typed: mpsc::Receiver<String>,
    /// The first of these is the one that waits for its answer.
    asked: Vec<HostRule>,
}

impl Asking {
    fn see(&mut self, event: Event, screen: &Screen) -> Result<(), Failure> {
        let (Event::EgressRefused { server, .. } | Event::FolderMissed { server, .. }) = &event else {
            return Ok(());
        };
        if *server != self.server {
            return Ok(());
        }
        screen.note(escape::line(&events::text(&event)));
        if let (Event::EgressRefused { rule: Some(rule), .. }, true) =
            (event, prompt::possible() && !screen.json)
            && !self.asked.contains(&rule)
        {
            self.asked.push(rule);
            if self.asked.len() == 1 {
                self.ask(screen);
            }
        }
        Ok(())
    }

    fn ask(&self, screen: &Screen) {
        if let Some(rule) = self.asked.first() {
            screen.note(format!("Let it reach {rule} until it stops? [y/N]"));
        }
    }

    /// Hears what the user types. False when that ends the trial.
    async fn hear(&mut self, screen: &Screen) -> Result<bool, Failure> {
        let Some(line) = self.typed.recv().await else { return std::future::pending().await };
        if self.asked.is_empty() {
            return Ok(!line.trim().is_empty());
        }
        let rule = self.asked.remove(0);
        if is_yes(&line) {
            self.client.call(&AllowHost { server: self.server.clone(), rule, once: true }).await?;
        }
        self.ask(screen);
        Ok(true)
    }
}

/// The lines the user types.
fn typed() -> mpsc::Receiver<String> {
    let (sender, lines) = mpsc::channel(1);
    std::thread::spawn(move || {
        for line in std::io::stdin().lines().map_while(Result::ok) {
            if sender.blocking_send(line).is_err() {
                return;
            }
        }
        // The end of the input ends the trial, as Enter does.
        drop(sender.blocking_send(String::new()));
    });
    lines
}

fn show(proposal: &Proposal, screen: &Screen) -> Result<(), Failure> {
    let Proposal { allow, folders, unused, impossible } = proposal;
    let mut table = Table::new(&["PROPOSED", "", "WHY"]);
    allow.iter().for_each(|host| table.row(["allow", &host.to_string(), "it wanted to connect there"]));
    for Missed { folder, write } in folders {
        let (what, why) = if *write {
            ("writable", "it wanted to change it")
        } else {
            ("read-only", "it wanted to read it")
        };
        table.row([&format!("folder, {what}"), &folder.display().to_string(), why]);
    }
    for host in unused {
        table.row([
            "forget",
            &host.to_string(),
            "it is allowed and was not used; `caisson network forget` takes it back",
        ]);
    }
    impossible.iter().for_each(|what| table.row(["nothing", what, "this cannot be allowed"]));
    if table.is_empty() {
        screen.line("It needed nothing that it does not have.")
    } else {
        screen.text(&table.render(screen.width, screen.color))
    }
}

/// Asks through the lines that are read already: two readers of one terminal would take each other's.
async fn agrees(typed: &mut mpsc::Receiver<String>, screen: &Screen) -> bool {
    screen.note("Grant this? [y/N]");
    let answer = typed.recv().await.unwrap_or_default();
    is_yes(&answer)
}

fn is_yes(answer: &str) -> bool {
    matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes")
}

/// Grants what is proposed. What was not used stays: a trial may not have seen everything.
async fn grant(
    client: &ControlClient,
    server: &ServerName,
    proposal: Proposal,
    yes: bool,
    typed: &mut mpsc::Receiver<String>,
    screen: &Screen,
) -> Outcome {
    let Proposal { allow, folders, .. } = proposal;
    if allow.is_empty() && folders.is_empty() {
        return Ok(exit::OK);
    }
    let asks = prompt::possible() && !screen.json;
    let agreed = yes || (asks && agrees(typed, screen).await);
    if !agreed {
        screen.note("Nothing was changed.");
        return Ok(exit::OK);
    }
    for rule in allow {
        client.call(&AllowHost { server: server.clone(), rule, once: false }).await?;
    }
    for Missed { folder, write } in folders {
        client.call(&AllowFolder { server: server.clone(), folder, write }).await?;
    }
    screen.note(format!("Granted. `caisson plan {server}` shows what it comes down to."));
    Ok(exit::OK)
}
