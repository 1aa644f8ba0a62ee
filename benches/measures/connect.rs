//! From connecting to a server that is installed and stopped until its tools are listed. A peer listens then, and has
//! no container.

use std::time::{Duration, Instant};

use caisson_tests::clients::Access;
use tokio::time::sleep;

use crate::{
    Fallible,
    finding::{Finding, Row, Target, Wanted, least, ratio},
    http::HttpWay,
    peers::{Peer, PeerKind},
    protocol::Request,
    sample::Sample,
    stage::{SERVER, Stage},
};

const ROUNDS: usize = 10;
/// So long a peer's container may take to be gone after its session.
const END: Duration = Duration::from_secs(15);

pub(crate) async fn measure(stage: &Stage) -> Fallible<Finding> {
    let access = stage.access(SERVER)?;
    let mut ours = Sample::default();
    let mut theirs = Vec::new();
    for kind in PeerKind::ALL.into_iter().filter(|kind| kind.starts_on_demand()) {
        theirs.push((Peer::start(kind, stage).await?, Sample::default(), None));
    }
    for _ in 0..ROUNDS {
        stage.stop(SERVER)?;
        ours.add(connect(&access).await?);
        stage.stop(SERVER)?;
        for (peer, sample, failure) in theirs.iter_mut().filter(|(_, _, failure)| failure.is_none()) {
            match connect(&peer.access).await {
                Ok(time) => sample.add(time),
                Err(error) => *failure = Some(error.to_string()),
            }
            settle(stage, peer.kind).await?;
        }
    }
    let times = theirs.iter().map(|(_, sample, failure)| sample.median().filter(|_| failure.is_none()));
    let best = least(times);
    let row = |name: &str, sample: &Sample| {
        let millis = |micros: Option<f64>| micros.map(|micros| micros / 1e3);
        Row::new(name, [ratio(sample.median(), best), millis(sample.median()), millis(sample.tail())])
    };
    let mut rows = vec![row("Caisson's bridge", &ours)];
    for (peer, sample, failure) in theirs {
        rows.push(match failure {
            None => row(peer.kind.name(), &sample),
            Some(why) => Row::failed(peer.kind.name(), why),
        });
        peer.end(stage).await?;
    }
    for kind in PeerKind::ALL.into_iter().filter(|kind| !kind.starts_on_demand()) {
        rows.push(Row::failed(
            kind.name(),
            "its one container runs from its own start, and for all sessions",
        ));
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

/// Waits until no container is left of a session that was ended; removes what stays.
async fn settle(stage: &Stage, kind: PeerKind) -> Fallible<()> {
    let begun = Instant::now();
    while !stage.containers(kind.name())?.is_empty() && begun.elapsed() < END {
        sleep(Duration::from_millis(100)).await;
    }
    stage.sweep(kind.name()).map(drop)
}
