//! Installs: what goes wrong, and what must not be possible.

use std::{fs, process::Stdio};

use caisson_tests::Home;
use serde_json::Value;

on_engines!([podman docker] what_does_not_exist, from_a_folder, from_a_local_image, install_scripts);
on_engines!([podman] bad_names, two_at_once, refused_folders, no_engine);

fn what_does_not_exist(home: &Home) {
    let cases = [
        ("npm:@modelcontextprotocol/no-such-server-7f3a", "no-such-server-7f3a"),
        ("npm:@modelcontextprotocol/server-memory@0.0.77", "0.0.77"),
        ("pypi:mcp-no-such-server-7f3a", "mcp-no-such-server-7f3a"),
        ("pypi:mcp-server-time==0.0.77", "0.0.77"),
    ];
    for (source, told) in cases {
        let error = home.caisson(&["install", source, "--yes"]).failed(3);
        assert!(error.contains(told), "{source}: {error}");
    }
    let list = home.caisson(&["list", "--json"]).json();
    assert_eq!(list["servers"].as_array().map(Vec::len), Some(0), "{list}");
    assert!(home.containers().is_empty(), "a failed install left {:?}", home.containers());
}

fn bad_names(home: &Home) {
    for name in ["a/b", "a b", "../up", "a\u{1b}[31mred", "UPPER", ""] {
        let error = home.caisson(&["install", "example", "--name", name, "--yes"]).failed(2);
        assert!(!error.contains('\u{1b}'), "{error:?}");
    }
    home.caisson(&["show", "nobody"]).failed(3);
}

fn two_at_once(home: &Home) {
    home.caisson(&["list"]).ok();
    let spawn = || {
        let mut command = home.command(&["install", "example", "--name", "one", "--yes"]);
        command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let both = [spawn(), spawn()].map(|child| child.wait_with_output().unwrap());
    let won = both.iter().filter(|output| output.status.success()).count();
    assert_eq!(won, 1, "{both:?}");
    let lost = both.iter().find(|output| !output.status.success()).unwrap();
    let error = String::from_utf8_lossy(&lost.stderr);
    assert!(error.contains("one"), "{error}");
    assert_eq!(home.caisson(&["list", "--json"]).json()["servers"].as_array().unwrap().len(), 1);
}

fn refused_folders(home: &Home) {
    let user = home.path().join("user");
    fs::create_dir_all(user.join(".ssh")).unwrap();
    fs::create_dir_all(user.join("notes")).unwrap();
    let link = home.path().join("innocent");
    std::os::unix::fs::symlink(user.join(".ssh"), &link).unwrap();
    let refused =
        ["/", "/etc", "/proc", &home.socket_folder(), &*user.to_string_lossy(), &*link.to_string_lossy()];
    for folder in refused {
        let grant = format!("{folder}:/workspace/x");
        let error = home.caisson(&["install", "example", "--yes", "--folder", &grant]).failed(4);
        assert!(error.contains("folder"), "{folder}: {error}");
    }
    let missing = format!("{}:/workspace/x", user.join("nowhere").display());
    let error = home.caisson(&["install", "example", "--yes", "--folder", &missing]);
    assert!(!error.status.success() && error.err.contains("nowhere"), "{}", error.err);
    let notes = format!("{}:/workspace/notes", user.join("notes").display());
    home.caisson(&["install", "example", "--yes", "--folder", &notes]).ok();
}

fn no_engine(home: &Home) {
    fs::write(home.path().join("config/settings.toml"), "engine = \"unix:///nowhere/engine.sock\"\n")
        .unwrap();
    let error = home.caisson(&["install", "example", "--yes"]).failed(5);
    assert!(error.contains("/nowhere/engine.sock"), "{error}");
    let doctor = home.caisson(&["doctor"]);
    assert!(doctor.out.contains("/nowhere/engine.sock"), "{}", doctor.out);
}

/// A folder with a `Dockerfile`, built by the engine without a network.
fn from_a_folder(home: &Home) {
    let folder = home.path().join("folder");
    crate::hostile::write_server(&folder, crate::hostile::POLITE);
    home.caisson(&["install", &folder.to_string_lossy(), "--name", "folder", "--yes"]).ok();
    assert!(home.caisson(&["tools", "folder"]).ok().contains("hello"));
}

fn from_a_local_image(home: &Home) {
    home.caisson(&["install", "example", "--yes"]).ok();
    let shown = home.caisson(&["show", "example", "--json"]).json();
    let image = shown["definition"]["image"].as_str().unwrap().to_owned();
    let tag = "localhost/caisson-test/local:1";
    home.engine_cli(&["tag", image.trim_start_matches("sha256:"), tag]);
    let said = home.caisson(&["install", &format!("oci:{tag}"), "--name", "local", "--yes", "--json"]).ok();
    assert!(said.contains("local"), "{said}");
    let local = home.caisson(&["show", "local", "--json"]).json();
    assert_eq!(local["definition"]["image"], Value::String(image));
    home.engine_cli(&["rmi", tag]);
}

/// An install script runs where that was granted, and not otherwise. esbuild's puts a program of machine code in the
/// place of the script that the package has.
fn install_scripts(home: &Home) {
    let install = |name: &str, granted: &[&str]| {
        let args = ["install", "npm:esbuild@0.25.0", "--name", name, "--yes"];
        let said = home.caisson(&[&args, granted].concat());
        assert!(said.status.success(), "{}", said.err);
        let shown = home.caisson(&["show", name, "--json"]).json();
        let image = shown["definition"]["image"].as_str().unwrap().to_owned();
        let program = "/srv/server/node_modules/esbuild/bin/esbuild";
        let run =
            ["run", "--rm", "--network", "none", "--entrypoint", "/usr/bin/head", &image, "-c", "4", program];
        (home.engine_cli(&run), said.err)
    };
    let (begins, told) = install("closed", &[]);
    assert_eq!(begins, "#!/u");
    assert!(told.contains("not run: esbuild"), "{told}");
    let (begins, told) = install("granted", &["--allow-scripts"]);
    assert_eq!(begins, "\u{7f}ELF");
    assert!(!told.contains("not run"), "{told}");
}
