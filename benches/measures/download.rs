//! A server's download: through the pipe, beside the same image on the engine's own bridge network, and through squid as
//! a sidecar. And what the airlock holds in memory with many connections open.

use std::{
    fs, thread,
    time::{Duration, Instant},
};

use serde_json::json;

use crate::{
    Fallible,
    finding::{Finding, Row, Target, Wanted, ratio},
    network::{IMAGE, Network},
    outside::Outside,
    processes::resident,
    sample::Sample,
    stage::Stage,
};

/// The name the server is installed under.
const NAME: &str = "downloads";
/// So many bytes are downloaded, so often, on each way in turn.
const BYTES: usize = 1 << 30;
const ROUNDS: usize = 5;
/// So many connections of one byte, each round.
const FIRSTS: usize = 20;
/// So many connections are open when memory is looked at.
const HELD: usize = 100;
/// So long they may take to open.
const OPENING: Duration = Duration::from_secs(30);

const MEGABYTE: f64 = 1e6;

/// A server in shell, whose one tool runs the same curl as the others do.
const SERVER: &str = r#"
id() { echo "$1" | sed -n 's/.*"id": *\([0-9]*\).*/\1/p'; }
while read -r line; do
    case $line in
    *'"initialize"'*) echo "{\"jsonrpc\":\"2.0\",\"id\":$(id "$line"),\"result\":{\"protocolVersion\":\"2025-11-25\",\"capabilities\":{\"tools\":{}},\"serverInfo\":{\"name\":\"shell\",\"version\":\"1\"}}}" ;;
    *'"tools/list"'*) echo "{\"jsonrpc\":\"2.0\",\"id\":$(id "$line"),\"result\":{\"tools\":[{\"name\":\"download\",\"inputSchema\":{\"type\":\"object\"}}]}}" ;;
    *'"tools/call"'*)
        number=$(id "$line")
        case $line in
        *whole*) answer=$(whole) ;;
        *first*) answer=$(first) ;;
        *hold*) answer=$(hold) ;;
        esac
        echo "{\"jsonrpc\":\"2.0\",\"id\":$number,\"result\":{\"content\":[{\"type\":\"text\",\"text\":\"$answer\"}]}}" ;;
    esac
done
"#;

/// A way to the outside.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Bridge,
    Squid,
    Pipe,
}

impl Way {
    const ALL: [Self; 3] = [Self::Bridge, Self::Squid, Self::Pipe];

    fn name(self) -> &'static str {
        match self {
            Self::Bridge => "the engine's bridge network",
            Self::Squid => "squid as a sidecar",
            Self::Pipe => "Caisson's pipe",
        }
    }
}

/// What came of one way.
#[derive(Default)]
struct Outcome {
    /// The rates, in bytes a second.
    rates: Vec<f64>,
    first: Sample,
}

/// Throughput and first byte; then memory.
pub(crate) async fn measure(stage: &Stage) -> Fallible<[Finding; 2]> {
    let network = Network::make(stage)?;
    let outside = Outside::listen(network.gateway)?;
    let scripts = Scripts::for_outside(&outside);
    install(stage, &outside, &scripts)?;
    let mut outcomes = Way::ALL.map(|way| (way, Outcome::default()));
    for _ in 0..ROUNDS {
        for (way, outcome) in &mut outcomes {
            let say = |script: &str, word: &str| match way {
                Way::Bridge => network.run(script, false),
                Way::Squid => network.run(script, true),
                Way::Pipe => call(stage, word),
            };
            outcome.rates.push(say(&scripts.whole, "whole")?.trim().parse()?);
            for seconds in say(&scripts.first, "first")?.split_whitespace() {
                outcome.first.add(Duration::from_secs_f64(seconds.parse()?));
            }
        }
    }
    let findings = [tell(stage, &outcomes), held(stage, &outside)?];
    stage.caisson(&["remove", NAME, "--yes"])?;
    Ok(findings)
}

/// What is run on every way.
struct Scripts {
    whole: String,
    first: String,
    hold: String,
}

impl Scripts {
    fn for_outside(outside: &Outside) -> Self {
        let curl = "curl --silent --show-error --output /dev/null";
        Self {
            whole: format!("{curl} --write-out '%{{speed_download}}' {}", outside.url(&BYTES.to_string())),
            first: format!(
                "i=0; while [ $i -lt {FIRSTS} ]; do {curl} --write-out '%{{time_starttransfer}} ' {}; i=$((i+1)); done",
                outside.url("1")
            ),
            hold: format!(
                "{curl} --parallel --parallel-immediate --parallel-max {HELD} '{}'; echo done",
                outside.url(&format!("hold[1-{HELD}]"))
            ),
        }
    }
}

