//! Workspaces: what a server puts out is kept apart, and reaches the user's folders only as harmless files.

use std::{
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use caisson_tests::{Home, Said};
use serde_json::{Value, json};

on_engines!([podman docker rootless] collected_and_put_back, a_hostile_output, an_input, sessions_apart);
on_engines!([podman docker] removed_with_its_server);
on_engines!([podman] refused);
on_engines!([docker] under_gvisor);

const OUTPUT: &str = "/workspace/output";

/// A server in shell that does what it is told: a word of the call's arguments.
const WORKER: &str = r#"
on_call() {
    cd $CAISSON_WORKSPACE/output
    case $line in
    *write*)
        echo report > report.txt; mkdir -p a/b; echo deep > a/b/deep; echo scrap > $CAISSON_WORKSPACE/tmp/scrap
        printf '#!/bin/sh\n' > tool; chmod 4755 tool ;;
    *more*) echo more > more.txt; echo changed > report.txt ;;
    *hostile*)
        ln -s /etc/passwd passwd; ln -s .. up; ln -s /from self; ln -s /to/../to to
        echo plain > plain; ln plain hard; mkfifo pipe; mknod device c 1 3 2>/dev/null
        echo odd > "$(printf 'two\nlines\033[2J')"; echo odd > "$(printf 'not\377utf8')"
        truncate -s 1099511627776 sparse
        mkdir -p deep; (cd deep; i=0; while [ $i -lt 150 ]; do mkdir d && cd d || break; i=$((i+1)); done)
        mkdir many; i=0; while [ $i -lt 10000 ]; do : > many/$i; i=$((i+1)); done
        mkdir closed; echo x > closed/x; chmod 0 closed
        head -c 4m /dev/zero > grows; (while :; do echo x >> grows; done) >/dev/null 2>&1 &
        (while :; do mv plain swap; ln -s /etc/passwd plain; rm plain; mv swap plain; done) >/dev/null 2>&1 & ;;
    *read*) answer="$(cat /workspace/input/note) $(touch /workspace/input/x 2>/dev/null && echo open || echo closed)" ;;
    esac
    case $line in
    *look*) answer="$(ls $CAISSON_WORKSPACE/tmp/ | tr '\n' ' ')at $CAISSON_WORKSPACE"
    esac
}
"#;

fn install(home: &Home, args: &[&str]) -> Said {
    let folder = home.path().join("worker");
    if !folder.exists() {
        crate::hostile::write_server(&folder, &format!("{WORKER}{}", crate::hostile::POLITE));
    }
    let words = ["install", &folder.to_string_lossy(), "--name", "worker", "--yes"];
    home.caisson(&[&words[..], args].concat())
}

fn ask(home: &Home, what: &str) -> String {
    home.call_text("worker", "hello", &json!({ "do": what }))
}

fn folder(home: &Home, name: &str) -> PathBuf {
    let folder = home.path().join(name);
    home.as_user(&["mkdir", "-p", &folder.to_string_lossy()]);
    folder
}

fn workspace(home: &Home, words: &[&str]) -> Said {
    home.caisson(&[&["workspace"], words].concat())
}

fn collect(home: &Home) -> (PathBuf, Value) {
    let said = workspace(home, &["collect", "worker", "--json"]).json();
    (PathBuf::from(said["folder"].as_str().unwrap_or_else(|| panic!("{said}"))), said["copied"].clone())
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

/// All that was collected is the user's, for the user alone, and can do nothing by itself.
fn harmless(home: &Home, folder: &Path) {
    let user = home.path().metadata().unwrap().uid();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let metadata = path.symlink_metadata().unwrap();
        assert_eq!(metadata.uid(), user, "{}", path.display());
        if metadata.is_dir() {
            assert_eq!(metadata.permissions().mode() & 0o7777, 0o700, "{}", path.display());
            harmless(home, &path);
        } else {
            assert!(metadata.is_file(), "{}", path.display());
            assert_eq!(metadata.permissions().mode() & 0o7777, 0o600, "{}", path.display());
        }
    }
}

