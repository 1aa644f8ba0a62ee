//! Finds many short words at once, in either case.
//!
//! All that passes goes through here, byte by byte, so a byte must cost little. An automaton's next state can only be
//! read when the last is known, and waits for memory at every byte. In place of that, words are put into eight groups,
//! and for each pair of neighbouring bytes a table says which groups have it at which place. What the tables say of
//! four pairs in a row is put together with a shift and an *or*: where a group is left over, one of its words may
//! begin, and that is looked at. (Baeza-Yates and Gonnet's shift-or, over pairs, with groups for words.)

use std::ops::Range;

/// So many groups of words: a byte has a bit for each.
const GROUPS: usize = 8;
/// So many pairs are looked at from where a word begins.
const PAIRS: usize = 4;
/// No group is left.
const NONE: u32 = u32::MAX;
/// Less than this, and a group is left after the last of the pairs.
const LAST: u32 = 0xFF << (GROUPS * (PAIRS - 1));
/// So many bytes are looked at together.
const STRIDE: usize = 32;
/// What a byte is taken for: letters of either case as the same, and few other bytes as each other.
const CLASSES: usize = 64;

pub(super) struct Keywords {
    words: Vec<Box<[u8]>>,
    /// For each pair of classes and, in its bytes from the lowest on, each place in a word: the groups that do not have
    /// it there.
    pairs: Box<[u32; CLASSES * CLASSES]>,
    /// For each pair of classes, the words that begin with it, as a stretch of `starts`.
    beginning: Vec<Range<u32>>,
    starts: Vec<Start>,
}

/// A word, and what tells fast that it is not there.
#[derive(Clone, Copy)]
struct Start {
    head: u32,
    mask: u32,
    number: u16,
}

impl Keywords {
    /// These words, of ASCII in lower case, each at least a byte long. Each is known by its place among them.
    pub(super) fn new(words: Vec<String>) -> Self {
        let words: Vec<Box<[u8]>> = words.into_iter().map(|word| word.into_bytes().into()).collect();
        let mut pairs = Box::new([NONE; CLASSES * CLASSES]);
        let mut beginning_with = vec![Vec::new(); CLASSES * CLASSES];
        for (group, members) in grouped(&words).into_iter().enumerate() {
            for number in members {
                let word = &words[usize::from(number)];
                for place in 0..PAIRS {
                    for pair in pairs_at(word, place) {
                        pairs[pair] &= !(1 << (GROUPS * place + group));
                        if place == 0 {
                            beginning_with[pair].push(number);
                        }
                    }
                }
            }
        }
        let (mut beginning, mut starts) = (Vec::with_capacity(CLASSES * CLASSES), Vec::new());
        for numbers in beginning_with {
            let from = starts.len() as u32;
            starts.extend(numbers.into_iter().map(|number| {
                let word = &words[usize::from(number)];
                let mask = u32::MAX >> (32 - 8 * word.len().min(4));
                Start { head: head(word) & mask, mask, number }
            }));
            beginning.push(from..starts.len() as u32);
        }
        Self { words, pairs, beginning, starts }
    }

    /// Tells each place of each word, with its number, in the order of where they begin.
    pub(super) fn find(&self, text: &[u8], mut tell: impl FnMut(Range<usize>, u16)) {
        let Some((_, rest)) = text.split_first() else { return };
        let (firsts, last_firsts) = text[..rest.len()].as_chunks::<STRIDE>();
        let (seconds, last_seconds) = rest.as_chunks::<STRIDE>();
        let (mut state, mut at) = (NONE, 1);
        for (firsts, seconds) in firsts.iter().zip(seconds) {
            let mut pairs = [0; STRIDE];
            for (pair, (first, second)) in pairs.iter_mut().zip(firsts.iter().zip(seconds)) {
                *pair = pair_of(*first, *second);
            }
            // Rarely is there any, so many are asked together.
            let before = state;
            let mut all = NONE;
            for pair in pairs {
                state = self.over(state, pair);
                all &= state;
            }
            if all < LAST {
                self.look_along(text, at, before, pairs, &mut tell);
            }
            at += STRIDE;
        }
        // After the text stands what is in no word, for those that end where it does.
        let after = text.last().into_iter().chain(&[0; PAIRS - 1]).zip(&[0; PAIRS]);
        let pairs = last_firsts.iter().zip(last_seconds).chain(after);
        let pairs = pairs.map(|(first, second)| pair_of(*first, *second));
        self.look_along(text, at, state, pairs, &mut tell);
    }

