use caisson_core::control::api::{CheckStatus, Doctor, DoctorReport};

use super::Outcome;
use crate::{
    exit, reach,
    show::{Screen, escape, style, wrap},
};

/// Look for everything Caisson needs, and say how to fix what is wrong
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exit code 0: nothing keeps Caisson from working. 5: no container engine can be used. 1: something else.

Example:
  caisson doctor")]
pub(crate) struct Args {}

pub(crate) async fn run(_: &Args, screen: &Screen) -> Outcome {
    let report = reach::call(&Doctor {}).await?;
    if screen.json {
        screen.json(&report)?;
    } else {
        screen.text(&text(&report, screen))?;
    }
    let problem = |area: &str| {
        report
            .checks
            .iter()
            .any(|check| check.status == CheckStatus::Problem && (area.is_empty() || check.area == area))
    };
    Ok(match (problem("Engine"), problem("")) {
        (true, _) => exit::ENGINE,
        (false, true) => exit::FAILURE,
        (false, false) => exit::OK,
    })
}

fn text(report: &DoctorReport, screen: &Screen) -> String {
    let mut text = String::new();
    let mut area = "";
    for check in &report.checks {
        if check.area != area {
            area = &check.area;
            text.push_str(&format!("{}\n", style::strong(screen.color, &escape::line(area))));
        }
        let mark = match check.status {
            CheckStatus::Ok => style::good(screen.color, "ok       "),
            CheckStatus::Info => style::faint(screen.color, "-        "),
            CheckStatus::Warning => style::warning(screen.color, "warning  "),
            CheckStatus::Problem => style::bad(screen.color, "PROBLEM  "),
        };
        let found = format!("{}: {}", check.name, check.found);
        let fix = check.fix.iter().map(|fix| format!("fix: {fix}"));
        let mut first = true;
        for part in std::iter::once(found).chain(fix) {
            for line in wrap(&escape::lines(&part), screen.width.saturating_sub(11)) {
                let lead = if first { mark.as_str() } else { "         " };
                first = false;
                text.push_str(&format!("  {lead}{line}\n"));
            }
        }
    }
    text
}
