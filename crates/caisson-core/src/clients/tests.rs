use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
};

use super::*;

struct Desk {
    folder: tempfile::TempDir,
    clients: Clients,
    state: State,
}

impl Desk {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().join("home");
        for made in ["home/.cursor", "home/.config/Claude", "home/.config/Code/User"] {
            fs::create_dir_all(folder.path().join(made)).unwrap();
        }
        let places = ClientPlaces { os: Os::Linux, config: home.join(".config"), home, local: None };
        let state = State::in_memory().unwrap();
        let clients = Clients::new(places, state.clone(), &folder.path().join("data"));
        Self { folder, clients, state }
    }

    /// Cursor's file.
    fn file(&self) -> PathBuf {
        self.folder.path().join("home/.cursor/mcp.json")
    }

    fn save(&self, text: impl AsRef<[u8]>) {
        atomic::write(&self.file(), text.as_ref(), 0o600).unwrap();
    }

    fn text(&self) -> String {
        fs::read_to_string(self.file()).unwrap()
    }

    fn connect(&self, servers: &[&str]) -> Result<Change, ClientError> {
        self.clients.connect(Client::Cursor, &names(servers), &url("csn_one"))
    }

    fn disconnect(&self, servers: &[&str]) -> Result<Change, ClientError> {
        self.clients.disconnect(Client::Cursor, &names(servers))
    }

    fn servers(&self) -> Vec<Endpoint> {
        let status = self.clients.status(Client::Cursor);
        assert_eq!(status.problem, None);
        status.servers
    }
}

fn names(names: &[&str]) -> Vec<Endpoint> {
    names.iter().map(|name| name.parse().unwrap()).collect()
}

