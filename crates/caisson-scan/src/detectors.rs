//! The detectors, ready to be used: one look for the keywords of all of them, and each one's expression, which is
//! made when it is first tried.

use std::{collections::BTreeSet, ops::Range, sync::OnceLock};

use regex::bytes::{Regex, RegexBuilder};

use super::{Checksum, Detector, DlpError, DlpPolicy, checks, keywords::Keywords};

/// The detectors that are built in, as data.
const BUILT_IN: [&str; 5] = [
    include_str!("cloud.toml"),
    include_str!("services.toml"),
    include_str!("keys.toml"),
    include_str!("personal.toml"),
    include_str!("phrases.toml"),
];

/// So far from its keyword a thing is looked at, in bytes, if its detector does not say.
const REACH: usize = 512;
/// The furthest a detector may reach, in bytes: at every keyword, so much may be looked at again.
const LONGEST_REACH: usize = 16 << 10;
/// The most a compiled expression may take, in bytes.
const EXPRESSION: usize = 1 << 20;

pub(super) struct Detectors {
    all: Vec<Ready>,
    keywords: Keywords,
    /// For each keyword, the detectors that have it.
    by_keyword: Vec<Vec<u16>>,
    /// Those that are tried at numbers, and those that are tried everywhere.
    at_numbers: Vec<u16>,
    everywhere: Vec<u16>,
}

/// A detector and its expression.
pub(super) struct Ready {
    pub(super) detector: Detector,
    regex: OnceLock<Option<Regex>>,
    reach: usize,
    /// It is found in text for people, and not in what happens to have its bytes.
    pub(super) is_prose: bool,
    is_credential: bool,
}

/// What is known of a text before detectors are tried in it.
#[derive(Clone, Copy)]
pub(super) struct Text<'a> {
    pub(super) bytes: &'a [u8],
    /// Whether it is text at all: UTF-8.
    pub(super) is_prose: bool,
}

impl Detectors {
    /// Those that are built in, and the user's.
    ///
    /// # Errors
    /// When one of the user's is not right.
    pub(super) fn new(policy: &DlpPolicy) -> Result<Self, DlpError> {
        let mut all = Vec::new();
        for text in BUILT_IN {
            all.extend(toml::from_str::<DlpPolicy>(text).map_err(DlpError::BuiltIn)?.detectors);
        }
        let mut kinds: BTreeSet<_> = all.iter().map(|detector| detector.kind.clone()).collect();
        for detector in &policy.detectors {
            if !kinds.insert(detector.kind.clone()) {
                return Err(DlpError::Twice(detector.kind.clone()));
            }
            check(detector)?;
            all.push(detector.clone());
        }
        let all: Vec<Ready> = all.into_iter().map(Ready::new).collect();

        let (mut words, mut by_keyword) = (Vec::<String>::new(), Vec::<Vec<u16>>::new());
        let (mut at_numbers, mut everywhere) = (Vec::new(), Vec::new());
        for (ready, number) in all.iter().zip(0_u16..) {
            let Detector { keywords, numbers, .. } = &ready.detector;
            for word in keywords.iter().map(|word| word.to_ascii_lowercase()) {
                match words.iter().position(|known| *known == word) {
                    Some(known) => by_keyword[known].push(number),
                    None => {
                        words.push(word);
                        by_keyword.push(vec![number]);
                    }
                }
            }
            if *numbers {
                at_numbers.push(number);
            } else if keywords.is_empty() {
                everywhere.push(number);
            }
        }
        Ok(Self { all, keywords: Keywords::new(words), by_keyword, at_numbers, everywhere })
    }

    pub(super) fn all(&self) -> &[Ready] {
        &self.all
    }

    /// Tells each place where a detector may find something, with its number.
    pub(super) fn candidates(&self, text: &[u8], mut tell: impl FnMut(Range<usize>, u16)) {
        self.keywords.find(text, |place, keyword| {
            for detector in &self.by_keyword[usize::from(keyword)] {
                tell(place.clone(), *detector);
            }
        });
    }

