use std::{os::unix::fs::symlink, thread, time::Duration, time::Instant};

use super::*;

struct Home {
    folder: tempfile::TempDir,
    registry: Registry,
    events: broadcast::Receiver<Event>,
    changes: broadcast::Receiver<RegistryChange>,
}

impl Home {
    fn new() -> Self {
        Self::open(tempfile::tempdir().unwrap())
    }

    fn open(folder: tempfile::TempDir) -> Self {
        let sender = broadcast::Sender::new(100);
        let events = sender.subscribe();
        let registry = Registry::open(folder.path(), sender).unwrap();
        let changes = registry.changes();
        Self { folder, registry, events, changes }
    }

    fn path(&self, file: &str) -> PathBuf {
        self.folder.path().join("servers").join(file)
    }

    fn save(&self, file: &str, text: &str) {
        atomic::write(&self.path(file), text.as_bytes(), 0o600).unwrap();
    }

    /// The next event, waited for as long as a slow machine needs.
    fn event(&mut self) -> Event {
        let end = Instant::now() + Duration::from_secs(20);
        loop {
            match self.events.try_recv() {
                Ok(event) => return event,
                Err(_) if Instant::now() < end => thread::sleep(Duration::from_millis(10)),
                Err(error) => panic!("no event: {error}"),
            }
        }
    }

    /// Asserts that nothing more is told, for longer than a change takes to be noticed.
    fn quiet(&mut self) {
        thread::sleep(Duration::from_millis(700));
        assert_eq!(self.events.try_recv().ok(), None);
        assert_eq!(self.changes.try_recv().ok(), None);
    }

    fn change(&mut self) -> RegistryChange {
        self.changes.try_recv().unwrap()
    }
}

fn name(text: &str) -> ServerName {
    text.parse().unwrap()
}

fn server(command: &str) -> Server {
    Server {
        source: "example".parse().unwrap(),
        image: format!("sha256:{}", "1".repeat(64)).parse().unwrap(),
        command: vec![command.into()],
        env: Default::default(),
        workdir: None,
        transport: Default::default(),
        permissions: Default::default(),
        limits: Default::default(),
        life: Default::default(),
    }
}

fn text(command: &str) -> String {
    format!("source = \"example\"\nimage = \"sha256:{}\"\ncommand = [\"{command}\"]\n", "1".repeat(64))
}

#[test]
fn what_is_put_is_told_once_and_there_again_after_a_restart() {
    let mut home = Home::new();
    home.registry.put(&name("a"), &server("one")).unwrap();
    assert_eq!(home.event(), Event::Changed { server: name("a") });
    assert_eq!(home.change(), RegistryChange { name: name("a"), server: Some(server("one")) });
    home.quiet();
    home.registry.put(&name("a"), &server("one")).unwrap();
    home.quiet();
    home.registry.edit(&name("a"), |server| server.command = vec!["two".into()]).unwrap();
    assert_eq!(home.event(), Event::Changed { server: name("a") });
    assert_eq!(home.registry.get(&name("a")), Some(server("two")));

    let home = Home::open(home.folder);
    assert_eq!(home.registry.get(&name("a")), Some(server("two")));
    assert!(matches!(home.registry.add(&name("a"), &server("x")), Err(RegistryError::Exists(_))));
    assert!(matches!(home.registry.edit(&name("b"), |_| {}), Err(RegistryError::Missing(_))));
}

#[test]
fn removed_is_removed() {
    let mut home = Home::new();
    home.registry.add(&name("a"), &server("one")).unwrap();
    assert!(home.registry.remove(&name("a")).unwrap());
    assert!(!home.registry.remove(&name("a")).unwrap());
    assert_eq!(home.event(), Event::Changed { server: name("a") });
    assert_eq!(home.event(), Event::Removed { server: name("a") });
    home.quiet_after_changes(2);
    assert_eq!(home.registry.list(), []);
}

impl Home {
    fn quiet_after_changes(&mut self, changes: usize) {
        for _ in 0..changes {
            self.change();
        }
        self.quiet();
    }
}