fn url(token: &str) -> Link {
    Link::Url { bridge: "http://127.0.0.1:7332".into(), token: token.into() }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

const MINE: &str = "{\n    // mine\n    \"mcpServers\": {\n\n        \"web\": { \"url\": \"https://example.com\" },\n    },\n}";

#[test]
fn a_file_that_was_not_there_is_made_private_and_goes_again() {
    let desk = Desk::new();
    let change = desk.connect(&["time", "git"]).unwrap();
    assert_eq!((change.backup, change.servers), (None, names(&["time", "git"])));
    assert_eq!(mode(&desk.file()), 0o600);
    assert_eq!(desk.servers(), names(&["git", "time"]));
    assert!(desk.text().contains("Bearer csn_one"));
    desk.disconnect(&["time"]).unwrap();
    assert_eq!(desk.servers(), names(&["git"]));
    desk.disconnect(&[]).unwrap();
    assert!(!desk.file().exists());
    assert_eq!(desk.disconnect(&[]).unwrap().servers, []);
}

#[test]
fn undisturbed_the_very_same_bytes_come_back() {
    for text in [MINE, "", "\u{feff}{}", "{\r\n}\r\n", "{\"mcpServers\":{}}", " { \"a\" : 1 } "] {
        let desk = Desk::new();
        desk.save(text);
        let change = desk.connect(&["time"]).unwrap();
        assert_eq!(fs::read_to_string(change.backup.unwrap()).unwrap(), text);
        desk.connect(&["git"]).unwrap();
        desk.clients.connect(Client::Cursor, &names(&["time"]), &url("csn_two")).unwrap();
        assert!(desk.text().contains("csn_two"));
        assert_eq!(desk.text().starts_with('\u{feff}'), text.starts_with('\u{feff}'));
        desk.disconnect(&["git"]).unwrap();
        assert_eq!(desk.servers(), names(&["time"]));
        desk.disconnect(&[]).unwrap();
        assert_eq!(desk.text(), text);
        assert_eq!(mode(&desk.file()), 0o600);
    }
}

#[test]
fn what_others_changed_meanwhile_stays() {
    let desk = Desk::new();
    desk.save(MINE);
    desk.connect(&["time"]).unwrap();
    desk.save(desk.text().replace("example.com", "example.org"));
    assert_eq!(desk.servers(), names(&["time"]));
    desk.connect(&["git"]).unwrap();
    desk.disconnect(&[]).unwrap();
    assert_eq!(desk.text(), MINE.replace("example.com", "example.org").replace("{\n\n", "{\n"));
}

#[test]
fn connecting_again_changes_nothing() {
    let desk = Desk::new();
    desk.save(MINE);
    desk.connect(&["time"]).unwrap();
    let before = desk.text();
    let change = desk.connect(&["time"]).unwrap();
    assert_eq!((desk.text(), change.backup), (before, None));
    desk.disconnect(&[]).unwrap();
    assert_eq!(desk.text(), MINE);
}

#[test]
fn a_foreign_entry_is_never_touched() {
    let desk = Desk::new();
    desk.save(MINE);
    let error = desk.connect(&["time", "web"]).unwrap_err();
    assert!(matches!(&error, ClientError::Taken { server, .. } if server.name() == "web"), "{error}");
    assert!(error.to_string().contains("another name"), "{error}");
    assert_eq!(desk.text(), MINE);
    desk.disconnect(&["web"]).unwrap();
    assert_eq!(desk.text(), MINE);
    // The user replaces ours by another: it is theirs now.
    desk.connect(&["time"]).unwrap();
    let theirs = desk.text().replace("http://127.0.0.1:7332/s/time/mcp", "https://time.example.com/mcp");
    desk.save(&theirs);
    assert_eq!(desk.clients.status(Client::Cursor).dropped, names(&["time"]));
    desk.disconnect(&[]).unwrap();
    assert_eq!(desk.text(), theirs);
    assert!(matches!(desk.connect(&["time"]), Err(ClientError::Taken { .. })));
}

#[test]
fn what_the_client_dropped_is_told_and_healed() {
    let desk = Desk::new();
    desk.save(MINE);
    desk.connect(&["time", "git"]).unwrap();
    desk.save(MINE);
    let status = desk.clients.status(Client::Cursor);
    assert_eq!((status.servers, status.dropped), (vec![], names(&["git", "time"])));
    desk.connect(&["time", "git"]).unwrap();
    assert_eq!(desk.servers(), names(&["git", "time"]));
    desk.disconnect(&[]).unwrap();
    assert_eq!(desk.text(), MINE);
}

#[test]
fn without_the_record_ours_is_known_by_where_it_leads() {
    let desk = Desk::new();
    desk.save(MINE);
    desk.connect(&["time"]).unwrap();
    desk.state.with(|db| db.execute_batch("DELETE FROM client_files; DELETE FROM client_entries")).unwrap();
    desk.clients.connect(Client::Cursor, &names(&["time"]), &url("csn_two")).unwrap();
    assert!(desk.text().contains("csn_two"));
    // The copy it begins with has our entry, so it is not put back.
    desk.disconnect(&[]).unwrap();
    assert!(!desk.text().contains("time") && desk.text().contains("example.com"), "{}", desk.text());
}

#[test]
fn a_link_is_followed_and_stays() {
    let desk = Desk::new();
    let real = desk.folder.path().join("dotfiles.json");
    atomic::write(&real, MINE.as_bytes(), 0o640).unwrap();
    symlink("../../dotfiles.json", desk.file()).unwrap();
    desk.connect(&["time"]).unwrap();
    assert!(fs::symlink_metadata(desk.file()).unwrap().is_symlink());
    assert!(fs::read_to_string(&real).unwrap().contains("csn_one"));
    assert_eq!(mode(&real), 0o640);
    desk.disconnect(&[]).unwrap();
    assert_eq!(fs::read_to_string(&real).unwrap(), MINE);

    fs::remove_file(&real).unwrap();
    desk.connect(&["time"]).unwrap();
    assert!(real.exists());
    desk.disconnect(&[]).unwrap();
    assert!(!real.exists() && desk.file().symlink_metadata().is_ok());
}

#[test]
fn what_cannot_be_changed_is_an_error_and_unchanged() {
    let cases: [(&str, &[u8], &str); 5] = [
        ("broken", b"{\"mcpServers\": {", "broken in line 1"),
        ("list", b"[]", "not an object"),
        ("binary", b"\xff\xfe{}", "not UTF-8"),
        ("utf-16", b"{\0}\0", "broken in line 1"),
        ("servers", b"{\"mcpServers\": 5}", "not an object"),
    ];
    for (what, bytes, part) in cases {
        let desk = Desk::new();
        desk.save(bytes);
        for error in [desk.connect(&["time"]).unwrap_err(), desk.disconnect(&[]).unwrap_err()] {
            assert!(error.to_string().contains(part), "{what}: {error}");
        }
        assert_eq!(fs::read(desk.file()).unwrap(), bytes, "{what}");
        assert!(desk.clients.status(Client::Cursor).problem.is_some_and(|problem| problem.contains(part)));
    }
}

#[test]
fn strange_places_are_errors() {
    let desk = Desk::new();
    fs::create_dir(desk.file()).unwrap();
    assert!(matches!(desk.connect(&["time"]), Err(ClientError::Strange { what: "a folder", .. })));
    fs::remove_dir(desk.file()).unwrap();
    symlink("mcp.json", desk.file()).unwrap();
    assert!(matches!(desk.connect(&["time"]), Err(ClientError::Read { .. })));
    fs::remove_file(desk.file()).unwrap();
    fs::remove_dir_all(desk.file().parent().unwrap()).unwrap();
    let error = desk.connect(&["time"]).unwrap_err();
    assert!(matches!(error, ClientError::NotFound { .. }), "{error}");
    assert!(error.to_string().contains("start it once"), "{error}");
    assert!(!desk.clients.status(Client::Cursor).found);
}

#[test]
fn a_read_only_file_is_left_alone() {
    let desk = Desk::new();
    desk.save(MINE);
    fs::set_permissions(desk.file(), fs::Permissions::from_mode(0o444)).unwrap();
    assert!(matches!(desk.connect(&["time"]), Err(ClientError::ReadOnly { .. })));
    assert_eq!(desk.text(), MINE);
    assert_eq!(desk.clients.status(Client::Cursor).problem, None);
}

#[test]
fn without_room_for_a_copy_nothing_is_changed() {
    let desk = Desk::new();
    desk.save(MINE);
    atomic::write(&desk.folder.path().join("data"), b"in the way", 0o600).unwrap();
    assert!(matches!(desk.connect(&["time"]), Err(ClientError::Backup { .. })));
    assert_eq!(desk.text(), MINE);
}

#[test]
fn a_full_disk_leaves_the_file() {
    let Some(disk) = crate::registry::small_disk::SmallDisk::new(128) else { return };
    let desk = Desk::new();
    fs::create_dir(disk.path().join("cursor")).unwrap();
    let file = disk.path().join("cursor/mcp.json");
    atomic::write(&file, MINE.as_bytes(), 0o600).unwrap();
    symlink(&file, desk.file()).unwrap();
    disk.fill();
    let many: Vec<String> = (0..60).map(|n| format!("server{n}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let error = desk.connect(&many).unwrap_err();
    assert!(matches!(error, ClientError::Write { .. }), "{error}");
    assert_eq!(fs::read_to_string(&file).unwrap(), MINE);
    assert_eq!(desk.servers(), []);
    disk.empty();
    desk.connect(&many).unwrap();
    desk.disconnect(&[]).unwrap();
    assert_eq!(fs::read_to_string(&file).unwrap(), MINE);
}

#[test]
fn what_cannot_be_remembered_is_taken_back() {
    let desk = Desk::new();
    desk.save(MINE);
    desk.state
        .with(|db| {
            db.execute_batch(
                "DROP TABLE client_entries; CREATE TABLE client_entries (file, server CHECK (0))",
            )
        })
        .unwrap();
    assert!(matches!(desk.connect(&["time"]), Err(ClientError::State(_))));
    assert_eq!(desk.text(), MINE);
}

#[test]
fn copies_are_private_and_few() {
    let desk = Desk::new();
    desk.save(MINE);
    let first = desk.connect(&["time"]).unwrap().backup.unwrap();
    for n in 0..40 {
        desk.clients.connect(Client::Cursor, &names(&["time"]), &url(&format!("csn_{n}"))).unwrap();
    }
    let folder = first.parent().unwrap();
    assert_eq!((mode(&first), mode(folder)), (0o600, 0o700));
    assert!(fs::read_dir(folder).unwrap().count() <= 21);
    desk.disconnect(&[]).unwrap();
    assert_eq!(desk.text(), MINE);
}

#[test]
fn without_its_copy_only_ours_is_taken_out() {
    let desk = Desk::new();
    desk.save(MINE);
    let copy = desk.connect(&["time"]).unwrap().backup.unwrap();
    atomic::write(&copy, b"{ tampered", 0o600).unwrap();
    desk.disconnect(&[]).unwrap();
    assert_eq!(desk.text(), MINE.replace("{\n\n", "{\n"));
}

#[test]
fn a_file_others_can_read_is_told() {
    let desk = Desk::new();
    desk.save(MINE);
    assert_eq!(desk.clients.status(Client::Cursor).problem, None);
    fs::set_permissions(desk.file(), fs::Permissions::from_mode(0o644)).unwrap();
    desk.connect(&["time"]).unwrap();
    let problem = desk.clients.status(Client::Cursor).problem.unwrap();
    assert!(problem.contains("chmod 600"), "{problem}");
}

#[test]
fn claude_desktop_gets_the_shim() {
    let desk = Desk::new();
    let shim = Link::Shim { program: "/usr/bin/caisson".into(), env: BTreeMap::new() };
    assert!(matches!(
        desk.clients.connect(Client::ClaudeDesktop, &names(&["time"]), &url("x")),
        Err(ClientError::NoUrls(_))
    ));
    let change = desk.clients.connect(Client::ClaudeDesktop, &names(&["time"]), &shim).unwrap();
    assert!(fs::read_to_string(change.file).unwrap().contains("\"/usr/bin/caisson\""));
    assert_eq!(desk.clients.status(Client::ClaudeDesktop).servers, names(&["time"]));
    let found: Vec<Client> = desk.clients.list().iter().filter(|c| c.found).map(|c| c.client).collect();
    assert_eq!(found, [Client::ClaudeDesktop, Client::Cursor, Client::VsCode]);
}

mod any {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// Whatever stood there, and however the connecting went on, disconnecting gives it back.
        #[test]
        fn connect_then_disconnect_gives_the_identical_bytes(
            before in proptest::option::of("[ \n]{0,2}(\u{feff}|)\\{[ \t\r\n]{0,3}(\"[a-m]{0,2}\": ?(1|\"x\"|\\{ ?\\}) ?,?[\n ]{0,2})?(// c\n)?\\}\n?"),
            steps in proptest::collection::vec((any::<bool>(), proptest::sample::subsequence(vec!["aa", "bb", "cc"], 1..3)), 0..5),
        ) {
            let desk = Desk::new();
            if let Some(before) = &before {
                desk.save(before);
            }
            for (connect, servers) in steps {
                if connect { drop(desk.connect(&servers)) } else { drop(desk.disconnect(&servers)) }
            }
            drop(desk.disconnect(&[]));
            prop_assert_eq!(fs::read_to_string(desk.file()).ok(), before);
        }
    }
}
