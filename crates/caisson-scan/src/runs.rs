//! Stretches of a text that may be encoded, and stretches that may be numbers; found by looking at few bytes.

use std::ops::Range;

use super::base64;

/// So many characters of base64 hold less than any credential.
const SHORTEST_RUN: usize = 16;
/// The shortest card or account number has so many digits, together with those of its date or bank.
const SHORTEST_NUMBER: usize = 12;
/// A line of so many characters may go on in the next: PEM breaks at 64, MIME at 76.
const SHORTEST_LINE: usize = 60;

/// The first byte of a text that is as asked. Looks at many bytes at once, so that the compiler can.
pub(super) fn position(text: &[u8], is_it: impl Fn(u8) -> bool) -> Option<usize> {
    // Where such bytes are many, the next is near.
    let (near, far) = text.split_at(text.len().min(8));
    if let Some(at) = near.iter().position(|byte| is_it(*byte)) {
        return Some(at);
    }
    let mut chunks = far.chunks_exact(32);
    let mut at = near.len();
    for chunk in chunks.by_ref() {
        if chunk.iter().fold(false, |any, byte| any | is_it(*byte)) {
            break;
        }
        at += 32;
    }
    text[at..].iter().position(|byte| is_it(*byte)).map(|found| at + found)
}

/// Whether a byte is of visible ASCII text.
pub(super) fn is_readable(byte: u8) -> bool {
    matches!(byte, b' '..=b'~' | b'\n' | b'\r' | b'\t')
}

/// The stretches of characters of base64, and so of hexadecimal digits, that are long enough to be of interest. One that
/// goes on over lines is one.
pub(super) fn encoded(text: &[u8]) -> impl Iterator<Item = Range<usize>> {
    let mut from = 0;
    std::iter::from_fn(move || {
        loop {
            // Every run that begins in the bytes up to here has a character here.
            let probe = from + SHORTEST_RUN - 1;
            if !base64::is_character(*text.get(probe)?) {
                from = probe + 1;
                continue;
            }
            let before =
                text[from..probe].iter().rev().take_while(|byte| base64::is_character(**byte)).count();
            let start = probe - before;
            let mut end = end_of_line(text, probe);
            let mut line = end - start;
            while line >= SHORTEST_LINE
                && let Some(next) = after_break(text, end)
                && end_of_line(text, next) > next
            {
                let next_end = end_of_line(text, next);
                (line, end) = (next_end - next, next_end);
            }
            from = end + 1;
            if end - start >= SHORTEST_RUN {
                return Some(start..end);
            }
        }
    })
}

fn end_of_line(text: &[u8], from: usize) -> usize {
    // Most runs are words: to look at many bytes at once would not pay.
    from + text[from..].iter().take_while(|byte| base64::is_character(**byte)).count()
}

fn after_break(text: &[u8], at: usize) -> Option<usize> {
    match &text[at..] {
        [b'\r', b'\n', ..] => Some(at + 2),
        [b'\n', ..] => Some(at + 1),
        _ => None,
    }
}

/// The stretches of digits, in groups with one space or dash between them, that are long enough for a card.
pub(super) fn numbers(text: &[u8]) -> impl Iterator<Item = Range<usize>> {
    let is_digit = |at: usize| text.get(at).is_some_and(u8::is_ascii_digit);
    let is_part = move |at: usize| is_digit(at) || matches!(text.get(at), Some(b' ' | b'-'));
    let mut from = 0;
    std::iter::from_fn(move || {
        loop {
            // Of two neighbours within a number, one is a digit.
            let probe = from + SHORTEST_NUMBER - 2;
            if probe + 1 >= text.len() {
                return None;
            }
            let Some(digit) = [probe, probe + 1].into_iter().find(|at| is_digit(*at)) else {
                from = probe + 1;
                continue;
            };
            let (mut start, mut end) = (digit, digit + 1);
            while start > from
                && (is_digit(start - 1) || start > from + 1 && is_part(start - 1) && is_digit(start - 2))
            {
                start -= 1;
            }
            while is_digit(end) || is_part(end) && is_digit(end + 1) {
                end += 1;
            }
            from = end;
            if text[start..end].iter().filter(|byte| byte.is_ascii_digit()).count() >= SHORTEST_NUMBER {
                return Some(start..end);
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn texts(text: &str, ranges: impl Iterator<Item = Range<usize>>) -> Vec<&str> {
        ranges.map(|range| &text[range]).collect()
    }

    #[test]
    fn runs_are_found_whole() {
        let line = "b".repeat(64);
        let broken = format!("{line}\r\n{line}\nend");
        let text = format!("short words only, then aaaaaaaaaaaaaaaa. {broken}! aaaaaaaaaaaaaaa");
        assert_eq!(texts(&text, encoded(text.as_bytes())), ["aaaaaaaaaaaaaaaa", &broken]);
    }

    #[test]
    fn numbers_are_found_whole() {
        let text = "on 2024-01-02 at 10:00, 4111 1111-1111 1111, 12345678901, a123456789012b 1  2";
        assert_eq!(texts(text, numbers(text.as_bytes())), ["4111 1111-1111 1111", "123456789012"]);
    }

    proptest! {
        #[test]
        fn as_one_that_looks_at_every_byte(text in "[a-c0-9 .-]{0,120}") {
            let every: Vec<&str> = text
                .split(|c: char| !base64::is_character(c as u8))
                .filter(|run| run.len() >= SHORTEST_RUN)
                .collect();
            prop_assert_eq!(texts(&text, encoded(text.as_bytes())), every);
            for needle in [b'a', b'.', b'!'] {
                prop_assert_eq!(position(text.as_bytes(), |byte| byte == needle), text.bytes().position(|byte| byte == needle));
            }
            let digits = text.split(|c: char| !c.is_ascii_digit()).filter(|run| run.len() >= SHORTEST_NUMBER);
            let found = texts(&text, numbers(text.as_bytes()));
            for run in digits {
                prop_assert!(found.iter().any(|found| found.contains(run)), "{} {:?}", run, found);
            }
        }
    }
}
