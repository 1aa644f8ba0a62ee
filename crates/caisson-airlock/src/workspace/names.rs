use std::{borrow::Cow, fmt::Write as _};

/// The longest path that is told, in characters; of a longer one, the end.
const LONGEST: usize = 200;

/// A file's name, harmless to look at: what is no UTF-8, and each character that moves the cursor, turns the line
/// around or cannot be seen, is written as `%` and two hexadecimal digits a byte.
pub(super) fn plain(name: &[u8]) -> Cow<'_, [u8]> {
    let clean = std::str::from_utf8(name).is_ok_and(|name| !name.chars().any(misleads));
    if clean {
        return Cow::Borrowed(name);
    }
    let mut plain = String::new();
    let encode = |plain: &mut String, bytes: &[u8]| {
        for byte in bytes {
            // Writing to a string cannot fail.
            let _infallible = write!(plain, "%{byte:02X}");
        }
    };
    for chunk in name.utf8_chunks() {
        for c in chunk.valid().chars() {
            if misleads(c) {
                encode(&mut plain, c.encode_utf8(&mut [0; 4]).as_bytes());
            } else {
                plain.push(c);
            }
        }
        encode(&mut plain, chunk.invalid());
    }
    Cow::Owned(plain.into_bytes())
}

fn misleads(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// The path of an entry, to be told.
pub(super) fn beneath(folder: &str, name: &[u8]) -> String {
    let name = String::from_utf8_lossy(name);
    let path = if folder.is_empty() { name.into_owned() } else { format!("{folder}/{name}") };
    match path.char_indices().rev().nth(LONGEST) {
        Some((at, _)) => format!("…{}", path.get(at..).unwrap_or_default()),
        None => path,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_mislead_are_written_out() {
        for (name, meant) in [
            (&b"report.txt"[..], "report.txt"),
            ("\u{e9}t\u{e9} 100%".as_bytes(), "\u{e9}t\u{e9} 100%"),
            (b"a\nb", "a%0Ab"),
            (b"\x1b[2J", "%1B[2J"),
            ("exe\u{202e}fdp.txt".as_bytes(), "exe%E2%80%AEfdp.txt"),
            (b"\xff\xfe.bin", "%FF%FE.bin"),
            (b"\xc3", "%C3"),
        ] {
            assert_eq!(plain(name), meant.as_bytes(), "{name:?}");
        }
    }

    #[test]
    fn a_path_that_is_told_is_short() {
        assert_eq!(beneath("", b"a"), "a");
        assert_eq!(beneath("a/b", b"c"), "a/b/c");
        let long = beneath(&"\u{e9}/".repeat(300), b"end");
        assert!(long.ends_with("/end") && long.starts_with('…') && long.chars().count() < 210, "{long}");
    }
}
