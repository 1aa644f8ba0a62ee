//! Questions as notifications of the desktop. Where those have no buttons, the window asks.

use caisson_core::model::{Question, QuestionId};

use crate::wish::Wish;

/// So many characters of the arguments a notification shows; the window shows them all.
const LONGEST: usize = 240;

/// What a notification says. Pure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Notice {
    /// Its first line.
    pub(crate) title: String,
    /// What is below.
    pub(crate) body: String,
}

impl Notice {
    /// The notification of a question.
    pub(crate) fn of(question: &Question) -> Self {
        let Question { client, server, tool, arguments, because, .. } = question;
        let title = format!("Allow {} of {server}?", plain(tool, 60));
        let arguments: String = arguments.split_whitespace().collect::<Vec<_>>().join(" ");
        let body = format!(
            "{} wants to call it with {}\nAsked because of {}",
            plain(client, 60),
            plain(&arguments, LONGEST),
            plain(because, 120)
        );
        Self { title, body }
    }
}

/// A button of a notification, as the desktop names it back.
pub(crate) fn wish(action: &str, id: QuestionId) -> Option<Wish> {
    match action {
        "allow" => Some(Wish::Allow(id)),
        "deny" => Some(Wish::Deny(id)),
        "default" => Some(Wish::Open),
        _ => None,
    }
}

/// Foreign text: cut, with nothing hidden, and with nothing a desktop may take for markup (Desktop Notifications
/// Specification 1.3, "Markup").
fn plain(text: &str, longest: usize) -> String {
    let shown = caisson_core::model::visible(text);
    let cut: String = shown.chars().take(longest).collect();
    let more = if shown.chars().count() > longest { "…" } else { "" };
    format!("{cut}{more}").replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples;

    #[test]
    fn a_notice_says_who_wants_what_and_hides_nothing() {
        let mut question = samples::question(7, "write_file");
        question.arguments = "{\n  \"path\": \"/a\u{202e}txt\",\n  \"html\": \"<b>&\"\n}".into();
        let Notice { title, body } = Notice::of(&question);
        assert_eq!(title, "Allow write_file of files?");
        assert!(body.starts_with("cursor wants to call it with { \"path\": \"/a\\u{202e}txt\""), "{body}");
        assert!(body.contains("&lt;b&gt;&amp;"), "{body}");
        question.arguments = "x".repeat(5000);
        assert!(Notice::of(&question).body.len() < 600);
    }

    #[test]
    fn buttons() {
        let id = QuestionId(7);
        assert_eq!(wish("allow", id), Some(Wish::Allow(id)));
        assert_eq!(wish("deny", id), Some(Wish::Deny(id)));
        assert_eq!(wish("default", id), Some(Wish::Open));
        assert_eq!(wish("__closed", id), None);
    }
}