#[test]
fn an_edit_is_in_force_and_a_broken_one_is_reported_and_not() {
    let mut home = Home::new();
    home.save("a.toml", &text("one"));
    assert_eq!(home.event(), Event::Changed { server: name("a") });
    home.save("a.toml", &(text("two") + "[permissions]\nhots = []\n"));
    let Event::Broken { server: broken, reason } = home.event() else { panic!() };
    assert_eq!(broken, name("a"));
    assert!(reason.starts_with("line 5, column 1: unknown field `hots`"), "{reason}");
    assert_eq!(home.registry.get(&name("a")), Some(server("one")));
    assert_eq!(home.registry.list()[0].broken.as_ref().map(|broken| broken.line), Some(5));
    let error = home.registry.put(&name("a"), &server("x")).unwrap_err();
    assert!(matches!(error, RegistryError::Broken { .. }), "{error}");

    // Back to what is in force: the report is taken back, and nothing changes.
    home.save("a.toml", &text("one"));
    assert_eq!(home.event(), Event::Changed { server: name("a") });
    assert_eq!(home.registry.list()[0].broken, None);
    home.quiet_after_changes(1);
}

#[test]
fn a_comment_changes_nothing() {
    let mut home = Home::new();
    home.registry.put(&name("a"), &server("one")).unwrap();
    home.event();
    home.change();
    let there = fs::read_to_string(home.path("a.toml")).unwrap();
    home.save("a.toml", &format!("# mine\n{there}"));
    home.quiet();
    home.registry.put(&name("a"), &server("two")).unwrap();
    assert!(fs::read_to_string(home.path("a.toml")).unwrap().starts_with("# mine\n"));
}

