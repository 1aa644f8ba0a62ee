//! Server files: edits apply live, broken edits do no harm, comments stay.

use std::{fs, time::Duration};

use caisson_tests::{Home, home::eventually};
use serde_json::json;

on_engines!([podman] edits_apply_live, comments_stay, what_it_stored_goes);

fn edits_apply_live(home: &Home) {
    home.caisson(&["install", "example", "--yes"]).ok();
    let file = home.path().join("config/servers/example.toml");
    let good = fs::read_to_string(&file).unwrap();

    fs::write(&file, good.replace("[limits]", "[limits]\nmemroy = \"1GiB\"")).unwrap();
    let broken =
        || home.caisson(&["show", "example", "--json"]).json()["view"]["broken"].as_str().map(str::to_owned);
    eventually(Duration::from_secs(10), "the broken edit is noticed", || broken().is_some());
    let reason = broken().unwrap();
    assert!(reason.contains("memroy") && reason.contains("line"), "{reason}");
    assert!(home.call_text("example", "greet", &json!({"name": "still"})).contains("still"));

    fs::write(&file, good.replace("512MiB", "300MiB")).unwrap();
    eventually(Duration::from_secs(10), "the good edit applies", || {
        home.caisson(&["plan", "example"]).ok().contains("300 MiB")
            || home.caisson(&["plan", "example"]).ok().contains("300MiB")
    });

    fs::remove_file(&file).unwrap();
    eventually(Duration::from_secs(10), "the removal applies", || {
        home.caisson(&["list", "--json"]).json()["servers"].as_array().unwrap().is_empty()
    });
}

fn comments_stay(home: &Home) {
    home.caisson(&["install", "example", "--yes"]).ok();
    let file = home.path().join("config/servers/example.toml");
    let mut text = fs::read_to_string(&file).unwrap();
    text.insert_str(0, "# mine: do not lose this\n");
    fs::write(&file, &text).unwrap();
    home.caisson(&["install", "example", "--replace", "--yes"]).ok();
    assert!(fs::read_to_string(&file).unwrap().contains("# mine: do not lose this"));
}

/// What a server stored goes with it, though its file no longer says that it stored something.
fn what_it_stored_goes(home: &Home) {
    home.caisson(&["install", "example", "--state", "/state", "--yes"]).ok();
    home.call("example", "notes_add", &json!({"note": "kept"}));
    let volume = format!("caisson-state-{}-example", &home.id()[..8]);
    let stored = || home.engine_cli(&["volume", "ls", "-q"]).lines().any(|name| name == volume);
    assert!(stored());
    fs::write(home.path().join("config/servers/example.toml"), "nonsense").unwrap();
    let removed = home.caisson(&["remove", "example", "--yes", "--json"]).json();
    assert!(removed["removed"].as_array().unwrap().contains(&json!("what it stored")), "{removed}");
    assert!(!stored());
}
