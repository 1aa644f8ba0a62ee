//! The tray on a real panel, driven over D-Bus as panels do, and the real window, driven by WebDriver.

use std::{fs, path::Path, process::Command, time::Duration};

use caisson_tests::{
    Home,
    desktop::{Desktop, Running, TrayItem, Window},
    home::eventually,
    programs,
};

const SOON: Duration = Duration::from_secs(30);

on_engines!([podman]
    the_tray_shows_and_steers_the_servers_of_a_daemon,
    where_no_daemon_runs_the_application_takes_its_place,
    a_second_start_raises_the_window,
    the_window_installs_starts_stops_and_removes,
    the_window_says_what_is_wrong_and_obeys_no_text,
);

fn the_tray_shows_and_steers_the_servers_of_a_daemon(home: &Home) {
    home.caisson(&["install", "example", "--yes"]).ok();
    let desktop = Desktop::new(false);
    let mut app = Running::start(desktop.app(home, &["--hidden"]));
    let tray = desktop.tray();
    tray.says("No server running (1 installed)");
    assert_eq!(
        tray.text(),
        "[No server running (1 installed)]\n---\n\
         ○ example: stopped\n    Start\n    [Stop]\n    [Restart]\n---\n\
         Pause all servers\nOpen Caisson\n---\nQuit Caisson\n"
    );
    assert!(shows(&tray, "idle"));

    tray.choose(&["example", "Start"]);
    tray.says("● example: running");
    assert!(tray.text().starts_with("[1 of 1 server running]\n"));
    eventually(SOON, "the icon says running", || shows(&tray, "running"));
    assert_eq!(state(home), "running");
    desktop.press(1266, 15);
    std::thread::sleep(Duration::from_millis(700));
    desktop.picture(Desktop::TRAY, "tray");

    tray.choose(&["Pause all servers"]);
    tray.says("Resume all servers");
    eventually(SOON, "the icon says paused", || shows(&tray, "paused"));
    eventually(SOON, "nothing runs", || state(home) == "stopped");
    tray.choose(&["Resume all servers"]);
    tray.says("Pause all servers");

    // What happens elsewhere is seen here.
    home.caisson(&["start", "example"]).ok();
    tray.says("● example: running");
    tray.choose(&["example", "Stop"]);
    tray.says("○ example: stopped");
    home.caisson(&["remove", "example", "--yes"]).ok();
    tray.says("No servers installed");

    let daemon = home.daemon_pid();
    tray.choose(&["Quit Caisson"]);
    eventually(SOON, "the application ends", || app.has_ended());
    assert_eq!(home.daemon_pid(), daemon, "the daemon stays");
}

fn where_no_daemon_runs_the_application_takes_its_place(home: &Home) {
    home.caisson(&["install", "example", "--yes"]).ok();
    let id = home.id();
    let desktop = Desktop::new(false);
    let mut app = Running::start(desktop.app(home, &["--hidden"]));
    let tray = desktop.tray();
    tray.says("○ example: stopped");
    home.caisson(&["daemon", "--stop"]).ok();
    let owner = || {
        let status = home.caisson(&["daemon", "--status", "--json"]);
        status.status.success().then(|| status.json())
    };
    eventually(SOON, "the application owns the servers", || {
        owner().is_some_and(|owner| owner["role"] == "desktop" && owner["pid"] == app.pid())
    });

    // The command line and the bridge work as with a daemon.
    assert!(home.call_text("example", "greet", &serde_json::json!({ "name": "tray" })).contains("tray"));
    tray.says("● example: running");
    tray.choose(&["Quit Caisson and stop 1 server"]);
    eventually(SOON, "the application ends", || app.has_ended());
    eventually(SOON, "no container is left", || home.containers_of(&id).is_empty());
}

fn a_second_start_raises_the_window(home: &Home) {
    let desktop = Desktop::new(false);
    let _first = Running::start(desktop.app(home, &["--hidden"]));
    desktop.tray().says("No servers installed");
    assert!(!desktop.shows("Caisson"));

    let mut hidden = Running::start(desktop.app(home, &["--hidden"]));
    eventually(SOON, "a second start ends", || hidden.has_ended());
    assert!(!desktop.shows("Caisson"), "one with the session raises nothing");

    let mut second = Running::start(desktop.app(home, &[]));
    eventually(SOON, "a second start ends", || second.has_ended());
    eventually(SOON, "the window is there", || desktop.shows("Caisson"));
}

