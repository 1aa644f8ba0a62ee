//! What one small tool call costs on each way to the same server, taken in turn, call by call, so that a busy
//! moment of the machine hits all of them. Before each call that counts stands one that does not: else each
//! way would pay for what the one before it left to be done.

use std::time::Instant;

use caisson_tests::programs;

use crate::{
    Fallible,
    finding::{Finding, Row, Target, Wanted, added, least, ratio},
    http::HttpWay,
    lines::LineWay,
    peers::{Peer, PeerKind},
    protocol::Request,
    sample::Sample,
    stage::{SERVER, Stage},
};

const DIRECT: &str = "attached directly";
const ENGINE: &str = "the engine's run -i";

struct Way {
    name: String,
    route: Route,
    sample: Sample,
    failure: Option<String>,
}

enum Route {
    Lines(LineWay),
    Http(HttpWay),
}

impl Way {
    fn new(name: impl Into<String>, route: Route) -> Self {
        Self { name: name.into(), route, sample: Sample::default(), failure: None }
    }

    async fn turn(&mut self, number: u32) -> Fallible<()> {
        self.call(&Request::call(2 * number)).await?;
        let request = Request::call(2 * number + 1);
        let start = Instant::now();
        self.call(&request).await?;
        self.sample.add(start.elapsed());
        Ok(())
    }

    async fn call(&mut self, request: &Request) -> Fallible<()> {
        match &mut self.route {
            Route::Lines(way) => way.call(request).await,
            Route::Http(way) => way.call(request).await,
        }
    }
}

pub(crate) async fn measure(stage: &Stage, calls: u32) -> Fallible<Finding> {
    stage.start(SERVER)?;
    let shim = stage.home.command_of(&programs::caisson(), &["stdio", SERVER]);
    let mut ours = vec![
        Way::new(DIRECT, Route::Lines(LineWay::attach(stage, DIRECT).await?)),
        Way::new(ENGINE, Route::Lines(LineWay::open(stage.run(ENGINE, &stage.example)).await?)),
        Way::new("Caisson's shim", Route::Lines(LineWay::open(shim).await?)),
        Way::new("Caisson's bridge", Route::Http(HttpWay::open(&stage.access(SERVER)?).await?)),
    ];
    let mut theirs = Vec::new();
    let mut peers = Vec::new();
    let mut rows = Vec::new();
    for kind in PeerKind::ALL {
        let peer = Peer::start(kind, stage, &stage.example).await?;
        match HttpWay::open(&peer.access).await {
            Ok(way) => theirs.push(Way::new(kind.name(), Route::Http(way))),
            Err(error) => rows.push(Row::failed(kind.name(), error)),
        }
        peers.push(peer);
    }
    for number in 1..=calls + calls / 10 {
        for way in &mut ours {
            way.turn(number).await?;
        }
        for way in theirs.iter_mut().filter(|way| way.failure.is_none()) {
            way.failure = way.turn(number).await.err().map(|error| error.to_string());
        }
        if number == calls / 10 {
            // Until here everything got warm.
            ours.iter_mut().chain(&mut theirs).for_each(|way| way.sample = Sample::default());
        }
    }
    let finding = tell(stage, calls, &ours, &theirs, rows);
    for way in ours.into_iter().chain(theirs) {
        match way.route {
            Route::Lines(way) => way.close().await?,
            // What a peer has ended already need not be ended.
            Route::Http(way) => drop(way.close().await),
        }
    }
    for peer in peers {
        peer.end(stage).await?;
    }
    Ok(finding)
}

fn tell(stage: &Stage, calls: u32, ours: &[Way], theirs: &[Way], failed: Vec<Row>) -> Finding {
    let direct = &ours[0].sample;
    let median = |way: &Way| added(way.sample.median(), direct.median());
    let tail = |way: &Way| added(way.sample.tail(), direct.tail());
    let well = || theirs.iter().filter(|way| way.failure.is_none());
    let best = (least(well().map(median)), least(well().map(tail)));
    let rows = ours.iter().chain(theirs).enumerate().map(|(at, way)| {
        if let Some(why) = &way.failure {
            return Row::failed(&way.name, why);
        }
        let (median, tail) = if at == 0 { (None, None) } else { (median(way), tail(way)) };
        let values = [
            ratio(median, best.0),
            ratio(tail, best.1),
            way.sample.median(),
            way.sample.tail(),
            median,
            tail,
        ];
        Row::new(&way.name, values)
    });
    let bridge = ours.last();
    let target = |what, seen| Target { what, wanted: Wanted::AtMost(0.125), seen };
    Finding {
        title: format!("One small tool call, {calls} on each way"),
        engine: stage.engine.clone(),
        columns: vec![
            "added median, of the best peer's",
            "added p99, of the best peer's",
            "median µs",
            "p99 µs",
            "added median µs",
            "added p99 µs",
        ],
        rows: rows.chain(failed).collect(),
        targets: vec![
            target("The bridge's added median, of the best peer's", ratio(bridge.and_then(median), best.0)),
            target("The bridge's added p99, of the best peer's", ratio(bridge.and_then(tail), best.1)),
        ],
    }
}
