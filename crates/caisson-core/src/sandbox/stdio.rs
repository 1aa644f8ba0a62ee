//! A session with a server that speaks on standard input and output: one JSON-RPC message a line (MCP
//! 2025-11-25, "Transports: stdio").

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use caisson_wire::{Exit, Stream};
use serde_json::value::RawValue;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf},
    sync::watch,
    time::{sleep, timeout},
};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{
    MOST_MESSAGE, SessionError,
    lease::Lease,
    lines::LineBuffer,
    link::Ended,
    logs::Logs,
    process::{Fate, Process},
    session::SessionEnds,
};

/// Lines of garbage that are logged; of the rest, the number is.
const MOST_GARBAGE: u64 = 20;
/// How long the last bytes of a container that has ended may take.
const LAST_BYTES: Duration = Duration::from_millis(500);
/// So long the client's last messages may take to be read once it reads no more itself.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// Messages that are longer are no errors.
const LONGEST_ERROR: usize = 16 << 10;
/// Lines of standard error that stand in a reason.
const REASON_LINES: usize = 5;

/// Whether a short message looks like a tool's error or one of JSON-RPC. A result may be large, an error is not.
fn is_error(message: &[u8]) -> bool {
    const MARKS: [&[u8]; 3] = [b"\"isError\":true", b"\"isError\": true", b"\"error\":"];
    let has = |mark: &[u8]| message.windows(mark.len()).any(|window| window == mark);
    message.len() <= LONGEST_ERROR && MARKS.into_iter().any(has)
}

/// Reads a process's messages. Reads no further ahead than one message: what is not taken stays in the pipe.
#[derive(Debug)]
pub(super) struct StdioReader {
    pub(super) from: ReadHalf<Stream>,
    pub(super) process: Process,
    pub(super) logs: Logs,
    /// Whether the client has closed its side; then the process may end.
    pub(super) closed: Arc<AtomicBool>,
    /// How the container ended, once it has.
    pub(super) link_end: watch::Receiver<Option<Ended>>,
    pub(super) lease: Arc<Lease>,
    pub(super) state: ReaderState,
    /// Tells [`write`] that nobody reads any more.
    pub(super) _gone: DropGuard,
}

/// What a reader remembers between messages.
#[derive(Debug, Default)]
pub(super) struct ReaderState {
    buffer: LineBuffer,
    garbage: u64,
    messages: u64,
    over: bool,
}

impl StdioReader {
    /// The next message; none when the process has ended as it should. Cancel-safe.
    pub(super) async fn next(&mut self) -> Option<Result<Bytes, SessionError>> {
        while !self.state.over {
            while let Some(line) = self.state.buffer.line() {
                if let Some(message) = self.message(line) {
                    return Some(Ok(message));
                }
            }
            if self.state.buffer.pending() > MOST_MESSAGE {
                self.state.over = true;
                self.state.buffer = LineBuffer::default();
                return Some(Err(SessionError::LineTooLong));
            }
            if self.read().await == 0 {
                let rest = self.state.buffer.rest();
                if let Some(message) = self.message(rest) {
                    return Some(Ok(message));
                }
                let end = self.end().await;
                self.state.over = true;
                return end.map(Err);
            }
        }
        None
    }

    /// Reads on; none when the process writes no more. An error is an end: the stream was reset, or the pipe has
    /// failed. When the container has ended, what is there is read, and nothing is waited for: an engine that
    /// froze may never close the pipe.
    async fn read(&mut self) -> usize {
        let room = self.state.buffer.room();
        tokio::select! {
            biased;
            read = self.from.read_buf(room) => return read.unwrap_or(0),
            Ok(_) = self.link_end.wait_for(Option::is_some) => {}
        }
        let read = timeout(LAST_BYTES, self.from.read_buf(self.state.buffer.room())).await;
        read.map_or(0, |read| read.unwrap_or(0))
    }

    /// The line as a message; none when it is empty or garbage.
    fn message(&mut self, line: Bytes) -> Option<Bytes> {
        let message = line.slice_ref(line.trim_ascii());
        if message.is_empty() {
            return None;
        }
        let is_message =
            matches!(message[0], b'{' | b'[') && serde_json::from_slice::<&RawValue>(&message).is_ok();
        if !is_message {
            self.garbage(&message);
            return None;
        }
        if is_error(&message) {
            self.logs.overhear(&message);
        }
        self.state.messages += 1;
        if self.state.messages == 1 {
            self.lease.healthy();
        }
        Some(message)
    }

