//! What can go wrong with an engine, in words for people.

use std::{fmt::Write as _, io, time::Duration};

use bollard::errors::Error as ApiError;

/// The longest text of an engine's that is repeated, in characters.
const LONGEST: usize = 600;

/// Why an engine did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// No endpoint leads to an engine Caisson can use.
    #[error("no container engine can be used{}", tried_lines(tried))]
    NoEngine {
        /// Every endpoint that was tried, and why it was not taken.
        tried: Vec<Tried>,
    },
    /// The engine's socket is there, but not for this user.
    #[error("{address} may not be opened by this user. {fix}")]
    PermissionDenied {
        /// The endpoint.
        address: String,
        /// What to do.
        fix: String,
    },
    /// The thing asked for is not there.
    #[error("the engine has no such thing: {0}")]
    NotFound(String),
    /// A name is taken, or the thing is in use.
    #[error("the engine says that this is in use: {0}")]
    InUse(String),
    /// The image is not for this engine's kind of machine.
    #[error(
        "the image {reference} is not made for {wanted}{}. Choose an image or a version that is",
        found.as_ref().map(|found| format!(" but for {found}")).unwrap_or_default()
    )]
    PlatformMismatch {
        /// The image.
        reference: String,
        /// The platform the engine runs, such as `linux/arm64`.
        wanted: String,
        /// The image's platform, where it is known.
        found: Option<String>,
    },
    /// The engine went away, or never answered properly. The next [`Engines::get`](super::Engines::get) looks
    /// for it anew.
    #[error(
        "the engine at {address} went away while {action}: {why}. Start it again; `caisson doctor` says how"
    )]
    Gone {
        /// The endpoint.
        address: String,
        /// What Caisson was doing.
        action: &'static str,
        /// The transport's error.
        why: String,
    },
    /// The engine took too long.
    #[error(
        "the engine at {address} did not finish {action} within {} s. It may be overloaded or stuck; restart it if this stays so",
        limit.as_secs()
    )]
    TimedOut {
        /// The endpoint.
        address: String,
        /// What Caisson was doing.
        action: &'static str,
        /// How long it waited.
        limit: Duration,
    },
    /// The disk that the engine keeps its images and containers on is full.
    #[error(
        "the engine's disk is full: {0}. Free some space, for instance with `podman system prune` or `docker system prune`"
    )]
    OutOfDisk(String),
    /// More was there than is wanted.
    #[error("{what} is larger than {most} bytes")]
    TooLarge {
        /// What was read.
        what: String,
        /// The most that is taken.
        most: usize,
    },
    /// The engine refused.
    #[error("the engine refused {action}: {text}")]
    Refused {
        /// What Caisson was doing.
        action: &'static str,
        /// The engine's words, tidied.
        text: String,
    },
    /// The airlock for this engine's machine is missing among Caisson's own files.
    #[error(
        "Caisson's own file {file} cannot be read: {why}. Reinstall Caisson, or build it with `make build`"
    )]
    NoAirlock {
        /// The file.
        file: String,
        /// Why.
        why: io::Error,
    },
}

/// An endpoint that was tried in vain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tried {
    /// What it is called: `Docker`, `rootless Podman`, `DOCKER_HOST`.
    pub name: String,
    /// Its address.
    pub address: String,
    /// Why it was not taken, and what to do where something can be done.
    pub why: String,
}

fn tried_lines(tried: &[Tried]) -> String {
    let mut text = String::new();
    for Tried { name, address, why } in tried {
        let _infallible = write!(text, "\n  {name} ({address}): {why}");
    }
    text.push_str("\nInstall Podman or Docker, or start it; `caisson doctor` says how");
    text
}

/// A text of an engine's, fit to be shown: one line, no control characters, not too long.
pub(super) fn tidy(text: &str) -> String {
    let mut tidied = String::with_capacity(text.len().min(LONGEST));
    for (count, part) in text.trim().chars().enumerate() {
        match part {
            _ if count == LONGEST => {
                tidied.push('…');
                break;
            }
            '\n' | '\t' => tidied.push(' '),
            '\r' => {}
            part if part.is_control() || is_invisible(part) => tidied.extend(part.escape_unicode()),
            part => tidied.push(part),
        }
    }
    tidied
}

