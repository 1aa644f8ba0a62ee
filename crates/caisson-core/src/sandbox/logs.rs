//! What a server prints to standard error: a ring of recent lines, and a live feed. Bounded in every way. No secret
//! that the server was given may stand in it.

mod hidden;

use std::{
    collections::VecDeque,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

use caisson_wire::SecretBytes;
use serde::{Deserialize, Serialize};
use tokio::sync::broadcast;
use ts_rs::TS;

use self::hidden::Hidden;
use super::missed;
use crate::{gate::scan::OwnSecrets, model::SecretName};

/// Lines kept.
const MOST_LINES: usize = 2000;
/// Bytes kept, over all lines.
const MOST_BYTES: usize = 512 << 10;
/// Bytes of one line that are kept.
const LONGEST: usize = 8 << 10;
/// Bytes of a line that are given as a reason.
const MOST_REASON: usize = 400;
/// Lines a slow reader of the live feed may lag behind.
const LIVE: usize = 512;

/// Paths a slow listener may lag behind.
const MISSED: usize = 32;

/// Where the sandbox gets the time from.
pub type Clock = fn() -> SystemTime;

/// A line a server wrote to standard error, or Caisson about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct LogLine {
    /// When, in milliseconds since 1970 (UTC).
    #[ts(type = "number")]
    pub at: u64,
    /// Which of the server's processes, one for each session. 0 is the process that was started ahead, the
    /// HTTP server, or Caisson itself.
    #[ts(type = "number")]
    pub process: u64,
    /// The line, without its end: colours taken out, every other control character escaped.
    pub text: String,
}

/// A server's log: what is kept, and what comes.
#[derive(Debug)]
pub struct LogTail {
    /// Recent lines, oldest first.
    pub lines: Vec<LogLine>,
    /// Lines from here on. A slow reader loses the oldest and is told how many.
    pub live: broadcast::Receiver<LogLine>,
}

/// One server's log. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Logs(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    ring: Mutex<Ring>,
    live: broadcast::Sender<LogLine>,
    hidden: Mutex<Arc<Hidden>>,
    own: Mutex<OwnSecrets>,
    missed: broadcast::Sender<(PathBuf, bool)>,
    clock: Clock,
}

#[derive(Debug, Default)]
struct Ring {
    lines: VecDeque<LogLine>,
    bytes: usize,
}

impl Logs {
    pub(super) fn new(clock: Clock) -> Self {
        let live = broadcast::Sender::new(LIVE);
        let (ring, hidden, missed) = (Mutex::default(), Mutex::default(), broadcast::Sender::new(MISSED));
        let own = Mutex::default();
        Self(Arc::new(Inner { ring, live, hidden, own, missed, clock }))
    }

    /// From here on, none of these values stands in the log; their names do.
    pub(super) fn hide<'a>(&self, secrets: impl IntoIterator<Item = (&'a SecretName, &'a SecretBytes)>) {
        let secrets: Vec<_> = secrets.into_iter().collect();
        match OwnSecrets::new(secrets.iter().map(|(name, value)| (name.as_str(), *value))) {
            Ok(own) => *self.0.own.lock().unwrap_or_else(PoisonError::into_inner) = own,
            Err(error) => tracing::error!(%error, "secrets are not looked for in messages"),
        }
        let hidden = Arc::new(Hidden::new(secrets));
        *self.0.hidden.lock().unwrap_or_else(PoisonError::into_inner) = hidden;
    }

    /// The secrets that were handed out last, to be looked for in messages.
    pub(super) fn own(&self) -> OwnSecrets {
        self.0.own.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reads from an error of the server's which of the user's files it looked for in vain.
    pub(super) fn overhear(&self, error: &[u8]) {
        for path in missed::paths(error) {
            // Nobody listening is fine.
            drop(self.0.missed.send(path));
        }
    }

    /// The user's files that the server looked for in vain, from here on, and whether it wanted to write there.
    pub(super) fn missed(&self) -> broadcast::Receiver<(PathBuf, bool)> {
        self.0.missed.subscribe()
    }

    /// Keeps one line, as the server wrote it.
    pub(super) fn push(&self, process: u64, line: &[u8]) {
        self.overhear(line);
        let at = (self.0.clock)().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
        let hidden = Arc::clone(&self.0.hidden.lock().unwrap_or_else(PoisonError::into_inner));
        let text = shown(&hidden.without(line));
        let line = LogLine { at: u64::try_from(at).unwrap_or(u64::MAX), process, text };
        let mut ring = self.0.ring.lock().unwrap_or_else(PoisonError::into_inner);
        ring.bytes += line.text.len();
        ring.lines.push_back(line.clone());
        while ring.lines.len() > MOST_LINES || ring.bytes > MOST_BYTES {
            let Some(oldest) = ring.lines.pop_front() else { break };
            ring.bytes -= oldest.text.len();
        }
        // Sent under the lock, so that a reader of both misses and doubles nothing. Nobody listening is fine.
        drop(self.0.live.send(line));
    }

    /// Keeps a remark of Caisson's own.
    pub(super) fn note(&self, text: &str) {
        self.push(0, format!("caisson: {text}").as_bytes());
    }

    pub(super) fn tail(&self) -> LogTail {
        let ring = self.0.ring.lock().unwrap_or_else(PoisonError::into_inner);
        LogTail { lines: ring.lines.iter().cloned().collect(), live: self.0.live.subscribe() }
    }

    /// The last lines of one process, or of the one started ahead that it may have been; for a reason.
    pub(super) fn last(&self, process: u64, lines: usize) -> String {
        let ring = self.0.ring.lock().unwrap_or_else(PoisonError::into_inner);
        let of = |wanted: u64| {
            let mut last: Vec<&str> = Vec::new();
            let fits = ring.lines.iter().rev().filter(|line| line.process == wanted);
            for line in fits.filter(|line| !line.text.trim().is_empty()).take(lines) {
                last.push(&line.text[..line.text.floor_char_boundary(MOST_REASON)]);
            }
            last.reverse();
            last.join(" | ")
        };
        let own = of(process);
        if own.is_empty() { of(0) } else { own }
    }
}

