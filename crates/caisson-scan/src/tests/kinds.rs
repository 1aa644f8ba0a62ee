//! Every kind is found where it is, and not where something resembles it.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{made::Chance, *};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fixtures {
    kind: Vec<Fixture>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Fixture {
    pub(super) kind: String,
    pub(super) found: Vec<String>,
    pub(super) passed: Vec<String>,
}

pub(super) fn fixtures() -> Vec<Fixture> {
    let text = include_str!("kinds.toml");
    toml::from_str::<Fixtures>(text).unwrap().kind
}

fn finds(scanner: &Scanner, kind: &str, text: &str) -> bool {
    kinds(&verdict(scanner, Direction::ToClient, &result(text))).contains(&kind)
}

/// A text made of a template in which the kind is found. One with check digits takes some tries: these are made with
/// its detector alone, which is fast.
pub(super) fn find_one(scanner: &Scanner, kind: &str, template: &str) -> Option<String> {
    let detectors = &scanner.0.detectors;
    let number = detectors.all().iter().position(|ready| ready.detector.kind.as_str() == kind)?;
    let ready = &detectors.all()[number];
    let detects = |bytes: &[u8]| {
        let text = detectors::Text { bytes, is_prose: true };
        let places: Vec<_> = if ready.detector.numbers {
            runs::numbers(bytes).collect()
        } else {
            let mut places = Vec::new();
            detectors.candidates(bytes, |place, candidate| {
                if usize::from(candidate) == number {
                    places.push(place);
                }
            });
            places
        };
        places.iter().any(|place| ready.find_at(text, place).is_some())
    };
    let has_digits = ready.detector.checksum.is_some_and(|checksum| checksum != Checksum::Crc32Base62);
    let tries = if has_digits { 20_000 } else { 3 };
    let mut texts = (0..tries).map(|seed| Chance(seed).fill(template));
    // What is found only after it was decoded is looked for with everything.
    let text = if has_digits { texts.find(|text| detects(text.as_bytes()))? } else { texts.next()? };
    finds(scanner, kind, &text).then_some(text)
}

#[test]
fn each_is_found_and_what_resembles_it_is_not() {
    let scanner = scanner(ALL);
    let mut wrong = Vec::new();
    for Fixture { kind, found, passed } in fixtures() {
        for template in &found {
            if find_one(&scanner, &kind, &format!("see: {template} .")).is_none() {
                wrong.push(format!("{kind} is not found in {template}"));
            }
        }
        for (template, seed) in passed.iter().zip(0..) {
            if finds(&scanner, &kind, &Chance(seed).fill(&format!("see: {template} ."))) {
                wrong.push(format!("{kind} is found in {template}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn each_has_both() {
    let fixtures: BTreeMap<String, Fixture> =
        fixtures().into_iter().map(|fixture| (fixture.kind.clone(), fixture)).collect();
    let scanner = scanner("");
    let detectors = scanner.0.detectors.all();
    for ready in detectors {
        let kind = ready.detector.kind.as_str();
        let has_both =
            fixtures.get(kind).is_some_and(|both| !both.found.is_empty() && !both.passed.is_empty());
        assert!(has_both, "{kind}");
    }
    assert_eq!(fixtures.len(), detectors.len());
}

#[test]
fn a_changed_digit_is_noticed() {
    let scanner = scanner(ALL);
    for Fixture { kind, found, .. } in fixtures() {
        if !kind.starts_with("personal.")
            || matches!(&*kind, "personal.email" | "personal.phone" | "personal.us-ssn")
        {
            continue;
        }
        let checks = |ready: &&detectors::Ready| ready.detector.kind.as_str() == kind;
        let Some(checksum) = scanner.0.detectors.all().iter().find(checks).unwrap().detector.checksum else {
            continue;
        };
        let text = find_one(&scanner, &kind, &format!("see: {} .", found[0])).unwrap();
        let at = text.rfind(|c: char| c.is_ascii_digit()).unwrap();
        let digit = (text.as_bytes()[at] - b'0' + 1) % 10;
        let changed = format!("{}{digit}{}", &text[..at], &text[at + 1..]);
        assert!(!finds(&scanner, &kind, &changed), "{kind} {checksum:?}: {text} and {changed}");
    }
}
