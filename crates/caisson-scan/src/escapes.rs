//! Texts with their escapes undone, and where each stretch of what they mean stands in what was written.

use std::ops::Range;

use super::runs::position;

/// What one escape stands for.
pub(super) struct Meant {
    bytes: [u8; 4],
    length: u8,
    /// The bytes it is written with.
    written: u8,
}

/// Reads the escape at the start of a text.
pub(super) type Escape = fn(&[u8]) -> Option<Meant>;

/// A text with its escapes undone.
pub(super) struct Undone {
    pub(super) bytes: Vec<u8>,
    /// For each escape: where what it means begins, where it was written, and the length of both.
    steps: Vec<(usize, usize, u8, u8)>,
}

impl Meant {
    pub(super) fn nothing(written: usize) -> Self {
        Self { bytes: [0; 4], length: 0, written: written as u8 }
    }

    pub(super) fn byte(byte: u8, written: usize) -> Self {
        Self { bytes: [byte, 0, 0, 0], length: 1, written: written as u8 }
    }

    pub(super) fn char(c: char, written: usize) -> Self {
        let mut bytes = [0; 4];
        let length = c.encode_utf8(&mut bytes).len() as u8;
        Self { bytes, length, written: written as u8 }
    }
}

impl Undone {
    /// Undoes the escapes that begin with one of these bytes.
    pub(super) fn new(text: &[u8], begins: impl Fn(u8) -> bool + Copy, escape: Escape) -> Self {
        let mut undone = Self { bytes: Vec::with_capacity(text.len()), steps: Vec::new() };
        undone.fill(text, begins, escape, true);
        undone
    }

    /// The text alone, without where it stood.
    pub(super) fn text(text: &[u8], begins: impl Fn(u8) -> bool + Copy, escape: Escape) -> Vec<u8> {
        let mut undone = Self { bytes: Vec::with_capacity(text.len()), steps: Vec::new() };
        undone.fill(text, begins, escape, false);
        undone.bytes
    }

    fn fill(&mut self, text: &[u8], begins: impl Fn(u8) -> bool + Copy, escape: Escape, with_steps: bool) {
        let mut rest = text;
        while let Some(at) = position(rest, begins) {
            self.bytes.extend_from_slice(&rest[..at]);
            rest = &rest[at..];
            if let Some(Meant { bytes, length, written }) = escape(rest) {
                if with_steps {
                    self.steps.push((self.bytes.len(), text.len() - rest.len(), length, written));
                }
                self.bytes.extend_from_slice(&bytes[..usize::from(length)]);
                rest = &rest[usize::from(written)..];
            } else {
                self.bytes.push(rest[0]);
                rest = &rest[1..];
            }
        }
        self.bytes.extend_from_slice(rest);
    }

    /// What was written for a stretch of this text: all of an escape that means a part of it.
    pub(super) fn written(&self, stretch: &Range<usize>) -> Range<usize> {
        self.start(stretch.start)..self.end(stretch.end)
    }

    fn start(&self, at: usize) -> usize {
        match self
            .steps
            .partition_point(|(meant, ..)| *meant <= at)
            .checked_sub(1)
            .map(|step| self.steps[step])
        {
            None => at,
            Some((meant, from, length, _)) if at < meant + usize::from(length) => from,
            Some((meant, from, length, written)) => {
                from + usize::from(written) + (at - meant - usize::from(length))
            }
        }
    }

    /// Escapes that mean nothing and stand right after the stretch are not of it.
    fn end(&self, at: usize) -> usize {
        match self
            .steps
            .partition_point(|(meant, ..)| *meant < at)
            .checked_sub(1)
            .map(|step| self.steps[step])
        {
            None => at,
            Some((meant, from, length, written)) => {
                from + usize::from(written) + at.saturating_sub(meant + usize::from(length))
            }
        }
    }
}

/// Where escapes stand that begin with one of these bytes and are `telling`.
pub(super) fn places(
    text: &[u8],
    begins: impl Fn(u8) -> bool + Copy,
    telling: impl Fn(&[u8]) -> bool,
) -> impl Iterator<Item = usize> {
    let mut from = 0;
    std::iter::from_fn(move || {
        loop {
            let at = from + position(&text[from..], begins)?;
            from = at + 1;
            if telling(&text[at..]) {
                return Some(at);
            }
        }
    })
}

/// The regions of a text around places in it, so wide that what is at most `margin` bytes long and touches one is
/// within. None begins or ends within a character.
pub(super) fn regions(
    places: impl IntoIterator<Item = usize>,
    text: &[u8],
    margin: usize,
) -> Vec<Range<usize>> {
    /// The longest escape is a pair of surrogates.
    const LONGEST: usize = 12;
    let mut regions: Vec<Range<usize>> = Vec::new();
    for at in places {
        let is_within = |at: &usize| text.get(*at).is_some_and(|byte| byte & 0xC0 == 0x80);
        let (start, end) = (at.saturating_sub(margin), text.len().min(at + margin + LONGEST));
        // A character has four bytes at most; more that go on with one are no text.
        let start = start - (0..4).take_while(|back| *back < start && is_within(&(start - back))).count();
        let end = end + (0..4).take_while(|ahead| is_within(&(end + ahead))).count();
        match regions.last_mut() {
            Some(last) if start <= last.end => last.end = end,
            _ => regions.push(start..end),
        }
    }
    regions
}

