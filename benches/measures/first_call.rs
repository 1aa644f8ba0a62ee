//! The first tool call on a server that is stopped, from connecting until its answer, beside what the engine alone
//! needs to create and start the same server and to let it answer.

use std::time::Instant;

use crate::{
    Fallible,
    finding::{Finding, Row, Target, Wanted, ratio},
    http::HttpWay,
    lines::LineWay,
    protocol::Request,
    sample::Sample,
    stage::{SERVER, Stage},
};

const ROUNDS: usize = 10;
const ENGINE: &str = "the engine's API";

pub(crate) async fn measure(stage: &Stage) -> Fallible<Finding> {
    let access = stage.access(SERVER)?;
    let (mut engine, mut bridge) = (Sample::default(), Sample::default());
    // The first round warms the engine's caches.
    for round in 0..=ROUNDS {
        stage.stop(SERVER)?;
        let begun = Instant::now();
        let mut way = HttpWay::open(&access).await?;
        way.call(&Request::call(1)).await?;
        let through_bridge = begun.elapsed();
        way.close().await?;
        stage.stop(SERVER)?;

        let begun = Instant::now();
        let mut way = LineWay::attach(stage, ENGINE).await?;
        way.call(&Request::call(1)).await?;
        let by_engine = begun.elapsed();
        way.close().await?;
        if round > 0 {
            bridge.add(through_bridge);
            engine.add(by_engine);
        }
    }
    let row = |name: &str, sample: &Sample| {
        let millis = |micros: Option<f64>| micros.map(|micros| micros / 1e3);
        Row::new(
            name,
            [ratio(sample.median(), engine.median()), millis(sample.median()), millis(sample.tail())],
        )
    };
    Ok(Finding {
        title: format!("The first tool call on a stopped server, {ROUNDS} times"),
        engine: stage.engine.clone(),
        columns: vec!["median, of the engine's own", "median ms", "worst ms"],
        rows: vec![
            row("create, attach, start by the engine's API", &engine),
            row("Caisson's bridge", &bridge),
        ],
        targets: vec![Target {
            what: "The bridge's first call, of the engine's own",
            wanted: Wanted::AtMost(1.15),
            seen: ratio(bridge.median(), engine.median()),
        }],
    })
}
