use std::io::{self, Write};

use caisson_core::control::api::{ApiError, ErrorCode};
use serde_json::json;

use crate::{
    exit,
    show::{Screen, escape, style, wrap},
};

/// Why a command failed: what happened, why, what to do. The one shape in which errors reach a terminal.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) error: ApiError,
    pub(crate) exit: u8,
    /// There is nothing to tell, and nobody to tell it to.
    quiet: bool,
}

impl Failure {
    pub(crate) fn new(exit: u8, what: impl Into<String>) -> Self {
        let code = match exit {
            exit::USAGE => ErrorCode::Invalid,
            exit::REFUSED => ErrorCode::Refused,
            exit::DAEMON => ErrorCode::Daemon,
            exit::SERVER => ErrorCode::Server,
            exit::INTERRUPTED => ErrorCode::Cancelled,
            _ => ErrorCode::Internal,
        };
        Self { error: ApiError::new(code, what), exit, quiet: false }
    }

    pub(crate) fn usage(what: impl Into<String>) -> Self {
        Self::new(exit::USAGE, what)
    }

    pub(crate) fn why(mut self, why: impl Into<String>) -> Self {
        self.error = self.error.why(why);
        self
    }

    pub(crate) fn fix(mut self, fix: impl Into<String>) -> Self {
        self.error = self.error.fix(fix);
        self
    }

    /// Prints to standard error: three lines for people, one JSON object with `--json`.
    pub(crate) fn print(&self, screen: &Screen) {
        if self.quiet {
            return;
        }
        // An error that cannot be printed has nobody to tell it to.
        drop(self.write(screen, &mut io::stderr().lock()));
    }

    fn write(&self, screen: &Screen, to: &mut impl Write) -> io::Result<()> {
        if screen.json {
            return writeln!(to, "{}", json!({ "error": self.error }));
        }
        let ApiError { what, why, fix, .. } = &self.error;
        let mut part = |label: &str, text: &str| -> io::Result<()> {
            let indent = label.len() + 2;
            let escaped = escape::lines(text);
            for (at, line) in wrap(&escaped, screen.err_width.saturating_sub(indent)).into_iter().enumerate()
            {
                match at {
                    0 if label == "error" => write!(to, "{}: ", style::bad(screen.err_color, label))?,
                    0 => write!(to, "{label}: ")?,
                    _ => write!(to, "{:indent$}", "")?,
                }
                writeln!(to, "{line}")?;
            }
            Ok(())
        };
        part("error", what)?;
        if let Some(why) = why {
            part("  why", why)?;
        }
        if let Some(fix) = fix {
            part("  fix", fix)?;
        }
        Ok(())
    }
}

impl From<ApiError> for Failure {
    fn from(error: ApiError) -> Self {
        Self { exit: exit::code(error.code), error, quiet: false }
    }
}

/// A pipe that nobody reads ends a command quietly; anything else on the way out is a failure.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        let failure = Self::new(exit::FAILURE, "standard output could not be written").why(error.to_string());
        // As `caisson list | head -1` does.
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self { exit: exit::OK, quiet: true, ..failure };
        }
        failure
    }
}

impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Self {
        Self::new(exit::FAILURE, "a value could not be written as JSON").why(error.to_string())
    }
}
