//! Questions to the user. Only where a person sits at both ends; never on standard output.

use std::io::{self, IsTerminal, Read, Write};

use caisson_core::control::api::SecretBytes;

use crate::{exit, failure::Failure};

/// The largest secret, in bytes.
const LARGEST_SECRET: u64 = 64 << 10;

/// Whether a person can be asked.
pub(crate) fn possible() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Asks for yes or no. Only `y` and `yes` are yes.
pub(crate) async fn confirm(question: &str) -> Result<bool, Failure> {
    Ok(matches!(line(&format!("{question} [y/N] ")).await?.as_str(), "y" | "yes"))
}

/// Asks, and reads what is typed until Enter, in small letters and without blanks around it.
pub(crate) async fn line(question: &str) -> Result<String, Failure> {
    ask(question)?;
    aside(|| {
        let mut answer = String::new();
        io::stdin().read_line(&mut answer).map_err(unreadable)?;
        Ok(answer.trim().to_ascii_lowercase())
    })
    .await
}

/// Reads a secret: from the terminal without echo, else all of standard input but one final line end.
pub(crate) async fn secret(question: &str) -> Result<SecretBytes, Failure> {
    if io::stdin().is_terminal() {
        ask(question)?;
        return hidden_line();
    }
    aside(|| {
        let mut bytes = Vec::with_capacity(4096);
        io::stdin().lock().take(LARGEST_SECRET + 1).read_to_end(&mut bytes).map_err(unreadable)?;
        checked(bytes)
    })
    .await
}

/// Reads on a thread of its own, so that Ctrl-C is heard meanwhile.
pub(crate) async fn aside<T: Send + 'static>(
    read: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    let read = tokio::task::spawn_blocking(read).await;
    read.map_err(|error| {
        Failure::new(exit::FAILURE, "standard input could not be read").why(error.to_string())
    })?
}

fn checked(mut bytes: Vec<u8>) -> Result<SecretBytes, Failure> {
    if bytes.len() as u64 > LARGEST_SECRET {
        return Err(
            Failure::usage("the secret is larger than 64 KiB").fix("give the server a folder instead")
        );
    }
    if bytes.last() == Some(&b'\n') {
        bytes.pop();
        if bytes.last() == Some(&b'\r') {
            bytes.pop();
        }
    }
    Ok(SecretBytes::from(bytes))
}

#[cfg(unix)]
fn hidden_line() -> Result<SecretBytes, Failure> {
    use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};

    let stdin = io::stdin();
    let before = tcgetattr(&stdin).map_err(|error| unreadable(error.into()))?;
    let mut quiet = before.clone();
    // Key by key and without signals: Ctrl-C is seen here, so that the terminal is put right before the end.
    quiet.local_modes.remove(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG);
    tcsetattr(&stdin, OptionalActions::Flush, &quiet).map_err(|error| unreadable(error.into()))?;
    let mut bytes = Vec::with_capacity(4096);
    let end = keys(&mut bytes, stdin.lock().bytes());
    let restored = tcsetattr(&stdin, OptionalActions::Now, &before);
    ask("\n")?;
    restored.map_err(|error| unreadable(error.into()))?;
    match end.map_err(unreadable)? {
        Keys::Entered => checked(bytes),
        Keys::Interrupted => {
            drop(SecretBytes::from(bytes));
            Err(Failure::new(exit::INTERRUPTED, "interrupted"))
        }
    }
}

#[cfg(unix)]
#[derive(Debug, PartialEq, Eq)]
enum Keys {
    Entered,
    Interrupted,
}

/// Collects keys until Enter (or Ctrl-D), honouring Backspace and Ctrl-U.
#[cfg(unix)]
fn keys(line: &mut Vec<u8>, keys: impl Iterator<Item = io::Result<u8>>) -> io::Result<Keys> {
    for key in keys {
        match key? {
            b'\n' | b'\r' | 0x04 => break,
            0x03 => return Ok(Keys::Interrupted),
            0x15 => line.clear(),
            0x08 | 0x7f => {
                // A character of several bytes goes whole.
                while line.pop().is_some_and(|byte| byte & 0xc0 == 0x80) {}
            }
            byte if (line.len() as u64) <= LARGEST_SECRET => line.push(byte),
            _ => {}
        }
    }
    Ok(Keys::Entered)
}

#[cfg(not(unix))]
fn hidden_line() -> Result<SecretBytes, Failure> {
    Err(Failure::usage("the secret cannot be typed here without being shown")
        .fix("pipe it into this command"))
}

fn ask(question: &str) -> Result<(), Failure> {
    let mut err = io::stderr().lock();
    Ok(err.write_all(question.as_bytes()).and_then(|()| err.flush())?)
}

fn unreadable(error: io::Error) -> Failure {
    Failure::new(exit::FAILURE, "standard input could not be read").why(error.to_string())
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_collected_as_a_terminal_would() {
        let typed = |text: &str| {
            let mut line = Vec::new();
            let end = keys(&mut line, text.bytes().map(Ok)).unwrap();
            (end, String::from_utf8(line).unwrap())
        };
        assert_eq!(typed("secret\nrest"), (Keys::Entered, "secret".into()));
        assert_eq!(typed("xé\u{7f}\u{7f}\u{7f}ok\r"), (Keys::Entered, "ok".into()));
        assert_eq!(typed("wrong\u{15}right\u{4}"), (Keys::Entered, "right".into()));
        assert_eq!(typed("abc\u{3}").0, Keys::Interrupted);
    }

    #[test]
    fn one_line_end_is_no_part_of_a_piped_secret() {
        let secret = |text: &str| checked(text.into()).unwrap().expose().to_vec();
        assert_eq!(secret("a\n"), b"a");
        assert_eq!(secret("a\r\n"), b"a");
        assert_eq!(secret("a\n\n"), b"a\n");
        assert_eq!(secret(" a "), b" a ");
        assert!(checked(vec![b'x'; 70_000]).is_err());
    }
}
