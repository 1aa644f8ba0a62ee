//! Copies bytes between standard input and output and the session, and looks at none.

#[cfg(not(unix))]
mod tasks;
#[cfg(unix)]
mod threads;

#[cfg(not(unix))]
pub(super) use tasks::run;
#[cfg(unix)]
pub(super) use threads::run;

use crate::{exit, failure::Failure};

/// The server's end came before the client's.
fn ended() -> Failure {
    Failure::new(exit::SERVER, "the session ended")
        .why("the server, its container or Caisson itself stopped")
        .fix("`caisson logs SERVER` shows the server's last words; the client can start a new session")
}
