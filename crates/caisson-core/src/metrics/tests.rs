use std::{
    sync::{Mutex, atomic::AtomicUsize, atomic::Ordering},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use super::*;

fn name(name: &str) -> ServerName {
    name.parse().unwrap()
}

fn metrics() -> Metrics {
    Metrics::new(Arc::new(|| UNIX_EPOCH), TimeZone::UTC)
}

#[test]
fn what_becomes_of_calls_is_counted_by_tool() {
    let (metrics, server) = (metrics(), name("a"));
    let echo = metrics.series(&server, "echo", || true);
    for (lasted, failed) in [(10, false), (20, true)] {
        echo.called();
        echo.answered(Duration::from_millis(lasted), failed);
    }
    echo.called();
    echo.unanswered();
    metrics.series(&server, "other", || true).denied();
    // Whether it is known, is asked once.
    metrics.series(&server, "echo", || panic!("asked again")).denied();

    let read = metrics.of(&server);
    assert_eq!(
        read.iter().map(|tool| tool.name.as_deref()).collect::<Vec<_>>(),
        [Some("echo"), Some("other")]
    );
    let counts = CallCounts { calls: 3, denied: 1, failed: 1, unanswered: 1, today: 3 };
    assert_eq!((read[0].counts, read[0].latencies.count()), (counts, 2));
    let both = CallCounts { denied: 2, ..counts };
    assert_eq!(metrics.counts(), [(server.clone(), both)]);
    assert_eq!(ToolReading::sum(&read).counts, both);
    assert!(metrics.of(&name("b")).is_empty());
    metrics.forget(&server);
    assert!(metrics.of(&server).is_empty());
}

#[test]
fn names_without_end_are_counted_as_one() {
    let (metrics, server) = (metrics(), name("a"));
    for number in 0..100_000 {
        metrics.series(&server, &format!("unknown-{number}"), || false).denied();
    }
    let hidden = ["", "a\u{200b}", "a\u{1b}[2J", &"a".repeat(LONGEST_NAME + 1)];
    hidden.iter().for_each(|tool| metrics.series(&server, tool, || true).denied());
    let [others] = &metrics.of(&server)[..] else { panic!("not one") };
    assert_eq!((others.name.as_deref(), others.counts.denied), (None, 100_004));

    for number in 0..100_000 {
        metrics.series(&server, &format!("known-{number}"), || true).called();
    }
    let read = metrics.of(&server);
    assert_eq!(read.len(), MOST_TOOLS + 1);
    assert_eq!(read.last().map(|others| others.counts.calls), Some(100_000 - MOST_TOOLS as u64));
}

#[test]
fn a_day_begins_at_the_users_midnight() {
    let now = Arc::new(Mutex::new(UNIX_EPOCH));
    let at = |text: &str| *now.lock().unwrap() = SystemTime::from(text.parse::<jiff::Timestamp>().unwrap());
    let clock = now.clone();
    let zone = TimeZone::get("Europe/Berlin").unwrap();
    let metrics = Metrics::new(Arc::new(move || *clock.lock().unwrap()), zone);
    let server = name("a");
    let today = || metrics.of(&server)[0].counts.today;
    for (time, called, expected) in [
        ("2026-03-28T22:30:00Z", true, 1),
        ("2026-03-28T22:59:59Z", true, 2),
        // Midnight, and then a day of 23 hours.
        ("2026-03-28T23:00:00Z", false, 0),
        ("2026-03-28T23:00:01Z", true, 1),
        ("2026-03-29T21:59:59Z", true, 2),
        ("2026-03-29T22:00:00Z", true, 1),
        // The clock was set back.
        ("2026-03-20T12:00:00Z", false, 0),
        ("2026-03-20T12:00:00Z", true, 1),
    ] {
        at(time);
        if called {
            metrics.series(&server, "echo", || true).called();
        }
        assert_eq!(today(), expected, "{time}");
    }
    assert_eq!(metrics.of(&server)[0].counts.calls, 6);
}

#[tokio::test]
async fn one_who_waits_hears_of_what_was_counted() {
    let (metrics, heard) = (metrics(), Arc::new(AtomicUsize::new(0)));
    metrics.series(&name("a"), "echo", || true).called();
    metrics.changed().await;
    let (waiting, count) = (metrics.clone(), heard.clone());
    let task = tokio::spawn(async move {
        waiting.changed().await;
        count.fetch_add(1, Ordering::SeqCst);
    });
    tokio::task::yield_now().await;
    assert_eq!(heard.load(Ordering::SeqCst), 0);
    metrics.series(&name("a"), "echo", || true).denied();
    task.await.unwrap();
}
