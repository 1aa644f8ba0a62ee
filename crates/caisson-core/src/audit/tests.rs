use std::time::UNIX_EPOCH;

use super::*;
use crate::model::Refused;

fn refused(port: u16) -> Happening {
    Happening::Refused { host: "a.example".into(), port, why: Refused::NotAllowed, reason: "no".into() }
}

fn name(name: &str) -> ServerName {
    name.parse().unwrap()
}

fn ports(entries: &[AuditEntry]) -> Vec<u16> {
    let port = |entry: &AuditEntry| {
        if let Happening::Refused { port, .. } = entry.happening { port } else { 0 }
    };
    entries.iter().map(port).collect()
}

fn last(last: u32) -> AuditQuery {
    AuditQuery { last, ..AuditQuery::default() }
}

#[tokio::test]
async fn what_was_noted_is_read_in_its_order() {
    let audit = Audit::in_memory(|| UNIX_EPOCH).unwrap();
    for port in 1..=1000 {
        let server = if port % 2 == 0 { "even" } else { "odd" };
        audit.note(&name(server), Phase::Run, refused(port));
    }
    let entries = audit.read(last(5)).await.unwrap();
    assert_eq!(ports(&entries), [996, 997, 998, 999, 1000]);
    assert_eq!(entries.last().unwrap().seq, 1000);
    let odd = AuditQuery { server: Some(name("odd")), last: 2, ..AuditQuery::default() };
    assert_eq!(ports(&audit.read(odd).await.unwrap()), [997, 999]);
    let after = AuditQuery { after: Some(998), last: 100, ..AuditQuery::default() };
    assert_eq!(ports(&audit.read(after).await.unwrap()), [999, 1000]);
    assert_eq!(audit.check().await.unwrap(), AuditCheck { entries: 1000, broken_at: None });
}

fn entries(from: u16, to: u16) -> Vec<AuditEntry> {
    let entry = |port| AuditEntry {
        seq: 0,
        at: 0,
        server: Some(name("a")),
        phase: Phase::Run,
        happening: refused(port),
    };
    (from..=to).map(entry).collect()
}

#[test]
fn it_goes_on_after_a_restart_and_a_change_is_seen() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.sqlite3");
    Store::open(&path).unwrap().append(&entries(1, 5)).unwrap();
    let mut store = Store::open(&path).unwrap();
    store.append(&entries(6, 10)).unwrap();
    assert_eq!(store.check().unwrap(), AuditCheck { entries: 10, broken_at: None });
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
    for (change, broken_at) in [
        ("UPDATE entries SET entry = replace(entry, '\"port\":3', '\"port\":4') WHERE seq = 3", 3),
        ("DELETE FROM entries WHERE seq = 4", 5),
        ("DELETE FROM entries WHERE seq > 8", 9),
        ("DELETE FROM entries WHERE seq < 3", 3),
    ] {
        store.db().execute_batch("SAVEPOINT before").unwrap();
        assert_eq!(store.db().execute(change, []).map(|changed| changed > 0), Ok(true));
        assert_eq!(store.check().unwrap().broken_at, Some(broken_at), "{change}");
        store.db().execute_batch("ROLLBACK TO before; RELEASE before").unwrap();
    }
    assert_eq!(store.check().unwrap().broken_at, None);
}

#[test]
fn an_entry_from_before_calls_named_tokens_is_read_and_written_as_it_was() {
    let digest = crate::model::Digest::of(b"{}");
    for entry in [
        format!(
            r#"{{"seq":1,"at":2,"server":"a","phase":"run","what":"called","call":1,"client":"you","tool":"t","by":"b","arguments":"{digest}","bytes":2}}"#
        ),
        r#"{"seq":1,"at":2,"server":"a","phase":"run","what":"denied","client":"c","tool":"t","reason":"no"}"#
            .to_owned(),
    ] {
        let read: AuditEntry = serde_json::from_str(&entry).unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), entry);
    }
}

#[test]
fn the_oldest_go_and_the_chain_holds() {
    let mut store = Store::in_memory().unwrap();
    store.append(&entries(1, 20)).unwrap();
    store.prune(5).unwrap();
    assert_eq!(ports(&store.read(&last(100)).unwrap()), [16, 17, 18, 19, 20]);
    assert_eq!(store.check().unwrap(), AuditCheck { entries: 5, broken_at: None });
    store.append(&entries(21, 22)).unwrap();
    assert_eq!(store.check().unwrap(), AuditCheck { entries: 7, broken_at: None });
}

#[tokio::test]
async fn what_cannot_be_written_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.sqlite3");
    let audit = Audit::open(&path, || UNIX_EPOCH).unwrap();
    // Another program that takes the table away for a while.
    let other = rusqlite::Connection::open(&path).unwrap();
    other.execute_batch("ALTER TABLE entries RENAME TO hidden").unwrap();
    for port in 1..=3 {
        audit.note(&name("a"), Phase::Run, refused(port));
    }
    assert!(audit.read(last(1)).await.is_err());
    other.execute_batch("ALTER TABLE hidden RENAME TO entries").unwrap();
    audit.note(&name("a"), Phase::Run, refused(4));
    let entries = audit.read(last(10)).await.unwrap();
    assert_eq!(entries[0].happening, Happening::Lost { entries: 3 });
    assert_eq!(ports(&entries), [0, 4]);
}
