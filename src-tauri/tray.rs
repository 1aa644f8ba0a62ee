//! The tray as a pure function of what is known: its icon, and its menu from the state to Quit.

use caisson_core::{
    control::api::ServerView,
    model::{Offer, Question, ServerState},
};

use crate::{glance::Glance, link::Link, wish::Wish};

/// So many servers the menu holds; the window has them all.
const MOST_SERVERS: usize = 24;
/// So many problems it names.
const MOST_PROBLEMS: usize = 3;
/// So many questions it holds; the window has them all.
const MOST_QUESTIONS: usize = 8;
/// So many characters a foreign text may have in it.
const LONGEST: usize = 90;

/// What the tray shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tray {
    /// The icon.
    pub(crate) mark: Mark,
    /// What it means in words: the menu's first line, and the tooltip where there are tooltips.
    pub(crate) title: String,
    /// The menu, from top to bottom.
    pub(crate) menu: Vec<Item>,
}

/// An icon: a shape and a colour for each state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    /// A server runs.
    Running,
    /// None runs.
    Idle,
    /// Something wants the user.
    Attention,
    /// All are paused.
    Paused,
    /// Nothing owns the servers.
    Absent,
}

/// A line of a menu.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Item {
    /// Words.
    Line(String),
    /// Something to ask for.
    Action {
        /// What.
        wish: Wish,
        /// Its name.
        label: String,
        /// Whether it can be asked for.
        enabled: bool,
    },
    /// A menu of its own.
    Submenu {
        /// Its name.
        label: String,
        /// What is in it.
        items: Vec<Item>,
    },
    /// A rule between groups.
    Rule,
}

/// The tray for what is known.
pub(crate) fn tray(glance: &Glance) -> Tray {
    let problems = problems(glance);
    let title = title(glance);
    let mut menu = vec![Item::Line(title.clone())];
    menu.extend(problems.iter().take(MOST_PROBLEMS).cloned().map(Item::Line));
    menu.push(Item::Rule);
    if !glance.waiting.is_empty() {
        menu.extend(glance.waiting.iter().take(MOST_QUESTIONS).map(asked));
        menu.push(action(Wish::Open, "Answer in the window…".into(), true));
        menu.push(Item::Rule);
    }
    if !glance.offers.is_empty() {
        menu.extend(glance.offers.iter().take(MOST_QUESTIONS).map(offered));
        menu.push(Item::Rule);
    }
    if !glance.servers.is_empty() {
        menu.extend(glance.servers.iter().take(MOST_SERVERS).map(|server| submenu(server, glance.paused)));
        if let Some(more) = glance.servers.len().checked_sub(MOST_SERVERS).filter(|more| *more > 0) {
            menu.push(action(Wish::Open, format!("{more} more in the window…"), true));
        }
        menu.push(Item::Rule);
        menu.push(match glance.paused {
            false => action(Wish::PauseAll, "Pause all servers".into(), true),
            true => action(Wish::ResumeAll, "Resume all servers".into(), true),
        });
    }
    if matches!(glance.link, Link::Up { .. }) {
        menu.push(match glance.locked {
            false => action(Wish::Lock, "Lock: refuse every call".into(), true),
            true => action(Wish::Unlock, "Unlock: let calls take their course".into(), true),
        });
    }
    menu.push(action(Wish::Open, "Open Caisson".into(), true));
    menu.push(Item::Rule);
    menu.push(action(Wish::Quit, quit(glance), true));
    Tray { mark: mark(glance, !problems.is_empty()), title, menu }
}

fn mark(glance: &Glance, problems: bool) -> Mark {
    match glance.link {
        Link::Down { .. } => Mark::Absent,
        Link::Searching => Mark::Idle,
        Link::Up { .. } if !glance.waiting.is_empty() => Mark::Attention,
        Link::Up { .. } if glance.paused || glance.locked => Mark::Paused,
        Link::Up { .. } if problems => Mark::Attention,
        Link::Up { .. } if glance.running() > 0 => Mark::Running,
        Link::Up { .. } => Mark::Idle,
    }
}

fn title(glance: &Glance) -> String {
    match (&glance.link, glance.servers.len()) {
        (Link::Searching, _) => "Caisson is starting…".into(),
        (Link::Down { .. }, _) => "Caisson is not running".into(),
        (Link::Up { .. }, _) if !glance.waiting.is_empty() => {
            let waiting = glance.waiting.len();
            format!(
                "{} for your yes",
                if waiting == 1 { "A call waits".into() } else { format!("{waiting} calls wait") }
            )
        }
        (Link::Up { .. }, _) if glance.locked => "Locked: every call is refused".into(),
        (Link::Up { .. }, _) if glance.paused => "All servers are paused".into(),
        (Link::Up { .. }, 0) => "No servers installed".into(),
        (Link::Up { .. }, all) => match glance.running() {
            0 => format!("No server running ({all} installed)"),
            running => format!("{running} of {} running", count(all, "server")),
        },
    }
}

