//! A line with its escapes undone.

use std::ops::Range;

/// Bytes, and where each of them stands in the line.
pub(super) struct Text {
    pub(super) bytes: Vec<u8>,
    at: Vec<Range<usize>>,
}

/// What an escape at the start of a text means, and its length.
type Escape = fn(&[u8]) -> Option<(Vec<u8>, usize)>;

impl Text {
    /// The line as it stands; percent-decoded; as JSON; and as JSON that was percent-encoded.
    pub(super) fn readings(line: &[u8]) -> Vec<Self> {
        let at = (0..line.len()).map(|at| at..at + 1).collect();
        let mut readings = vec![Self { bytes: line.to_vec(), at }];
        for escape in [percent as Escape, json] {
            let undone: Vec<Self> = readings.iter().filter_map(|text| text.undone(escape)).collect();
            readings.extend(undone);
        }
        readings
    }

    /// The stretch of the line that holds a stretch of this text.
    pub(super) fn within(&self, stretch: Range<usize>) -> Range<usize> {
        let ends = self.at[stretch]
            .iter()
            .fold((usize::MAX, 0), |(start, end), at| (start.min(at.start), end.max(at.end)));
        ends.0..ends.1
    }

    /// This text without such escapes; none when it has none.
    fn undone(&self, escape: Escape) -> Option<Self> {
        let mut undone = Self { bytes: Vec::with_capacity(self.bytes.len()), at: Vec::new() };
        let (mut from, mut any) = (0, false);
        while from < self.bytes.len() {
            let meant = escape(&self.bytes[from..]);
            any |= meant.is_some();
            let (bytes, length) = meant.unwrap_or_else(|| (vec![self.bytes[from]], 1));
            let at = self.within(from..from + length);
            undone.at.extend(std::iter::repeat_n(at, bytes.len()));
            undone.bytes.extend(bytes);
            from += length;
        }
        any.then_some(undone)
    }
}

/// RFC 3986, 2.1; and a plus sign for a space, as in forms.
fn percent(text: &[u8]) -> Option<(Vec<u8>, usize)> {
    let (byte, length) = match text {
        [b'%', rest @ ..] => (u8::try_from(hex(rest, 2)?).ok()?, 3),
        [b'+', ..] => (b'+', 1),
        _ => return None,
    };
    Some((vec![if byte == b'+' { b' ' } else { byte }], length))
}

/// RFC 8259, 7.
fn json(text: &[u8]) -> Option<(Vec<u8>, usize)> {
    let [b'\\', kind, rest @ ..] = text else { return None };
    let byte = match kind {
        b'"' | b'\\' | b'/' => *kind,
        b'b' => 8,
        b't' => b'\t',
        b'n' => b'\n',
        b'f' => 12,
        b'r' => b'\r',
        b'u' => return unicode(rest).map(|(c, length)| (c.to_string().into_bytes(), length + 2)),
        _ => return None,
    };
    Some((vec![byte], 2))
}

/// The character after `\u`, which may be made of two.
fn unicode(text: &[u8]) -> Option<(char, usize)> {
    let first = u16::try_from(hex(text, 4)?).ok()?;
    if let Some(c) = char::from_u32(first.into()) {
        return Some((c, 4));
    }
    let second = u16::try_from(hex(text[4..].strip_prefix(b"\\u")?, 4)?).ok()?;
    Some((char::decode_utf16([first, second]).next()?.ok()?, 10))
}

fn hex(text: &[u8], digits: usize) -> Option<u32> {
    let digits = text.get(..digits).filter(|digits| digits.iter().all(u8::is_ascii_hexdigit))?;
    u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}
