//! Characters that are not seen, and characters that are seen as others.
//!
//! Scripts need some of them: joiners, marks of direction, variation selectors. Those are no finding where their
//! scripts are, nor is a flag's sequence of tags.

use std::ops::Range;

use super::{escapes::Meant, runs::position};

/// So near, in bytes, must letters from right to left be for marks of direction to have an honest use.
const NEAR: usize = 64;

/// How text is hidden.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Hidden {
    /// Characters without width.
    ZeroWidth,
    /// Controls that show text in another order than it has (UAX #9).
    Bidi,
    /// Tags, U+E0000 to U+E007F: ASCII that is not seen.
    Tags,
    /// Variation selectors where nothing varies: each may stand for a byte.
    Variation,
}

/// What was found in a text.
#[derive(Debug, Default)]
pub(super) struct Unseen {
    /// Stretches of hidden characters.
    pub(super) hidden: Vec<(Range<usize>, Hidden)>,
    /// Where characters stand that make a text read differently from what it is.
    pub(super) places: Vec<usize>,
}

/// Looks through a text that is not ASCII alone.
pub(super) fn find(text: &str) -> Unseen {
    let (bytes, mut unseen, mut at) = (text.as_bytes(), Unseen::default(), 0);
    while let Some(ahead) = position(&bytes[at..], |byte| byte >= 0x80) {
        at += ahead;
        loop {
            if let Some(length) = harmless(bytes, at) {
                at += length;
                continue;
            }
            let Some(c) = text.get(at..).and_then(|rest| rest.chars().next()).filter(|c| !c.is_ascii())
            else {
                break;
            };
            let end = at + c.len_utf8();
            if may_matter(c) {
                at = unseen.look(text, at, end, c);
            } else {
                at = end;
            }
        }
    }
    unseen
}

/// The length of a character that cannot matter, told by its first bytes and its neighbours: most of most texts.
fn harmless(bytes: &[u8], at: usize) -> Option<usize> {
    let second = || bytes.get(at + 1).copied().unwrap_or_default();
    let beside_letter = |length: usize| {
        let is_letter = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_alphabetic);
        is_letter(at + length) || at > 0 && is_letter(at - 1)
    };
    match bytes.get(at)? {
        0xC3..=0xC8 | 0xD7 | 0xD9..=0xDF => Some(2),
        // Latin, Greek, Cyrillic and Armenian letters: alike beside those of ASCII only.
        0xC9..=0xCC | 0xCE..=0xD6 if !beside_letter(2) => Some(2),
        0xD8 if second() != 0x9C => Some(2),
        0xE0 | 0xE4..=0xED => Some(3),
        0xE2 if second() > 0x81 => Some(3),
        0xE3 if second() != 0x85 => Some(3),
        0xF0 if second() == 0x9F || second() >= 0xA0 => Some(4),
        _ => None,
    }
}

/// Most other characters of most scripts are told by their number alone.
fn may_matter(c: char) -> bool {
    let number = u32::from(c);
    !matches!(number, 0xA0..=0xAC | 0xAE..=0x250 | 0x530..=0x61B | 0x620..=0x115E | 0x2070..=0x3163 | 0x3165..=0xFDFF | 0x1F000..=0x1FFFF)
}