/// What wants the user, most urgent first.
fn problems(glance: &Glance) -> Vec<String> {
    if let Link::Down { problem } = &glance.link {
        return [Some(&problem.what), problem.why.as_ref(), problem.fix.as_ref()]
            .into_iter()
            .flatten()
            .map(|text| shown(text))
            .collect();
    }
    let mut problems = Vec::new();
    problems.extend(glance.trouble.as_deref().map(shown));
    if !glance.engine {
        problems.push("No container engine answers, so no server can start".into());
    }
    problems
        .extend(glance.bridge_problem.as_deref().map(|why| shown(&format!("Clients cannot connect: {why}"))));
    for server in &glance.servers {
        match &server.state {
            ServerState::Failed { reason } => {
                problems.push(shown(&format!("{} failed: {reason}", server.name)))
            }
            ServerState::Backoff { reason, .. } => {
                problems.push(shown(&format!("{} is tried again: {reason}", server.name)));
            }
            ServerState::Stopped
            | ServerState::Starting
            | ServerState::Running { .. }
            | ServerState::Stopping => {}
        }
        if let Some(broken) = &server.broken {
            problems.push(shown(&format!("The file of {} is broken: {broken}", server.name)));
        }
    }
    problems
}

/// A call that waits for a yes.
fn asked(question: &Question) -> Item {
    let Question { id, client, server, tool, .. } = question;
    Item::Submenu {
        label: shown(&format!("? {client}: {tool} of {server}")),
        items: vec![
            action(Wish::Deny(*id), "Deny".into(), true),
            action(Wish::Allow(*id), "Allow once".into(), true),
        ],
    }
}

/// What a server is kept from.
fn offered(offer: &Offer) -> Item {
    let items = match offer {
        Offer::Reach { server, rule, .. } => {
            let reach = |once| Wish::Reach { server: server.clone(), rule: rule.clone(), once };
            let block = Wish::Block { server: server.clone(), rule: rule.clone() };
            vec![
                action(block, "Keep it blocked".into(), true),
                action(reach(true), "Allow until it stops".into(), true),
                action(reach(false), "Allow always".into(), true),
            ]
        }
        Offer::Change { server, name, .. } => {
            let keep = Wish::KeepAway { server: server.clone(), name: name.clone() };
            vec![
                action(keep, "Keep it away".into(), true),
                action(Wish::Open, "Look at it in the window…".into(), true),
            ]
        }
    };
    Item::Submenu { label: shown(&format!("! {offer}")), items }
}

fn submenu(server: &ServerView, paused: bool) -> Item {
    let (shape, words) = match &server.state {
        ServerState::Stopped => ('○', "stopped".into()),
        ServerState::Starting => ('◐', "starting".into()),
        ServerState::Running { sessions: 0 } => ('●', "running".into()),
        ServerState::Running { sessions } => ('●', format!("running, {}", count(*sessions, "session"))),
        ServerState::Stopping => ('◑', "stopping".into()),
        ServerState::Backoff { failures, .. } => {
            ('▲', format!("trying again after {}", count(*failures as usize, "failure")))
        }
        ServerState::Failed { .. } => ('✕', "failed".into()),
    };
    let can_start = !paused && matches!(server.state, ServerState::Stopped | ServerState::Failed { .. });
    let can_restart = !paused && matches!(server.state, ServerState::Running { .. });
    let can_stop = matches!(
        server.state,
        ServerState::Starting | ServerState::Running { .. } | ServerState::Backoff { .. }
    );
    Item::Submenu {
        label: format!("{shape} {}: {words}", server.name),
        items: vec![
            action(Wish::Start(server.name.clone()), "Start".into(), can_start),
            action(Wish::Stop(server.name.clone()), "Stop".into(), can_stop),
            action(Wish::Restart(server.name.clone()), "Restart".into(), can_restart),
        ],
    }
}

fn quit(glance: &Glance) -> String {
    match (&glance.link, glance.running()) {
        // What this application hosts ends with it.
        (Link::Up { host: true }, running) if running > 0 => {
            format!("Quit Caisson and stop {}", count(running, "server"))
        }
        _ => "Quit Caisson".into(),
    }
}

fn action(wish: Wish, label: String, enabled: bool) -> Item {
    Item::Action { wish, label, enabled }
}

fn count(number: usize, thing: &str) -> String {
    format!("{number} {thing}{}", if number == 1 { "" } else { "s" })
}

/// A foreign text for a menu: one line, not too long, and nothing in it that hides or turns text.
fn shown(text: &str) -> String {
    let mut line = String::new();
    let mut characters = text.trim().chars();
    for character in characters.by_ref().take(LONGEST) {
        match character {
            '\n' | '\t' => line.push(' '),
            hidden if hides(hidden) => line.extend(hidden.escape_unicode()),
            plain => line.push(plain),
        }
    }
    if characters.next().is_some() {
        line.push('…');
    }
    line
}

/// Controls, marks that turn text, and characters without a width.
fn hides(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
        || matches!(character, '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
        || matches!(character, '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests;
