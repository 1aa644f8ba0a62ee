use insta::assert_snapshot;

use super::*;
use crate::model::{FolderGrant, MemorySize, SecretGrant, SecretPlace, Transport, Workspace, WorkspacePer};

fn server() -> Server {
    let image = format!("sha256:{}", "1".repeat(64));
    Server {
        source: "npm:left-pad@1.3.0".parse().unwrap(),
        image: image.parse().unwrap(),
        command: vec!["node".into(), "/app/index.js".into()],
        env: Default::default(),
        workdir: None,
        transport: Transport::Stdio,
        permissions: Default::default(),
        limits: Default::default(),
        life: Default::default(),
    }
}

fn everything() -> Server {
    let mut server = server();
    server.env.insert("LOG_LEVEL".into(), "debug \"loud\"\n".into());
    server.workdir = Some("/app".into());
    server.transport = Transport::Http { port: 8080, path: "/mcp".into() };
    server.permissions.hosts =
        vec!["api.example.com".parse().unwrap(), "db.example.com:5432".parse().unwrap()];
    server.permissions.folders =
        vec![FolderGrant { host: "/home/me/notes".into(), inside: "/notes".into(), write: true }];
    server.permissions.secrets = vec![
        SecretGrant { name: "KEY".parse().unwrap(), place: SecretPlace::Env },
        SecretGrant { name: "CERT".parse().unwrap(), place: SecretPlace::File },
    ];
    server.permissions.state = Some("/data".into());
    server.permissions.workspace = Some(Workspace {
        output: Some("/home/me/out".into()),
        per: WorkspacePer::Session,
        ..Workspace::default()
    });
    server.limits.memory = MemorySize::mib(2048);
    server.limits.cpus = 0.5;
    server.life.idle_stop = 60;
    server
}

fn said(text: &str) -> Server {
    text::parse(text).unwrap()
}

#[test]
fn a_new_file_explains_itself() {
    let text = fresh(&server()).unwrap();
    assert_eq!(said(&text), server());
    assert_snapshot!("fresh", text);
}

#[test]
fn a_new_file_with_everything() {
    let text = fresh(&everything()).unwrap();
    assert_eq!(said(&text), everything());
    assert_snapshot!("everything", text);
}

const BY_HAND: &str = r#"# mine, all mine
command = ["node", # the program
           "/app/index.js"]
image = 'sha256:1111111111111111111111111111111111111111111111111111111111111111'  # pinned
source = "npm:left-pad@1.3.0"
env.B = "2" # second
env.A = "1" # first

[permissions] # careful
hosts = [
  # the API
  "api.example.com",
  "old.example.com:443", # to be removed

  "last.example.com",
]
root = false # spelled out

# where notes are
[[permissions.folders]]
host = "/home/me/notes" # here
inside = "/notes"

[limits]
cpus = 2

# the end
"#;

#[test]
fn what_a_person_wrote_stays() {
    let mut server = said(BY_HAND);
    assert_eq!(rewrite(BY_HAND, &server).unwrap(), BY_HAND);
    server.env.insert("C".into(), "3".into());
    server.env.insert("A".into(), "one".into());
    server.permissions.hosts.remove(1);
    server.permissions.hosts.push("new.example.com".parse().unwrap());
    server.permissions.folders.push(FolderGrant { host: "/tmp".into(), inside: "/t".into(), write: true });
    server.limits.memory = MemorySize::mib(64);
    server.life.restarts = 0;
    let text = rewrite(BY_HAND, &server).unwrap();
    assert_eq!(said(&text), server);
    assert_snapshot!("by_hand", text);
}

#[test]
fn an_elements_comment_goes_where_it_goes() {
    for (list, hosts, meant) in [
        ("[\"a\", \"b\", \"c\"]", "b c", "[\"b\", \"c\"]"),
        ("[\"a\", \"b\"]", "a b c", "[\"a\", \"b\", \"c:443\"]"),
        ("[ \"a\", \"b\" ]", "", "[ ]"),
        ("[]", "a b", "[\"a:443\", \"b:443\"]"),
        ("[\n  \"a\", # A\n  \"b\", # B\n]", "b", "[\n  \"b\", # B\n]"),
        ("[\n  \"a\", # A\n  \"b\" # B\n]", "a", "[\n  \"a\" # A\n]"),
        (
            "[ # all\n  \"a\", # A\n  # above\n  \"b\", # B\n]",
            "a c b d",
            "[ # all\n  \"a\", # A\n  \"c:443\",\n  # above\n  \"b\", # B\n  \"d:443\",\n]",
        ),
        ("[\"a\", # A\n]", "a b", "[\"a\", # A\n \"b:443\",\n]"),
    ] {
        let text = |list: &str| {
            fresh(&server()).unwrap().replace("[permissions]\n", &format!("[permissions]\nhosts = {list}\n"))
        };
        let mut wanted = server();
        wanted.permissions.hosts = hosts.split_whitespace().map(|host| host.parse().unwrap()).collect();
        let rewritten = rewrite(&text(list), &wanted).unwrap();
        if meant == "[ ]" {
            assert_eq!(said(&rewritten), wanted);
        } else {
            assert_eq!(rewritten, text(meant), "{list}");
        }
    }
}

