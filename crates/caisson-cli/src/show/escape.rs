//! Text of servers, registries and files, made harmless: a terminal acts on control characters, and people
//! are deceived by invisible ones.

use std::borrow::Cow;

use caisson_core::model::is_hidden;

/// One line: everything that is not plainly visible is shown as `\u{…}`.
pub(crate) fn line(text: &str) -> Cow<'_, str> {
    escaped(text, |_| false)
}

/// Several lines: line ends and tabs stay, the rest as in [`line()`].
pub(crate) fn lines(text: &str) -> Cow<'_, str> {
    escaped(text, |c| matches!(c, '\n' | '\t'))
}

fn escaped(text: &str, kept: impl Fn(char) -> bool) -> Cow<'_, str> {
    if text.chars().all(|c| kept(c) || !is_hidden(c)) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if kept(c) || !is_hidden(c) {
            out.push(c);
        } else {
            out.extend(c.escape_default());
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_act_on_is_shown_instead() {
        assert_eq!(line("plain ünïcode 日本 🎉"), "plain ünïcode 日本 🎉");
        assert_eq!(line("a\u{1b}[31mb\u{7}\r\n"), "a\\u{1b}[31mb\\u{7}\\r\\n");
        assert_eq!(line("\u{9b}31m"), "\\u{9b}31m");
        assert_eq!(line("abc\u{202e}fdp\u{200b}\u{e0041}"), "abc\\u{202e}fdp\\u{200b}\\u{e0041}");
        assert_eq!(lines("a\n\tb\u{1b}"), "a\n\tb\\u{1b}");
    }
}
