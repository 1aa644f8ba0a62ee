use caisson_core::control::api;

use super::Outcome;
use crate::{exit, reach, show::Screen};

/// Stop all servers and start none until `caisson resume`
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  caisson pause")]
pub(crate) struct Pause {}

/// Let servers run again after `caisson pause`
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  caisson resume")]
pub(crate) struct Resume {}

pub(crate) async fn pause(_: &Pause, screen: &Screen) -> Outcome {
    set(true, "All servers are paused", screen).await
}

pub(crate) async fn resume(_: &Resume, screen: &Screen) -> Outcome {
    set(false, "Servers may run again", screen).await
}

async fn set(paused: bool, said: &str, screen: &Screen) -> Outcome {
    let done = reach::call(&api::Pause { paused }).await?;
    if screen.json {
        screen.json(&done)?;
    } else {
        screen.line(said)?;
    }
    Ok(exit::OK)
}
