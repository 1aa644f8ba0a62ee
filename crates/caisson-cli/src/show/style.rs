//! Colour, where it helps: never alone, since what it says is always a word too.

fn painted(color: bool, code: &str, text: &str) -> String {
    if color { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
}

pub(crate) fn good(color: bool, text: &str) -> String {
    painted(color, "32", text)
}

pub(crate) fn bad(color: bool, text: &str) -> String {
    painted(color, "1;31", text)
}

pub(crate) fn warning(color: bool, text: &str) -> String {
    painted(color, "33", text)
}

pub(crate) fn strong(color: bool, text: &str) -> String {
    painted(color, "1", text)
}

pub(crate) fn faint(color: bool, text: &str) -> String {
    painted(color, "2", text)
}
