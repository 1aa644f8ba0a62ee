//! Reads TOML that people write, and says where it is wrong.

use std::{fmt, fs, io, io::Read as _, path::Path};

use serde::de::DeserializeOwned;

/// No file written for a person is longer.
const LONGEST: u64 = 1 << 20;

/// So many characters of an offending line are shown.
const SHOWN: usize = 100;

/// What is wrong with a text, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// The line, from 1.
    pub line: usize,
    /// The character in it, from 1.
    pub column: usize,
    /// What is wrong there.
    pub message: String,
    /// The line itself, with `column` marked in a second line. Without control characters.
    pub excerpt: String,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}: {}", self.line, self.column, self.message)?;
        if !self.excerpt.is_empty() {
            write!(f, "\n{}", self.excerpt)?;
        }
        Ok(())
    }
}

impl Broken {
    /// Of `text`, something is wrong at byte `at`.
    pub(crate) fn new(text: &str, at: usize, message: &str) -> Self {
        let before = text.get(..at).unwrap_or(text);
        let start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let column = before[start..].chars().count();
        let mut line: Vec<char> = text[start..].lines().next().unwrap_or("").chars().map(visible).collect();
        hide_passwords(&mut line);
        // Of a line too long to show, the part around the column.
        let from = if line.len() > SHOWN { column.saturating_sub(SHOWN / 2) } else { 0 };
        let part: String = line.iter().skip(from).take(SHOWN).collect();
        let excerpt = if part.trim().is_empty() {
            String::new()
        } else {
            format!("    {}\n    {:>width$}", part.trim_end(), '^', width = column - from + 1)
        };
        Self {
            line: before.matches('\n').count() + 1,
            column: column + 1,
            message: message.trim().chars().map(visible).collect(),
            excerpt,
        }
    }

    /// A file that is no text at all, or cannot be read as one.
    pub(crate) fn whole(message: impl Into<String>) -> Self {
        Self { line: 1, column: 1, message: message.into(), excerpt: String::new() }
    }
}

/// One character for one, so that the mark stays under its column.
fn visible(c: char) -> char {
    match c {
        '\t' => ' ',
        c if c.is_control() => '\u{fffd}',
        c => c,
    }
}

/// In an address, what stands before an `@` may be a password, and an error may end in a log.
fn hide_passwords(line: &mut [char]) {
    let mut from = 0;
    while let Some(found) = line[from..].windows(3).position(|part| part == [':', '/', '/']) {
        let start = from + found + 3;
        let ends = |c: &char| matches!(c, '/' | '"' | '\'' | ' ');
        let end = line[start..].iter().position(ends).map_or(line.len(), |length| start + length);
        if let Some(at) = line[start..end].iter().rposition(|c| *c == '@') {
            line[start..start + at].fill('*');
        }
        from = start;
    }
}

/// Reads `text` as TOML of type `T`. A key `T` does not know is an error.
pub(crate) fn parse<T: DeserializeOwned>(text: &str) -> Result<T, Broken> {
    toml::from_str(text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        Broken::new(text, at, error.message())
    })
}

/// The text of a file. The outer error is the system's; the inner one says that it is not a text we read.
pub(crate) fn read(path: &Path) -> io::Result<Result<String, Broken>> {
    // Asked before opening: opening a named pipe would wait for a writer.
    if !fs::metadata(path)?.is_file() {
        return Ok(Err(Broken::whole("it is not a regular file")));
    }
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(LONGEST + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LONGEST {
        return Ok(Err(Broken::whole("the file is longer than 1 MiB; no such file is")));
    }
    Ok(String::from_utf8(bytes).map_err(|error| {
        let good = error.utf8_error().valid_up_to();
        let text = String::from_utf8_lossy(error.as_bytes());
        Broken::new(&text, good, "the file is not UTF-8 text here; save it as UTF-8")
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Server;

    const HEAD: &str = "source = \"example\"\nimage = \"sha256:0000000000000000000000000000000000000000000000000000000000000000\"\ncommand = [\"/a\"]\n";

    fn wrong(tail: &str) -> Broken {
        parse::<Server>(&format!("{HEAD}{tail}")).unwrap_err()
    }

    #[test]
    fn where_and_what() {
        for (tail, line, column, part) in [
            ("hots = 1\n", 4, 1, "unknown field `hots`"),
            ("[permissions]\nhosts = [\"ok.com\", \"a b\"]\n", 5, 9, "is not a host"),
            ("[permissions]\n\tfolders = [{ hots = 1 }]\n", 5, 15, "unknown field `hots`"),
            ("[limits]\nmemory = \"lots\"\n", 5, 10, "not an amount of memory"),
            ("[limits]\nmemory = 5\n", 5, 10, "invalid type"),
            ("[life\n", 4, 6, "unclosed table"),
            ("env = { A = \"ä\", A = \"b\" }\n", 4, 18, "duplicate key"),
            ("x", 4, 2, ""),
        ] {
            let broken = wrong(tail);
            assert_eq!((broken.line, broken.column), (line, column), "{tail:?}: {broken}");
            assert!(broken.message.contains(part), "{tail:?}: {broken}");
        }
    }

    #[test]
    fn the_line_is_shown_with_a_mark() {
        let broken = wrong("env = { A = 1 }\n");
        assert_eq!(broken.excerpt, "    env = { A = 1 }\n                ^");
        let missing = parse::<Server>("source = \"example\"\n").unwrap_err();
        assert!(missing.to_string().contains("missing field `image`"), "{missing}");
        let far = wrong(&format!("env = {{ A = \"{}\", B = 1 }}", "x".repeat(500)));
        assert!(far.excerpt.lines().all(|line| line.len() < 120), "{far}");
        assert!(far.excerpt.contains("B = 1"), "{far}");
    }

    #[test]
    fn a_password_in_an_address_is_hidden() {
        let broken = wrong("url = \"https://me:p@ss@host/@x\" # and ftp://a");
        assert!(broken.excerpt.contains("https://*******@host/@x\" # and ftp://a"), "{broken}");
    }

    #[test]
    fn no_terminal_escape_gets_through() {
        for tail in
            ["\"\\u001b[31m\" = 1", "env = { A = \"\u{1b}[31m\" }", "[permissions]\nhosts = [\"\\u001b[2J\"]"]
        {
            let shown = wrong(tail).to_string();
            assert!(!shown.contains('\u{1b}'), "{shown:?}");
        }
    }

    #[test]
    fn what_is_no_text_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.toml");
        crate::registry::atomic::write(&path, b"a = 1\nb = \"\xff\"\n", 0o600).unwrap();
        let broken = read(&path).unwrap().unwrap_err();
        assert_eq!((broken.line, broken.column), (2, 6), "{broken}");
        assert!(read(folder.path()).unwrap().is_err());
        assert_eq!(read(&folder.path().join("b")).unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
