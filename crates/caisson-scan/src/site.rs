use std::{borrow::Cow, ops::Range};

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::{
    escapes::{Undone, backslash},
    json::{Token, TokenKind},
    runs,
};

/// Fields of MCP that hold base64: of resources, images, audio.
const BLOBS: [&[u8]; 2] = [b"blob", b"data"];

/// Where a text stands in a message, and how something is put in its place there.
pub(super) enum Site<'a> {
    /// A string, or a field's name.
    Within { token: &'a Token, undone: Option<Undone>, suffix: String },
    /// A string that is base64, of which no part can be taken out.
    Blob(&'a Token),
    /// A number becomes a string.
    Number(&'a Token),
    /// Several strings, read as one.
    Across(&'a [Part<'a>]),
    /// A line that is no JSON.
    Line,
}

/// A part of one string among several.
pub(super) struct Part<'a> {
    pub(super) token: &'a Token,
    /// Where it stands among them.
    pub(super) among: Range<usize>,
    /// Where it begins in its own string.
    pub(super) from: usize,
}

impl<'a> Site<'a> {
    /// The site of a token of a message.
    pub(super) fn of(message: &[u8], token: &'a Token, is_blob: bool) -> Self {
        match token.is {
            TokenKind::Number => Self::Number(token),
            TokenKind::String if is_blob => Self::Blob(token),
            TokenKind::Key | TokenKind::String => {
                Self::Within { token, undone: undone(message, token), suffix: String::new() }
            }
        }
    }

    /// The stretches of the message that hold a stretch of the text.
    pub(super) fn written(&self, message: &[u8], stretch: &Range<usize>) -> Vec<Range<usize>> {
        match self {
            Self::Line => vec![stretch.clone()],
            Self::Blob(token) | Self::Number(token) => vec![token.span.clone()],
            Self::Within { token, undone, .. } => vec![within(message, token, undone.as_ref(), stretch)],
            Self::Across(parts) => parts
                .iter()
                .filter(|part| part.among.start < stretch.end && stretch.start < part.among.end)
                .map(|part| {
                    let start = stretch.start.max(part.among.start) - part.among.start + part.from;
                    let end = stretch.end.min(part.among.end) - part.among.start + part.from;
                    within(message, part.token, undone(message, part.token).as_ref(), &(start..end))
                })
                .collect(),
        }
    }

    /// A label, as it is written there.
    pub(super) fn spelled(&self, label: &str) -> String {
        match self {
            Self::Line => label.to_owned(),
            Self::Blob(_) => STANDARD.encode(label),
            Self::Number(_) => quoted(label),
            Self::Across(_) => unquoted(label),
            Self::Within { suffix, .. } => unquoted(&format!("{label}{suffix}")),
        }
    }
}

/// The text of a token: borrowed where it has no escapes.
pub(super) fn text<'m>(message: &'m [u8], token: &Token) -> Cow<'m, [u8]> {
    let written = &message[token.span.clone()];
    if token.escaped { Undone::text(written, |byte| byte == b'\\', backslash).into() } else { written.into() }
}

/// Whether a field's value is to be read as base64.
pub(super) fn is_blob(key: Option<&[u8]>, text: &[u8]) -> bool {
    let unpadded = text.trim_ascii_end();
    let unpadded = unpadded.strip_suffix(b"==").or(unpadded.strip_suffix(b"=")).unwrap_or(unpadded);
    key.is_some_and(|key| BLOBS.contains(&key))
        && runs::position(unpadded, |byte| !may_be_in_blob(byte)).is_none()
}

/// A character of base64, or what stands between lines of it. Told without a table, so that many are at once.
fn may_be_in_blob(byte: u8) -> bool {
    (byte | 0x20).wrapping_sub(b'a') < 26
        || byte.wrapping_sub(b'0') < 10
        || matches!(byte, b'+' | b'-' | b'/' | b'_' | b' ' | b'\t' | b'\n' | b'\r' | 12)
}

fn undone(message: &[u8], token: &Token) -> Option<Undone> {
    token.escaped.then(|| Undone::new(&message[token.span.clone()], |byte| byte == b'\\', backslash))
}

/// A stretch of a token's text, as it is written in the message: whole characters, whole escapes.
fn within(message: &[u8], token: &Token, undone: Option<&Undone>, stretch: &Range<usize>) -> Range<usize> {
    let written = undone.map_or_else(|| stretch.clone(), |undone| undone.written(stretch));
    let (mut start, mut end) = (token.span.start + written.start, token.span.start + written.end);
    let goes_on = |at: usize| message.get(at).is_some_and(|byte| byte & 0xC0 == 0x80);
    while start > token.span.start && goes_on(start) {
        start -= 1;
    }
    while end < token.span.end && goes_on(end) {
        end += 1;
    }
    start..end
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn unquoted(text: &str) -> String {
    let quoted = quoted(text);
    quoted[1..quoted.len() - 1].to_owned()
}
