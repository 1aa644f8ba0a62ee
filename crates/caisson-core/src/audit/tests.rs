use std::{sync::atomic::AtomicU64, time::Duration, time::UNIX_EPOCH};

use super::*;
use crate::model::{Digest, Refused};

fn refused(port: u16) -> Happening {
    Happening::Refused { host: "a.example".into(), port, why: Refused::NotAllowed, reason: "no".into() }
}

fn called(client: &str, tool: &str) -> Happening {
    Happening::Called {
        call: 1,
        client: client.into(),
        tool: tool.into(),
        by: "a rule".into(),
        arguments: Digest::of(b"{}"),
        bytes: 2,
        token: None,
        expires: None,
        shown: Some(r#"{"path": "C:\100%_sure"}"#.into()),
    }
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

fn last(limit: u32) -> AuditQuery {
    AuditQuery { limit, ..AuditQuery::default() }
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
    let odd = AuditQuery { server: Some(name("odd")), ..last(2) };
    assert_eq!(ports(&audit.read(odd).await.unwrap()), [997, 999]);
    let after = AuditQuery { after: Some(998), ..last(100) };
    assert_eq!(ports(&audit.read(after).await.unwrap()), [999, 1000]);
    let earliest = AuditQuery { after: Some(10), take: Take::Earliest, ..last(3) };
    assert_eq!(ports(&audit.read(earliest).await.unwrap()), [11, 12, 13]);
    let check = audit.check(Vec::new()).await.unwrap();
    assert_eq!((check.entries, check.anchors, check.fault), (1000, 1, None));
}

/// Hours since 1970, turned forward and back by a test.
static HOURS: AtomicU64 = AtomicU64::new(0);

fn turned() -> SystemTime {
    UNIX_EPOCH + Duration::from_hours(HOURS.load(Ordering::Relaxed))
}

#[tokio::test]
async fn entries_are_found_by_what_they_say() {
    let audit = Audit::in_memory(turned).unwrap();
    let note = |hours: u64, happening: Happening| {
        HOURS.store(hours, Ordering::Relaxed);
        audit.note(&name("notes"), Phase::Run, happening);
    };
    note(10, called("cursor", "read_note"));
    note(11, called("Claude Desktop", "write_note"));
    note(30, refused(443));
    note(
        20,
        Happening::Denied {
            client: "cursor".into(),
            tool: "write_note".into(),
            reason: "a person".into(),
            token: None,
            expires: None,
        },
    );
    audit.configured(None, Part::Token, "5f3a9c01", "issued to cursor");
    let hours = |hours: u64| Some(hours * 3_600_000);
    let text = |text: &str| AuditQuery { text: Some(text.into()), ..AuditQuery::default() };
    for (query, found) in [
        (AuditQuery { client: Some("cursor".into()), ..AuditQuery::default() }, vec![1, 4]),
        (AuditQuery { tool: Some("write_note".into()), ..AuditQuery::default() }, vec![2, 4]),
        (
            AuditQuery { kinds: vec!["called".into(), "refused".into()], ..AuditQuery::default() },
            vec![1, 2, 3],
        ),
        (AuditQuery { since: hours(11), until: hours(30), ..AuditQuery::default() }, vec![2, 4, 5]),
        (AuditQuery { before: Some(3), server: Some(name("notes")), ..AuditQuery::default() }, vec![1, 2]),
        (text("CLAUDE desk"), vec![2]),
        (text("443"), vec![3]),
        (text(r#""C:\100%_SURE""#), vec![1, 2]),
        (text("100_%"), vec![]),
        (text("%"), vec![1, 2]),
        // The names of members are not what entries say.
        (text("happening"), vec![]),
        (text("reason"), vec![]),
        (text("5F3A"), vec![5]),
        (text("'; DROP TABLE entries; --"), vec![]),
    ] {
        let shown = format!("{query:?}");
        let entries = audit.read(AuditQuery { limit: 100, ..query }).await.unwrap();
        assert_eq!(entries.iter().map(|entry| entry.seq).collect::<Vec<_>>(), found, "{shown}");
    }
    let check = audit.check(Vec::new()).await.unwrap();
    assert_eq!((check.clock_set_back, check.fault), (1, None), "a clock set back breaks nothing, and shows");
}

#[test]
fn kinds_are_those_that_are_written() {
    for kind in KINDS {
        let read = serde_json::from_str::<Happening>(&format!(r#"{{"what":"{kind}"}}"#));
        assert!(read.is_ok() || !read.unwrap_err().to_string().contains("unknown variant"), "{kind}");
    }
    for happening in [Happening::Stopped, refused(1), called("a", "b"), Happening::Lost { entries: 1 }] {
        assert_eq!(serde_json::to_value(&happening).unwrap()["what"], happening.kind());
        assert!(KINDS.contains(&happening.kind()));
    }
}

fn entries(from: u16, to: u16) -> Vec<AuditEntry> {
    let entry = |port| AuditEntry {
        seq: 0,
        at: u64::from(port) * 86_400_000,
        server: Some(name("a")),
        phase: Phase::Run,
        happening: refused(port),
    };
    (from..=to).map(entry).collect()
}

fn in_folder() -> (tempfile::TempDir, Place) {
    let folder = tempfile::tempdir().unwrap();
    let place = Place::File(folder.path().join("audit.sqlite3"));
    (folder, place)
}

#[test]
fn it_goes_on_after_a_restart_and_a_change_is_seen() {
    let (folder, place) = in_folder();
    Store::open(place.clone()).unwrap().append(&entries(1, 5)).unwrap();
    let mut store = Store::open(place.clone()).unwrap();
    let early = store.head();
    store.append(&entries(6, 10)).unwrap();
    let head = store.head();
    let fault = |anchors: &[Anchor]| Reader::open(place.clone()).unwrap().check(anchors).unwrap().fault;
    let (early, head) = (std::slice::from_ref(&early), std::slice::from_ref(&head));
    assert_eq!((fault(&[]), fault(early), fault(head)), (None, None, None));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let file = folder.path().join("audit.sqlite3");
        assert_eq!(std::fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
    }
    let changed = |entry| Some(AuditFault::Changed { entry });
    let cut = Some(AuditFault::CutOff { last: 8, anchored: 10 });
    for (change, alone, anchored) in [
        (
            "UPDATE entries SET entry = replace(entry, '\"port\":3', '\"port\":4') WHERE seq = 3",
            changed(3),
            changed(3),
        ),
        ("DELETE FROM entries WHERE seq = 4", changed(5), changed(5)),
        ("DELETE FROM entries WHERE seq < 3", changed(3), changed(3)),
        // Two that have changed their places, each with its own hash.
        (
            "UPDATE entries SET entry = (SELECT entry FROM entries AS other WHERE other.seq = 13 - entries.seq),
                hash = (SELECT hash FROM entries AS other WHERE other.seq = 13 - entries.seq) WHERE seq IN (6, 7)",
            changed(6),
            changed(6),
        ),
        // A record without its end follows from itself: what was kept apart from it tells.
        ("DELETE FROM entries WHERE seq > 8", None, cut.clone()),
        ("DELETE FROM entries", None, Some(AuditFault::CutOff { last: 0, anchored: 10 })),
    ] {
        store.db().execute_batch("SAVEPOINT before").unwrap();
        assert!(store.db().execute(change, []).unwrap() > 0, "{change}");
        store.db().execute_batch("RELEASE before").unwrap();
        assert_eq!((fault(&[]), fault(head)), (alone, anchored), "{change}");
        store.db().execute_batch("DELETE FROM entries; UPDATE anchor SET hash = zeroblob(32)").unwrap();
        store = Store::open(place.clone()).unwrap();
        store.append(&entries(1, 10)).unwrap();
        assert_eq!(fault(head), None, "the same again is the same");
    }
    store.db().execute_batch("DELETE FROM entries WHERE seq > 4").unwrap();
    let mut other = Store::open(place.clone()).unwrap();
    other.append(&entries(50, 60)).unwrap();
    assert_eq!(fault(&[]), None);
    assert_eq!(fault(early), Some(AuditFault::NotAnchored { entry: 5 }), "another end, written anew");
}

#[test]
fn a_file_of_an_earlier_version_is_read_on() {
    let (folder, place) = in_folder();
    let db = rusqlite::Connection::open(folder.path().join("audit.sqlite3")).unwrap();
    db.execute_batch(include_str!("schema_1.sql")).unwrap();
    let text = r#"{"seq":1,"at":5,"server":"a","phase":"run","what":"started","plan":"sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"}"#;
    let hash = chain::follow(&[0; 32], text);
    let add = "INSERT INTO entries (seq, server, entry, hash) VALUES (1, 'a', ?1, ?2)";
    db.execute(add, rusqlite::params![text, hash]).unwrap();
    drop(db);
    let mut store = Store::open(place.clone()).unwrap();
    store.append(&entries(2, 3)).unwrap();
    let reader = Reader::open(place).unwrap();
    assert_eq!(reader.read(&AuditQuery { until: Some(6), ..last(9) }).unwrap().len(), 1);
    assert_eq!(reader.check(&[store.head()]).unwrap().fault, None);
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
    let (_folder, place) = in_folder();
    let mut store = Store::open(place.clone()).unwrap();
    let kept = |place: &Place| {
        let reader = Reader::open(place.clone()).unwrap();
        assert_eq!(reader.check(&[]).unwrap().fault, None);
        ports(&reader.read(&last(10_000)).unwrap())
    };
    store.append(&entries(1, 20)).unwrap();
    let head = store.head();
    store.prune(Retention { entries: 5, days: None }).unwrap();
    assert_eq!(kept(&place), [16, 17, 18, 19, 20]);
    store.append(&entries(21, 30)).unwrap();
    store.prune(Retention { entries: 1000, days: Some(2) }).unwrap();
    assert_eq!(kept(&place), [28, 29, 30], "one for each day");
    let reader = Reader::open(place.clone()).unwrap();
    assert_eq!(reader.holds(&head).unwrap(), None, "what is gone cannot be held against it");
    assert_eq!(reader.check(&[head]).unwrap().fault, None);
    store.prune(Retention { entries: 0, days: Some(0) }).unwrap();
    assert_eq!(kept(&place), [30], "the last stays");
}

#[test]
fn an_export_can_be_checked_by_others() {
    let (_folder, place) = in_folder();
    let mut store = Store::open(place.clone()).unwrap();
    store.append(&entries(1, 4)).unwrap();
    let exported = Reader::open(place).unwrap().export(&last(10)).unwrap();
    let mut hash = [0; 32];
    for entry in &exported {
        hash = chain::follow(&hash, entry.entry.get());
        assert_eq!(entry.hash, Digest::of_hash(&hash));
    }
    assert_eq!(Anchor::new(4, &hash), store.head());
}

#[test]
fn anchors_are_read_as_they_are_written() {
    let anchor = Anchor::new(17, &[0xab; 32]);
    assert_eq!(anchor.to_string(), format!("17:{}", "ab".repeat(32)));
    assert_eq!(anchor.to_string().parse(), Ok(anchor));
    for text in ["", "17", "17:", "x:y", "-1:00", "17:é"] {
        assert!(text.parse::<Anchor>().is_err(), "{text}");
    }
}

#[tokio::test]
async fn what_cannot_be_written_is_counted() {
    let (folder, _) = in_folder();
    let path = folder.path().join("audit.sqlite3");
    let audit = Audit::open(&path, Retention::default(), || UNIX_EPOCH).unwrap();
    // Another program that takes the table away for a while.
    let other = rusqlite::Connection::open(&path).unwrap();
    other.execute_batch("ALTER TABLE entries RENAME TO hidden").unwrap();
    let mut written = Vec::new();
    for port in 1..=3 {
        written.push(audit.note_watched(&name("a"), Phase::Run, refused(port)));
    }
    for one in written {
        one.await;
    }
    assert!(audit.read(last(1)).await.is_err());
    other.execute_batch("ALTER TABLE hidden RENAME TO entries").unwrap();
    audit.note(&name("a"), Phase::Run, refused(4));
    let entries = audit.read(last(10)).await.unwrap();
    assert_eq!(entries[0].happening, Happening::Lost { entries: 3 });
    assert_eq!(ports(&entries), [0, 4]);
}

#[tokio::test]
async fn what_was_told_to_be_written_is_there_for_others() {
    let (folder, _) = in_folder();
    let path = folder.path().join("audit.sqlite3");
    let audit = Audit::open(&path, Retention::default(), || UNIX_EPOCH).unwrap();
    let mut length = audit.length();
    for port in 1..=100 {
        audit.note_watched(&name("a"), Phase::Run, refused(port)).await;
        // As after a crash: by another connection, with nothing of this one.
        let other = rusqlite::Connection::open(&path).unwrap();
        let count: u16 = other.query_row("SELECT count(*) FROM entries", [], |row| row.get(0)).unwrap();
        assert_eq!(count, port);
    }
    assert_eq!(*length.borrow_and_update(), 100);
}
