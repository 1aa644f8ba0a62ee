//! The official conformance suite, through the bridge: no check may end worse than against the same server directly.

use caisson_tests::{
    Home,
    clients::Access,
    conformance::{self, Report},
    fixture::{self, Direct, Era, Over},
    forwarder::Forwarder,
};

on_engines!([podman docker] legacy_over_stdio, modern_over_stdio);
on_engines!([podman] legacy_over_http, modern_over_http);

fn legacy_over_stdio(home: &Home) {
    conforms(home, "2025-11-25", Over::Stdio);
}

fn legacy_over_http(home: &Home) {
    conforms(home, "2025-11-25", Over::Http);
}

fn modern_over_stdio(home: &Home) {
    conforms(home, "2026-07-28", Over::Stdio);
}

fn modern_over_http(home: &Home) {
    conforms(home, "2026-07-28", Over::Http);
}

/// Runs the requirement set `revision` against the fixture, directly and then through the bridge.
fn conforms(home: &Home, revision: &str, over: Over) {
    let direct = conformance::run(revision, &Direct::start(Era::Both).url);
    assert!(
        direct.failed().is_empty(),
        "the fixture itself is wrong: {:?}\n{}",
        direct.failed(),
        direct.complaints()
    );

    fixture::install(home, "fixture", over, Era::Both);
    let forwarder = Forwarder::to(&Access::to(home, "fixture"));
    let bridged = conformance::run(revision, &forwarder.url);
    fails_nowhere(&bridged, &direct);
}

#[track_caller]
fn fails_nowhere(bridged: &Report, direct: &Report) {
    let worse: Vec<_> = bridged.worse_than(direct).iter().map(ToString::to_string).collect();
    assert!(
        worse.is_empty() && bridged.failed().is_empty(),
        "through the bridge, {} checks end worse than directly:\n{}\n\nand {} of {} required scenarios fail: {:?}",
        worse.len(),
        worse.join("\n"),
        bridged.failed().len(),
        bridged.required(),
        bridged.failed(),
    );
}
