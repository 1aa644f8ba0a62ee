//! Texts that are known to the letter, found in every usual encoding: Caisson's own secrets, and canaries.

use std::{fmt, ops::Range};

use aho_corasick::{AhoCorasick, AhoCorasickKind, BuildError, MatchKind};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD},
};
use caisson_wire::SecretBytes;

/// What is shorter is no secret, and stands in too many texts.
pub(super) const SHORTEST: usize = 6;
/// A line of a secret of several is one too, from this length on.
const SHORTEST_LINE: usize = 16;
/// Forms of so many bytes together are found with a table of all their states; more would make it too large.
const MOST_IN_TABLE: usize = 8 << 10;
/// So many bytes of a form are enough to tell whether there may be one.
const PREFIX: usize = 16;

/// Finds the forms of some texts, each known by its number.
#[derive(Default)]
pub(super) struct Exact {
    finder: Option<AhoCorasick>,
    /// Tells faster whether there is any, which is rare.
    any: Option<AhoCorasick>,
    /// For each form, the number of its text.
    texts: Vec<u16>,
    longest: usize,
}

impl Exact {
    /// Those that are long enough to be found.
    ///
    /// # Errors
    /// When they are so long that they cannot be found together.
    pub(super) fn new<'a>(texts: impl IntoIterator<Item = &'a [u8]>) -> Result<Self, BuildError> {
        let mut all: Vec<(SecretBytes, u16)> = Vec::new();
        for (text, number) in texts.into_iter().zip(0..) {
            let lines = text.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii).filter(|line| {
                line.len() >= SHORTEST_LINE && line.len() < text.len() && !line.starts_with(b"-----")
            });
            for part in lines.chain([text]).filter(|part| part.len() >= SHORTEST) {
                all.extend(forms(part).into_iter().map(|form| (form.into(), number)));
            }
        }
        if all.is_empty() {
            return Ok(Self::default());
        }
        let bytes: usize = all.iter().map(|(form, _)| form.expose().len()).sum();
        let kind = if bytes <= MOST_IN_TABLE { AhoCorasickKind::DFA } else { AhoCorasickKind::ContiguousNFA };
        let finder =
            AhoCorasick::builder().kind(Some(kind)).build(all.iter().map(|(form, _)| form.expose()))?;
        let any = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostFirst)
            .kind(Some(kind))
            .build(all.iter().map(|(form, _)| &form.expose()[..form.expose().len().min(PREFIX)]))?;
        let longest = all.iter().map(|(form, _)| form.expose().len()).max().unwrap_or_default();
        Ok(Self {
            finder: Some(finder),
            any: Some(any),
            texts: all.into_iter().map(|(_, number)| number).collect(),
            longest,
        })
    }

    /// Every place of every form, with the number of its text.
    pub(super) fn find(&self, text: &[u8]) -> impl Iterator<Item = (Range<usize>, u16)> {
        let finder = self.finder.as_ref().filter(|_| self.any.as_ref().is_some_and(|any| any.is_match(text)));
        let hits = finder.into_iter().flat_map(move |finder| finder.find_overlapping_iter(text));
        hits.map(|hit| (hit.range(), self.texts[hit.pattern().as_usize()]))
    }

    /// The longest form, in bytes.
    pub(super) fn longest(&self) -> usize {
        self.longest
    }
}

impl fmt::Debug for Exact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exact").field("forms", &self.texts.len()).finish_non_exhaustive()
    }
}

/// A text as it is; in hexadecimal of either case; in base64 of both alphabets, alone or within a longer text; and as
/// the usual functions write it in JSON, in URLs and in forms. Other mixtures of escapes are found by undoing them.
fn forms(text: &[u8]) -> Vec<Vec<u8>> {
    let hex = |upper: bool| -> Vec<u8> {
        let digits = if upper { b"0123456789ABCDEF" } else { b"0123456789abcdef" };
        text.iter()
            .flat_map(|byte| [digits[usize::from(byte >> 4)], digits[usize::from(byte & 15)]])
            .collect()
    };
    let mut all = vec![text.to_vec(), hex(false), hex(true)];
    for before in 0..3 {
        for alphabet in [&STANDARD_NO_PAD, &URL_SAFE_NO_PAD] {
            all.push(in_base64(text, before, alphabet));
        }
    }
    // What RFC 3986 leaves as it is; what JavaScript's `encodeURIComponent` does; what leaves paths as they are.
    for kept in ["-._~", "-._~!*'()", "-._~/"] {
        for upper in [true, false] {
            let quoted = in_percent(text, kept.as_bytes(), upper);
            if kept == "-._~" {
                all.push(quoted.replace("%20", "+").into_bytes());
            }
            all.push(quoted.into_bytes());
        }
    }
    all.push(text.iter().map(|byte| if *byte == b' ' { b'+' } else { *byte }).collect());
    if let Ok(text) = std::str::from_utf8(text)
        && let Ok(json) = serde_json::to_string(text)
    {
        let json = &json[1..json.len() - 1];
        let ascii: String = json.chars().map(in_ascii).collect();
        all.extend(
            [json.to_owned(), json.replace('/', "\\/"), ascii.replace('/', "\\/"), ascii]
                .map(String::into_bytes),
        );
    }
    all.sort();
    all.dedup();
    all
}

/// What a text comes to after so many other bytes, without the characters that hold bits of its neighbours.
fn in_base64(text: &[u8], before: usize, alphabet: &impl Engine) -> Vec<u8> {
    let mut padded = vec![0; before];
    padded.extend_from_slice(text);
    let encoded = alphabet.encode(&padded).into_bytes();
    let shared = usize::from(!padded.len().is_multiple_of(3));
    encoded[(8 * before).div_ceil(6)..encoded.len() - shared].to_vec()
}

fn in_percent(text: &[u8], kept: &[u8], upper: bool) -> String {
    let quoted = |byte: &u8| match byte {
        byte if byte.is_ascii_alphanumeric() || kept.contains(byte) => char::from(*byte).to_string(),
        byte if upper => format!("%{byte:02X}"),
        byte => format!("%{byte:02x}"),
    };
    text.iter().map(quoted).collect()
}

/// JSON that is to be ASCII alone.
fn in_ascii(c: char) -> String {
    if c.is_ascii() {
        return c.to_string();
    }
    c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")).collect()
}