/// A line as people may see it: lossily decoded, colours gone, whatever moves a cursor or turns text around
/// escaped.
fn shown(line: &[u8]) -> String {
    let cut = &line[..line.len().min(LONGEST)];
    let text = String::from_utf8_lossy(cut);
    let mut shown = String::with_capacity(text.len());
    let mut rest = text.trim_end_matches(['\r', '\n']);
    while let Some(c) = rest.chars().next() {
        if let Some(after) = after_colour(rest) {
            rest = after;
            continue;
        }
        rest = &rest[c.len_utf8()..];
        match c {
            '\t' | '\'' | '"' | '\\' => shown.push(c),
            c => shown.extend(c.escape_debug()),
        }
    }
    if line.len() > LONGEST {
        shown.push('…');
    }
    shown
}

/// What follows a colour at the start of `text` (ECMA-48, SGR); none when there is none.
fn after_colour(text: &str) -> Option<&str> {
    let parameters = text.strip_prefix("\u{1b}[")?;
    let end = parameters.find(|c: char| !c.is_ascii_digit() && c != ';' && c != ':')?;
    parameters[end..].strip_prefix('m')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock() -> SystemTime {
        UNIX_EPOCH
    }

    #[test]
    fn lines_are_shown_harmless() {
        for (line, meant) in [
            (&b"plain \"text\" \\ \t'x'"[..], "plain \"text\" \\ \t'x'"),
            (b"\x1b[31mred\x1b[0;1m\r\n", "red"),
            (b"\x1b[2J\x1b]0;title\x07", "\\u{1b}[2J\\u{1b}]0;title\\u{7}"),
            ("\u{202e}txt.exe\u{200b}é".as_bytes(), "\\u{202e}txt.exe\\u{200b}é"),
            (b"a\xffb\x1b", "a\u{fffd}b\\u{1b}"),
            (b"\x1b[", "\\u{1b}["),
        ] {
            assert_eq!(shown(line), meant);
        }
        let long = shown(&vec![b'x'; LONGEST + 1]);
        assert_eq!((long.chars().count(), long.chars().last()), (LONGEST + 1, Some('…')));
    }

    #[test]
    fn a_flood_keeps_what_came_last_and_no_more() {
        let logs = Logs::new(clock);
        for number in 0..10_000 {
            logs.push(1, format!("{number} {}", "x".repeat(1000)).as_bytes());
        }
        let lines = logs.tail().lines;
        assert!(lines.iter().map(|line| line.text.len()).sum::<usize>() <= MOST_BYTES);
        assert!(lines.last().is_some_and(|line| line.text.starts_with("9999 ")));
        for number in 0..10_000 {
            logs.push(1, number.to_string().as_bytes());
        }
        assert_eq!(logs.tail().lines.len(), MOST_LINES);
    }

    #[test]
    fn the_last_lines_give_the_reason() {
        let logs = Logs::new(clock);
        logs.push(0, b"from the spare");
        logs.push(1, b"one");
        logs.push(1, b"");
        logs.push(1, b"two");
        assert_eq!(logs.last(1, 2), "one | two");
        assert_eq!(logs.last(1, 1), "two");
        assert_eq!(logs.last(7, 2), "from the spare");
        logs.push(2, "é".repeat(500).as_bytes());
        logs.push(2, format!("x{}", "é".repeat(500)).as_bytes());
        assert_eq!(logs.last(2, 2), format!("{} | x{}", "é".repeat(200), "é".repeat(199)));
    }
}
