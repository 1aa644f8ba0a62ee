//! The list of system calls, tried from inside: `tests/hostile/syscalls.c` asks for each by number.

use std::{collections::BTreeMap, fmt::Write as _, fs, process::Command};

use caisson_tests::{Home, programs};
use serde_json::{Value, json};

on_engines!([podman docker rootless] every_call_is_as_the_profile_says);

const EPERM: i32 = 1;
const ENOSYS: i32 = 38;

fn names(groups: &Value) -> Vec<String> {
    let names = groups.as_array().into_iter().flatten().flat_map(|group| group["names"].as_array().unwrap());
    names.map(|name| name.as_str().unwrap().to_owned()).collect()
}

/// Compiles the program against the names of the profile, and installs a server that runs it.
fn install(home: &Home, names: &[&[String]]) {
    let folder = home.path().join("syscalls");
    let server = "on_call() { answer=$(/syscalls 500); }\n. /polite.sh\n";
    crate::hostile::write_server(&folder, server);
    let mut header = String::new();
    for name in names.iter().copied().flatten() {
        let known = format!("printf(\"{name}=%d \", SYS_{name});");
        writeln!(header, "#ifdef SYS_{name}\n{known}\n#else\nprintf(\"{name}=unknown \");\n#endif").unwrap();
    }
    fs::write(folder.join("names.h"), header).unwrap();
    let source = programs::repository().join("tests/hostile/syscalls.c");
    let mut compiler = Command::new("cc");
    compiler
        .args(["-static", "-O1", "-Wall", "-I"])
        .arg(&folder)
        .arg("-o")
        .arg(folder.join("syscalls"))
        .arg(source);
    let built = compiler.output().expect("a C compiler is installed");
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    let dockerfile = fs::read_to_string(folder.join("Dockerfile")).unwrap();
    let dockerfile = dockerfile.replace("ENV PATH", "COPY syscalls /syscalls\nENV PATH");
    fs::write(folder.join("Dockerfile"), dockerfile).unwrap();
    home.caisson(&["install", &folder.to_string_lossy(), "--name", "syscalls", "--yes"]).ok();
}

fn every_call_is_as_the_profile_says(home: &Home) {
    let profile = programs::repository().join("crates/caisson-core/src/sandbox/plan/seccomp.json");
    let profile: Value = serde_json::from_str(&fs::read_to_string(profile).unwrap()).unwrap();
    let (allowed, denied) = (names(&profile["allow"]), names(&profile["deny"]));
    assert_eq!(profile["absent"]["names"], json!(["clone3"]), "the program tries no other");
    install(home, &[&allowed, &denied]);
    let said = home.call_text("syscalls", "hello", &json!({}));
    let said: BTreeMap<&str, &str> =
        said.split_whitespace().filter_map(|pair| pair.split_once('=')).collect();
    let number = |name: &String| said.get(name.as_str()).and_then(|number| number.parse::<i32>().ok());
    let errno =
        |number: i32| said.get(number.to_string().as_str()).map(|errno| errno.parse::<i32>().unwrap());

    let mut tried = 0;
    for name in &denied {
        match number(name) {
            Some(number) => {
                assert_eq!(errno(number), Some(EPERM), "{name} ({number}) is not refused");
                tried += 1;
            }
            None => eprintln!("SKIPPED: {name} is no system call of this processor"),
        }
    }
    assert!(tried > 60, "only {tried} were tried");
    // With arguments of zero: no namespace, the usual personality. A socket of family 0 is none of those allowed.
    let conditional = "socket";
    let mut known = BTreeMap::new();
    for name in &allowed {
        match number(name) {
            Some(number) => drop(known.insert(number, name)),
            None => eprintln!("SKIPPED: {name} is allowed, and not known here"),
        }
    }
    for (number, name) in &known {
        let meant = if *name == conditional { EPERM } else { ENOSYS };
        // The one by which the program itself ends.
        if *name != "exit_group" {
            assert_eq!(errno(*number), Some(meant), "{name} ({number}) is not as the profile says");
        }
    }
    // What stands in no list is refused: from the first call there is to the last that the headers know.
    let last = *known.keys().max().unwrap();
    let clone3 = 435;
    // uretprobe and uprobe: Linux 6.14 and later ask no filter, and do nothing for who is not being probed.
    let unfiltered = [335, 336];
    let unlisted =
        |number: &i32| !known.contains_key(number) && *number != clone3 && !unfiltered.contains(number);
    for number in (0..=last).filter(unlisted) {
        assert_eq!(errno(number), Some(EPERM), "call {number} stands in no list");
    }
    assert_eq!(said["clone3"], ENOSYS.to_string());
}
