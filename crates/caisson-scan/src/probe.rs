//! Looks through one text, and through what is encoded in it. All it does is bounded by the text's length.

use std::{io::Read as _, ops::Range};

use flate2::read::GzDecoder;

use super::{
    Encoding, base64,
    detectors::{Detectors, Text},
    escapes::{self, Undone},
    exact::{self, Exact},
    runs,
    unicode::{self, Hidden},
};

/// A text, and two encoded in one another within it. What is compressed is always encoded too, and counts with that as
/// one.
const DEEPEST: u8 = 3;
/// The most that is unpacked for one message, in bytes.
pub(super) const MOST_UNPACKED: usize = 8 << 20;
/// So far on both sides of an escape a thing may begin or end that has it.
const MARGIN: usize = 512;
/// A run of so many characters is decoded whatever it begins with: an image, an archive.
const LONG_BASE64: usize = 64;
const LONG_HEX: usize = 4096;
/// The shortest stretch of hexadecimal digits that is decoded.
const SHORTEST_HEX: usize = 32;

/// Something that was found in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Hit {
    pub(super) range: Range<usize>,
    pub(super) what: What,
    /// How it was encoded, the outermost first.
    pub(super) encoded: Vec<Encoding>,
}

/// What was found, by its number. The first are the gravest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum What {
    Own(u16),
    Canary(u16),
    Detector(u16),
    Hidden(Hidden),
    /// Something encoded that is too large to be looked at whole.
    Unread,
}

/// Looks through the texts of one message.
pub(super) struct Probe<'a> {
    detectors: &'a Detectors,
    canaries: &'a Exact,
    own: &'a Exact,
    margin: usize,
    /// How much may still be unpacked.
    unpackable: usize,
}

impl<'a> Probe<'a> {
    pub(super) fn new(detectors: &'a Detectors, canaries: &'a Exact, own: &'a Exact) -> Self {
        let margin = MARGIN.max(own.longest()).max(canaries.longest());
        Self { detectors, canaries, own, margin, unpackable: MOST_UNPACKED }
    }

    /// The longest that is found across the border of two texts.
    pub(super) fn margin(&self) -> usize {
        self.margin
    }

    /// All that is found in a text.
    pub(super) fn look(&mut self, text: &[u8]) -> Vec<Hit> {
        let mut hits = Vec::new();
        self.look_within(text, 1, &mut hits);
        once_each(hits)
    }

    /// All that is found in a text whose field says that it is base64: what that stands for is the text.
    pub(super) fn look_in_blob(&mut self, text: &[u8]) -> Vec<Hit> {
        let mut hits = Vec::new();
        self.look_within(text, DEEPEST, &mut hits);
        // Digits of hexadecimal are characters of base64 too.
        if text.len() >= SHORTEST_HEX && text.iter().all(u8::is_ascii_hexdigit) {
            self.look_in_run(text, 0..text.len(), 1, &mut hits);
        }
        self.decode_base64(text, 0..text.len(), 0, &mut hits);
        once_each(hits)
    }

    /// Values of a field that are known by its name. `text` is both, and the value begins at `from`.
    pub(super) fn look_beside(&self, text: &[u8], from: usize) -> Vec<Hit> {
        let text = Text { bytes: text, is_prose: std::str::from_utf8(text).is_ok() };
        let (all, mut hits) = (self.detectors.all(), Vec::new());
        self.detectors.candidates(text.bytes, |place, number| {
            let ready = &all[usize::from(number)];
            if place.start < from
                && ready.finds_beside()
                && let Some(range) = ready.find_at(text, &place)
                && range.start >= from
            {
                hits.push(Hit { range, what: What::Detector(number), encoded: Vec::new() });
            }
        });
        hits
    }

