//! What reaches the terminal, and in what shape.

mod amount;
pub(crate) mod escape;
mod progress;
pub(crate) mod style;
mod table;

use std::io::{self, IsTerminal, Write};

use serde::Serialize;

pub(crate) use amount::{distance, latency, now, size};
pub(crate) use progress::ProgressLine;
pub(crate) use table::{Table, wrap};

use crate::{failure::Failure, surroundings};

/// The widest text: longer lines are hard to read.
const WIDEST: usize = 120;
const USUAL: usize = 80;

/// Where a command writes to.
#[derive(Debug)]
pub(crate) struct Screen {
    /// Whether to write JSON for programs.
    pub(crate) json: bool,
    /// Columns of standard output.
    pub(crate) width: usize,
    pub(crate) color: bool,
    pub(crate) err_width: usize,
    pub(crate) err_color: bool,
    /// Whether standard error is a terminal.
    pub(crate) err_terminal: bool,
}

impl Screen {
    pub(crate) fn new(json: bool) -> Self {
        let wanted = surroundings::color_wanted();
        let (out, err) = (io::stdout(), io::stderr());
        Self {
            json,
            width: width(&out),
            color: wanted && out.is_terminal(),
            // A log's reader wraps for itself.
            err_width: if err.is_terminal() { width(&err) } else { usize::MAX },
            err_color: wanted && err.is_terminal(),
            err_terminal: err.is_terminal(),
        }
    }

    /// Writes a reply as JSON, indented.
    pub(crate) fn json(&self, reply: &impl Serialize) -> Result<(), Failure> {
        let mut text = serde_json::to_string_pretty(reply)?;
        text.push('\n');
        self.text(&text)
    }

    /// Writes one line of JSON, at once.
    pub(crate) fn json_line(&self, value: &impl Serialize) -> Result<(), Failure> {
        let mut text = serde_json::to_string(value)?;
        text.push('\n');
        self.text(&text)
    }

    /// Writes text that is harmless: our own, or escaped.
    pub(crate) fn text(&self, text: &str) -> Result<(), Failure> {
        let mut out = io::stdout().lock();
        Ok(out.write_all(text.as_bytes()).and_then(|()| out.flush())?)
    }

    /// Writes one line that is harmless.
    pub(crate) fn line(&self, text: impl AsRef<str>) -> Result<(), Failure> {
        self.text(&format!("{}\n", text.as_ref()))
    }

    /// Says something beside the output, on standard error; not with `--json`.
    pub(crate) fn note(&self, text: impl AsRef<str>) {
        if !self.json {
            drop(writeln!(io::stderr().lock(), "{}", text.as_ref()));
        }
    }
}

#[cfg(unix)]
fn width(to: &impl std::os::fd::AsFd) -> usize {
    match rustix::termios::tcgetwinsize(to) {
        Ok(size) if size.ws_col >= 40 => usize::from(size.ws_col).min(WIDEST),
        Ok(_) | Err(_) => USUAL,
    }
}

#[cfg(not(unix))]
fn width<T>(_: &T) -> usize {
    USUAL.min(WIDEST)
}
