//! Walks over a message's strings and numbers, where they stand in it. It copies nothing and keeps no tree; what is
//! not JSON (RFC 8259) ends the walk.

use std::ops::Range;

use serde::de::IgnoredAny;

use super::{Unreadable, runs::position};

/// So deep arrays and objects may lie in one another. The bridge refuses a message long before.
const DEEPEST: usize = 1024;

/// A place in a message that can hold text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) is: TokenKind,
    /// Where it stands: of a string, what is between its quotes.
    pub(super) span: Range<usize>,
    /// Whether the string has escapes.
    pub(super) escaped: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TokenKind {
    Key,
    String,
    Number,
}

/// An array or object the walk is in.
#[derive(Debug)]
pub(super) struct Frame {
    is_object: bool,
    /// Where it begins: two have not the same.
    pub(super) start: usize,
    /// Of an object, the key whose value the walk is at.
    pub(super) key: Range<usize>,
    /// Whether something was found in that key.
    pub(super) is_key_hidden: bool,
    /// Of an array, the element the walk is at.
    pub(super) index: usize,
}

pub(super) struct Walk<'m> {
    message: &'m [u8],
    at: usize,
    expects: Expects,
    pub(super) frames: Vec<Frame>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expects {
    Value,
    ValueOrEnd,
    Key,
    KeyOrEnd,
    Colon,
    CommaOrEnd,
    End,
}

impl<'m> Walk<'m> {
    pub(super) fn new(message: &'m [u8]) -> Self {
        Self { message, at: 0, expects: Expects::Value, frames: Vec::new() }
    }

    /// The next string, key or number; none at the end.
    pub(super) fn next(&mut self) -> Result<Option<Token>, Unreadable> {
        loop {
            self.at += self.message[self.at..]
                .iter()
                .take_while(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r'))
                .count();
            let Some(byte) = self.message.get(self.at) else {
                return if self.expects == Expects::End { Ok(None) } else { Err(self.wrong()) };
            };
            match (self.expects, byte) {
                (Expects::Value | Expects::ValueOrEnd, b'{' | b'[') => self.enter(*byte == b'{')?,
                (Expects::KeyOrEnd, b'}') | (Expects::ValueOrEnd, b']') => self.leave(),
                (Expects::CommaOrEnd, b'}') if self.is_in_object() => self.leave(),
                (Expects::CommaOrEnd, b']') if !self.is_in_object() => self.leave(),
                (Expects::CommaOrEnd, b',') => {
                    self.at += 1;
                    self.expects = if self.is_in_object() { Expects::Key } else { Expects::Value };
                    if let Some(frame) = self.frames.last_mut() {
                        frame.index += 1;
                    }
                }
                (Expects::Colon, b':') => {
                    self.at += 1;
                    self.expects = Expects::Value;
                }
                (Expects::Key | Expects::KeyOrEnd, b'"') => {
                    let token = self.string(TokenKind::Key)?;
                    if let Some(frame) = self.frames.last_mut() {
                        frame.key = token.span.clone();
                        frame.is_key_hidden = false;
                    }
                    self.expects = Expects::Colon;
                    return Ok(Some(token));
                }
                (Expects::Value | Expects::ValueOrEnd, b'"') => {
                    let token = self.string(TokenKind::String)?;
                    self.after_value();
                    return Ok(Some(token));
                }
                (Expects::Value | Expects::ValueOrEnd, b'-' | b'0'..=b'9') => {
                    let span = self.scalar()?;
                    return Ok(Some(Token { is: TokenKind::Number, span, escaped: false }));
                }
                (Expects::Value | Expects::ValueOrEnd, b't' | b'f' | b'n') => {
                    self.scalar()?;
                }
                _ => return Err(self.wrong()),
            }
        }
    }

    /// The key of the value the walk is at; none in an array.
    pub(super) fn key(&self) -> Option<&'m [u8]> {
        let frame = self.frames.last().filter(|frame| frame.is_object)?;
        Some(&self.message[frame.key.clone()])
    }

    /// The start of the array that the walk is in an element of: the element, or what lies right within it.
    pub(super) fn array(&self) -> Option<usize> {
        let frame = self.frames.iter().rev().take(3).find(|frame| !frame.is_object)?;
        Some(frame.start)
    }