    fn look_within(&mut self, bytes: &[u8], depth: u8, hits: &mut Vec<Hit>) {
        if bytes.len() < exact::SHORTEST {
            return;
        }
        let found = |range: Range<usize>, what: What| Hit { range, what, encoded: Vec::new() };
        hits.extend(self.own.find(bytes).map(|(range, number)| found(range, What::Own(number))));
        hits.extend(self.canaries.find(bytes).map(|(range, number)| found(range, What::Canary(number))));

        let is_ascii = bytes.is_ascii();
        let seen = if is_ascii { None } else { std::str::from_utf8(bytes).ok() };
        let text = Text { bytes, is_prose: is_ascii || seen.is_some() };
        self.detect(text, hits);
        if let Some(seen) = seen {
            self.look_at_unseen(seen, depth, hits);
        }
        if depth < DEEPEST {
            for run in runs::encoded(bytes) {
                self.look_in_run(bytes, run, depth, hits);
            }
            self.undo(
                bytes,
                |byte| byte == b'%',
                |at| escapes::percent(at).is_some(),
                (escapes::percent, Encoding::Percent),
                depth,
                hits,
            );
            self.undo(
                bytes,
                |byte| byte == b'\\',
                escapes::is_telling_backslash,
                (escapes::backslash, Encoding::Escaped),
                depth,
                hits,
            );
        }
    }

    fn detect(&self, text: Text<'_>, hits: &mut Vec<Hit>) {
        let all = self.detectors.all();
        self.detectors.candidates(text.bytes, |place, number| {
            let what = What::Detector(number);
            // What lies within something of the same kind is a part of it.
            let is_part = |hit: &Hit| hit.what == what && hit.range.contains(&place.start);
            if !hits.iter().rev().take(4).any(is_part)
                && let Some(range) = all[usize::from(number)].find_at(text, &place)
            {
                hits.push(Hit { range, what, encoded: Vec::new() });
            }
        });
        if text.is_prose {
            for place in runs::numbers(text.bytes) {
                for number in self.detectors.at_numbers() {
                    let range = all[usize::from(*number)].find_at(text, &place);
                    hits.extend(range.map(|range| Hit {
                        range,
                        what: What::Detector(*number),
                        encoded: Vec::new(),
                    }));
                }
            }
        }
        for number in self.detectors.everywhere() {
            let found = all[usize::from(*number)].find_everywhere(text).into_iter();
            hits.extend(found.map(|range| Hit { range, what: What::Detector(*number), encoded: Vec::new() }));
        }
    }

    fn look_at_unseen(&mut self, text: &str, depth: u8, hits: &mut Vec<Hit>) {
        let unseen = unicode::find(text);
        let hidden = unseen.hidden.into_iter();
        hits.extend(hidden.map(|(range, kind)| Hit { range, what: What::Hidden(kind), encoded: Vec::new() }));
        if depth < DEEPEST {
            let regions = escapes::regions(unseen.places, text.as_bytes(), self.margin);
            let how = (unicode::meant as escapes::Escape, Encoding::Unicode);
            self.look_in_regions(text.as_bytes(), regions, |byte| byte >= 0x80, how, depth, hits);
        }
    }

    fn undo(
        &mut self,
        text: &[u8],
        begins: impl Fn(u8) -> bool + Copy,
        telling: impl Fn(&[u8]) -> bool,
        how: (escapes::Escape, Encoding),
        depth: u8,
        hits: &mut Vec<Hit>,
    ) {
        let regions = escapes::regions(escapes::places(text, begins, telling), text, self.margin);
        self.look_in_regions(text, regions, begins, how, depth, hits);
    }

    fn look_in_regions(
        &mut self,
        text: &[u8],
        regions: Vec<Range<usize>>,
        begins: impl Fn(u8) -> bool + Copy,
        (escape, encoding): (escapes::Escape, Encoding),
        depth: u8,
        hits: &mut Vec<Hit>,
    ) {
        for region in regions {
            let undone = Undone::new(&text[region.clone()], begins, escape);
            let mut inner = Vec::new();
            self.look_within(&undone.bytes, depth + 1, &mut inner);
            hits.extend(inner.into_iter().map(|mut hit| {
                let written = undone.written(&hit.range);
                hit.range = region.start + written.start..region.start + written.end;
                hit.encoded.insert(0, encoding);
                hit
            }));
        }
    }