    /// Whether a field's name tells of its value what some detector looks for.
    pub(super) fn names_values(&self, name: &[u8]) -> bool {
        let mut names = false;
        self.candidates(name, |_, number| names = names || self.all[usize::from(number)].finds_beside());
        names
    }

    pub(super) fn at_numbers(&self) -> &[u16] {
        &self.at_numbers
    }

    pub(super) fn everywhere(&self) -> &[u16] {
        &self.everywhere
    }
}

impl Ready {
    fn new(detector: Detector) -> Self {
        let kind = detector.kind.as_str();
        Self {
            is_prose: kind.starts_with("personal.") || kind.starts_with("injection."),
            is_credential: kind.starts_with("credential."),
            reach: detector.reach.unwrap_or(REACH),
            regex: OnceLock::new(),
            detector,
        }
    }

    /// Whether it finds a value beside a name, and could find it beside a field's name.
    pub(super) fn finds_beside(&self) -> bool {
        self.regex().is_some_and(|regex| regex.captures_len() > 1)
    }

    /// What it finds at a place: at a keyword, or around a number.
    pub(super) fn find_at(&self, text: Text<'_>, place: &Range<usize>) -> Option<Range<usize>> {
        if self.is_prose && !text.is_prose {
            return None;
        }
        let Text { bytes, .. } = text;
        let is_anchored = self.is_anchored();
        if is_anchored && self.is_within_word(bytes, place.start) {
            return None;
        }
        // Digits after a point are of a fraction.
        if self.detector.numbers && matches!(bytes[..place.start], [.., b'0'..=b'9', b'.' | b',']) {
            return None;
        }
        let start = place.start.saturating_sub(self.detector.before);
        let end = bytes.len().min(place.end + self.reach);
        let (window, regex) = (&bytes[start..end], self.regex()?);
        let mut found = regex.find_iter(window).map(|found| found.start() + start..found.end() + start);
        if is_anchored {
            return self.checked(bytes, found.next()?);
        }
        let covers = |found: &Range<usize>| found.start < place.end && place.start < found.end;
        found.filter(covers).find_map(|whole| self.checked(bytes, whole))
    }

    /// All it finds in a text.
    pub(super) fn find_everywhere(&self, text: Text<'_>) -> Vec<Range<usize>> {
        let Some(regex) = self.regex() else { return Vec::new() };
        regex.find_iter(text.bytes).filter_map(|found| self.checked(text.bytes, found.range())).collect()
    }

    fn is_anchored(&self) -> bool {
        self.detector.before == 0 && !self.detector.numbers && !self.detector.keywords.is_empty()
    }

    /// The thing in a match, if it is one by all that is known of it.
    fn checked(&self, bytes: &[u8], whole: Range<usize>) -> Option<Range<usize>> {
        let ends_within = |end: usize| bytes.get(end).is_some_and(u8::is_ascii_alphanumeric);
        if !self.detector.within_words && (self.is_within_word(bytes, whole.start) || ends_within(whole.end))
        {
            return None;
        }
        // What mixes no digits with its letters is found often, as `token = next_token`: that is told at once.
        if self.detector.checksum == Some(Checksum::Mixed)
            && !bytes[whole.clone()].iter().any(u8::is_ascii_digit)
        {
            return None;
        }
        let regex = self.regex()?;
        let at = if regex.captures_len() > 1 {
            let group = regex.captures(&bytes[whole.clone()])?.get(1)?.range();
            whole.start + group.start..whole.start + group.end
        } else {
            whole
        };
        let (value, Detector { entropy, checksum, .. }) = (&bytes[at.clone()], &self.detector);
        let is_one = !value.is_empty()
            && checksum.is_none_or(|checksum| checksum.holds(value))
            && entropy.is_none_or(|least| checks::entropy(value) >= least)
            && !(self.is_credential && checks::is_placeholder(value));
        is_one.then_some(at)
    }

