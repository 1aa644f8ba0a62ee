//! What stays in memory: with servers installed and none running, and with each session that is opened. A server's own
//! processes are in its container and do not count, for nobody.

use std::time::Duration;

use tokio::time::sleep;

use super::sessions::Sessions;
use crate::{
    Fallible,
    finding::{Finding, Row, Target, Wanted},
    peers::{Peer, PeerKind},
    processes::{Resident, resident, resident_with_children},
    stage::Stage,
};

const INSTALLED: usize = 100;
/// Sessions of Caisson's bridge, and servers they are spread over: each server has its own container.
const SESSIONS: usize = 64;
const SERVERS: usize = 2;
/// Sessions of a peer: one of them starts a container for each.
const PEER_SESSIONS: usize = 16;
/// So long after a start, memory that was needed for it has been given back.
const SETTLE: Duration = Duration::from_secs(2);

const MEGABYTE: f64 = 1e6;
const KILOBYTE: f64 = 1024.0;

pub(crate) async fn measure(stage: &Stage) -> Fallible<Finding> {
    let (row, idle, growth) = ours(stage).await?;
    let mut rows = vec![row];
    for kind in PeerKind::ALL {
        rows.push(theirs(stage, kind).await?);
    }
    Ok(Finding {
        title: "Resident set, without what runs in containers".to_owned(),
        engine: stage.engine.clone(),
        columns: vec!["idle MB", "KiB a session", "of them the engine's clients", "MB with all sessions"],
        rows,
        targets: vec![
            Target {
                what: "MB of the daemon with 100 servers installed and none running",
                wanted: Wanted::AtMost(40.0),
                seen: Some(idle),
            },
            Target {
                what: "KiB the daemon grows by with each session",
                wanted: Wanted::AtMost(256.0),
                seen: Some(growth),
            },
        ],
    })
}

async fn ours(stage: &Stage) -> Fallible<(Row, f64, f64)> {
    let names = stage.install(INSTALLED)?;
    sleep(SETTLE).await;
    let daemon = stage.daemon()?;
    let idle = resident(daemon)? as f64 / MEGABYTE;
    let mut servers = Vec::new();
    for name in &names[..SERVERS] {
        stage.start(name)?;
        servers.push(stage.access(name)?);
    }
    let mut sessions = Sessions::default();
    sessions.open(&servers, 1).await?;
    sessions.one_by_one(10).await?;
    let before = resident(daemon)?;
    sessions.open(&servers, SESSIONS).await?;
    // A session that was used holds what using it needs.
    sessions.one_by_one(10 * SESSIONS as u32).await?;
    let after = resident(daemon)?;
    sessions.close().await;
    for name in &names[..SERVERS] {
        stage.stop(name)?;
    }
    let growth = after.saturating_sub(before) as f64 / (SESSIONS - 1) as f64 / KILOBYTE;
    let row =
        Row::new("Caisson's daemon", [Some(idle), Some(growth), Some(0.0), Some(after as f64 / MEGABYTE)]);
    let note = format!("{INSTALLED} servers installed, then {SESSIONS} sessions");
    Ok((row.with_note(note), idle, growth))
}

async fn theirs(stage: &Stage, kind: PeerKind) -> Fallible<Row> {
    let peer = Peer::start(kind, stage, &stage.example).await?;
    sleep(SETTLE).await;
    let idle = resident_with_children(peer.pid())?;
    let mut sessions = Sessions::default();
    let opened: Fallible<(Resident, Resident)> = async {
        sessions.open(std::slice::from_ref(&peer.access), 1).await?;
        sessions.one_by_one(10).await?;
        let before = resident_with_children(peer.pid())?;
        sessions.open(std::slice::from_ref(&peer.access), PEER_SESSIONS).await?;
        sessions.one_by_one(10 * PEER_SESSIONS as u32).await?;
        Ok((before, resident_with_children(peer.pid())?))
    }
    .await;
    sessions.close().await;
    peer.end(stage).await?;
    let idle = Some(idle.all as f64 / MEGABYTE);
    Ok(match opened {
        Ok((before, after)) => {
            let growth = |size: fn(&Resident) -> u64| {
                size(&after).saturating_sub(size(&before)) as f64 / (PEER_SESSIONS - 1) as f64 / KILOBYTE
            };
            let values = [
                idle,
                Some(growth(|resident| resident.all)),
                Some(growth(|resident| resident.engine)),
                Some(after.all as f64 / MEGABYTE),
            ];
            Row::new(kind.name(), values).with_note(format!("one server, {PEER_SESSIONS} sessions"))
        }
        Err(error) => Row::new(kind.name(), [idle]).with_note(error.to_string()),
    })
}
