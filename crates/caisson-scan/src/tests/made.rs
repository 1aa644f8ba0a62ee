//! Values that look like credentials, made up when a test runs: the repository holds none.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use super::super::checks::check_of;

/// Numbers that look random and are the same in each run (Steele's SplitMix64).
pub(super) struct Chance(pub(super) u64);

impl Chance {
    pub(super) fn next(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((mixed ^ (mixed >> 31)) % below as u64) as usize
    }

    pub(super) fn of(&mut self, alphabet: &str, count: usize) -> String {
        let alphabet: Vec<char> = alphabet.chars().collect();
        (0..count).map(|_| alphabet[self.next(alphabet.len())]).collect()
    }

    pub(super) fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.next(256) as u8).collect()
    }

    pub(super) fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.next(of.len())]
    }

    /// A text with what stands in braces made up.
    pub(super) fn fill(&mut self, template: &str) -> String {
        let mut text = String::new();
        let mut rest = template;
        while let Some(at) = rest.find('{') {
            let (before, from) = rest.split_at(at);
            text += before;
            match from.find('}').and_then(|end| Some((self.piece(&from[1..end])?, end))) {
                Some((piece, end)) => {
                    text += &piece;
                    rest = &from[end + 1..];
                }
                None => {
                    text.push('{');
                    rest = &from[1..];
                }
            }
        }
        text + rest
    }

    fn piece(&mut self, what: &str) -> Option<String> {
        const LOWER: &str = "abcdefghijklmnopqrstuvwxyz";
        const UPPER: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
        const DIGITS: &str = "0123456789";
        let (class, count) = what.split_once(':').unwrap_or((what, "0"));
        let count = count.parse().ok()?;
        let of = |parts: &[&str]| parts.concat();
        let alphabet = match class {
            "a" => of(&[LOWER, UPPER, DIGITS]),
            "b" => of(&[LOWER, UPPER, DIGITS, "+/"]),
            "w" => of(&[LOWER, UPPER, DIGITS, "_-"]),
            "v" => of(&[LOWER, UPPER, DIGITS, "_"]),
            "k" | "l" => of(&[LOWER, DIGITS]),
            "u" => of(&[UPPER, DIGITS]),
            "h" => "0123456789abcdef".to_owned(),
            "d" => DIGITS.to_owned(),
            "B" => of(&[UPPER, "234567"]),
            "L" => LOWER.to_owned(),
            "U" => UPPER.to_owned(),
            "e" => of(&[LOWER, UPPER]),
            "z" => "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz".to_owned(),
            "c" => "023456789acdefghjklmnpqrstuvwxyz".to_owned(),
            "x" => "x".to_owned(),
            "uuid" => {
                return Some(self.fill("{h:8}-{h:4}-{h:4}-{h:4}-{h:12}"));
            }
            "github" => {
                let body = self.of(&of(&[LOWER, UPPER, DIGITS]), 30);
                let check = check_of(body.as_bytes());
                return Some(body + &check);
            }
            "jwt" | "jwe" => {
                let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256","typ":"JWT"}"#);
                let rest = if class == "jwt" { "{w:40}.{w:43}" } else { "{w:40}.{w:16}.{w:60}.{w:22}" };
                return Some(format!("{header}.{}", self.fill(rest)));
            }
            _ => return None,
        };
        Some(self.of(&alphabet, count))
    }
}