/// Installs the server, which may reach the outside and nothing else.
fn install(stage: &Stage, outside: &Outside, scripts: &Scripts) -> Fallible<()> {
    let folder = stage.home.path().join("folder-of-downloads");
    fs::create_dir_all(&folder)?;
    let Scripts { whole, first, hold } = scripts;
    let server = format!("whole() {{\n{whole}\n}}\nfirst() {{\n{first}\n}}\nhold() {{\n{hold}\n}}\n{SERVER}");
    fs::write(folder.join("server.sh"), server)?;
    let dockerfile =
        format!("FROM {IMAGE}\nCOPY server.sh /server.sh\nENTRYPOINT [\"/bin/sh\", \"/server.sh\"]\n");
    fs::write(folder.join("Dockerfile"), dockerfile)?;
    let cpus = thread::available_parallelism()?.to_string();
    let host = outside.address.to_string();
    let folder = folder.to_string_lossy();
    let words = ["install", &folder, "--name", NAME, "--host", &host, "--cpus", &cpus, "--yes"];
    stage.caisson(&words).map(drop)
}

fn call(stage: &Stage, what: &str) -> Fallible<String> {
    let result = stage.caisson(&["call", NAME, "download", &json!({ "do": what }).to_string(), "--json"])?;
    let result: serde_json::Value = serde_json::from_str(&result)?;
    Ok(caisson_tests::home::text_of(&result))
}

fn tell(stage: &Stage, outcomes: &[(Way, Outcome)]) -> Finding {
    let rate = |outcome: &Outcome| {
        let mut rates = outcome.rates.clone();
        rates.sort_by(f64::total_cmp);
        rates.get(rates.len() / 2).copied()
    };
    let of = |way: Way| outcomes.iter().find(|(found, _)| *found == way).map(|(_, outcome)| outcome);
    let bridge = of(Way::Bridge).and_then(rate);
    let squid = of(Way::Squid).and_then(|outcome| outcome.first.median());
    let rows = outcomes.iter().map(|(way, outcome)| {
        let rate = rate(outcome);
        let first = outcome.first.median();
        let values = [
            ratio(rate, bridge),
            ratio(first, squid),
            rate.map(|rate| rate / MEGABYTE),
            first,
            outcome.first.tail(),
        ];
        Row::new(way.name(), values)
    });
    let pipe = of(Way::Pipe);
    Finding {
        title: format!(
            "A download of {} MiB, and the first byte of {} of one byte",
            BYTES >> 20,
            ROUNDS * FIRSTS
        ),
        engine: stage.engine.clone(),
        columns: vec![
            "throughput, of the bridge network's",
            "median first byte, of squid's",
            "MB/s",
            "first byte µs",
            "p99 µs",
        ],
        rows: rows.collect(),
        targets: vec![
            Target {
                what: "The pipe's throughput of one connection, of the bridge network's",
                wanted: Wanted::AtLeast(0.6),
                seen: ratio(pipe.and_then(rate), bridge),
            },
            Target {
                what: "The pipe's first byte, of squid's",
                wanted: Wanted::AtMost(1.0),
                seen: ratio(pipe.and_then(|outcome| outcome.first.median()), squid),
            },
        ],
    }
}

/// The resident set of PID 1 of the container, idle and with connections open.
fn held(stage: &Stage, outside: &Outside) -> Fallible<Finding> {
    let airlock = || -> Fallible<u32> {
        let named = |name: &String| name.contains(NAME);
        let container = stage.home.containers().into_iter().find(named).ok_or("the server runs")?;
        Ok(stage.engine_says(&["inspect", "--format", "{{.State.Pid}}", &container])?.trim().parse()?)
    };
    stage.stop(NAME)?;
    stage.start(NAME)?;
    let idle = resident(airlock()?)?;
    let with = thread::scope(|scope| -> Fallible<u64> {
        let calling = scope.spawn(|| call(stage, "hold").map_err(|error| error.to_string()));
        let begun = Instant::now();
        while outside.holding() < HELD && begun.elapsed() < OPENING && !calling.is_finished() {
            thread::sleep(Duration::from_millis(50));
        }
        let (open, size) = (outside.holding(), airlock().and_then(resident));
        outside.let_go();
        let said = calling.join().map_err(|_| "the call's thread failed")??;
        if open < HELD {
            return Err(format!("{open} of {HELD} connections were open: {said}").into());
        }
        size
    })?;
    let megabytes = |bytes: u64| bytes as f64 / MEGABYTE;
    Ok(Finding {
        title: "The airlock's resident set".to_owned(),
        engine: stage.engine.clone(),
        columns: vec!["MB"],
        rows: vec![
            Row::new("idle", [Some(megabytes(idle))]),
            Row::new(format!("{HELD} connections open"), [Some(megabytes(with))]),
        ],
        targets: vec![Target {
            what: "MB of the airlock with 100 connections open",
            wanted: Wanted::AtMost(4.0),
            seen: Some(megabytes(with)),
        }],
    })
}