#[test]
fn a_broken_text_is_not_touched() {
    assert!(matches!(rewrite("x = ", &server()), Err(RewriteError::Broken(_))));
}

#[cfg(unix)]
#[test]
fn a_path_no_file_can_hold_is_an_error() {
    use std::os::unix::ffi::OsStringExt as _;
    let mut server = server();
    server.workdir = Some(std::ffi::OsString::from_vec(vec![b'/', 0xff]).into());
    assert!(matches!(fresh(&server), Err(RewriteError::Unwritable(_))));
}

mod any {
    use proptest::prelude::*;

    use super::*;

    fn path() -> impl Strategy<Value = String> {
        "/[a-z \"'#\\\\é]{0,8}"
    }

    fn folders() -> impl Strategy<Value = Vec<FolderGrant>> {
        proptest::collection::vec((path(), path(), any::<bool>()), 0..4).prop_map(|folders| {
            folders
                .into_iter()
                .map(|(host, inside, write)| FolderGrant { host: host.into(), inside: inside.into(), write })
                .collect()
        })
    }

    fn servers() -> impl Strategy<Value = Server> {
        (
            proptest::collection::vec(".{0,6}", 0..4),
            proptest::collection::btree_map("[A-Za-z. \"=é]{0,5}", ".{0,6}", 0..4),
            proptest::option::of(path()),
            proptest::option::of((1_u16.., "/[a-z]{0,4}")),
            proptest::collection::vec("[a-z]{1,4}\\.com", 0..4),
            folders(),
            proptest::option::of(path()),
            proptest::option::of((proptest::option::of(path()), proptest::option::of(path()), any::<bool>())),
            (any::<bool>(), 0.1_f64..8.0, 1_u64..4096, 0_u64..10_000),
        )
            .prop_map(
                |(
                    command,
                    env,
                    workdir,
                    http,
                    hosts,
                    folders,
                    state,
                    workspace,
                    (root, cpus, memory, idle),
                )| {
                    let mut server = server();
                    server.command = command;
                    server.env = env;
                    server.workdir = workdir.map(Into::into);
                    if let Some((port, path)) = http {
                        server.transport = Transport::Http { port, path };
                    }
                    server.permissions.hosts = hosts.iter().map(|host| host.parse().unwrap()).collect();
                    server.permissions.folders = folders;
                    server.permissions.state = state.map(Into::into);
                    server.permissions.workspace = workspace.map(|(input, output, each)| Workspace {
                        input: input.map(Into::into),
                        output: output.map(Into::into),
                        per: if each { WorkspacePer::Session } else { WorkspacePer::Server },
                        ..Workspace::default()
                    });
                    server.permissions.root = root;
                    server.limits.cpus = cpus;
                    server.limits.memory = MemorySize::mib(memory);
                    // TOML has no number beyond i64.
                    server.life.idle_stop = idle;
                    server
                },
            )
    }

    /// Every comment of `text`, in order.
    fn comments(text: &str) -> Vec<&str> {
        text.lines().filter_map(|line| line.trim().strip_prefix("# ")).collect()
    }

    proptest! {
        #[test]
        fn any_server_can_follow_any_other(first in servers(), second in servers()) {
            let text = fresh(&first).unwrap();
            prop_assert_eq!(said(&text), first);
            let rewritten = rewrite(&text, &second).unwrap();
            prop_assert_eq!(said(&rewritten), second);
            prop_assert_eq!(comments(&rewritten), comments(TEMPLATE));
        }

        #[test]
        fn any_server_can_follow_a_hand_written_one(second in servers()) {
            let rewritten = rewrite(BY_HAND, &second).unwrap();
            prop_assert_eq!(said(&rewritten), second);
        }
    }
}
