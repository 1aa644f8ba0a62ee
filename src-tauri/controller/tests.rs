use std::collections::VecDeque;

use caisson_core::{
    control::api::ErrorCode,
    model::{Event, Offer, Question, QuestionId, ServerState},
};
use tokio::time::timeout;

use super::*;
use crate::{
    link::Link,
    samples::{Puppet, question, server},
    tray::{Item, Mark},
};

const SOON: Duration = Duration::from_secs(20);

/// A desktop that is a list of what was shown.
struct Paper {
    trays: mpsc::UnboundedSender<Tray>,
    notices: mpsc::UnboundedSender<String>,
}

impl Desktop for Paper {
    fn show_tray(&self, tray: &Tray) {
        drop(self.trays.send(tray.clone()));
    }

    fn ask(&self, question: &Question) {
        drop(self.notices.send(format!("asked {}", question.id)));
    }

    fn settle(&self, id: QuestionId) {
        drop(self.notices.send(format!("settled {id}")));
    }

    fn offer(&self, offer: &Offer) {
        drop(self.notices.send(format!("told: {offer}")));
    }

    fn withdraw(&self, offer: &Offer) {
        drop(self.notices.send(format!("decided: {offer}")));
    }
}

/// Finds what it was given, in that order.
struct Script(VecDeque<Result<Found, ApiError>>);

impl Owner for Script {
    async fn find(&mut self) -> Result<Found, ApiError> {
        match self.0.pop_front() {
            Some(found) => found,
            None => std::future::pending().await,
        }
    }

    async fn close(&mut self) {}
}

struct Stage {
    shown: mpsc::UnboundedReceiver<Tray>,
    notices: mpsc::UnboundedReceiver<String>,
    wishes: mpsc::UnboundedSender<Wish>,
    way: watch::Receiver<Way>,
    stop: CancellationToken,
}

impl Stage {
    fn new(script: impl IntoIterator<Item = Result<Found, ApiError>>) -> Self {
        let (trays, shown) = mpsc::unbounded_channel();
        let (notices_to, notices) = mpsc::unbounded_channel();
        let paper = Paper { trays, notices: notices_to };
        let (wishes, wished) = mpsc::unbounded_channel();
        let (way_to, way) = watch::channel(Way::Searching);
        let stop = CancellationToken::new();
        let owner = Script(script.into_iter().collect());
        tokio::spawn(Controller::new(paper, owner, wished, way_to).run(stop.clone()));
        Self { shown, notices, wishes, way, stop }
    }

    /// Waits until the tray is as wanted.
    async fn until(&mut self, what: &str, wanted: impl Fn(&Tray) -> bool) -> Tray {
        let shown = async {
            loop {
                let tray = self.shown.recv().await.expect("the controller runs");
                if wanted(&tray) {
                    return tray;
                }
            }
        };
        timeout(SOON, shown).await.unwrap_or_else(|_| panic!("never shown: {what}"))
    }
}

fn found(puppet: &Puppet) -> Result<Found, ApiError> {
    Ok(Found { client: puppet.connect(), host: false })
}

fn says(tray: &Tray, words: &str) -> bool {
    tray.menu.iter().any(|item| match item {
        Item::Line(label) | Item::Action { label, .. } | Item::Submenu { label, .. } => label.contains(words),
        Item::Rule => false,
    })
}

#[tokio::test]
async fn the_tray_follows_the_events() {
    let puppet = Puppet::with(vec![server("a", ServerState::Stopped)]);
    let mut stage = Stage::new([found(&puppet)]);
    stage.until("what is installed", |tray| tray.mark == Mark::Idle && says(tray, "a: stopped")).await;

    let state = ServerState::Running { sessions: 3 };
    puppet.events.send(Event::State { server: "a".parse().unwrap(), state }).unwrap();
    stage.until("what runs", |tray| tray.mark == Mark::Running && says(tray, "a: running, 3 sessions")).await;

    puppet.list.lock().unwrap().servers.push(server("b", ServerState::Stopped));
    puppet.events.send(Event::Changed { server: "b".parse().unwrap() }).unwrap();
    stage.until("what is new", |tray| says(tray, "b: stopped")).await;
}