fn the_window_installs_starts_stops_and_removes(home: &Home) {
    let desktop = Desktop::new(false);
    let window = Window::open(&desktop, home);
    window.says("No servers yet");
    desktop.picture(Desktop::WINDOW, "window-empty");
    window.button("Install the example server").click();
    window.button("Start example").click();
    window.says("Running");
    assert_eq!(state(home), "running");
    desktop.picture(Desktop::WINDOW, "window-running");

    // Nothing is installed before its plan was seen.
    window.button("Install…").click();
    window.element("//input[@id='install-source']").type_in("example");
    window.element("//input[@id='install-name']").type_in("second");
    window.button("Review").click();
    window.says("Install with these permissions");
    desktop.picture(Desktop::WINDOW, "window-review");
    assert_eq!(home.caisson(&["list", "--json"]).json()["servers"].as_array().map(Vec::len), Some(1));
    window.button("Install with these permissions").click();
    window.button("Start second");

    window.button("Stop example").click();
    window.button("Start example");
    assert_eq!(state(home), "stopped");

    window.button("Remove example").click();
    assert!(window.button("Keep it").has_focus(), "the safe answer has the focus");
    desktop.picture(Desktop::WINDOW, "window-remove");
    window.button("Keep it").click();
    window.button("Remove example").click();
    window.button("Remove").click();
    eventually(SOON, "it is gone", || !window.has("//button[@aria-label='Start example']"));
    window.says("Removed example");
    assert_eq!(home.caisson(&["list", "--json"]).json()["servers"].as_array().map(Vec::len), Some(1));

    // It may ask the relay and nothing else of the shell.
    for command in ["plugin:app|version", "plugin:window|close", "plugin:event|listen"] {
        let asked = format!(
            "return window.__TAURI_INTERNALS__.invoke('{command}').then(() => 'done', () => 'refused')"
        );
        assert_eq!(window.run(&asked), "refused", "{command}");
    }
    // Nothing in the page is inline, and what is put in later neither runs nor reaches out.
    assert_eq!(window.run("return document.querySelectorAll('script:not([src]), [style]').length"), 0);
    for (element, fill, refused) in [
        ("script", "textContent: 'window.injected = 1'", "script-src-elem"),
        ("img", "src: 'http://127.0.0.1:1/'", "img-src"),
    ] {
        // By a timer: what the driver itself runs stands above the page's policy.
        let put_in = format!(
            "return new Promise((done) => {{
                document.addEventListener('securitypolicyviolation', (event) => done(event.violatedDirective));
                setTimeout(() => document.body.append(
                    Object.assign(document.createElement('{element}'), {{ {fill} }})));
                setTimeout(() => done('nothing'), 3000);
            }})"
        );
        assert_eq!(window.run(&put_in), refused);
    }
}

fn the_window_says_what_is_wrong_and_obeys_no_text(home: &Home) {
    let servers = home.path().join("config/servers");
    fs::create_dir_all(&servers).unwrap();
    fs::write(servers.join("hostile.toml"), "\"<img src=x onerror=alert(1)>\\u202E\" = 1\n").unwrap();
    let settings = home.path().join("config/settings.toml");
    let text = fs::read_to_string(&settings).unwrap();
    let dead = text.replace(&home.socket().display().to_string(), "/nonexistent/podman.sock");
    fs::write(&settings, dead).unwrap();
    let desktop = Desktop::new(true);
    let window = Window::open(&desktop, home);
    window.says("No container engine answers");
    window.says("Its file is broken");
    window.says("<img src=x onerror=alert(1)>");
    assert_eq!(window.run("return document.images.length"), 0);
    assert!(!window.text().contains('\u{202e}'));
    desktop.picture(Desktop::WINDOW, "window-problems");
    window.button("Install…").click();
    window.element("//input[@id='install-source']").type_in("example");
    window.button("Review").click();
    window.element("//dialog//*[@role='alert']");
}

/// Whether the tray shows this icon.
fn shows(tray: &TrayItem<'_>, icon: &str) -> bool {
    let meant = programs::repository().join(format!("icons/tray/{icon}.png"));
    let shown = pixels(&tray.icon());
    !shown.is_empty() && shown == pixels(&meant)
}

/// A picture's pixels; none while it cannot be read.
fn pixels(picture: &Path) -> Vec<u8> {
    Command::new("/usr/bin/convert")
        .arg(picture)
        .arg("rgba:-")
        .output()
        .expect("ImageMagick is installed")
        .stdout
}

fn state(home: &Home) -> String {
    let list = home.caisson(&["list", "--json"]).json();
    list["servers"][0]["state"]["state"].as_str().unwrap_or("none").to_owned()
}