    fn look_in_run(&mut self, text: &[u8], run: Range<usize>, depth: u8, hits: &mut Vec<Hit>) {
        let chars = &text[run.clone()];
        if chars.len() >= SHORTEST_HEX
            && chars.len().is_multiple_of(2)
            && let Some(sample) = hex(&chars[..16])
            && (chars.len() >= LONG_HEX || sample.iter().all(|byte| runs::is_readable(*byte)))
            && let Some(bytes) = hex(chars)
        {
            self.look_in_decoded(&bytes, &run, &[Encoding::Hex], depth, hits);
            return;
        }
        for skipped in 0..4.min(chars.len()) {
            let begins = &chars[skipped..];
            if skipped == 0 && (chars.len() >= LONG_BASE64 || begins.starts_with(b"H4sI"))
                || base64::begins_readable(begins)
            {
                self.decode_base64(text, run.start + skipped..run.end, depth, hits);
            }
        }
    }

    fn decode_base64(&mut self, text: &[u8], run: Range<usize>, depth: u8, hits: &mut Vec<Hit>) {
        let bytes = base64::decode(&text[run.clone()]);
        if bytes.starts_with(&[0x1F, 0x8B]) {
            self.unpack(&bytes, &run, depth, hits);
        }
        self.look_in_decoded(&bytes, &run, &[Encoding::Base64], depth, hits);
    }

    /// RFC 1952. What is broken is looked at as far as it goes.
    fn unpack(&mut self, packed: &[u8], run: &Range<usize>, depth: u8, hits: &mut Vec<Hit>) {
        let (mut bytes, most) = (Vec::new(), self.unpackable);
        let _broken = GzDecoder::new(packed).take(most as u64 + 1).read_to_end(&mut bytes);
        if bytes.len() > most {
            bytes.truncate(most);
            hits.push(Hit {
                range: run.clone(),
                what: What::Unread,
                encoded: vec![Encoding::Base64, Encoding::Gzip],
            });
        }
        self.unpackable -= bytes.len();
        self.look_in_decoded(&bytes, run, &[Encoding::Base64, Encoding::Gzip], depth, hits);
    }

    /// What is found in something decoded stands in all of the run: a part of it cannot be taken out.
    fn look_in_decoded(
        &mut self,
        bytes: &[u8],
        run: &Range<usize>,
        how: &[Encoding],
        depth: u8,
        hits: &mut Vec<Hit>,
    ) {
        let mut inner = Vec::new();
        self.look_within(bytes, depth + 1, &mut inner);
        inner.sort_by_key(|hit| (hit.what, hit.encoded.len()));
        inner.dedup_by_key(|hit| hit.what);
        hits.extend(inner.into_iter().map(|hit| Hit {
            range: run.clone(),
            what: hit.what,
            encoded: how.iter().copied().chain(hit.encoded).collect(),
        }));
    }
}

fn hex(digits: &[u8]) -> Option<Vec<u8>> {
    let value = |digit: u8| char::from(digit).to_digit(16);
    digits.chunks_exact(2).map(|pair| Some((value(pair[0])? << 4 | value(pair[1])?) as u8)).collect()
}

/// Of the same thing in the same place, the way with the fewest encodings is told.
fn once_each(mut hits: Vec<Hit>) -> Vec<Hit> {
    if hits.len() > 1 {
        hits.sort_by(|a, b| {
            (a.what, a.range.start, a.range.end, a.encoded.len()).cmp(&(
                b.what,
                b.range.start,
                b.range.end,
                b.encoded.len(),
            ))
        });
        hits.dedup_by(|b, a| a.what == b.what && a.range == b.range);
    }
    hits
}