#[test]
fn editors_that_move_files_about() {
    let mut home = Home::new();
    home.save("a.toml", &text("one"));
    home.event();
    home.change();
    // The old file away, the new one in its place: no moment of removal is told.
    fs::rename(home.path("a.toml"), home.path("a.toml~")).unwrap();
    thread::sleep(Duration::from_millis(50));
    home.save(".a.toml.swp", "junk");
    home.save("a.toml", &text("two"));
    assert_eq!(home.event(), Event::Changed { server: name("a") });
    home.quiet_after_changes(1);
    // Written in place, in pieces.
    let mut file = fs::OpenOptions::new().write(true).truncate(true).open(home.path("a.toml")).unwrap();
    for piece in text("three").as_bytes().chunks(40) {
        io::Write::write_all(&mut file, piece).unwrap();
        thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(home.event(), Event::Changed { server: name("a") });
    assert_eq!(home.registry.get(&name("a")), Some(server("three")));
}

#[test]
fn a_folder_that_goes_and_comes_is_followed() {
    let mut home = Home::new();
    home.save("a.toml", &text("one"));
    home.event();
    for round in ["two", "three"] {
        fs::remove_dir_all(home.path("")).unwrap();
        assert_eq!(home.event(), Event::Removed { server: name("a") });
        fs::create_dir(home.path("")).unwrap();
        home.save("a.toml", &text(round));
        assert_eq!(home.event(), Event::Changed { server: name("a") });
        assert_eq!(home.registry.get(&name("a")), Some(server(round)));
    }
    fs::remove_dir_all(home.path("")).unwrap();
    assert_eq!(home.event(), Event::Removed { server: name("a") });
    home.registry.put(&name("a"), &server("four")).unwrap();
    assert_eq!(home.event(), Event::Changed { server: name("a") });
}

#[test]
fn strange_files_are_told_and_passed_over() {
    let home = Home::new();
    for file in ["Upper.toml", "a b.toml", "esc\u{1b}[31m.toml", "notes.txt", ".hidden.toml", "b.toml~"] {
        home.save(file, &text("x"));
    }
    fs::create_dir(home.path("folder.toml")).unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        home.path("pipe.toml"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
        0,
    )
    .unwrap();
    symlink("nowhere", home.path("dangling.toml")).unwrap();
    atomic::write(&home.path("big.toml"), &vec![b'#'; 2 << 20], 0o600).unwrap();
    atomic::write(&home.path("binary.toml"), b"\x00\xff", 0o600).unwrap();
    atomic::write(&home.path(".caisson-99999999-left.tmp"), b"half", 0o600).unwrap();

    let home = Home::open(home.folder);
    let ignored: Vec<String> = home.registry.ignored().into_iter().map(|ignored| ignored.file).collect();
    assert_eq!(ignored, ["Upper.toml", "a b.toml", "esc\\u{1b}[31m.toml"]);
    let listed: Vec<String> = home
        .registry
        .list()
        .into_iter()
        .map(|l| format!("{} {}", l.name, l.broken.unwrap().message))
        .collect();
    assert_eq!(
        listed,
        [
            "big the file is longer than 1 MiB; no such file is",
            "binary the file is not UTF-8 text here; save it as UTF-8",
            "folder it is not a regular file",
            "pipe it is not a regular file",
        ]
    );
    assert!(!home.path(".caisson-99999999-left.tmp").exists());
}

#[test]
fn a_linked_file_stays_linked() {
    let home = Home::new();
    let real = home.folder.path().join("real.toml");
    atomic::write(&real, text("one").as_bytes(), 0o640).unwrap();
    symlink(&real, home.path("a.toml")).unwrap();
    home.registry.put(&name("a"), &server("two")).unwrap();
    assert!(fs::symlink_metadata(home.path("a.toml")).unwrap().is_symlink());
    assert_eq!(text::parse::<Server>(&fs::read_to_string(&real).unwrap()).unwrap(), server("two"));
}

#[test]
fn two_installs_of_one_name_at_once() {
    let home = Home::new();
    let other = Registry::open(home.folder.path(), broadcast::Sender::new(8)).unwrap();
    let made: Vec<bool> = thread::scope(|scope| {
        let tries: Vec<_> = (0..8)
            .map(|n| {
                let registry = if n % 2 == 0 { &home.registry } else { &other };
                scope.spawn(move || registry.add(&name("a"), &server(&n.to_string())).is_ok())
            })
            .collect();
        tries.into_iter().map(|attempt| attempt.join().unwrap()).collect()
    });
    assert_eq!(made.iter().filter(|made| **made).count(), 1);
}

#[test]
fn another_process_that_writes_is_waited_for() {
    let home = Home::new();
    let lock = FolderLock::take(&home.path("")).unwrap();
    thread::scope(|scope| {
        let put = scope.spawn(|| home.registry.put(&name("a"), &server("one")));
        thread::sleep(Duration::from_millis(200));
        assert!(!put.is_finished());
        drop(lock);
        put.join().unwrap().unwrap();
    });
}

#[test]
fn the_watching_thread_ends_with_the_registry() {
    let home = Home::new();
    let weak = Arc::downgrade(&home.registry.0);
    home.save("a.toml", &text("one"));
    drop(home);
    let end = Instant::now() + Duration::from_secs(5);
    while weak.upgrade().is_some() {
        assert!(Instant::now() < end);
        thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_full_disk_leaves_what_is_installed() {
    let Some(disk) = small_disk::SmallDisk::new(128) else { return };
    let registry = Registry::open(disk.path(), broadcast::Sender::new(8)).unwrap();
    registry.put(&name("a"), &server("one")).unwrap();
    let before = fs::read_to_string(registry.file(&name("a"))).unwrap();
    disk.fill();
    for error in [
        registry.put(&name("a"), &server(&"x".repeat(9000))).unwrap_err(),
        registry.add(&name("b"), &server("two")).unwrap_err(),
    ] {
        assert!(error.to_string().contains("Free some space"), "{error}");
    }
    assert_eq!(registry.get(&name("a")), Some(server("one")));
    assert_eq!(registry.get(&name("b")), None);
    assert_eq!(fs::read_to_string(registry.file(&name("a"))).unwrap(), before);
    assert!(!registry.file(&name("b")).exists());
    // Removing needs no room, and makes some.
    assert!(registry.remove(&name("a")).unwrap());
    disk.empty();
    registry.add(&name("b"), &server("two")).unwrap();
}

/// Every moment of a rewrite shows a whole file, old or new.
#[test]
fn a_reader_never_sees_half_a_file() {
    let home = Home::new();
    home.registry.put(&name("a"), &server(&"x".repeat(20_000))).unwrap();
    let path = home.path("a.toml");
    thread::scope(|scope| {
        let reader = scope.spawn(|| {
            for _ in 0..300 {
                text::parse::<Server>(&fs::read_to_string(&path).unwrap()).unwrap();
            }
        });
        for n in 0..20 {
            home.registry.put(&name("a"), &server(&n.to_string().repeat(20_000))).unwrap();
        }
        reader.join().unwrap();
    });
}
