use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::UNIX_EPOCH,
};

use tokio::sync::broadcast;

use super::*;
use crate::{
    gate::{LocalCaller, Principal},
    model::{By, Marks, Preset},
};

const PATIENCE: Duration = Duration::from_secs(60);

struct Setup {
    approvals: Approvals,
    state: State,
    clock: Clock,
    events: broadcast::Receiver<Event>,
    now: Arc<AtomicU64>,
}

fn setup() -> Setup {
    let (state, sender) = (State::in_memory().unwrap(), broadcast::Sender::new(1024));
    let now = Arc::new(AtomicU64::new(1000));
    let time = now.clone();
    let clock: Clock = Arc::new(move || UNIX_EPOCH + Duration::from_secs(time.load(Ordering::SeqCst)));
    let events = sender.subscribe();
    let approvals = Approvals::open(state.clone(), sender, clock.clone()).unwrap();
    Setup { approvals, state, clock, events, now }
}

fn visitor() -> Principal {
    Principal::local(LocalCaller::Shim).in_session()
}

fn asking(who: &Principal, tool: &str, arguments: &str) -> Asking {
    Asking {
        visit: who.visit(),
        server: "files".parse().unwrap(),
        tool: tool.into(),
        marks: Marks::default(),
        definition: Some(Digest::of(b"as it was")),
        fingerprint: Digest::of(arguments.as_bytes()),
        arguments: arguments.into(),
        by: By::Preset { preset: Preset::AskForChanges, read_only: false },
    }
}

fn granted(approvals: &Approvals, who: &Principal, tool: &str) -> bool {
    let definition = Digest::of(b"as it was");
    approvals.granted(&who.visit(), &"files".parse().unwrap(), tool, Some(&definition)).is_some()
}

#[tokio::test]
async fn the_same_call_is_asked_about_once() {
    let Setup { approvals, mut events, .. } = setup();
    let who = visitor();
    let mut first = approvals.ask(asking(&who, "write", "{}"), PATIENCE).unwrap();
    let mut second = approvals.ask(asking(&who, "write", "{}"), PATIENCE).unwrap();
    let other = approvals.ask(asking(&who, "write", "{\"a\":1}"), PATIENCE).unwrap();
    let listed = approvals.list();
    assert_eq!(
        listed.iter().map(|question| (question.id, question.calls)).collect::<Vec<_>>(),
        [(first.id(), 2), (other.id(), 1)]
    );
    approvals.allow(first.id(), Lasting::Once).unwrap();
    let allowed = Outcome::Allowed { lasting: Lasting::Once };
    assert_eq!((first.outcome().await, second.outcome().await), (allowed, allowed));
    assert!(!granted(&approvals, &who, "write"), "once is once");
    assert!(matches!(approvals.deny(first.id()), Err(ApprovalError::Unknown(_))));
    drop(other);
    assert!(approvals.list().is_empty(), "whoever asked and goes away takes the question along");
    let mut told = Vec::new();
    while let Ok(event) = events.try_recv() {
        if let Event::Asked { question } = event {
            told.push(format!("asked {}", question.id));
        } else if let Event::Answered { id, outcome } = event {
            told.push(format!("{id} {outcome}"));
        }
    }
    assert_eq!(told, ["asked 1", "asked 2", "1 allowed once", "2 withdrawn, since the client has gone"]);
    let history: Vec<Outcome> = approvals.history().iter().map(|settled| settled.outcome).collect();
    assert_eq!(history, [Outcome::Withdrawn, allowed]);
}

#[tokio::test(start_paused = true)]
async fn silence_is_a_no() {
    let Setup { approvals, .. } = setup();
    let who = visitor();
    let mut waiting = approvals.ask(asking(&who, "write", "{}"), PATIENCE).unwrap();
    assert_eq!(waiting.outcome().await, Outcome::Unanswered);
    assert!(approvals.list().is_empty());
    assert!(approvals.allow(waiting.id(), Lasting::Always).is_err() && !granted(&approvals, &who, "write"));
}