    /// Where the walk is, as a JSON pointer. Names that are long, unusual or hold something found are not shown.
    pub(super) fn pointer(&self) -> String {
        const LONGEST: usize = 64;
        let mut pointer = String::new();
        for frame in &self.frames {
            pointer.push('/');
            let name = &self.message[frame.key.clone()];
            let is_plain =
                |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'$' | b' ');
            if !frame.is_object {
                pointer.push_str(&frame.index.to_string());
            } else if !frame.is_key_hidden && name.len() <= LONGEST && name.iter().all(is_plain) {
                pointer.push_str(&String::from_utf8_lossy(name));
            } else {
                pointer.push('…');
            }
        }
        pointer
    }

    fn is_in_object(&self) -> bool {
        self.frames.last().is_some_and(|frame| frame.is_object)
    }

    fn enter(&mut self, is_object: bool) -> Result<(), Unreadable> {
        if self.frames.len() >= DEEPEST {
            return Err(Unreadable::TooDeep);
        }
        self.frames.push(Frame { is_object, start: self.at, key: 0..0, is_key_hidden: false, index: 0 });
        self.at += 1;
        self.expects = if is_object { Expects::KeyOrEnd } else { Expects::ValueOrEnd };
        Ok(())
    }

    fn leave(&mut self) {
        self.frames.pop();
        self.at += 1;
        self.after_value();
    }

    fn after_value(&mut self) {
        self.expects = if self.frames.is_empty() { Expects::End } else { Expects::CommaOrEnd };
    }

    fn string(&mut self, is: TokenKind) -> Result<Token, Unreadable> {
        let start = self.at + 1;
        let (mut at, mut escaped) = (start, false);
        loop {
            let rest = self.message.get(at..).unwrap_or_default();
            let Some(ahead) = position(rest, |byte| byte < 0x20 || byte == b'"' || byte == b'\\') else {
                return Err(self.wrong());
            };
            at += ahead;
            match rest[ahead..] {
                [b'"', ..] => break,
                [b'\\', b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't', ..] => at += 2,
                [b'\\', b'u', a, b, c, d, ..] if [a, b, c, d].iter().all(u8::is_ascii_hexdigit) => at += 6,
                _ => return Err(self.wrong()),
            }
            escaped = true;
        }
        self.at = at + 1;
        Ok(Token { is, span: start..at, escaped })
    }

    /// A number, or a word.
    fn scalar(&mut self) -> Result<Range<usize>, Unreadable> {
        let is_part = |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
        let length = self.message[self.at..].iter().take_while(is_part).count();
        let span = self.at..self.at + length;
        serde_json::from_slice::<IgnoredAny>(&self.message[span.clone()]).map_err(|_| self.wrong())?;
        self.at = span.end;
        self.after_value();
        Ok(span)
    }

    fn wrong(&self) -> Unreadable {
        Unreadable::Json { at: self.at }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn walked(text: &str) -> Result<Vec<String>, Unreadable> {
        let (mut walk, mut seen) = (Walk::new(text.as_bytes()), Vec::new());
        while let Some(token) = walk.next()? {
            seen.push(format!("{} {}", walk.pointer(), &text[token.span]));
        }
        Ok(seen)
    }

    #[test]
    fn what_stands_where() {
        let text = r#" {"a": ["x", 1.5e3, {"b\"": null}], "c" : true, "": "y" , "d": {}, "e": [] } "#;
        let seen = ["/a a", "/a/0 x", "/a/1 1.5e3", r#"/a/2/… b\""#, "/c c", "/ ", "/ y", "/d d", "/e e"];
        assert_eq!(walked(text).unwrap(), seen);
    }

    #[test]
    fn what_is_no_json() {
        for text in [
            "",
            " ",
            "{",
            "[",
            "]",
            "{]",
            "[}",
            "[1,]",
            "[,1]",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1,}",
            "{1:2}",
            "[1 2]",
            "\"a",
            "\"\\q\"",
            "\"\\u12\"",
            "\"\n\"",
            "01",
            "1.",
            "nul",
            "truefalse",
            "[1]x",
            "{\"a\":1]",
            "[\"a\":1]",
            "\"\\",
        ] {
            assert!(walked(text).is_err(), "{text}");
            assert!(serde_json::from_str::<IgnoredAny>(text).is_err(), "{text}");
        }
        assert!(matches!(walked(&"[".repeat(2000)), Err(Unreadable::TooDeep)));
    }

    proptest! {
        #[test]
        fn as_serde_has_it(text in r#"[\[\]{},: "\\a1ntrue.-]{0,24}"#) {
            prop_assert_eq!(walked(&text).is_ok(), serde_json::from_str::<IgnoredAny>(&text).is_ok(), "{}", text);
        }
    }
}