    /// Whether a word goes on here. An escaped line break before it, of a text in a text, is no part of one. What may
    /// be long is a word with dashes: else each part of a long one would be looked at to its end.
    fn is_within_word(&self, bytes: &[u8], at: usize) -> bool {
        if self.detector.within_words {
            return false;
        }
        match bytes[..at] {
            [.., b'\\', b'n' | b'r' | b't'] => false,
            [.., b'-' | b'_'] => self.reach > REACH,
            [.., last] => last.is_ascii_alphanumeric(),
            [] => false,
        }
    }

    /// None only if it is built in and not right, which a test rules out.
    fn regex(&self) -> Option<&Regex> {
        self.regex.get_or_init(|| compiled(&self.detector).ok()).as_ref()
    }
}

/// Anchored where a keyword says where it begins.
fn compiled(detector: &Detector) -> Result<Regex, regex::Error> {
    let Detector { regex, before, numbers, keywords, .. } = detector;
    let anchor = if *before == 0 && !numbers && !keywords.is_empty() { r"\A" } else { "" };
    RegexBuilder::new(&format!("{anchor}(?:{regex})"))
        .unicode(false)
        .size_limit(EXPRESSION)
        .dfa_size_limit(EXPRESSION)
        .build()
}

/// Whether a detector of the user is right.
fn check(detector: &Detector) -> Result<(), DlpError> {
    let wrong = |why: &str| Err(DlpError::Detector { kind: detector.kind.clone(), why: why.to_owned() });
    let Detector { keywords, before, reach, title, .. } = detector;
    if keywords.iter().any(|word| word.len() < 2 || word.len() > 64) {
        return wrong("a keyword has 2 to 64 bytes");
    }
    if *before > REACH || reach.is_some_and(|reach| reach == 0 || reach > LONGEST_REACH) {
        return wrong("\"before\" is at most 512, \"reach\" 1 to 16384");
    }
    if title.is_empty() || title.len() > 80 || title.chars().any(char::is_control) {
        return wrong("a title has 1 to 80 bytes of visible text");
    }
    let regex = compiled(detector);
    let regex =
        regex.map_err(|why| DlpError::Detector { kind: detector.kind.clone(), why: why.to_string() })?;
    if regex.is_match(b"") {
        return wrong("the expression fits a text of nothing");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_built_in_is_right() {
        let built_in = Detectors::new(&DlpPolicy::default()).unwrap();
        for ready in built_in.all() {
            let kind = &ready.detector.kind;
            compiled(&ready.detector).unwrap_or_else(|error| panic!("{kind}: {error}"));
            assert!(ready.reach <= LONGEST_REACH, "{kind}");
            assert!(ready.detector.title.len() <= 80, "{kind}");
            assert!(ready.detector.numbers || !ready.detector.keywords.is_empty(), "{kind}");
        }
        let kinds: BTreeSet<_> = built_in.all().iter().map(|ready| &ready.detector.kind).collect();
        assert_eq!(kinds.len(), built_in.all().len());
        let credentials = kinds.iter().filter(|kind| kind.as_str().starts_with("credential.")).count();
        assert!(credentials >= 150, "{credentials}");
    }

    #[test]
    fn what_is_wrong_with_a_detector() {
        let read = |text: &str| {
            let policy = toml::from_str(&format!("[[detector]]\ntitle = 'A'\n{text}")).unwrap();
            Detectors::new(&policy).map(drop)
        };
        assert!(read("kind = 'acme.a'\nkeywords = ['ac-']\nregex = 'ac-[0-9]+'").is_ok());
        for wrong in [
            "kind = 'acme.a'\nkeywords = ['a']\nregex = 'a'",
            "kind = 'acme.a'\nregex = '('",
            "kind = 'acme.a'\nregex = 'a*'",
            "kind = 'acme.a'\nregex = 'a'\nreach = 100000",
            "kind = 'acme.a'\nregex = '(?:a{1000}){1000}'",
            "kind = 'personal.iban'\nregex = 'a'",
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