    /// Many servers print a greeting, or their log, where only messages belong.
    fn garbage(&mut self, line: &[u8]) {
        self.state.garbage += 1;
        let count = self.state.garbage;
        if count <= MOST_GARBAGE {
            let shown = [b"caisson: not a message, skipped: ", &line[..line.len().min(200)]].concat();
            self.logs.push(self.process.id().0, &shown);
        } else if count.is_power_of_two() {
            self.logs.note(&format!("{count} lines on standard output were no messages, and were skipped"));
        }
    }

    /// Why the process ended; none when it was asked to.
    async fn end(&mut self) -> Option<SessionError> {
        let fate = tokio::select! {
            fate = self.process.fate() => fate,
            // A container that is gone says nothing more of its processes.
            Ok(_) = self.link_end.wait_for(Option::is_some) => None,
        };
        if self.closed.load(Ordering::Relaxed) {
            return None;
        }
        let reason = match &fate {
            Some(Fate::Exited(exit)) => ended(*exit, &self.process, &self.logs),
            Some(Fate::NotStarted(why)) => format!("its process could not be started: {why}"),
            None => match &*self.link_end.borrow() {
                Some(end) => end.reason.clone(),
                None => "it closed its standard output".to_owned(),
            },
        };
        // The end of the whole container is the supervisor's to count. That there was no room for the process is no
        // failure of the server's.
        let exited = matches!(fate, Some(Fate::Exited(_)));
        if exited && self.state.messages == 0 && self.link_end.borrow().is_none() {
            self.lease.failed(reason.clone());
        }
        Some(SessionError::Ended(reason))
    }
}

/// How a process ended, with the last lines of its log.
pub(super) fn ended(exit: Exit, process: &Process, logs: &Logs) -> String {
    let how = match exit {
        // Nobody here kills a session's process but to stop it.
        Exit::Signal(9) => {
            "its process was killed, as happens when it needs more memory than its limit".to_owned()
        }
        Exit::Code(_) | Exit::Signal(_) => format!("its process ended with {exit}"),
    };
    let last = logs.last(process.id().0, REASON_LINES);
    if last.is_empty() { how } else { format!("{how}; it said: {last}") }
}

/// Writes a session's messages to a process until the sender is dropped, then closes standard input. A process
/// that does not read is not waited for once the reader is `gone`.
pub(super) async fn write(mut to: WriteHalf<Stream>, mut ends: SessionEnds, gone: CancellationToken) {
    let writing = async {
        while let Some(message) = ends.outgoing.recv().await {
            // An error means that the process, or the pipe, has ended: the reader says why.
            if to.write_all(&message).await.is_err() || to.flush().await.is_err() {
                return;
            }
        }
        drop(to.shutdown().await);
    };
    let patience = async {
        gone.cancelled().await;
        sleep(LAST_WORDS).await;
    };
    tokio::select! {
        () = writing => {}
        () = patience => {}
    }
}

#[cfg(test)]
mod tests {
    use caisson_wire::Mux;

    use super::*;
    use crate::sandbox::Session;

    #[tokio::test(start_paused = true)]
    async fn a_process_that_does_not_read_is_let_go_with_its_session() {
        let (host, inside) = tokio::io::duplex(64 << 10);
        let (host, mut inside) = (Mux::host(host), Mux::airlock(inside));
        let (_from, mut to) = tokio::io::split(host.opener.open().await.unwrap());
        to.write_all(b"{}").await.unwrap();
        let _process = inside.incoming.next().await.unwrap();
        let (session, ends, _) = Session::carried("deaf".parse().unwrap(), None);
        let gone = CancellationToken::new();
        let writing = tokio::spawn(write(to, ends, gone.clone()));
        let (sender, _) = session.split();
        sender.pass(&vec![b' '; 1 << 20]).await.unwrap();
        drop(sender);
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert!(!writing.is_finished(), "as long as somebody reads, there is time");
        gone.cancel();
        timeout(Duration::from_secs(10), writing).await.expect("it is let go").unwrap();
    }
}
