use std::os::unix::fs::PermissionsExt as _;

use super::*;

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

#[test]
fn it_is_made_private_and_remembers() {
    let folder = folder();
    let path = folder.path().join("deep/er/state.sqlite");
    let state = State::open(&path).unwrap();
    let home = state.home_id().unwrap();
    assert_eq!(home.len(), 16);
    state.set_value("a", "1").unwrap();
    state.set_value("a", "2").unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::metadata(path.parent().unwrap()).unwrap().permissions().mode() & 0o777, 0o700);
    for companion in ["deep/er/state.sqlite-wal", "deep/er/state.sqlite-shm"] {
        assert_eq!(fs::metadata(folder.path().join(companion)).unwrap().permissions().mode() & 0o777, 0o600);
    }
    drop(state);

    let again = State::open(&path).unwrap();
    assert_eq!(again.home_id().unwrap(), home);
    assert_eq!(again.value("a").unwrap().as_deref(), Some("2"));
    assert_eq!(again.value("b").unwrap(), None);
}

#[test]
fn a_failed_transaction_leaves_nothing() {
    let state = State::in_memory().unwrap();
    let failed = state.with(|db| {
        let transaction = db.transaction()?;
        transaction.execute("INSERT INTO meta VALUES ('x', '1')", [])?;
        transaction.execute("INSERT INTO meta VALUES ('x', '1')", [])?;
        transaction.commit()
    });
    assert!(matches!(failed, Err(StateError::Query { .. })), "{failed:?}");
    assert_eq!(state.value("x").unwrap(), None);
}

#[test]
fn a_panic_inside_leaves_it_usable() {
    let state = State::in_memory().unwrap();
    let other = state.clone();
    let panicked = std::thread::spawn(move || {
        other.with(|db| -> rusqlite::Result<()> {
            let transaction = db.transaction()?;
            transaction.execute("INSERT INTO meta VALUES ('x', '1')", [])?;
            panic!("on purpose")
        })
    })
    .join();
    assert!(panicked.is_err());
    assert_eq!(state.value("x").unwrap(), None);
    state.set_value("x", "2").unwrap();
}

#[test]
fn a_newer_schema_is_refused_and_left_alone() {
    let folder = folder();
    let path = folder.path().join("state.sqlite");
    drop(State::open(&path).unwrap());
    Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
    for _ in 0..2 {
        let error = State::open(&path).unwrap_err();
        assert!(matches!(error, StateError::Newer { found: 99, known: schema::NEWEST, .. }), "{error:?}");
        assert!(error.to_string().contains("newer Caisson"), "{error}");
    }
}

#[test]
fn damage_is_named_and_nothing_is_overwritten() {
    let folder = folder();
    let path = folder.path().join("state.sqlite");
    let junk = "this is not a database, whatever it is called. ".repeat(50);
    fs::File::create(&path).and_then(|mut file| io::Write::write_all(&mut file, junk.as_bytes())).unwrap();
    let error = State::open(&path).unwrap_err();
    assert!(matches!(error, StateError::Damaged { .. }), "{error:?}");
    assert!(error.to_string().contains("state.sqlite"), "{error}");
    assert_eq!(fs::read_to_string(&path).unwrap(), junk);
}

#[test]
fn a_folder_in_its_place_is_an_error() {
    let folder = folder();
    let error = State::open(folder.path()).unwrap_err();
    assert!(matches!(error, StateError::Open { .. }), "{error:?}");
}

#[test]
fn two_connections_wait_for_each_other() {
    let folder = folder();
    let path = folder.path().join("state.sqlite");
    let one = State::open(&path).unwrap();
    let two = State::open(&path).unwrap();
    std::thread::scope(|scope| {
        for state in [&one, &two] {
            scope.spawn(move || {
                for count in 0..20 {
                    state.set_value("count", &count.to_string()).unwrap();
                }
            });
        }
    });
    assert_eq!(one.value("count").unwrap().as_deref(), Some("19"));
}

#[test]
fn a_full_disk_is_said_and_passes() {
    let Some(disk) = crate::registry::small_disk::SmallDisk::new(512) else { return };
    let state = State::open(&disk.path().join("state.sqlite")).unwrap();
    state.set_value("a", "1").unwrap();
    disk.fill();
    let error = state.set_value("a", &"2".repeat(100_000)).unwrap_err();
    assert!(matches!(error, StateError::Full { .. }), "{error:?}");
    assert_eq!(state.value("a").unwrap().as_deref(), Some("1"));
    disk.empty();
    state.set_value("a", "3").unwrap();
}