impl Unseen {
    /// Looks at one character, with what stands around it, and says where to go on.
    fn look(&mut self, text: &str, at: usize, end: usize, c: char) -> usize {
        let before = || text[..at].chars().next_back();
        let after = || text[end..].chars().next();
        let kind = match u32::from(c) {
            0x200C | 0x200D => {
                let joins = |c: Option<char>| c.is_some_and(|c| !c.is_ascii() && hidden(c).is_none());
                // A joiner in a sequence of emoji may follow a variation selector.
                let emoji = matches!(before(), Some('\u{FE0F}'));
                (!((joins(before()) || emoji) && joins(after()))).then_some(Hidden::ZeroWidth)
            }
            0x200E | 0x200F | 0x61C => (!is_near_rtl(text, at, end)).then_some(Hidden::ZeroWidth),
            0x202D | 0x202E => Some(Hidden::Bidi),
            0x202A..=0x202C | 0x2066..=0x2069 => (!is_near_rtl(text, at, end)).then_some(Hidden::Bidi),
            0xE0000..=0xE007F => return self.look_at_tags(text, at),
            0xFE00..=0xFE0F => {
                let varies = before().is_some_and(|c| {
                    matches!(c, '0'..='9' | '#' | '*') || !c.is_ascii() && hidden(c).is_none()
                });
                (!varies).then_some(Hidden::Variation)
            }
            0xE0100..=0xE01EF => {
                let varies = before().is_some_and(
                    |c| matches!(u32::from(c), 0x3400..=0x9FFF | 0xF900..=0xFAFF | 0x2_0000..=0x3_FFFF),
                );
                (!varies).then_some(Hidden::Variation)
            }
            // A mark of the byte order.
            0xFEFF if at == 0 => None,
            0xAD => {
                if before().is_some_and(|c| c.is_alphanumeric())
                    && after().is_some_and(|c| c.is_alphanumeric())
                {
                    self.places.push(at);
                }
                None
            }
            _ if hidden(c).is_some() => Some(Hidden::ZeroWidth),
            _ => {
                let mixed = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphabetic());
                if let Some(seen) = seen_as(c)
                    && (is_styled(c) && seen.is_ascii_alphanumeric() || mixed(before()) || mixed(after()))
                {
                    self.places.push(at);
                }
                None
            }
        };
        if let Some(kind) = kind {
            self.add(at..end, kind);
        }
        end
    }

    /// A flag is U+1F3F4, some tags, and the one that ends them.
    fn look_at_tags(&mut self, text: &str, at: usize) -> usize {
        const LONGEST_FLAG: usize = 8;
        let is_tag = |c: &char| matches!(u32::from(*c), 0xE0000..=0xE007F);
        let count = text[at..].chars().take_while(is_tag).count();
        let end = at + 4 * count;
        let is_flag =
            text[..at].ends_with('\u{1F3F4}') && text[..end].ends_with('\u{E007F}') && count <= LONGEST_FLAG;
        if !is_flag {
            self.add(at..end, Hidden::Tags);
        }
        end
    }

    fn add(&mut self, at: Range<usize>, kind: Hidden) {
        self.places.push(at.start);
        match self.hidden.last_mut() {
            Some((last, same)) if *same == kind && last.end == at.start => last.end = at.end,
            _ => self.hidden.push((at, kind)),
        }
    }
}

/// What an unseen character, or one that looks like another, stands for.
pub(super) fn meant(text: &[u8]) -> Option<Meant> {
    let length = match text.first()? {
        0xC2..=0xDF => 2,
        0xE0..=0xEF => 3,
        0xF0..=0xF4 => 4,
        _ => return None,
    };
    let c = std::str::from_utf8(text.get(..length)?).ok()?.chars().next()?;
    match (hidden(c), u32::from(c)) {
        (Some(Hidden::Tags), number @ 0xE0020..=0xE007E) => Some(Meant::byte((number & 0x7F) as u8, length)),
        (Some(Hidden::Variation), number @ 0xE0100..) => {
            Some(Meant::byte((number - 0xE0100 + 16).min(0xFF) as u8, length))
        }
        (Some(_), _) => Some(Meant::nothing(length)),
        (None, 0xAD) => Some(Meant::nothing(length)),
        (None, _) => seen_as(c).map(|seen| Meant::char(seen, length)),
    }
}

/// How a character hides, wherever it stands.
fn hidden(c: char) -> Option<Hidden> {
    Some(match u32::from(c) {
        0x34F | 0x61C | 0x115F | 0x1160 | 0x180E | 0x200B..=0x200F | 0x2060..=0x2064 | 0x206A..=0x206F => {
            Hidden::ZeroWidth
        }
        0x3164 | 0xFEFF | 0xFFA0 => Hidden::ZeroWidth,
        0x202A..=0x202E | 0x2066..=0x2069 => Hidden::Bidi,
        0xE0000..=0xE007F => Hidden::Tags,
        0xFE00..=0xFE0F | 0xE0100..=0xE01EF => Hidden::Variation,
        _ => return None,
    })
}

fn is_near_rtl(text: &str, at: usize, end: usize) -> bool {
    let from = text.floor_char_boundary(at.saturating_sub(NEAR));
    let to = text.floor_char_boundary((end + NEAR).min(text.len()));
    let is_rtl = |c: char| matches!(u32::from(c), 0x590..=0x61B | 0x61D..=0x8FF | 0xFB1D..=0xFDFF | 0xFE70..=0xFEFE | 0x1_0800..=0x1_0FFF | 0x1_E800..=0x1_EFFF);
    text[from..to].chars().any(is_rtl)
}

