//! Both ways in the runtime: one handle of a pipe cannot read and write at once on plain threads.

use std::time::Duration;

use caisson_core::control::SessionStream;
use tokio::{io, time::timeout};

use crate::{commands::Outcome, exit};

/// So long the server may go on after the client's input ended, since a pipe cannot be closed one way.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// Relays until either side ends.
pub(in crate::commands::stdio) async fn run(session: SessionStream) -> Outcome {
    let SessionStream { mut reader, mut writer } = session;
    let (mut stdin, mut stdout) = (io::stdin(), io::stdout());
    let mut output = std::pin::pin!(io::copy_buf(&mut reader, &mut stdout));
    tokio::select! {
        _ = io::copy(&mut stdin, &mut writer) => {}
        copied = &mut output => return copied.map_or(Ok(exit::OK), |_| Err(super::ended())),
    }
    drop(timeout(LAST_WORDS, output).await);
    Ok(exit::OK)
}