fn collected_and_put_back(home: &Home) {
    let out = folder(home, "out");
    install(home, &["--workspace-output", &out.to_string_lossy()]).ok();
    let plan = home.caisson(&["plan", "worker"]).ok();
    assert!(plan.contains(OUTPUT) && plan.contains("Collected into"), "{plan}");
    assert!(home.caisson(&["show", "worker"]).ok().contains("Workspace"));
    assert!(workspace(home, &["list", "worker"]).err.contains("no files"));

    ask(home, "write");
    assert!(names(&out).is_empty(), "nothing reaches the host unasked");
    let (first, copied) = collect(home);
    assert_eq!((&copied["files"], &copied["remarks"]), (&json!(3), &json!([])), "{copied}");
    assert_eq!(fs::read_to_string(first.join("report.txt")).unwrap(), "report\n");
    assert_eq!(fs::read_to_string(first.join("a/b/deep")).unwrap(), "deep\n");
    assert!(first.starts_with(out.canonicalize().unwrap()), "{}", first.display());
    harmless(home, &first);

    let taken = workspace(home, &["snapshot", "worker", "before"]).ok();
    assert!(taken.contains("before"), "{taken}");
    let twice = workspace(home, &["snapshot", "worker", "before"]);
    assert!(!twice.status.success() && twice.err.contains("already"), "{}", twice.err);
    ask(home, "more");
    let (second, _) = collect(home);
    assert_ne!(first, second);
    assert_eq!(names(&second), ["a", "more.txt", "report.txt", "tool"]);
    assert_eq!(fs::read_to_string(first.join("report.txt")).unwrap(), "report\n", "it stays as it is");

    assert!(ask(home, "look").starts_with("scrap at /workspace"));
    for words in [&["reset", "worker", "--yes"][..], &["restore", "worker", "before", "--yes"]] {
        let running = workspace(home, words);
        assert!(!running.status.success() && running.err.contains("caisson stop"), "{}", running.err);
    }
    home.caisson(&["stop", "worker"]).ok();
    let none = workspace(home, &["restore", "worker", "never", "--yes"]);
    assert!(!none.status.success() && none.err.contains("no snapshot never"), "{}", none.err);
    let asked = workspace(home, &["restore", "worker", "before"]);
    assert!(!asked.status.success() && asked.err.contains("--yes"), "{}", asked.err);
    workspace(home, &["restore", "worker", "before", "--yes"]).ok();
    let listed = workspace(home, &["list", "worker", "--json"]).json();
    assert_eq!(
        (&listed["files"], &listed["snapshots"][0]["name"]),
        (&json!(3), &json!("before")),
        "{listed}"
    );
    assert!(listed["snapshots"][0]["made_at"].as_u64().is_some_and(|at| at > 1_700_000_000), "{listed}");
    assert!(ask(home, "look").starts_with("at /workspace"), "tmp is thrown away");

    home.caisson(&["stop", "worker"]).ok();
    workspace(home, &["reset", "worker", "--yes"]).ok();
    let listed = workspace(home, &["list", "worker", "--json"]).json();
    assert_eq!(listed["files"], 0, "{listed}");
    workspace(home, &["drop", "worker", "before"]).ok();
    assert!(workspace(home, &["snapshots", "worker"]).err.contains("no snapshots"));
    // It can be used again.
    ask(home, "write");
    assert_eq!(collect(home).1["files"], 3);
}

fn a_hostile_output(home: &Home) {
    let out = folder(home, "out");
    let beside = folder(home, "beside");
    install(home, &["--workspace-output", &out.to_string_lossy(), "--workspace-size", "64MiB"]).ok();
    ask(home, "hostile");
    // While it goes on: names swap under the copy, and a file grows.
    let said = workspace(home, &["collect", "worker"]);
    assert!(!said.out.contains('\u{1b}') && !said.err.contains('\u{1b}'), "{}", said.err);
    let told = said.err.clone();
    said.ok();
    for what in
        ["passwd", "symbolic link", "a pipe", "too many folders", "larger than what may be", "renamed"]
    {
        assert!(told.contains(what), "{what} is not told of: {told}");
    }
    let [folder] = &names(&out)[..] else { panic!("not one folder") };
    let folder = out.join(folder);
    harmless(home, &folder);
    let found = names(&folder);
    for left_out in ["passwd", "up", "self", "to", "pipe", "device", "sparse"] {
        assert!(!found.iter().any(|name| name == left_out), "{left_out} in {found:?}");
    }
    for name in ["hard", "not%FFutf8", "two%0Alines%1B[2J"] {
        assert!(found.iter().any(|found| found == name), "{name} not in {found:?}");
    }
    assert_eq!(fs::read_to_string(folder.join("hard")).unwrap(), "plain\n");
    if let Ok(plain) = fs::read_to_string(folder.join("plain")) {
        assert_eq!(plain, "plain\n");
    }
    assert_eq!(fs::read_dir(folder.join("many")).unwrap().count(), 10_000);
    assert!(folder.join("grows").metadata().unwrap().len() < 64 << 20);
    assert!(names(&beside).is_empty() && !out.parent().unwrap().join("x").exists());

    // What is kept is as it was, and is no more than may be.
    let snapshot = workspace(home, &["snapshot", "worker", "all"]);
    assert!(!snapshot.status.success() && snapshot.err.contains("more than"), "{}", snapshot.err);
    assert!(workspace(home, &["snapshots", "worker"]).err.contains("no snapshots"), "nothing half is left");
    home.caisson(&["stop", "worker"]).ok();
    workspace(home, &["reset", "worker", "--yes"]).ok();
}

