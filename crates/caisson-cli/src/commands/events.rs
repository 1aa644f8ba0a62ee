use caisson_core::{
    control::api::{NoticeBody, SubscribeEvents},
    model::{CallCounts, Event},
};

use super::{Outcome, approvals, list, network};
use crate::{
    exit, reach,
    show::{Screen, escape},
};

/// Watch what happens: states, installs, refused connections, questions
#[derive(Debug, clap::Args)]
#[command(after_help = "\
With --json each event is one JSON object on a line.

Examples:
  caisson events
  caisson events --json | jq .event")]
pub(crate) struct Args {}

pub(crate) async fn run(_: &Args, screen: &Screen) -> Outcome {
    let client = reach::client().await?;
    let (_, mut events) = client.subscribe(&SubscribeEvents {}).await?;
    while let Some(notice) = events.notice().await {
        match notice {
            NoticeBody::Event(event) if screen.json => screen.json_line(&event)?,
            NoticeBody::Event(event) => screen.line(escape::line(&text(&event)))?,
            NoticeBody::Lost(events) => screen.note(format!("({events} events came too fast to be shown)")),
            NoticeBody::Progress(_) | NoticeBody::Log(_) | NoticeBody::Audit(_) | NoticeBody::End => {}
        }
    }
    Ok(exit::OK)
}

pub(super) fn text(event: &Event) -> String {
    match event {
        Event::State { server, state } => format!("{server}: {}", list::state(state)),
        Event::Changed { server } => format!("{server}: its file changed"),
        Event::Removed { server } => format!("{server}: removed"),
        Event::Broken { server, reason } => format!("{server}: its file is broken: {reason}"),
        Event::Verified { server, broken: 0 } => format!("{server}: verified, and it held"),
        Event::Verified { server, broken } => format!("{server}: verified, and {broken} probes got through"),
        Event::Install { server, progress } | Event::Verify { server, progress } => {
            let detail = progress.detail.as_ref().map(|detail| format!(": {detail}")).unwrap_or_default();
            format!("{server}: {}{detail}", progress.step)
        }
        Event::EgressRefused { server, host, port, reason, rule, .. } => {
            let decide = rule.as_ref().map(|rule| {
                format!(". `caisson network allow {server} {rule}` lets it (--once: until it stops), `block` keeps it closed")
            });
            format!(
                "{server} tried to reach {}: {reason}{}",
                network::target(host, *port),
                decide.unwrap_or_default()
            )
        }
        Event::FolderMissed { server, folder, write } => {
            let (wanted, option) = if *write { ("change", " --write") } else { ("read", "") };
            let folder = folder.display();
            format!(
                "{server} wanted to {wanted} {folder}. `caisson network folder {server} {folder}{option}` shows it that"
            )
        }
        Event::Rules { server } => format!("{server}: what it may reach was decided anew"),
        Event::Groups { broken: None } => "the groups changed".into(),
        Event::Groups { broken: Some(reason) } => format!("groups.toml is broken: {reason}"),
        Event::Asked { question } => approvals::asked(question),
        Event::Answered { id, outcome } => format!("question {id}: {outcome}"),
        Event::Locked { locked: true } => "every call is refused: Caisson is locked".into(),
        Event::Locked { locked: false } => "Caisson is unlocked".into(),
        Event::Policy { broken: None } => "the policy changed".into(),
        Event::Policy { broken: Some(reason) } => format!("policy.toml is broken: {reason}"),
        Event::Quarantined { server, kind, name, is_new } => {
            let change = if *is_new { "is new" } else { "has changed" };
            let what = kind.title(name);
            format!(
                "{server}: its {what} {change}, and is kept from clients; see `caisson pins diff {server}`"
            )
        }
        Event::Reviewed { server } => format!("{server}: what it says of itself was decided on"),
        Event::Counted { server, counts } => {
            let CallCounts { calls, failed, denied, .. } = counts;
            format!("{server}: {calls} calls so far, {failed} failed; {denied} were denied")
        }
        Event::Paused { paused: true } => "all servers are paused".into(),
        Event::Paused { paused: false } => "servers may run again".into(),
    }
}
