//! Takes secrets out of lines, however they are spelled there. A secret of several lines is known by each of them.

mod forms;
mod text;

use std::{borrow::Cow, cmp::Reverse, fmt, ops::Range};

use aho_corasick::{AhoCorasick, BuildError};
use caisson_wire::SecretBytes;

use self::{
    forms::{Form, forms},
    text::Text,
};
use crate::model::SecretName;

/// What is shorter is no secret, and stands in too many lines. Every form of a longer one has as many characters or
/// more, so none is met by chance more often than the secret itself.
const SHORTEST: usize = 6;

/// The values that are not to be seen, each with what is shown instead.
#[derive(Default)]
pub(super) struct Hidden(Option<Known>);

struct Known {
    /// Finds forms, by their number. It holds them for as long as they are hidden, as the server's own memory does.
    finder: Result<AhoCorasick, BuildError>,
    forms: Vec<(Form, String)>,
}

impl Hidden {
    pub(super) fn new<'a>(secrets: impl IntoIterator<Item = (&'a SecretName, &'a SecretBytes)>) -> Self {
        let mut all = Vec::new();
        for (name, value) in secrets {
            let lines = value.expose().split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
            let lines = lines.filter(|line| line.len() >= SHORTEST);
            all.extend(lines.flat_map(forms).map(|form| (form, format!("[secret {name}]"))));
        }
        // Where two fit, the longer is named.
        all.sort_by_key(|(form, _)| Reverse(form.text.expose().len()));
        if all.is_empty() {
            return Self(None);
        }
        // Hexadecimal digits are written in both cases, and a header may be shown in another.
        let finder = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .build(all.iter().map(|(form, _)| form.text.expose()));
        Self(Some(Known { finder, forms: all }))
    }

    /// The line without them. Where it was cut, it may end in the middle of one: that part goes as well.
    pub(super) fn without<'a>(&self, line: &'a [u8]) -> Cow<'a, [u8]> {
        let Some(known) = &self.0 else { return Cow::Borrowed(line) };
        let Ok(finder) = &known.finder else {
            return Cow::Borrowed(b"[not shown: its secrets are too long to find]");
        };
        let mut found = Vec::new();
        for text in Text::readings(line) {
            let hits = finder.find_overlapping_iter(&text.bytes);
            found.extend(hits.map(|hit| (text.within(hit.range()), hit.pattern().as_usize())));
            let begun = known.forms.iter().enumerate().filter_map(|(number, (form, _))| {
                Some((text.within(form.begun_at_end(&text.bytes)?), number))
            });
            found.extend(begun);
        }
        if found.is_empty() {
            return Cow::Borrowed(line);
        }
        Cow::Owned(known.replace(line, found))
    }
}

impl Known {
    /// The line with each stretch of what was `found` replaced by the name of the longest that begins it.
    fn replace(&self, line: &[u8], mut found: Vec<(Range<usize>, usize)>) -> Vec<u8> {
        found.sort_by_key(|(at, number)| (at.start, Reverse(at.end), *number));
        let (mut shown, mut done) = (Vec::with_capacity(line.len()), 0);
        for (at, number) in found {
            if at.start >= done {
                shown.extend_from_slice(&line[done..at.start]);
                shown.extend_from_slice(self.forms[number].1.as_bytes());
            }
            done = done.max(at.end);
        }
        shown.extend_from_slice(&line[done..]);
        shown
    }
}

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hidden").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