fn an_input(home: &Home) {
    let input = folder(home, "notes");
    home.as_user(&["sh", "-c", &format!("echo hello > {0}/note; chmod 700 {0}", input.display())]);
    install(home, &["--workspace-input", &input.to_string_lossy()]).ok();
    assert_eq!(ask(home, "read"), "hello closed");
    assert_eq!(names(&input), ["note"]);
    let none = workspace(home, &["collect", "worker"]);
    assert!(!none.status.success() && none.err.contains("--to"), "{}", none.err);
}

fn sessions_apart(home: &Home) {
    let out = folder(home, "out");
    install(home, &["--workspace=session", "--workspace-output", &out.to_string_lossy()]).ok();
    ask(home, "write");
    let looked = ask(home, "look");
    assert!(
        looked.starts_with("at /workspace/sessions/session-"),
        "another session's scrap is seen: {looked}"
    );
    ask(home, "more");
    let (folder, copied) = collect(home);
    let sessions = names(&folder);
    let with = |file: &str| sessions.iter().filter(|name| folder.join(name).join(file).exists()).count();
    assert_eq!((with("a/b/deep"), with("more.txt"), with("scrap")), (1, 1, 0), "{sessions:?} {copied}");
    harmless(home, &folder);
}

fn removed_with_its_server(home: &Home) {
    install(home, &["--workspace"]).ok();
    ask(home, "write");
    workspace(home, &["snapshot", "worker"]).ok();
    let filter = format!("label=dev.caisson.home={}", home.id());
    let volumes = || home.engine_cli(&["volume", "ls", "--filter", &filter, "--format", "{{.Name}}"]);
    assert_eq!(volumes().lines().count(), 2, "{}", volumes());
    let removed = home.caisson(&["remove", "worker", "--yes"]).ok();
    assert!(removed.contains("workspace"), "{removed}");
    assert_eq!(volumes(), "");
}

fn refused(home: &Home) {
    let keys = home.path().join("user/.ssh");
    fs::create_dir_all(&keys).unwrap();
    for flag in ["--workspace-output", "--workspace-input"] {
        let said = install(home, &[flag, &keys.to_string_lossy()]);
        assert!(!said.status.success() && said.err.contains("never shown"), "{}", said.err);
    }
    install(home, &[]).ok();
    let said = workspace(home, &["collect", "worker", "--to", "/tmp"]);
    assert!(!said.status.success() && said.err.contains("no workspace"), "{}", said.err);
    install(home, &["--workspace", "--replace"]).ok();
    ask(home, "write");
    for (to, why) in [("/etc", "never shown"), ("/nowhere/at/all", "does not exist")] {
        let said = workspace(home, &["collect", "worker", "--to", to]);
        assert!(!said.status.success() && said.err.contains(why), "{}", said.err);
    }
    let link = home.path().join("link");
    std::os::unix::fs::symlink(&keys, &link).unwrap();
    let said = workspace(home, &["collect", "worker", "--to", &link.to_string_lossy()]);
    assert!(!said.status.success() && said.err.contains("never shown"), "{}", said.err);
    assert!(names(&keys).is_empty());
    home.caisson(&["install", "example", "--workspace=session", "--http", "8080", "--yes"]).failed(4);
}

fn under_gvisor(home: &Home) {
    let out = folder(home, "out");
    install(
        home,
        &["--runtime", "runsc", "--workspace=session", "--workspace-output", &out.to_string_lossy()],
    )
    .ok();
    ask(home, "write");
    let (folder, copied) = collect(home);
    assert_eq!(copied["files"], 3, "{copied}");
    harmless(home, &folder);
}
