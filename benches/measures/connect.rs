//! From connecting to a server that is installed and stopped until its tools are listed. A peer listens then, and has
//! no container.

use std::time::{Duration, Instant};

use caisson_tests::clients::Access;

use crate::{
    Fallible,
    finding::{Finding, Row, Target, Wanted, least, ratio},
    http::HttpWay,
    peers::{Peer, PeerKind},
    protocol::Request,
    sample::Sample,
    stage::{SERVER, Stage},
};

const ROUNDS: usize = 8;

pub(crate) async fn measure(stage: &Stage) -> Fallible<Finding> {
    let access = stage.access(SERVER)?;
    let mut ours = Sample::default();
    let on_demand = PeerKind::ALL.into_iter().filter(|kind| kind.starts_on_demand());
    let mut theirs: Vec<_> = on_demand.map(|kind| (kind, Sample::default(), Vec::new())).collect();
    for _ in 0..ROUNDS {
        stage.stop(SERVER)?;
        ours.add(connect(&access).await?);
        stage.stop(SERVER)?;
        for (kind, sample, failures) in &mut theirs {
            // Some keep what their first session has started.
            let peer = Peer::start(*kind, stage, &stage.example).await?;
            match connect(&peer.access).await {
                Ok(time) => sample.add(time),
                Err(error) => failures.push(error),
            }
            peer.end(stage).await?;
        }
    }
    let best = least(theirs.iter().map(|(_, sample, _)| sample.median()));
    let row = |name: &str, sample: &Sample| {
        let millis = |micros: Option<f64>| micros.map(|micros| micros / 1e3);
        Row::new(name, [ratio(sample.median(), best), millis(sample.median()), millis(sample.tail())])
    };
    let mut rows = vec![row("Caisson's bridge", &ours)];
    for (kind, sample, failures) in theirs {
        let row = row(kind.name(), &sample);
        rows.push(match failures.first() {
            None => row,
            Some(first) => row.with_note(format!("failed {} times: {first}", failures.len())),
        });
    }
    for kind in PeerKind::ALL.into_iter().filter(|kind| !kind.starts_on_demand()) {
        rows.push(Row::failed(kind.name(), "its one container, for all sessions, runs from its own start"));
    }
    Ok(Finding {
        title: format!("From connecting to a stopped server until tools/list is answered, {ROUNDS} times"),
        engine: stage.engine.clone(),
        columns: vec!["median, of the best peer's", "median ms", "worst ms"],
        rows,
        targets: vec![Target {
            what: "The bridge's time until tools are listed, of the best peer's",
            wanted: Wanted::AtMost(0.05),
            seen: ratio(ours.median(), best),
        }],
    })
}

async fn connect(access: &Access) -> Fallible<Duration> {
    let begun = Instant::now();
    let mut way = HttpWay::open(access).await?;
    way.call(&Request::list()).await?;
    let time = begun.elapsed();
    way.close().await?;
    Ok(time)
}
