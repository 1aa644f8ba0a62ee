//! The main job: real servers from npm and PyPI, installed inside the sandbox and called.

use std::fs;

use caisson_tests::{
    Home,
    clients::{self, Access},
};
use serde_json::json;

on_engines!([podman docker] everything, filesystem, memory, time_and_git, http_server, http_sse_server);
on_engines!([rootless] filesystem_as_user);

#[track_caller]
fn install(home: &Home, args: &[&str]) {
    let mut all = vec!["install"];
    all.extend(args);
    all.push("--yes");
    home.caisson(&all).ok();
}

/// One server, every client: the official SDK in both modes and through the shim, the Inspector, rmcp.
fn everything(home: &Home) {
    install(home, &["npm:@modelcontextprotocol/server-everything"]);
    let shown = home.caisson(&["show", "everything", "--json"]).json();
    let source = shown["definition"]["source"].as_str().unwrap();
    assert!(
        source.rsplit('@').next().unwrap().starts_with(|c: char| c.is_ascii_digit()),
        "no exact version: {source}"
    );

    let access = Access::to(home, "everything");
    for seen in [
        clients::python_sdk(&access, "auto"),
        clients::python_sdk(&access, "legacy"),
        clients::python_sdk_by_sse(&access),
        clients::python_sdk_by_shim(home, "everything"),
    ] {
        assert_eq!(seen["echo"], "Echo: hello, ünïcode \u{2028} \u{1f600}", "{seen}");
        assert_eq!(seen["progress"].as_array().unwrap().len(), 4, "{seen}");
        assert!(seen["sampling"].as_str().unwrap().contains("sampled by the Python SDK"), "{seen}");
        assert!(seen["elicitation"].as_str().unwrap().to_lowercase().contains("decline"), "{seen}");
        assert!(seen["roots"].as_str().unwrap().contains("file:///workspace"), "{seen}");
        assert!(seen["image_bytes"][0].as_u64().unwrap() > 1000, "{seen}");
        assert!(seen["resources"].as_u64().unwrap() > 0 && seen["prompts"].as_u64().unwrap() > 0, "{seen}");
    }

    let listed = clients::inspector(&access, &["--method", "tools/list"]).ok();
    assert!(listed.contains("\"echo\""), "{listed}");
    let called = clients::inspector(
        &access,
        &["--method", "tools/call", "--tool-name", "echo", "--tool-arg", "message=by the Inspector"],
    )
    .ok();
    assert!(called.contains("Echo: by the Inspector"), "{called}");

    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let client = clients::rmcp(&access).await;
        let tools = client.list_all_tools().await.unwrap();
        assert!(tools.iter().any(|tool| tool.name == "echo"));
        client.cancel().await.unwrap();
    });
}

/// A granted folder is readable, a path outside is not, a write to a read-only grant is refused.
fn filesystem(home: &Home) {
    let granted = home.path().join("granted");
    let writable = home.path().join("writable");
    let outside = home.path().join("outside");
    for folder in [&granted, &writable, &outside] {
        fs::create_dir(folder).unwrap();
        fs::write(folder.join("note.txt"), "the note").unwrap();
    }
    // The ways out of a folder that a container sees: a link to its neighbour, and one to the host's root.
    std::os::unix::fs::symlink(&outside, granted.join("neighbour")).unwrap();
    std::os::unix::fs::symlink("/etc/shadow", granted.join("shadow")).unwrap();
    install(
        home,
        &[
            "npm:@modelcontextprotocol/server-filesystem",
            "--folder",
            &format!("{}:/workspace/granted", granted.display()),
            "--folder",
            &format!("{}:/workspace/writable:rw", writable.display()),
            "--arg",
            "/workspace/granted",
            "--arg",
            "/workspace/writable",
        ],
    );
    let read = |path: &str| {
        home.caisson(&["call", "filesystem", "read_text_file", &json!({"path": path}).to_string()])
    };
    let write = |path: &str| {
        let arguments = json!({"path": path, "content": "written inside"}).to_string();
        home.caisson(&["call", "filesystem", "write_file", &arguments])
    };

    assert!(read("/workspace/granted/note.txt").ok().contains("the note"));
    for outside in
        ["/workspace/granted/neighbour/note.txt", "/workspace/granted/shadow", "/etc/passwd", "/workspace"]
    {
        assert!(!read(outside).status.success(), "{outside} was readable");
    }
    assert!(!write("/workspace/granted/new.txt").status.success());
    assert!(!granted.join("new.txt").exists(), "a read-only grant was written to");
    assert_eq!(fs::read_to_string(granted.join("note.txt")).unwrap(), "the note");

    write("/workspace/writable/new.txt").ok();
    assert_eq!(fs::read_to_string(writable.join("new.txt")).unwrap(), "written inside");
    same_owner(&writable, &writable.join("new.txt"));
}