/// Letters of other scripts that look like those of ASCII, each beside it.
const LOOK_ALIKES: &str = "аaАAсcСCԁdеeЕEґrһhНHіiІIјjЈJкkКKӏlмmМMпnоoОOрpРPԛqѕsЅSтtТTυuνvѵvԝwԜWхxХXуyУYзzВBαaΑAΒBϲcεeΕEΗHιiΙIκkΚKΜMΝNηnοoΟOρpΡPτtΤTυuΥYχxΧXγyΖZɑaɡgɩiʟlոnսuօoհhԍgɢGʀRʏY";

/// The ASCII letter or digit a character is seen as.
fn seen_as(c: char) -> Option<char> {
    let number = u32::from(c);
    match number {
        0xFF01..=0xFF5E => char::from_u32(number - 0xFEE0),
        0x1_D400..=0x1_D6A3 => {
            let place = ((number - 0x1_D400) % 52) as u8;
            Some(char::from(if place < 26 { b'A' + place } else { b'a' + place - 26 }))
        }
        0x1_D7CE..=0x1_D7FF => Some(char::from(b'0' + ((number - 0x1_D7CE) % 10) as u8)),
        0x250..=0x5FF => {
            let mut pairs = LOOK_ALIKES.chars();
            while let (Some(other), Some(ascii)) = (pairs.next(), pairs.next()) {
                if other == c {
                    return Some(ascii);
                }
            }
            None
        }
        _ => None,
    }
}

/// Whether it is of a block that holds ASCII in another dress.
fn is_styled(c: char) -> bool {
    matches!(u32::from(c), 0xFF01..=0xFF5E | 0x1_D400..=0x1_D7FF)
}

#[cfg(test)]
mod tests {
    use super::{super::escapes::Undone, *};

    fn tags(text: &str) -> String {
        text.bytes().filter_map(|byte| char::from_u32(0xE0000 + u32::from(byte))).collect()
    }

    fn selectors(text: &str) -> String {
        text.bytes().filter_map(|byte| char::from_u32(0xE0100 + u32::from(byte) - 16)).collect()
    }

    fn kinds(text: &str) -> Vec<Hidden> {
        find(text).hidden.into_iter().map(|(_, kind)| kind).collect()
    }

    #[test]
    fn what_is_hidden() {
        for (text, hidden) in [
            (format!("Hello{}!", tags("do it")), Hidden::Tags),
            (format!("😀{}", selectors("do it")), Hidden::Variation),
            ("a\u{200B}b\u{2060}\u{FEFF}c".to_owned(), Hidden::ZeroWidth),
            ("pass\u{200D}word".to_owned(), Hidden::ZeroWidth),
            ("if (a) { \u{202E}} \u{2066}// end".to_owned(), Hidden::Bidi),
            ("a\u{FE0F}b".to_owned(), Hidden::Variation),
        ] {
            assert!(kinds(&text).contains(&hidden), "{text:?}");
        }
        assert_eq!(find(&format!("a{}b", tags("xyz"))).hidden, [(1..13, Hidden::Tags)]);
    }

    #[test]
    fn what_scripts_need_is_not() {
        for text in [
            "\u{FEFF}begins with a mark",
            "👨\u{200D}👩\u{200D}👧 and ❤\u{FE0F}\u{200D}🔥",
            "3\u{FE0F}\u{20E3} ☀\u{FE0F}",
            "🏴\u{E0067}\u{E0062}\u{E0073}\u{E0063}\u{E0074}\u{E007F}",
            "می\u{200C}خواهم",
            "क्\u{200D}ष",
            "שלום\u{200F}, \u{2067}עולם\u{2069}",
            "葛\u{E0100}飾区",
            "naïve café, Привет, κόσμος, 漢字かな, 한국어, soft\u{AD}hyphen",
        ] {
            assert_eq!(kinds(text), [], "{text:?}");
        }
    }

    #[test]
    fn what_is_meant() {
        let undone = |text: &str| {
            String::from_utf8(Undone::text(text.as_bytes(), |byte| byte >= 0x80, meant)).unwrap()
        };
        for (text, is) in [
            ("іgnоrе", "ignore"),
            ("ig\u{200B}no\u{AD}re", "ignore"),
            ("ｉｇｎｏｒｅ", "ignore"),
            ("𝐢𝐠𝐧𝐨𝐫𝐞 𝟏", "ignore 1"),
            (&tags("ignore"), "ignore"),
            (&selectors("ignore"), "ignore"),
            ("漢字 é", "漢字 é"),
        ] {
            assert_eq!(undone(text), is, "{text:?}");
            assert_eq!(find(text).places.is_empty(), is == text, "{text:?}");
        }
        assert!(find("Привет, о чём речь?").places.is_empty());
    }
}
