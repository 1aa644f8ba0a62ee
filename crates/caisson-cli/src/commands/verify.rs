use caisson_core::{
    control::{
        Running,
        api::{NoticeBody, Verified, VerifyReport, VerifyServer},
    },
    model::{ProbeOutcome, ProbeResult, ServerName},
};

use super::Outcome;
use crate::{
    exit, reach,
    show::{ProgressLine, Screen, Table, distance, escape, now, style, wrap},
};

/// Try to break out of a server's container, and show what happened
///
/// A container is made from the server's very plan, beside the one that may run, and more than a hundred named
/// probes try to get out of it: by the network, names, files, the kernel, other processes, and by using up the
/// machine. It is given no secret, and is removed afterwards. What was found is kept, with the plan's digest and
/// the engine, and is shown by `caisson show` until either is another.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A probe that cannot be tried on this engine, or under this plan, is `not applicable`, and never held.
Exit code 0: nothing got through. 1: something did, or did not answer.

Examples:
  caisson verify everything
  caisson verify everything --json
  caisson verify everything --last")]
pub(crate) struct Args {
    /// The server
    server: ServerName,
    /// Try nothing, and show what was found the last time
    #[arg(long)]
    last: bool,
}

pub(crate) async fn run(args: Args, screen: &Screen) -> Outcome {
    let client = reach::client().await?;
    let mut running = client.start(&VerifyServer { server: args.server, last: args.last }).await?;
    let mut progress = ProgressLine::new(screen);
    follow(&mut running, &mut progress).await;
    let report = running.reply().await;
    progress.end(report.is_ok());
    let report = report?;
    if screen.json {
        screen.json(&report)?;
    } else {
        screen.text(&text(&report, screen))?;
        if report.verified.stale {
            screen.note("The plan or the engine is another since then: verify again.");
        }
    }
    Ok(if report.verified.broken == 0 { exit::OK } else { exit::FAILURE })
}

async fn follow(running: &mut Running<VerifyServer>, line: &mut ProgressLine<'_>) {
    while let Some(notice) = running.notice().await {
        if let NoticeBody::Progress(progress) = notice {
            line.show(&progress);
        }
    }
}

fn text(report: &VerifyReport, screen: &Screen) -> String {
    let mut text = String::new();
    for group in report.verification.probes.chunk_by(|one, other| one.group == other.group) {
        let Some(first) = group.first() else { continue };
        text.push_str(&format!("{}\n", style::strong(screen.color, &escape::line(&first.group))));
        let mut table = Table::new(&["RESULT", "PROBE", "TRIED", "WHAT HAPPENED", "STOPPED BY"]);
        for probe in group {
            // What got through was stopped by nothing.
            let stopped_by = probe.stopped_by.as_deref().filter(|_| probe.outcome == ProbeOutcome::Held);
            let stopped_by = stopped_by.unwrap_or_default();
            table.row([word(probe.outcome), &probe.name, &probe.tried, &probe.happened, stopped_by]);
        }
        for line in table.render(screen.width.saturating_sub(2), false).lines() {
            text.push_str(&format!("  {}\n", painted(line, screen.color)));
        }
    }
    let broken: Vec<_> =
        report.verification.probes.iter().filter(|probe| probe.outcome == ProbeOutcome::Broken).collect();
    if !broken.is_empty() {
        text.push_str(&format!("\n{}\n", style::bad(screen.color, "Got through, or did not answer:")));
        broken.iter().for_each(|probe| text.push_str(&told(probe, screen)));
    }
    let engine = &report.verification.engine;
    let rootless = if engine.rootless { ", rootless" } else { "" };
    let on = format!("{} {} with {}{rootless}", engine.kind, engine.version, engine.runtime);
    let sum = format!("{}: {} On {on}.", report.server, glance(&report.verified));
    text.push('\n');
    wrap(&escape::line(&sum), screen.width).iter().for_each(|line| text.push_str(&format!("{line}\n")));
    text
}

/// A probe that got through, with what it tried.
fn told(probe: &ProbeResult, screen: &Screen) -> String {
    let said = format!("{}: {} {}", probe.name, probe.tried, probe.happened);
    let lines = wrap(&escape::line(&said), screen.width.saturating_sub(4));
    lines
        .iter()
        .enumerate()
        .map(|(at, line)| format!("  {}{line}\n", if at == 0 { "" } else { "  " }))
        .collect()
}

fn word(outcome: ProbeOutcome) -> &'static str {
    match outcome {
        ProbeOutcome::Held => "held",
        ProbeOutcome::Broken => "BROKEN",
        ProbeOutcome::NotApplicable => "not applicable",
    }
}

/// A row in the colour of its first word.
fn painted(line: &str, color: bool) -> String {
    if line.starts_with("BROKEN") {
        style::bad(color, line)
    } else if line.starts_with("not applicable") {
        style::faint(color, line)
    } else {
        line.to_owned()
    }
}

/// A verification in a few words.
pub(crate) fn glance(verified: &Verified) -> String {
    let Verified { at, held, broken, not_applicable, stale } = verified;
    let stale = if *stale { " (stale: the plan or the engine is another by now)" } else { "" };
    format!(
        "{held} held, {broken} broken, {not_applicable} not applicable, {} ago{stale}.",
        distance(*at, now())
    )
}

#[cfg(test)]
mod tests {
    use caisson_core::model::{Digest, EngineIdentity, Verification};

    use super::*;

    #[test]
    fn a_report_says_its_states_in_words_and_harms_no_terminal() {
        let probe = |name: &str, group: &str, outcome, happened: &str| ProbeResult {
            name: name.into(),
            group: group.into(),
            tried: "Tried it.".into(),
            outcome,
            happened: happened.into(),
            stopped_by: Some("Network".into()),
        };
        let report = VerifyReport {
            server: "notes".parse().unwrap(),
            verified: Verified { at: 0, held: 1, broken: 1, not_applicable: 1, stale: true },
            verification: Verification {
                at: 0,
                plan: Digest::of(b"plan"),
                engine: EngineIdentity {
                    kind: "Podman".into(),
                    version: "4.3.1".into(),
                    runtime: "runc".into(),
                    rootless: true,
                },
                probes: vec![
                    probe("routes", "Network", ProbeOutcome::Held, "no route leads out of loopback"),
                    probe("interfaces", "Network", ProbeOutcome::Broken, "there is eth0\u{1b}[2J"),
                    probe("folder-race", "Folders", ProbeOutcome::NotApplicable, "no folder is granted"),
                ],
            },
        };
        let screen = Screen {
            json: false,
            width: 80,
            color: false,
            err_width: 80,
            err_color: false,
            err_terminal: false,
        };
        let text = text(&report, &screen);
        assert!(!text.contains('\u{1b}') && text.lines().all(|line| line.chars().count() <= 80), "{text}");
        let (before, _) = text.rsplit_once("not applicable,").unwrap();
        insta::assert_snapshot!(before);
    }
}