/// `%41` (RFC 3986, 2.1).
pub(super) fn percent(text: &[u8]) -> Option<Meant> {
    let [b'%', rest @ ..] = text else { return None };
    Some(Meant::byte(u8::try_from(hex(rest, 2)?).ok()?, 3))
}

/// `\n`, `\u0041` (RFC 8259, 7), and `\x41` of programs. A surrogate alone stands for what is no character.
pub(super) fn backslash(text: &[u8]) -> Option<Meant> {
    let [b'\\', kind, rest @ ..] = text else { return None };
    let byte = match kind {
        b'"' | b'\\' | b'/' | b'\'' => *kind,
        b'b' => 8,
        b't' => b'\t',
        b'n' => b'\n',
        b'f' => 12,
        b'r' => b'\r',
        b'x' => return Some(Meant::byte(u8::try_from(hex(rest, 2)?).ok()?, 4)),
        b'u' => return unicode(rest),
        _ => return None,
    };
    Some(Meant::byte(byte, 2))
}

/// Whether an escape hides more than a line break or a tab.
pub(super) fn is_telling_backslash(text: &[u8]) -> bool {
    !matches!(text, [_, b'n' | b'r' | b't' | b'b' | b'f', ..]) && backslash(text).is_some()
}

/// The character after `\u`, which may be made of two.
fn unicode(text: &[u8]) -> Option<Meant> {
    let first = u16::try_from(hex(text, 4)?).ok()?;
    if let Some(c) = char::from_u32(first.into()) {
        return Some(Meant::char(c, 6));
    }
    let second = text[4..]
        .strip_prefix(b"\\u")
        .and_then(|rest| hex(rest, 4))
        .and_then(|unit| u16::try_from(unit).ok());
    let pair = second.and_then(|second| char::decode_utf16([first, second]).next()?.ok());
    Some(pair.map_or_else(|| Meant::char(char::REPLACEMENT_CHARACTER, 6), |c| Meant::char(c, 12)))
}

fn hex(text: &[u8], digits: usize) -> Option<u32> {
    let digits = text.get(..digits)?;
    digits.iter().try_fold(0, |sum, digit| Some(sum << 4 | char::from(*digit).to_digit(16)?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn undone(text: &str, escape: Escape) -> Undone {
        Undone::new(text.as_bytes(), |byte| matches!(byte, b'%' | b'\\'), escape)
    }

    #[test]
    fn what_escapes_mean() {
        for (written, meant) in [
            (r#"a\"b\\c\/d\n"#, "a\"b\\c/d\n"),
            (r"\u0041\u00e9\uD83D\uDE00", "Aé😀"),
            (r"\uD83Dx\uDE00", "\u{fffd}x\u{fffd}"),
            (r"\q\u12", r"\q\u12"),
            (r"\x41\x4", r"A\x4"),
        ] {
            assert_eq!(undone(written, backslash).bytes, meant.as_bytes(), "{written}");
        }
        assert_eq!(undone("a%20b%2Fc%2fd%%4", percent).bytes, b"a b/c/d%%4");
    }

    #[test]
    fn where_it_was_written() {
        let text = r"ab\u0041cd\nef";
        let undone = undone(text, backslash);
        let written = |part: &str| {
            let whole = std::str::from_utf8(&undone.bytes).unwrap();
            let at = whole.find(part).unwrap();
            &text[undone.written(&(at..at + part.len()))]
        };
        for (part, is) in [
            ("ab", "ab"),
            ("bA", r"b\u0041"),
            ("A", r"\u0041"),
            ("cd", "cd"),
            ("d\ne", r"d\ne"),
            ("ef", "ef"),
        ] {
            assert_eq!(written(part), is);
        }
    }

    proptest! {
        #[test]
        fn regions_hold_all_around_escapes(text in "[a-c%]{0,400}", margin in 1_usize..150) {
            let places = places(text.as_bytes(), |byte| byte == b'%', |_| true);
            let regions = regions(places, text.as_bytes(), margin);
            for (at, _) in text.match_indices('%') {
                let wanted = at.saturating_sub(margin)..text.len().min(at + margin);
                prop_assert!(regions.iter().any(|region| region.start <= wanted.start && wanted.end <= region.end));
            }
            prop_assert!(regions.windows(2).all(|pair| pair[0].end < pair[1].start));
        }
    }
}
