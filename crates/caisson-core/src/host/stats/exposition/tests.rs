use std::{sync::Arc, time::UNIX_EPOCH};

use jiff::tz::TimeZone;

use super::*;
use crate::{
    metrics::Metrics,
    model::ServerName,
    sandbox::{Running, TrafficSums, Vitals},
};

/// A server that was called, and names a tool to look like numbers of its own.
fn called() -> Standing {
    let metrics = Metrics::new(Arc::new(|| UNIX_EPOCH), TimeZone::UTC);
    let name: ServerName = "notes".parse().unwrap();
    let add = metrics.series(&name, "add", || true);
    for millis in [3, 40, 700] {
        add.called();
        add.answered(Duration::from_millis(millis), millis > 500);
    }
    add.denied();
    let odd = metrics.series(&name, "a\"} 1 \\ caisson_calls_total{server=\"other\"", || true);
    odd.called();
    odd.unanswered();
    metrics.series(&name, "of no server", || false).denied();
    Standing {
        state: ServerState::Running { sessions: 2 },
        vitals: Vitals {
            running: Some(Running { container: "c0ffee".into(), since: 1_800_000_000_123 }),
            starts: 2,
            failures: 1,
        },
        memory_limit: Some(512 << 20),
        traffic: TrafficSums { connections: 5, open: 1, sent: 100, received: 2000, refused: 3 },
        tools: metrics.of(&name),
        name,
    }
}

fn stopped() -> Standing {
    Standing {
        name: "asleep".parse().unwrap(),
        state: ServerState::Stopped,
        vitals: Vitals::default(),
        memory_limit: None,
        traffic: TrafficSums::default(),
        tools: Vec::new(),
    }
}

fn all() -> String {
    let own = OwnUse { memory: 30 << 20, cpu_millis: 1500 };
    let uses = ContainerUse { memory: Some(9 << 20), cpu_nanos: Some(250_000_000), processes: Some(2) };
    let servers = [(stopped(), ContainerUse::default()), (called(), uses)];
    text(UNIX_EPOCH + Duration::from_secs(1_799_999_999), Some(own), servers.into_iter())
}

#[test]
fn it_reads_as_meant() {
    // The version changes with each release.
    insta::assert_snapshot!(all().replace(env!("CARGO_PKG_VERSION"), "VERSION"));
}

/// As the format is defined: comments, and samples of a name, perhaps labels, and a number; each of a kind that was
/// told before, and none twice.
#[test]
fn every_line_is_of_the_format() {
    let sample = regex::Regex::new(
        r#"^([a-z_]+)(\{[a-z]+="(?:[^"\\\n]|\\["\\n])*"(?:,[a-z]+="(?:[^"\\\n]|\\["\\n])*")*\})? (\S+)$"#,
    )
    .unwrap();
    let (text, mut kinds, mut seen) = (all(), Vec::new(), std::collections::HashSet::new());
    for line in text.lines() {
        if let Some(kind) = line.strip_prefix("# TYPE ") {
            kinds.push(kind.split(' ').next().unwrap());
        } else if !line.starts_with("# HELP ") {
            let parts = sample.captures(line).unwrap_or_else(|| panic!("not a sample: {line}"));
            let labels = parts.get(2).map_or("", |labels| labels.as_str());
            assert!(kinds.last().is_some_and(|kind| parts[1].starts_with(kind)), "no kind: {line}");
            assert!(parts[3].parse::<f64>().is_ok(), "no number: {line}");
            assert!(seen.insert(format!("{}{labels}", &parts[1])), "twice: {line}");
        }
    }
    assert!(seen.len() > 60, "{text}");
}

#[test]
fn without_servers_there_is_caisson_itself() {
    let text = text(UNIX_EPOCH, None, std::iter::empty());
    assert!(text.contains("process_start_time_seconds 0\n") && !text.contains("server"), "{text}");
}
