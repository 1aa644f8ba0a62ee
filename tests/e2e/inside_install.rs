//! Whatever an install runs, it runs inside: a package's scripts and a Dockerfile's commands find nothing of this machine
//! and reach nothing but what they must, and the record says what they tried.

use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::Command,
};

use caisson_tests::{Home, programs, site::Site};
use serde_json::{Value, json};

on_engines!([podman docker rootless] builds_find_nothing, builds_reach_what_they_may);
on_engines!([podman docker] packages_find_nothing, builds_make_the_engine_do_nothing);

/// Hidden where no install may look.
const WORD: [&str; 2] = ["csn-test-word", "-2f6c81e09ab7"];

fn word() -> String {
    WORD.concat()
}

/// Somebody who must not be reached, at every address of this machine.
fn stranger() -> (TcpListener, u16) {
    let listener = TcpListener::bind("0.0.0.0:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

/// `tests/hostile/looks-around.sh`, told where to look.
fn script(port: u16) -> String {
    let here = Command::new("hostname").arg("-I").output().expect("hostname runs");
    let here = String::from_utf8_lossy(&here.stdout);
    let here: Vec<&str> = here.split_whitespace().filter(|address| address.contains('.')).collect();
    let looks = fs::read_to_string(programs::repository().join("tests/hostile/looks-around.sh")).unwrap();
    format!(
        "PORT={port}\nADDRESSES='127.0.0.1 169.254.169.254 10.0.2.2 10.88.0.1 {}'\nWORD1={}\nWORD2={}\n{looks}",
        here.join(" "),
        WORD[0],
        WORD[1]
    )
}

/// Hides the word in the user's files and, where the tests' keychain is this user's, in another server's secret.
fn hide_the_word(home: &Home) {
    let user = home.path().join("user");
    fs::create_dir_all(user.join(".ssh")).unwrap();
    for file in [user.join("notes"), user.join(".ssh/id_ed25519"), user.join(".npmrc")] {
        fs::write(file, word()).unwrap();
    }
    if home.engine().user().is_none() {
        home.caisson(&["install", "example", "--yes", "--secret", "API_KEY"]).ok();
        home.caisson_with(&["secret", "set", "example", "API_KEY"], word().as_bytes()).ok();
        home.caisson(&["start", "example"]).ok();
    }
}

/// Starts the daemon with the word among its variables.
fn start(home: &Home) {
    let mut daemon = home.command(&["list"]);
    daemon.env("CAISSON_TEST_WORD", word());
    assert!(daemon.output().unwrap().status.success());
}

#[track_caller]
fn found_nothing(found: &str, whose: &str) {
    assert!(found.contains("== variables") && found.contains("== end"), "{whose} did not look: {found}");
    assert!(!found.contains(&word()), "{whose} found the word: {found}");
    let part = |name: &str| {
        found.split("== ").find_map(|part| part.strip_prefix(name)).unwrap_or_default().trim().to_owned()
    };
    assert_eq!(part("the word"), "", "{whose} found the word");
    assert_eq!(part("sockets"), "", "{whose} found sockets");
    assert_eq!(part("reached"), "", "{whose} got out");
}

/// The record of a server: what the phase of its install did.
fn installing(home: &Home, server: &str) -> Vec<Value> {
    let record = home.caisson(&["audit", server, "--json", "-n", "1000"]).ok();
    let entries = record.lines().map(|line| serde_json::from_str::<Value>(line).expect("an entry is JSON"));
    entries.filter(|entry| entry["phase"] == "install").collect()
}

fn has(entries: &[Value], what: &str, host: &str, port: u16) -> bool {
    entries.iter().any(|entry| entry["what"] == what && entry["host"] == host && entry["port"] == port)
}

/// What the image of a server holds at `path`.
fn kept(home: &Home, server: &str, path: &str) -> String {
    let shown = home.caisson(&["show", server, "--json"]).json();
    let image = shown["definition"]["image"].as_str().unwrap().to_owned();
    home.engine_cli(&["run", "--rm", "--network", "none", "--entrypoint", "/bin/cat", &image, path])
}

fn packages_find_nothing(home: &Home) {
    // The base images come from where they always do.
    home.caisson(&["install", "npm:@modelcontextprotocol/no-such-server-7f3a", "--yes"]).failed(3);
    home.caisson(&["install", "pypi:mcp-no-such-server-7f3a", "--yes"]).failed(3);
    let registry = Site::open();
    let port = registry.port();
    home.caisson(&["daemon", "--stop"]).ok();
    let settings = home.path().join("config/settings.toml");
    let text = fs::read_to_string(&settings).unwrap();
    let registries = format!(
        "npm_registry = \"http://127.0.0.1:{port}/\"\npypi_index = \"http://127.0.0.1:{port}/simple/\"\n"
    );
    fs::write(&settings, format!("{text}{registries}")).unwrap();
    let (stranger, strange) = stranger();
    publish_npm(home, &registry, strange);
    publish_pypi(home, &registry, strange);
    start(home);
    hide_the_word(home);

    home.caisson(&["install", "npm:csnlooks", "--name", "node", "--yes", "--allow-scripts"]).ok();
    found_nothing(&kept(home, "node", "/srv/server/node_modules/csnlooks/found.txt"), "npm's script");
    home.caisson(&["install", "pypi:csnlooks", "--name", "python", "--yes", "--allow-scripts"]).ok();
    let found = "/srv/server/lib/python3.11/site-packages/csnlooks_found.txt";
    let listed = kept_where(home, "python", found);
    found_nothing(&listed, "the build backend");
    assert!(stranger.accept().is_err(), "a connection came");

    for server in ["node", "python"] {
        let entries = installing(home, server);
        assert!(has(&entries, "connected", "127.0.0.1", port), "{entries:#?}");
        assert!(has(&entries, "refused", "127.0.0.1", strange), "{entries:#?}");
        assert!(has(&entries, "refused", "169.254.169.254", strange), "{entries:#?}");
        let strangers = entries.iter().filter(|entry| entry["what"] == "connected" && entry["port"] != port);
        assert_eq!(strangers.count(), 0, "{entries:#?}");
    }
}

/// As [`kept`], of the file wherever the interpreter's version puts it.
fn kept_where(home: &Home, server: &str, path: &str) -> String {
    let name = Path::new(path).file_name().unwrap().to_string_lossy().into_owned();
    let shown = home.caisson(&["show", server, "--json"]).json();
    let image = shown["definition"]["image"].as_str().unwrap().to_owned();
    let find = ["find", "/srv/server", "-name", &name, "-exec", "cat", "{}", ";"];
    let run = ["run", "--rm", "--network", "none", "--entrypoint", "/usr/bin/env", &image];
    home.engine_cli(&[&run[..], &find].concat())
}

fn archive(home: &Home, folder: &Path) -> Vec<u8> {
    let file = home.path().join("package.tgz");
    let name = folder.file_name().unwrap();
    let packed =
        Command::new("tar").arg("-C").arg(folder.parent().unwrap()).arg("-czf").arg(&file).arg(name).status();
    assert!(packed.expect("tar runs").success());
    fs::read(file).unwrap()
}

fn publish_npm(home: &Home, registry: &Site, strange: u16) {
    let folder = home.path().join("npm/package");
    fs::create_dir_all(&folder).unwrap();
    let package = json!({"name": "csnlooks", "version": "1.0.0", "bin": {"csnlooks": "index.js"},
        "scripts": {"postinstall": "sh looks-around.sh > found.txt"}});
    fs::write(folder.join("package.json"), package.to_string()).unwrap();
    fs::write(folder.join("index.js"), "#!/usr/bin/env node\n").unwrap();
    fs::write(folder.join("looks-around.sh"), script(strange)).unwrap();
    registry.put("/csnlooks/-/csnlooks-1.0.0.tgz", archive(home, &folder));
    let mut version = package;
    let tarball = format!("http://127.0.0.1:{}/csnlooks/-/csnlooks-1.0.0.tgz", registry.port());
    version["dist"] = json!({"tarball": tarball});
    version["hasInstallScript"] = json!(true);
    let document =
        json!({"name": "csnlooks", "dist-tags": {"latest": "1.0.0"}, "versions": {"1.0.0": version}});
    registry.put("/csnlooks", document.to_string());
}

fn publish_pypi(home: &Home, registry: &Site, strange: u16) {
    let folder = home.path().join("pypi/csnlooks-1.0.0");
    fs::create_dir_all(&folder).unwrap();
    let project = "[build-system]\nrequires = []\nbuild-backend = \"build_backend\"\nbackend-path = [\".\"]\n\
        [project]\nname = \"csnlooks\"\nversion = \"1.0.0\"\n";
    fs::write(folder.join("pyproject.toml"), project).unwrap();
    fs::write(folder.join("PKG-INFO"), "Metadata-Version: 2.1\nName: csnlooks\nVersion: 1.0.0\n").unwrap();
    fs::copy(programs::repository().join("tests/hostile/build_backend.py"), folder.join("build_backend.py"))
        .unwrap();
    fs::write(folder.join("looks-around.sh"), script(strange)).unwrap();
    registry.put("/files/csnlooks-1.0.0.tar.gz", archive(home, &folder));
    registry.put("/simple/csnlooks/", "<a href=\"/files/csnlooks-1.0.0.tar.gz\">csnlooks-1.0.0.tar.gz</a>");
}

/// A folder whose Dockerfile looks around and keeps what it finds, with more instructions after `FROM`.
fn folder(home: &Home, name: &str, from: &str, more: &str) -> PathBuf {
    let folder = home.path().join(name);
    crate::hostile::write_server(&folder, crate::hostile::POLITE);
    let dockerfile = fs::read_to_string(folder.join("Dockerfile")).unwrap();
    let dockerfile = dockerfile.replace("FROM scratch", &format!("FROM {from}"));
    fs::write(folder.join("Dockerfile"), dockerfile.replace("ENV PATH", &format!("{more}\nENV PATH")))
        .unwrap();
    folder
}

fn builds_find_nothing(home: &Home) {
    start(home);
    hide_the_word(home);
    let (stranger, strange) = stranger();
    let looks = "COPY looks-around.sh /looks-around.sh\nRUN [\"/bin/sh\", \"-c\", \"sh /looks-around.sh > /found.txt\"]";
    let folder = folder(home, "looks", "scratch", looks);
    fs::write(folder.join("looks-around.sh"), script(strange)).unwrap();
    // Links lead out of the folder; what they lead to does not come along.
    std::os::unix::fs::symlink(home.path().join("user/notes"), folder.join("link")).unwrap();
    home.caisson(&["install", &folder.to_string_lossy(), "--name", "looks", "--yes"]).ok();
    found_nothing(&kept(home, "looks", "/found.txt"), "the Dockerfile's command");
    assert!(stranger.accept().is_err(), "a connection came");
}

/// Through an airlock, with the rules and the record of every other connection.
fn builds_reach_what_they_may(home: &Home) {
    let base = folder(home, "base", "scratch", "");
    home.caisson(&["install", &base.to_string_lossy(), "--name", "base", "--yes"]).ok();
    let shown = home.caisson(&["show", "base", "--json"]).json();
    let image = shown["definition"]["image"].as_str().unwrap().to_owned();
    let tag = format!("localhost/caisson-test/build-base:{}", std::process::id());
    home.engine_cli(&["tag", image.trim_start_matches("sha256:"), &tag]);

    let site = Site::open();
    let port = site.port();
    site.put("/wanted", "it was fetched");
    let (stranger, strange) = stranger();
    let run = "COPY fetch.sh /fetch.sh\nRUN [\"/bin/sh\", \"/fetch.sh\"]";
    let built = folder(home, "reaches", &tag, run);
    let fetch = fs::read_to_string(programs::repository().join("tests/hostile/fetch.sh")).unwrap();
    fs::write(built.join("fetch.sh"), format!("PORT={port}\nSTRANGE={strange}\n{fetch}")).unwrap();
    let allowed = format!("127.0.0.1:{port}");
    let args = ["install", &built.to_string_lossy(), "--name", "reaches", "--yes", "--build-host", &allowed];
    home.caisson(&args).ok();
    assert_eq!(kept(home, "reaches", "/direct"), "it was fetched");
    assert_eq!(kept(home, "reaches", "/proxied"), "it was fetched");
    for refused in ["/strange", "/metadata"] {
        let answer = kept(home, "reaches", refused);
        assert!(answer.contains(" 403 "), "{refused}: {answer}");
    }
    assert_eq!(kept(home, "reaches", "/links").trim(), "1", "the build had more than loopback");
    assert!(site.asked().iter().all(|path| path.ends_with("/wanted")), "{:?}", site.asked());
    assert!(stranger.accept().is_err(), "a connection came");
    let entries = installing(home, "reaches");
    assert!(has(&entries, "connected", "127.0.0.1", port), "{entries:#?}");
    assert!(has(&entries, "refused", "127.0.0.1", strange), "{entries:#?}");
    // What a build may reach, the server may not, nor does the image tell of it.
    assert!(!kept(home, "reaches", "/proc/self/environ").to_lowercase().contains("proxy"));
    let plan = home.caisson(&["plan", "reaches", "--json"]).json();
    assert_eq!(plan["plan"]["hosts"], json!([]), "{plan}");
    assert!(
        home.containers().iter().all(|container| !container.contains("install")),
        "{:?}",
        home.containers()
    );
    home.engine_cli(&["rmi", "--force", &tag]);
}

/// What a Dockerfile makes the engine itself do, it would do on this machine.
fn builds_make_the_engine_do_nothing(home: &Home) {
    let site = Site::open();
    let port = site.port();
    site.put("/secret", word());
    let private = home.path().join("private");
    fs::create_dir(&private).unwrap();
    fs::write(private.join("secret"), word()).unwrap();
    let private = private.display();
    for (number, (from, more)) in [
        ("scratch", format!("ADD http://127.0.0.1:{port}/secret /found")),
        ("scratch", format!("ARG SCHEME=http\nADD ${{SCHEME}}://127.0.0.1:{port}/secret /found")),
        ("scratch", format!("RUN x \\\n  # y\nAD\\\nD http://127.0.0.1:{port}/secret /found")),
        ("scratch", "RUN --mount=type=bind,source=link,target=/m cat /m/secret".to_owned()),
        ("scratch", format!("COPY --from=dir:{private} secret /found")),
        (&*format!("dir:{private}"), String::new()),
        ("docker-archive:image.tar", String::new()),
    ]
    .iter()
    .map(|(from, more)| (from.to_string(), more.clone()))
    .enumerate()
    {
        let folder = folder(home, &format!("asks-{number}"), &from, &more);
        std::os::unix::fs::symlink(home.path().join("private"), folder.join("link")).unwrap();
        let said = home.caisson(&["install", &folder.to_string_lossy(), "--name", "asks", "--yes"]);
        assert!(
            !said.status.success() && said.err.contains("is not built: line"),
            "{from} {more}: {}",
            said.err
        );
    }
    assert!(site.asked().is_empty(), "{:?}", site.asked());
}
