use insta::assert_snapshot;

use super::*;

fn places(os: Os) -> ClientPlaces {
    let (home, config, local) = match os {
        Os::Linux => ("/home/me", "/home/me/.config", None),
        Os::MacOs => ("/Users/me", "/Users/me/Library/Application Support", None),
        Os::Windows => ("C:/Users/me", "C:/Users/me/AppData/Roaming", Some("C:/Users/me/AppData/Local")),
    };
    ClientPlaces { os, home: home.into(), config: config.into(), local: local.map(Into::into) }
}

#[test]
fn rows_stand_in_the_order_of_clients() {
    for (index, row) in ROWS.iter().enumerate() {
        assert_eq!(row.client as usize, index, "{}", row.title);
        assert_eq!(row.client.id().parse(), Ok(row.client));
        for os in [Os::Linux, Os::MacOs, Os::Windows] {
            let spot = row.spot(&ClientPlaces { local: None, ..places(os) });
            assert_ne!(spot.file, PathBuf::new(), "{} {os:?}", row.title);
        }
    }
}

#[test]
fn where_files_are() {
    let mut lines = String::new();
    for os in [Os::Linux, Os::MacOs, Os::Windows] {
        for row in &ROWS {
            let spot = row.spot(&places(os));
            lines += &format!("{os:?} {}: {} ({})\n", row.id, spot.file.display(), spot.folder.display());
        }
    }
    assert_snapshot!(lines);
}

#[test]
fn on_windows_the_store_folder_counts_when_it_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let place = |name: &str| folder.path().join(name);
    let places = ClientPlaces {
        os: Os::Windows,
        home: place("me"),
        config: place("Roaming"),
        local: Some(place("Local")),
    };
    let row = Client::ClaudeDesktop.row();
    std::fs::create_dir_all(place("Roaming/Claude")).unwrap();
    assert_eq!(row.spot(&places).file, place("Roaming/Claude/claude_desktop_config.json"));
    let store = place("Local/Packages/Claude_pzs8sxrjxfjjc/LocalCache/Roaming/Claude");
    std::fs::create_dir_all(&store).unwrap();
    assert_eq!(row.spot(&places).file, store.join("claude_desktop_config.json"));
    let without = ClientPlaces { local: None, ..places };
    assert_eq!(row.spot(&without).file, place("Roaming/Claude/claude_desktop_config.json"));
}

#[test]
fn how_entries_look() {
    let server: Endpoint = "github".parse().unwrap();
    let shim = Link::Shim {
        program: "/usr/bin/caisson".into(),
        env: [("CAISSON_ARTIFACTS", "/artifacts"), ("CAISSON_HOME", "/elsewhere")]
            .map(|(name, value)| (name.into(), value.into()))
            .into(),
    };
    let url = Link::Url { bridge: "http://127.0.0.1:7332/".into(), token: "csn_abc".into() };
    let mut lines = String::new();
    for client in Client::ALL {
        for link in [&shim, &url] {
            let entry = client.row().entry(&server, link).map(|entry| {
                let text = edit::put("", client.row().key, &[(server.clone(), entry.clone())]).unwrap();
                let read = edit::entries(&text, client.row().key).unwrap();
                assert!(leads_to_caisson(&read["github"], &server));
                assert!(same_target(&read["github"], &entry));
                text
            });
            lines += &format!("{client}:\n{}\n", entry.unwrap_or_else(|error| error.to_string()));
        }
    }
    assert_snapshot!(lines);
}

#[test]
fn what_leads_elsewhere_is_not_ours() {
    let server: Endpoint = "github".parse().unwrap();
    for other in [
        r#"{"command": "npx", "args": ["-y", "github-mcp"]}"#,
        r#"{"command": "caisson", "args": ["stdio", "other"]}"#,
        r#"{"url": "https://api.example.com/s/github/mcp"}"#,
        r#"{"url": "http://127.0.0.1:7332/s/other/mcp"}"#,
        r#"{"url": "http://127.0.0.1.example.com/s/github/mcp"}"#,
        r#"{"url": 5, "args": "stdio github"}"#,
        "null",
        "[]",
    ] {
        assert!(!leads_to_caisson(&serde_json::from_str(other).unwrap(), &server), "{other}");
    }
}

#[test]
fn an_unknown_client_is_told_those_there_are() {
    let error = "emacs\u{1b}[31m".parse::<Client>().unwrap_err().to_string();
    assert!(error.contains("claude-desktop, ") && !error.contains('\u{1b}'), "{error}");
}