fn same_owner(one: &std::path::Path, other: &std::path::Path) {
    use std::os::unix::fs::MetadataExt;
    assert_eq!(
        fs::metadata(one).unwrap().uid(),
        fs::metadata(other).unwrap().uid(),
        "what it wrote is not the user's"
    );
}

/// Rootless: the user's files stay the user's.
fn filesystem_as_user(home: &Home) {
    let writable = home.path().join("writable");
    home.as_user(&["mkdir", "-m", "700", &writable.to_string_lossy()]);
    install(
        home,
        &[
            "example",
            "--folder",
            &format!("{}:/workspace/output:rw", writable.display()),
            "--state",
            "/state",
        ],
    );
    home.call("example", "notes_add", &json!({"note": "kept"}));
    assert!(home.call_text("example", "notes_list", &json!({})).contains("kept"));
    let around = home.call("example", "look_around", &json!({}))["structuredContent"].clone();
    use std::os::unix::fs::MetadataExt;
    assert_eq!(around["uid"], fs::metadata(&writable).unwrap().uid(), "{around}");
}

/// What a server keeps in its volume outlives a restart, and a removal only when asked.
fn memory(home: &Home) {
    install(
        home,
        &[
            "npm:@modelcontextprotocol/server-memory",
            "--state",
            "/data",
            "--env",
            "MEMORY_FILE_PATH=/data/memory.jsonl",
        ],
    );
    let entity =
        json!({"entities": [{"name": "caisson", "entityType": "box", "observations": ["watertight"]}]});
    home.call("memory", "create_entities", &entity);
    home.caisson(&["restart", "memory"]).ok();
    let graph = home.call_text("memory", "read_graph", &json!({}));
    assert!(graph.contains("watertight"), "{graph}");
}

fn time_and_git(home: &Home) {
    install(home, &["pypi:mcp-server-time"]);
    let time = home.call_text("time", "get_current_time", &json!({"timezone": "UTC"}));
    assert!(time.contains("\"timezone\": \"UTC\""), "{time}");

    let repository = home.path().join("repository");
    fs::create_dir(&repository).unwrap();
    let git = |args: &[&str]| {
        let mut command = std::process::Command::new("git");
        command
            .arg("-C")
            .arg(&repository)
            .args(["-c", "user.name=t", "-c", "user.email=t@example.org"])
            .args(args);
        caisson_tests::home::said(command, b"").ok()
    };
    git(&["init", "-q"]);
    fs::write(repository.join("a.txt"), "one\n").unwrap();
    git(&["add", "."]);
    git(&["commit", "-qm", "the first of them"]);
    install(
        home,
        &["pypi:mcp-server-git", "--folder", &format!("{}:/workspace/repository", repository.display())],
    );
    let log = home.call_text("git", "git_log", &json!({"repo_path": "/workspace/repository"}));
    assert!(log.contains("the first of them"), "{log}");
}

/// A server that speaks HTTP on a port inside: no port is published, and the same clients reach it.
fn http_server(home: &Home) {
    install(
        home,
        &[
            "npm:@modelcontextprotocol/server-everything",
            "--name",
            "http",
            "--arg",
            "streamableHttp",
            "--http",
            "3001/mcp",
        ],
    );
    let access = Access::to(home, "http");
    let seen = clients::python_sdk(&access, "legacy");
    assert_eq!(seen["echo"], "Echo: hello, ünïcode \u{2028} \u{1f600}", "{seen}");
    assert_eq!(seen["progress"].as_array().unwrap().len(), 4, "{seen}");
    assert!(seen["sampling"].as_str().unwrap().contains("sampled by the Python SDK"), "{seen}");
    let shim = clients::python_sdk_by_shim(home, "http");
    assert_eq!(shim["echo"], seen["echo"], "{shim}");
    let outside = std::net::TcpStream::connect(("127.0.0.1", 3001));
    assert!(outside.is_err(), "the server's port is published");
}

/// A server that speaks HTTP+SSE alone, which clients of each era reach in their own way.
fn http_sse_server(home: &Home) {
    install(
        home,
        &[
            "npm:@modelcontextprotocol/server-everything",
            "--name",
            "sse",
            "--arg",
            "sse",
            "--http",
            "3001/sse",
        ],
    );
    let access = Access::to(home, "sse");
    for (seen, version) in [
        (clients::python_sdk(&access, "legacy"), "2025-11-25"),
        (clients::python_sdk(&access, "auto"), "2026-07-28"),
        (clients::python_sdk_by_sse(&access), "2025-11-25"),
    ] {
        assert_eq!(seen["version"], version, "{seen}");
        assert_eq!(seen["echo"], "Echo: hello, ünïcode \u{2028} \u{1f600}", "{seen}");
        assert_eq!(seen["progress"].as_array().unwrap().len(), 4, "{seen}");
        assert!(seen["sampling"].as_str().unwrap().contains("sampled by the Python SDK"), "{seen}");
        assert!(seen["elicitation"].as_str().unwrap().to_lowercase().contains("decline"), "{seen}");
    }
}