#[tokio::test]
async fn grants_hold_for_who_and_what_they_were_given() {
    let Setup { approvals, state, clock, now, .. } = setup();
    let (who, other) = (visitor(), Principal::local(LocalCaller::Control));
    let grant = |tool: &str, lasting: Lasting| {
        let waiting = approvals.ask(asking(&who, tool, "{}"), PATIENCE).unwrap();
        approvals.allow(waiting.id(), lasting).unwrap();
    };
    grant("session", Lasting::Session);
    grant("hour", Lasting::Time { seconds: 3600 });
    grant("always", Lasting::Always);
    let holds = |approvals: &Approvals, who: &Principal| {
        ["session", "hour", "always"].map(|tool| granted(approvals, who, tool))
    };
    assert_eq!(holds(&approvals, &who), [true, true, true]);
    assert_eq!(holds(&approvals, &visitor()), [false, true, true], "another session");
    assert_eq!(holds(&approvals, &other), [false; 3], "another client");
    let (server, changed) = ("files".parse().unwrap(), Digest::of(b"changed"));
    for definition in [None, Some(&changed)] {
        let granted = approvals.granted(&who.visit(), &server, "always", definition);
        assert_eq!(granted, None, "a tool that is defined otherwise");
    }
    // Turned back, the clock makes no grant longer.
    now.store(999, Ordering::SeqCst);
    assert_eq!(holds(&approvals, &who), [false; 3]);
    now.store(1000 + 3600, Ordering::SeqCst);
    assert_eq!(holds(&approvals, &who), [true, false, true]);

    let again = Approvals::open(state, broadcast::Sender::new(1), clock).unwrap();
    assert_eq!(holds(&again, &who), [false, false, true], "a session does not outlive Caisson");
    let always = again.grants().pop().unwrap();
    assert_eq!((always.tool.as_str(), always.until, again.grants().len()), ("always", None, 1));
    assert_eq!(again.revoke(always.id).unwrap(), always);
    assert!(matches!(again.revoke(always.id), Err(ApprovalError::NoGrant(_))));
    assert_eq!(holds(&again, &who), [false; 3]);
    approvals.forget(&"files".parse().unwrap()).unwrap();
    assert!(approvals.grants().is_empty());
}

#[tokio::test]
async fn a_grant_for_no_time_is_none() {
    let Setup { approvals, .. } = setup();
    let waiting = approvals.ask(asking(&visitor(), "write", "{}"), PATIENCE).unwrap();
    for seconds in [0, u64::MAX] {
        let allowed = approvals.allow(waiting.id(), Lasting::Time { seconds });
        assert!(matches!(allowed, Err(ApprovalError::Lifetime)));
    }
    assert_eq!(approvals.list().len(), 1, "it still waits");
}

#[tokio::test]
async fn a_lock_refuses_what_waits_and_outlives_a_restart() {
    let Setup { approvals, state, clock, .. } = setup();
    let mut waiting = approvals.ask(asking(&visitor(), "write", "{}"), PATIENCE).unwrap();
    approvals.lock(true).unwrap();
    assert_eq!(waiting.outcome().await, Outcome::Locked);
    let again = Approvals::open(state.clone(), broadcast::Sender::new(1), clock.clone()).unwrap();
    assert!(approvals.is_locked() && again.is_locked());
    again.lock(false).unwrap();
    assert!(!again.is_locked());
    assert!(!Approvals::open(state, broadcast::Sender::new(1), clock).unwrap().is_locked());
}

#[tokio::test]
async fn two_hundred_questions_at_once_and_no_end_of_them() {
    let Setup { approvals, .. } = setup();
    let who = visitor();
    let ask = |number: usize| approvals.ask(asking(&who, "write", &number.to_string()), PATIENCE);
    let mut waiting: Vec<Waiting> = (0..200).map(|number| ask(number).unwrap()).collect();
    for question in approvals.list() {
        if question.id.0.is_multiple_of(2) {
            approvals.deny(question.id).unwrap();
        } else {
            approvals.allow(question.id, Lasting::Once).unwrap();
        }
    }
    for one in &mut waiting {
        let expected = if one.id().0.is_multiple_of(2) {
            Outcome::Denied
        } else {
            Outcome::Allowed { lasting: Lasting::Once }
        };
        assert_eq!(one.outcome().await, expected);
    }
    let held: Vec<Waiting> = (0..2000).filter_map(ask).collect();
    assert_eq!(held.len(), 300, "one client cannot ask without end");
    let other = asking(&Principal::local(LocalCaller::Control), "write", "{}");
    assert!(approvals.ask(other, PATIENCE).is_some(), "nor keep others from asking");
}
