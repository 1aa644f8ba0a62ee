//! Calls a second, with every session calling as fast as it is answered.

use std::time::Duration;

use caisson_tests::clients::Access;

use super::sessions::Sessions;
use crate::{
    Fallible,
    finding::{Finding, Row, Target, Wanted, most, ratio},
    peers::{Peer, PeerKind},
    stage::{Installed, Stage},
};

const LEVELS: [usize; 3] = [1, 8, 64];
/// So long each level is loaded.
const TIME: Duration = Duration::from_secs(3);

/// What came of one bridge.
struct Outcome {
    name: &'static str,
    /// Calls a second, for each level; none from the one on that it fails at.
    rates: Vec<Option<f64>>,
    /// At the highest level, in microseconds.
    median: Option<f64>,
    tail: Option<f64>,
    failure: Option<String>,
    left_behind: usize,
}

/// With a server that takes no time, and with one as they are.
pub(crate) async fn measure(stage: &Stage) -> Fallible<[Finding; 2]> {
    let bare = stage.bare()?;
    let findings = [before(stage, &bare).await?, before(stage, &stage.example).await?];
    stage.remove(&bare)?;
    Ok(findings)
}

async fn before(stage: &Stage, server: &Installed) -> Fallible<Finding> {
    stage.start(server.name)?;
    let mut outcomes = vec![load("Caisson's bridge", &stage.clients(server.name)?).await];
    if let Some(failure) = &outcomes[0].failure {
        return Err(failure.clone().into());
    }
    stage.stop(server.name)?;
    for kind in PeerKind::ALL {
        let peer = Peer::start(kind, stage, server).await?;
        let mut outcome = load(kind.name(), std::slice::from_ref(&peer.access)).await;
        if outcome.failure.is_some() {
            outcome.failure =
                outcome.failure.map(|failure| format!("{failure}; its log: {}", peer.last_words()));
        }
        outcome.left_behind = peer.end(stage).await?;
        outcomes.push(outcome);
    }
    Ok(tell(stage, server, &outcomes))
}

async fn load(name: &'static str, clients: &[Access]) -> Outcome {
    let mut outcome =
        Outcome { name, rates: Vec::new(), median: None, tail: None, failure: None, left_behind: 0 };
    let mut sessions = Sessions::default();
    for level in LEVELS {
        let loaded = match sessions.open(clients, level).await {
            Ok(()) => sessions.load(TIME).await,
            Err(error) => Err(error),
        };
        match loaded {
            Ok(load) => {
                outcome.rates.push(Some(load.calls_per_second));
                (outcome.median, outcome.tail) = (load.times.median(), load.times.tail());
            }
            Err(error) => {
                (outcome.median, outcome.tail) = (None, None);
                outcome.failure = Some(format!("fails at {level}: {error}"));
                break;
            }
        }
    }
    sessions.close().await;
    outcome
}

fn tell(stage: &Stage, server: &Installed, outcomes: &[Outcome]) -> Finding {
    let rate = |outcome: &Outcome, level: usize| outcome.rates.get(level).copied().flatten();
    let best = |level| most(outcomes.iter().skip(1).map(|outcome| rate(outcome, level)));
    let last = LEVELS.len() - 1;
    let rows = outcomes.iter().map(|outcome| {
        let ratios = (0..LEVELS.len()).map(|level| ratio(rate(outcome, level), best(level)));
        let rates = (0..LEVELS.len()).map(|level| rate(outcome, level));
        let row = Row::new(outcome.name, ratios.chain(rates).chain([outcome.median, outcome.tail]));
        let left =
            (outcome.left_behind > 0).then(|| format!("left {} containers behind", outcome.left_behind));
        match outcome.failure.iter().cloned().chain(left).collect::<Vec<_>>().join("; ") {
            note if note.is_empty() => row,
            note => row.with_note(note),
        }
    });
    Finding {
        title: format!("Calls a second, all sessions calling the {} server", server.name),
        engine: stage.engine.clone(),
        columns: vec![
            "at 1, of the best peer's",
            "at 8",
            "at 64",
            "calls/s at 1",
            "at 8",
            "at 64",
            "median µs at 64",
            "p99 µs at 64",
        ],
        rows: rows.collect(),
        targets: vec![Target {
            what: "The bridge's calls a second at 64 sessions, of the best peer's",
            wanted: Wanted::AtLeast(8.0),
            seen: ratio(rate(&outcomes[0], last), best(last)),
        }],
    }
}