#[tokio::test]
async fn wishes_are_fulfilled_or_say_why_not() {
    let puppet = Puppet::with(vec![server("a", ServerState::Stopped)]);
    let mut stage = Stage::new([found(&puppet)]);
    stage.until("what is installed", |tray| says(tray, "a: stopped")).await;

    stage.wishes.send(Wish::PauseAll).unwrap();
    stage.until("paused", |tray| tray.mark == Mark::Paused && says(tray, "Resume all servers")).await;
    stage.wishes.send(Wish::ResumeAll).unwrap();
    stage.until("resumed", |tray| tray.mark == Mark::Idle && says(tray, "Pause all servers")).await;

    stage.wishes.send(Wish::Start("a".parse().unwrap())).unwrap();
    let why = "Could not start a: no container engine answers (start Podman or Docker)";
    stage.until("why it failed", |tray| tray.mark == Mark::Attention && says(tray, why)).await;
}

#[tokio::test]
async fn a_question_is_asked_once_and_answered_from_the_tray() {
    let puppet = Puppet::with(vec![server("files", ServerState::Stopped)]);
    let early = question(7, "write_file");
    puppet.approvals.lock().unwrap().waiting.push(early.clone());
    let mut stage = Stage::new([found(&puppet)]);
    let waits = |tray: &Tray| tray.mark == Mark::Attention && says(tray, "? cursor: write_file of files");
    let tray = stage.until("the question that waited already", waits).await;
    assert_eq!(tray.title, "A call waits for your yes");
    puppet.events.send(Event::Asked { question: Box::new(early) }).unwrap();
    stage.wishes.send(Wish::Allow(QuestionId(7))).unwrap();
    stage.until("that it is answered", |tray| tray.mark == Mark::Idle && !says(tray, "write_file")).await;
    assert_eq!(stage.notices.recv().await.unwrap(), "asked 7");
    let mut rest = stage.notices.recv().await.unwrap();
    if rest == "asked 7" {
        // Told again, it replaces what is shown.
        rest = stage.notices.recv().await.unwrap();
    }
    assert_eq!(rest, "settled 7");
    puppet.events.send(Event::Locked { locked: true }).unwrap();
    stage.until("the lock", |tray| tray.mark == Mark::Paused && says(tray, "Unlock")).await;
}

#[tokio::test]
async fn a_burst_of_events_is_shown_once_a_frame() {
    let puppet = Puppet::with(vec![server("a", ServerState::Stopped)]);
    let mut stage = Stage::new([found(&puppet)]);
    stage.until("what is installed", |tray| says(tray, "a: stopped")).await;
    let started = Instant::now();
    for sessions in 1..=500 {
        let state = ServerState::Running { sessions };
        puppet.events.send(Event::State { server: "a".parse().unwrap(), state }).unwrap();
        tokio::task::yield_now().await;
    }
    let mut frames = 0;
    loop {
        let tray = timeout(SOON, stage.shown.recv()).await.unwrap().unwrap();
        frames += 1;
        if says(&tray, "500 sessions") {
            break;
        }
    }
    assert!(frames <= 2 + started.elapsed().as_millis() / FRAME.as_millis(), "{frames} frames");
}

#[tokio::test(start_paused = true)]
async fn an_owner_that_is_lost_is_looked_for_again() {
    let (first, second) = (Puppet::with(vec![server("a", ServerState::Stopped)]), Puppet::with(Vec::new()));
    let problem = ApiError::new(ErrorCode::Daemon, "another process holds the lock");
    let mut stage = Stage::new([found(&first), Err(problem.clone()), found(&second)]);
    stage.until("the first", |tray| says(tray, "a: stopped")).await;
    assert_eq!(stage.way.borrow().link(), Link::Up { host: false });

    first.end.cancel();
    let tray = stage.until("that there is none", |tray| tray.mark == Mark::Absent).await;
    assert!(says(&tray, "another process holds the lock") && !says(&tray, "a: stopped"));
    stage.until("the second", |tray| says(tray, "No servers installed")).await;

    stage.stop.cancel();
    timeout(SOON, async { while stage.shown.recv().await.is_some() {} }).await.expect("it ends");
}