/// Characters that change how the text around them looks.
fn is_invisible(part: char) -> bool {
    matches!(
        part,
        '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{2069}'
            | '\u{feff}'
            | '\u{e0000}'..='\u{e007f}'
    )
}

/// What an API error means. Pure, so that it can be read as a table.
pub(super) fn meaning(address: &str, action: &'static str, error: ApiError) -> EngineError {
    let gone = matches!(
        error,
        ApiError::RequestTimeoutError
            | ApiError::IOError { .. }
            | ApiError::HyperResponseError { .. }
            | ApiError::HyperLegacyError { .. }
            | ApiError::SocketNotFoundError(_)
            // An answer cut short is what an engine that ends leaves behind.
            | ApiError::JsonSerdeError { .. }
    );
    if gone {
        return EngineError::Gone { address: address.to_owned(), action, why: tidy(&with_causes(&error)) };
    }
    if let ApiError::DockerResponseServerError { status_code, message } = error {
        return refusal(action, status_code, &message);
    }
    if let ApiError::DockerStreamError { error } | ApiError::DockerContainerWaitError { error, .. } = error {
        return refusal(action, 0, &error);
    }
    refusal(action, 0, &with_causes(&error))
}

/// What an error in the words of the engine means. `status` is HTTP's; 0 in the middle of an answer.
pub(super) fn refusal(action: &'static str, status: u16, message: &str) -> EngineError {
    let text = tidy(message);
    let lower = text.to_lowercase();
    if lower.contains("no space left on device") || lower.contains("disk quota exceeded") {
        return EngineError::OutOfDisk(text);
    }
    match status {
        404 => EngineError::NotFound(text),
        // Podman's words of one that went away while it was being looked at.
        409 | 500 if lower.contains("no such container") => EngineError::NotFound(text),
        // Podman answers 500 for a name that is taken, and 409 for what cannot be done for other reasons.
        409 | 500 if is_in_use(&lower) => EngineError::InUse(text),
        _ => EngineError::Refused { action, text },
    }
}

fn is_in_use(text: &str) -> bool {
    ["in use", "being used", "is using", "already exists", "already in progress"]
        .iter()
        .any(|words| text.contains(words))
}

fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let said = inner.to_string();
        if !text.contains(&said) {
            let _infallible = write!(text, ": {said}");
        }
        cause = inner.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_tidied() {
        for (text, tidied) in [
            ("  plain \n", "plain"),
            ("two\r\nlines", "two lines"),
            ("\u{1b}[31mred", "\\u{1b}[31mred"),
            ("a\u{202e}b", "a\\u{202e}b"),
        ] {
            assert_eq!(tidy(text), tidied);
        }
        assert_eq!(tidy(&"x".repeat(10_000)).chars().count(), LONGEST + 1);
    }

    #[test]
    fn refusals_are_told_apart() {
        let refused = |status_code, message: &str| {
            let error = ApiError::DockerResponseServerError { status_code, message: message.to_owned() };
            meaning("unix:///x", "creating a container", error)
        };
        assert!(matches!(refused(404, "No such image: x"), EngineError::NotFound(_)));
        let used =
            "conflict: unable to delete 1234 (must be forced) - image is being used by running container 5";
        assert!(matches!(refused(409, used), EngineError::InUse(_)));
        let broken = "runc: runc create failed: unable to start container process";
        assert!(matches!(refused(409, broken), EngineError::Refused { .. }));
        let taken = "creating container storage: the container name \"a\" is already in use by b";
        assert!(matches!(refused(500, taken), EngineError::InUse(_)));
        let went = "no container with name or ID \"1234\" found: no such container";
        assert!(matches!(refused(500, went), EngineError::NotFound(_)));
        let full = "write /x: no space left on device";
        assert!(matches!(refused(500, full), EngineError::OutOfDisk(_)));
        assert!(matches!(refused(500, "other"), EngineError::Refused { .. }));
        let broken = ApiError::IOError { err: io::Error::from(io::ErrorKind::BrokenPipe) };
        assert!(matches!(meaning("unix:///x", "x", broken), EngineError::Gone { .. }));
    }
}
