//! What the tray knows of the servers, and how events change it. Pure.

use caisson_core::{
    control::api::ServerView,
    model::{Event, Offer, Question, ServerState},
};

use crate::link::Link;

/// What the tray knows.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Glance {
    /// How the way to the process that owns the servers stands.
    pub(crate) link: Link,
    /// The servers, in the order of their names.
    pub(crate) servers: Vec<ServerView>,
    /// Whether all servers are paused.
    pub(crate) paused: bool,
    /// Whether a container engine answers: without one nothing starts.
    pub(crate) engine: bool,
    /// Why clients cannot connect.
    pub(crate) bridge_problem: Option<String>,
    /// The calls that wait for a yes, the oldest first.
    pub(crate) waiting: Vec<Question>,
    /// What servers are kept from and nobody has decided on, the oldest first.
    pub(crate) offers: Vec<Offer>,
    /// Whether every call is refused.
    pub(crate) locked: bool,
    /// Why the last wish was not fulfilled.
    pub(crate) trouble: Option<String>,
}

/// So many things of one server that nobody has decided on are told by notifications; the window has them all.
const MOST_TOLD: usize = 3;

/// What has to be asked for after an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refresh {
    /// Nothing: the event said it all.
    Nothing,
    /// Everything.
    All,
}

impl Glance {
    /// Nothing is known.
    pub(crate) fn searching() -> Self {
        Self {
            link: Link::Searching,
            servers: Vec::new(),
            paused: false,
            engine: true,
            bridge_problem: None,
            waiting: Vec::new(),
            offers: Vec::new(),
            locked: false,
            trouble: None,
        }
    }

    /// Takes an event in.
    pub(crate) fn hear(&mut self, event: &Event) -> Refresh {
        match event {
            Event::State { server, state } => {
                match self.servers.iter_mut().find(|known| known.name == *server) {
                    Some(known) => {
                        known.state = state.clone();
                        Refresh::Nothing
                    }
                    None => Refresh::All,
                }
            }
            Event::Paused { paused } => {
                self.paused = *paused;
                Refresh::Nothing
            }
            Event::Removed { server } => {
                self.servers.retain(|known| known.name != *server);
                Refresh::Nothing
            }
            Event::Asked { question } => {
                if !self.waiting.iter().any(|known| known.id == question.id) {
                    self.waiting.push((**question).clone());
                }
                Refresh::Nothing
            }
            Event::Answered { id, .. } => {
                self.waiting.retain(|known| known.id != *id);
                Refresh::Nothing
            }
            Event::Locked { locked } => {
                self.locked = *locked;
                Refresh::Nothing
            }
            Event::Changed { .. } | Event::Broken { .. } | Event::Rules { .. } | Event::Reviewed { .. } => {
                Refresh::All
            }
            Event::EgressRefused { .. } | Event::Quarantined { .. } => {
                if let Some(offer) = Offer::of(event)
                    && !self.offers.iter().any(|known| known.is_same(&offer))
                {
                    self.offers.push(offer);
                }
                Refresh::Nothing
            }
            Event::Groups { .. }
            | Event::Install { .. }
            | Event::Verify { .. }
            | Event::Verified { .. }
            | Event::FolderMissed { .. }
            | Event::Counted { .. }
            | Event::Policy { .. } => Refresh::Nothing,
        }
    }

    /// Whether the user should be told of what a server is kept from: of each thing once, and of few things of one server,
    /// which may try a new one every moment.
    pub(crate) fn is_news(&self, offer: &Offer) -> bool {
        let of_server = self.offers.iter().filter(|known| known.server() == offer.server());
        of_server.clone().count() < MOST_TOLD && !of_server.clone().any(|known| known.is_same(offer))
    }

    /// How many servers run.
    pub(crate) fn running(&self) -> usize {
        self.servers.iter().filter(|server| matches!(server.state, ServerState::Running { .. })).count()
    }
}

#[cfg(test)]
mod tests {
    use caisson_core::model::{Outcome, QuestionId, Refused};

    use super::*;
    use crate::samples::{change, question, server};

    #[test]
    fn events_change_what_is_known_or_say_what_to_ask() {
        let mut glance = Glance::searching();
        glance.servers = vec![server("a", ServerState::Stopped), server("b", ServerState::Stopped)];
        let name = |name: &str| name.parse().unwrap();
        let running = ServerState::Running { sessions: 1 };

        let state = |server: &str| Event::State { server: name(server), state: running.clone() };
        assert_eq!(glance.hear(&state("b")), Refresh::Nothing);
        assert_eq!((glance.servers[1].state.clone(), glance.running()), (running.clone(), 1));
        assert_eq!(glance.hear(&state("new")), Refresh::All);

        assert_eq!(glance.hear(&Event::Removed { server: name("b") }), Refresh::Nothing);
        assert_eq!((glance.servers.len(), glance.running()), (1, 0));
        assert_eq!(glance.hear(&Event::Paused { paused: true }), Refresh::Nothing);
        assert!(glance.paused);
        let asked = Event::Asked { question: Box::new(question(7, "write_file")) };
        assert_eq!((glance.hear(&asked), glance.hear(&asked)), (Refresh::Nothing, Refresh::Nothing));
        assert_eq!(glance.waiting.len(), 1, "told twice, it is one question");
        let outcome = Outcome::Denied;
        assert_eq!(glance.hear(&Event::Answered { id: QuestionId(7), outcome }), Refresh::Nothing);
        assert_eq!(glance.hear(&Event::Locked { locked: true }), Refresh::Nothing);
        assert!(glance.waiting.is_empty() && glance.locked);
        let refused = Event::EgressRefused {
            server: name("a"),
            host: "x.example".into(),
            port: 443,
            why: Refused::NotAllowed,
            reason: "no rule allows it".into(),
            rule: Some("x.example".parse().unwrap()),
        };
        let offer = Offer::of(&refused).unwrap();
        assert!(glance.is_news(&offer));
        assert_eq!((glance.hear(&refused), glance.hear(&refused)), (Refresh::Nothing, Refresh::Nothing));
        assert_eq!((glance.offers.len(), glance.is_news(&offer)), (1, false));
        glance.offers.extend([change("a", "t"), change("a", "u")]);
        assert!(!glance.is_news(&change("a", "v")), "of one server few are told");
        assert!(glance.is_news(&change("b", "v")));
        assert_eq!(glance.hear(&Event::Rules { server: name("a") }), Refresh::All);
        assert_eq!(glance.hear(&Event::Changed { server: name("a") }), Refresh::All);
        assert_eq!(glance.hear(&Event::Broken { server: name("a"), reason: String::new() }), Refresh::All);
    }
}
