use caisson_core::control::api::{ApiError, ErrorCode};

use super::*;
use crate::samples::{change, reach, server};

fn up(servers: Vec<ServerView>) -> Glance {
    Glance { link: Link::Up { host: false }, servers, ..Glance::searching() }
}

/// A menu as text: a line each, submenus indented, what cannot be chosen in brackets.
fn text(items: &[Item]) -> String {
    let mut text = String::new();
    for item in items {
        match item {
            Item::Line(line) => text += &format!("[{line}]\n"),
            Item::Action { label, enabled: true, .. } => text += &format!("{label}\n"),
            Item::Action { label, enabled: false, .. } => text += &format!("[{label}]\n"),
            Item::Submenu { label, items } => {
                text += &format!("{label}\n");
                for line in self::text(items).lines() {
                    text += &format!("    {line}\n");
                }
            }
            Item::Rule => text += "---\n",
        }
    }
    text
}

#[test]
fn the_menu_says_the_state_first_and_quit_last() {
    let glance = up(vec![
        server("everything", ServerState::Running { sessions: 2 }),
        server("example", ServerState::Stopped),
    ]);
    let tray = tray(&glance);
    assert_eq!((tray.mark, tray.title.as_str()), (Mark::Running, "1 of 2 servers running"));
    assert_eq!(
        text(&tray.menu),
        "[1 of 2 servers running]\n\
         ---\n\
         ● everything: running, 2 sessions\n    [Start]\n    Stop\n    Restart\n\
         ○ example: stopped\n    Start\n    [Stop]\n    [Restart]\n\
         ---\n\
         Pause all servers\n\
         Lock: refuse every call\n\
         Open Caisson\n\
         ---\n\
         Quit Caisson\n"
    );
}

#[test]
fn what_a_server_is_kept_from_is_decided_in_the_menu() {
    let mut glance = up(Vec::new());
    glance.offers = vec![reach("fetch", "a.example"), change("git", "log\u{202e}")];
    let tray = tray(&glance);
    assert_eq!(tray.mark, Mark::Idle, "nobody waits for the answer");
    let menu = text(&tray.menu);
    let wanted = "! fetch tried to reach a.example:443\n    Keep it blocked\n    Allow until it stops\n    \
        Allow always\n! git has changed its tool log\\u{202e}\n    Keep it away\n    Look at it in the window…\n";
    assert!(menu.contains(wanted), "{menu}");
}

#[test]
fn each_state_has_a_mark_of_its_own() {
    let failed = ServerState::Failed { reason: "it exited with code 1".into() };
    let stopped = || vec![server("a", ServerState::Stopped)];
    let problem = ApiError::new(ErrorCode::Storage, "the folder cannot be written").fix("free some room");
    for (glance, mark, lines) in [
        (Glance::searching(), Mark::Idle, vec!["Caisson is starting…"]),
        (up(Vec::new()), Mark::Idle, vec!["No servers installed"]),
        (up(stopped()), Mark::Idle, vec!["No server running (1 installed)"]),
        (
            Glance { paused: true, ..up(vec![server("a", failed.clone())]) },
            Mark::Paused,
            vec!["All servers are paused", "a failed: it exited with code 1"],
        ),
        (
            up(vec![server("a", failed.clone())]),
            Mark::Attention,
            vec!["No server running (1 installed)", "a failed: it exited with code 1"],
        ),
        (
            Glance { trouble: Some("Cannot start a: no engine".into()), ..up(stopped()) },
            Mark::Attention,
            vec!["No server running (1 installed)", "Cannot start a: no engine"],
        ),
        (
            Glance { engine: false, ..up(stopped()) },
            Mark::Attention,
            vec!["No server running (1 installed)", "No container engine answers, so no server can start"],
        ),
        (
            Glance { link: Link::Down { problem }, ..Glance::searching() },
            Mark::Absent,
            vec!["Caisson is not running", "the folder cannot be written", "free some room"],
        ),
    ] {
        let tray = tray(&glance);
        let said: Vec<&str> = tray
            .menu
            .iter()
            .map_while(|item| match item {
                Item::Line(line) => Some(line.as_str()),
                Item::Action { .. } | Item::Submenu { .. } | Item::Rule => None,
            })
            .collect();
        assert_eq!((tray.mark, said), (mark, lines));
    }
}

#[test]
fn paused_servers_cannot_be_started() {
    let tray = tray(&Glance { paused: true, ..up(vec![server("a", ServerState::Stopped)]) });
    assert!(text(&tray.menu).contains("    [Start]\n    [Stop]\n    [Restart]\n---\nResume all servers\n"));
}

#[test]
fn quit_says_what_ends_with_it() {
    let running = vec![server("a", ServerState::Running { sessions: 0 })];
    let hosted = Glance { link: Link::Up { host: true }, ..up(running.clone()) };
    assert!(text(&tray(&hosted).menu).ends_with("---\nQuit Caisson and stop 1 server\n"));
    assert!(text(&tray(&up(running)).menu).ends_with("---\nQuit Caisson\n"));
}

#[test]
fn hostile_and_endless_text_stays_in_its_line() {
    let reason = format!("\u{202e}\u{1b}[31m\nred\u{200b}{}", "x".repeat(10_000));
    let tray = tray(&up(vec![server("a", ServerState::Failed { reason })]));
    let Item::Line(line) = &tray.menu[1] else { unreachable!("problems are lines") };
    assert!(line.starts_with("a failed: \\u{202e}\\u{1b}[31m red\\u{200b}xxx"), "{line}");
    assert!(line.ends_with("x…") && line.chars().count() < 140);
}

#[test]
fn many_servers_end_in_the_window() {
    let servers = (0..500).map(|n| server(&format!("server-{n:03}"), ServerState::Stopped)).collect();
    let tray = tray(&up(servers));
    assert_eq!(tray.menu.len(), 2 + MOST_SERVERS + 1 + 6);
    assert!(text(&tray.menu).contains("476 more in the window…\n"));
}