    /// What is left of the groups after another pair: a bit is set for each that does not have it.
    fn over(&self, state: u32, pair: u16) -> u32 {
        state << GROUPS | self.pairs[usize::from(pair) % (CLASSES * CLASSES)]
    }

    /// Looks wherever a word may begin, of pairs of which the first ends at `at`.
    fn look_along(
        &self,
        text: &[u8],
        at: usize,
        mut state: u32,
        pairs: impl IntoIterator<Item = u16>,
        tell: &mut impl FnMut(Range<usize>, u16),
    ) {
        for (pair, end) in pairs.into_iter().zip(at..) {
            state = self.over(state, pair);
            // What is left before there were so many pairs begins before the text.
            if state < LAST && end >= PAIRS {
                self.look_at(text, end - PAIRS, tell);
            }
        }
    }

    fn look_at(&self, text: &[u8], at: usize, tell: &mut impl FnMut(Range<usize>, u16)) {
        let text_from = &text[at..];
        let pair = pair_of(text_from[0], text_from.get(1).copied().unwrap_or_default());
        let Range { start, end } = self.beginning[usize::from(pair)];
        let head = head(text_from);
        for Start { head: wanted, mask, number } in &self.starts[start as usize..end as usize] {
            if head & mask == *wanted {
                let word = &self.words[usize::from(*number)];
                if text_from.get(..word.len()).is_some_and(|there| there.eq_ignore_ascii_case(word)) {
                    tell(at..at + word.len(), *number);
                }
            }
        }
    }
}

/// The first bytes of a text, in lower case or what is taken for it.
fn head(text: &[u8]) -> u32 {
    let bytes = text.first_chunk().copied().unwrap_or_else(|| {
        let mut bytes = [0; 4];
        bytes[..text.len()].copy_from_slice(text);
        bytes
    });
    u32::from_le_bytes(bytes) | 0x2020_2020
}

/// Two neighbours, as a place in the tables.
fn pair_of(first: u8, second: u8) -> u16 {
    u16::from(class(first)) << CLASSES.ilog2() | u16::from(class(second))
}

/// Letters by their place in the alphabet; what stands beside them in ASCII by its place there.
fn class(byte: u8) -> u8 {
    byte & 0x1F | byte >> 1 & 0x20
}

/// The pairs that a word has at a place; all that there are with its last byte, or all, where it is shorter.
fn pairs_at(word: &[u8], place: usize) -> impl Iterator<Item = usize> {
    let classes = |at: usize| {
        word.get(at).map_or(0..CLASSES, |byte| usize::from(class(*byte))..usize::from(class(*byte)) + 1)
    };
    let seconds = classes(place + 1);
    classes(place).flat_map(move |first| seconds.clone().map(move |second| first * CLASSES + second))
}

/// Words in groups that tell most: short ones apart, since they end where others go on; others beside those that begin
/// alike.
fn grouped(words: &[Box<[u8]>]) -> [Vec<u16>; GROUPS] {
    let mut groups = [const { Vec::new() }; GROUPS];
    let mut long: Vec<u16> = Vec::new();
    for (word, number) in words.iter().zip(0..) {
        match word.len() {
            0..=2 => groups[0].push(number),
            3 => groups[1].push(number),
            _ => long.push(number),
        }
    }
    long.sort_by_key(|number| &words[usize::from(*number)]);
    let each = long.len().div_ceil(GROUPS - 2).max(1);
    for (group, members) in groups[2..].iter_mut().zip(long.chunks(each)) {
        group.extend(members);
    }
    groups
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn as_one_that_looks_for_each(
            words in prop::collection::btree_set("[a-d_@-]{1,7}", 0..30),
            text in "[a-dA-D_@é-]{0,60}",
        ) {
            let words: Vec<String> = words.into_iter().collect();
            let mut found = Vec::new();
            Keywords::new(words.clone()).find(text.as_bytes(), |place, number| found.push((place.start, number)));
            prop_assert!(found.is_sorted_by_key(|(at, _)| *at));
            let lower = text.to_ascii_lowercase();
            let mut wanted = Vec::new();
            for (word, number) in words.iter().zip(0_u16..) {
                let all = (0..text.len()).filter(|at| lower.as_bytes()[*at..].starts_with(word.as_bytes()));
                wanted.extend(all.map(|at| (at, number)));
            }
            found.sort_unstable();
            wanted.sort_unstable();
            prop_assert_eq!(found, wanted);
        }
    }
}
