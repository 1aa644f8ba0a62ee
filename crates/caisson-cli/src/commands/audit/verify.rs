//! Whether the record is whole.

use caisson_core::control::api::CheckAudit;

use super::Outcome;
use crate::{exit, failure::Failure, reach, show::Screen};

/// See whether the record is whole
///
/// Goes through all of it: each entry must follow from those before it, and the record must hold what is known of it from
/// elsewhere: where it ended when Caisson last looked, which it keeps in its state file and in the keychain, and what you kept
/// yourself. Ends with 1 when something is wrong.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  caisson audit verify
  caisson audit verify --anchor 1204:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08 --json")]
pub(super) struct Args {
    /// What `caisson audit anchor` printed earlier; can be given several times
    #[arg(long = "anchor", value_name = "NUMBER:HASH")]
    anchors: Vec<String>,
}

pub(super) async fn run(args: Args, screen: &Screen) -> Outcome {
    let report = reach::call(&CheckAudit { anchors: args.anchors }).await?;
    if screen.json {
        screen.json(&report)?;
    }
    if let Some(problem) = report.problem {
        return Err(Failure::new(exit::FAILURE, "the record is not what it was").why(problem).fix(
            "whoever may write to Caisson's data folder may have done it; a backup shows what stood there. \
             If you put back a backup yourself: caisson audit anchor --renew",
        ));
    }
    if !screen.json {
        let entries = report.check.entries;
        screen.line(format!("The record is whole: {entries} entries, each follows from those before it"))?;
        match report.kept_in.as_slice() {
            [] => screen.note("Nothing is known of it from elsewhere yet."),
            places => {
                screen.note(format!("It holds what is known of it from elsewhere: {}", places.join(", ")))
            }
        }
        if report.check.clock_set_back > 0 {
            screen.note(format!("The clock was set back {} times meanwhile.", report.check.clock_set_back));
        }
    }
    Ok(exit::OK)
}
