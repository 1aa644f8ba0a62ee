//! How latency, calls a second and memory grow: with the servers that are installed, and with the sessions that are
//! open.

use std::time::Duration;

use caisson_tests::clients::Access;
use tokio::time::sleep;

use super::sessions::Sessions;
use crate::{
    Fallible,
    finding::{Finding, Row},
    processes::resident,
    stage::Stage,
};

const SERVERS: [usize; 5] = [1, 25, 50, 100, 200];
const SESSIONS: [usize; 5] = [1, 4, 16, 64, 256];
/// Servers that the sessions are spread over, and sessions that call while servers are counted.
const SPREAD: usize = 8;
/// Calls, one after the other, whose median is taken.
const CALLS: u32 = 1000;
/// So long all sessions call.
const TIME: Duration = Duration::from_secs(2);
/// So long after a start, memory that was needed for it has been given back.
const SETTLE: Duration = Duration::from_secs(1);

/// What is told of each size. [`crate::plot`] draws them.
pub(crate) const LATENCY: &str = "median µs of a call";
pub(crate) const RATE: &str = "calls/s";
pub(crate) const MEMORY: &str = "daemon's resident MB";

pub(crate) async fn measure(stage: &Stage) -> Fallible<[Finding; 2]> {
    let mut by_servers = Vec::new();
    for count in SERVERS {
        let names = stage.install(count)?;
        sleep(SETTLE).await;
        let idle = resident(stage.daemon()?)?;
        stage.start(&names[0])?;
        let clients = stage.clients(&names[0])?;
        let mut sessions = Sessions::default();
        let row = row(&mut sessions, &clients, SPREAD, Some(idle), stage).await?;
        by_servers.push(Row { name: count.to_string(), ..row });
        sessions.close().await;
        stage.stop(&names[0])?;
    }
    let names = stage.install(SERVERS[SERVERS.len() - 1])?;
    let mut servers = Vec::new();
    for name in &names[..SPREAD] {
        stage.start(name)?;
        servers.push(stage.access(name)?);
    }
    let mut by_sessions = Vec::new();
    let mut sessions = Sessions::default();
    for count in SESSIONS {
        by_sessions.push(row(&mut sessions, &servers, count, None, stage).await?);
    }
    sessions.close().await;
    for name in &names[..SPREAD] {
        stage.stop(name)?;
    }
    let finding = |title: String, rows| Finding {
        title,
        engine: stage.engine.clone(),
        columns: vec![LATENCY, RATE, MEMORY],
        rows,
        targets: Vec::new(),
    };
    Ok([
        finding(
            format!("By servers installed: {SPREAD} sessions on one of them; memory while none runs"),
            by_servers,
        ),
        finding(format!("By sessions open: spread over {SPREAD} servers of {}", names.len()), by_sessions),
    ])
}

/// Opens sessions until there are `count`, and measures. Memory is `idle`, or that with the sessions open.
async fn row(
    sessions: &mut Sessions,
    servers: &[Access],
    count: usize,
    idle: Option<u64>,
    stage: &Stage,
) -> Fallible<Row> {
    sessions.open(servers, count).await?;
    let latency = sessions.one_by_one(CALLS).await?.median();
    let rate = sessions.load(TIME).await?.calls_per_second;
    let memory = match idle {
        Some(idle) => idle,
        None => resident(stage.daemon()?)?,
    };
    Ok(Row::new(count.to_string(), [latency, Some(rate), Some(memory as f64 / 1e6)]))
}
