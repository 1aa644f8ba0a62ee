//! The files of AI clients: written, and put back as they were.

use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf};

use caisson_tests::Home;
use serde_json::Value;

on_engines!([podman] connect_and_disconnect, entries_work, what_cannot_be_written);

pub(crate) fn user_file(home: &Home, path: &str) -> PathBuf {
    let file = home.path().join("user").join(path);
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    file
}

const CURSOR: &str = "{\n  // my own server\n  \"mcpServers\": {\n    \"mine\": { \"command\": \"mine\" }, // keep\n  },\n  \"other\": 1\n}\n";

fn connect_and_disconnect(home: &Home) {
    home.caisson(&["install", "example", "--yes"]).ok();
    for (client, path) in [
        ("cursor", ".cursor/mcp.json"),
        ("vscode", ".config/Code/User/mcp.json"),
        ("claude-desktop", ".config/Claude/claude_desktop_config.json"),
    ] {
        let file = user_file(home, path);
        let before =
            if client == "vscode" { CURSOR.replace("mcpServers", "servers") } else { CURSOR.to_owned() };
        fs::write(&file, &before).unwrap();
        home.caisson(&["connect", client, "example"]).ok();
        let after = fs::read_to_string(&file).unwrap();
        assert!(
            after.contains("// my own server") && after.contains("// keep") && after.contains("\"mine\""),
            "{after}"
        );
        assert!(after.contains("example"), "{after}");
        if client != "claude-desktop" {
            let said = home.caisson(&["token", "rotate", "--client", client]).ok();
            assert!(said.contains("backup") && fs::read_to_string(&file).unwrap() != after, "{said}");
        }
        let listed = home.caisson(&["clients", "--json"]).json();
        let listed =
            listed["clients"].as_array().unwrap().iter().find(|one| one["client"] == client).unwrap().clone();
        assert_eq!(listed["servers"][0], "example", "{listed}");
        home.caisson(&["disconnect", client]).ok();
        assert_eq!(fs::read_to_string(&file).unwrap(), before, "{client}");
    }
}

/// What stands in the file is what a client uses: Cursor's URL and header, Claude Desktop's command.
fn entries_work(home: &Home) {
    home.caisson(&["install", "example", "--yes"]).ok();
    assert!(home.caisson(&["connect", "cursor", "example"]).err.contains("not found"));
    let file = user_file(home, ".cursor/mcp.json");
    home.caisson(&["connect", "cursor", "example"]).ok();
    let written: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    let entry = &written["mcpServers"]["example"];
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o077, 0, "others can read a token");
    let bearer = entry["headers"]["Authorization"].as_str().unwrap();
    let access = caisson_tests::clients::Access {
        url: entry["url"].as_str().unwrap().to_owned(),
        sse_url: None,
        token: bearer.strip_prefix("Bearer ").unwrap().to_owned(),
    };
    assert!(
        caisson_tests::clients::inspector(&access, &["--method", "tools/list"]).ok().contains("look_around")
    );
    home.caisson(&["disconnect", "cursor"]).ok();
    assert!(!caisson_tests::clients::inspector(&access, &["--method", "tools/list"]).status.success());

    let file = user_file(home, ".config/Claude/claude_desktop_config.json");
    home.caisson(&["connect", "claude-desktop", "example"]).ok();
    let written: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    let entry = &written["mcpServers"]["example"];
    let args: Vec<&str> = entry["args"].as_array().unwrap().iter().map(|arg| arg.as_str().unwrap()).collect();
    let command = home.command_of(entry["command"].as_str().unwrap().as_ref(), &args);
    let hello = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}"#;
    let said = caisson_tests::home::said(command, format!("{hello}\n").as_bytes()).ok();
    assert!(said.lines().next().unwrap().contains("serverInfo"), "{said}");
}

fn what_cannot_be_written(home: &Home) {
    home.caisson(&["install", "example", "--yes"]).ok();
    let file = user_file(home, ".cursor/mcp.json");
    fs::write(&file, "{ \"mcpServers\": { broken").unwrap();
    let error = home.caisson(&["connect", "cursor", "example"]);
    assert!(!error.status.success());
    assert!(error.err.contains("mcp.json"), "{}", error.err);
    assert_eq!(fs::read_to_string(&file).unwrap(), "{ \"mcpServers\": { broken");

    // A link is followed, and stays a link.
    let real = home.path().join("dotfiles.json");
    fs::write(&real, "{}").unwrap();
    fs::remove_file(&file).unwrap();
    std::os::unix::fs::symlink(&real, &file).unwrap();
    home.caisson(&["connect", "cursor", "example"]).ok();
    assert!(fs::symlink_metadata(&file).unwrap().is_symlink());
    assert!(fs::read_to_string(&real).unwrap().contains("example"));

    // Somebody else's entry of that name is not ours to replace.
    fs::remove_file(&file).unwrap();
    let theirs = "{\"mcpServers\":{\"example\":{\"command\":\"theirs\"}}}";
    fs::write(&file, theirs).unwrap();
    assert!(!home.caisson(&["connect", "cursor", "example"]).status.success());
    assert_eq!(fs::read_to_string(&file).unwrap(), theirs);
}
