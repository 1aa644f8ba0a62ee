//! Questions, and what servers are kept from, as notifications of the desktop. Where those have no buttons, the window
//! asks.

use std::time::Duration;

use caisson_core::model::{Offer, Question, QuestionId};

use crate::wish::Wish;

/// So many characters of the arguments a notification shows; the window shows them all.
const LONGEST: usize = 240;

/// How long it is told what a server is kept from: nobody waits for an answer.
const TOLD: Duration = Duration::from_secs(30);

/// What a notification is about.
#[derive(Clone, Debug)]
pub(crate) enum Subject {
    /// A question that a call waits for.
    Question(QuestionId),
    /// What a server is kept from.
    Offer(Offer),
}

impl Subject {
    /// Whether both are about the same thing.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Question(one), Self::Question(other)) => one == other,
            (Self::Offer(one), Self::Offer(other)) => one.is_same(other),
            (Self::Question(_), Self::Offer(_)) | (Self::Offer(_), Self::Question(_)) => false,
        }
    }
}

/// What a notification says. Pure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Notice {
    /// Its first line.
    pub(crate) title: String,
    /// What is below.
    pub(crate) body: String,
    /// Its buttons. The first is what a careless key presses on some desktops.
    pub(crate) buttons: Vec<(Wish, &'static str)>,
    /// Whether somebody waits for the answer.
    pub(crate) urgent: bool,
    /// How long it is shown.
    pub(crate) patience: Duration,
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
        let buttons = vec![(Wish::Deny(question.id), "Deny"), (Wish::Allow(question.id), "Allow once")];
        let patience = Duration::from_secs(question.until.saturating_sub(question.asked_at));
        Self { title, body, buttons, urgent: true, patience }
    }

    /// The notification of what a server is kept from.
    pub(crate) fn of_offer(offer: &Offer) -> Self {
        let title = plain(&offer.to_string(), 90);
        let (body, buttons) = match offer {
            Offer::Reach { server, rule, reason } => {
                let reach = |once| Wish::Reach { server: server.clone(), rule: rule.clone(), once };
                let block = Wish::Block { server: server.clone(), rule: rule.clone() };
                let body = format!("It was refused: {}", plain(reason, LONGEST));
                (
                    body,
                    vec![
                        (block, "Keep blocked"),
                        (reach(true), "Allow once"),
                        (reach(false), "Allow always"),
                    ],
                )
            }
            Offer::Change { server, name, .. } => {
                let keep = Wish::KeepAway { server: server.clone(), name: name.clone() };
                let body = "Clients do not see it, and cannot use it, until you accept it.".to_owned();
                // Whoever accepts it has looked at what is different.
                (body, vec![(keep, "Keep it away"), (Wish::Open, "Look at it")])
            }
        };
        Self { title, body, buttons, urgent: false, patience: TOLD }
    }
}

/// A button of a notification, as the desktop names it back. `default` is a click on the notification itself (Desktop
/// Notifications Specification 1.3, "Actions").
pub(crate) fn wish(action: &str) -> Option<Wish> {
    if action == "default" { Some(Wish::Open) } else { action.parse().ok() }
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
        let Notice { title, body, .. } = Notice::of(&question);
        assert_eq!(title, "Allow write_file of files?");
        assert!(body.starts_with("cursor wants to call it with { \"path\": \"/a\\u{202e}txt\""), "{body}");
        assert!(body.contains("&lt;b&gt;&amp;"), "{body}");
        question.arguments = "x".repeat(5000);
        assert!(Notice::of(&question).body.len() < 600);
    }

    #[test]
    fn buttons() {
        let offers = [samples::reach("fetch", "a.example"), samples::change("fetch", "<b>get</b>")];
        let notices = offers.iter().map(Notice::of_offer).chain([Notice::of(&samples::question(7, "write"))]);
        for Notice { title, buttons, .. } in notices {
            assert!(!title.contains('<'), "{title}");
            for (meant, _) in buttons {
                assert_eq!(wish(&meant.to_string()), Some(meant));
            }
        }
        assert_eq!(wish("default"), Some(Wish::Open));
        assert_eq!(wish("__closed"), None);
    }
}
