//! The plan's defaults, looked at from inside by a shell: what it sees of the host, what it can gain, what bounds it.

use std::{fs, process::Command, time::Instant};

use caisson_tests::{Home, programs};
use serde_json::{Value, json};

on_engines!([podman docker rootless] apart_from_the_host, no_devices, nothing_to_gain);
on_engines!([podman docker rootless] limits_of_each_process, no_log);
on_engines!([podman docker rootless] limits_hold_or_are_said_not_to);
on_engines!([podman docker] processor_time);
on_engines!([docker] apart_under_gvisor);

/// Answers each question about itself in one line.
const LOOKS: &str = r#"
on_call() {
    case $line in
    *namespaces*) answer=$(for kind in ipc pid uts mnt net; do readlink /proc/self/ns/$kind; done) ;;
    *processes*) answer=$(cat /proc/[0-9]*/comm) ;;
    *segments*) answer=$(tail -n +2 /proc/sysvipc/shm; ls -A /dev/shm) ;;
    *hostname*) answer=$(cat /proc/sys/kernel/hostname) ;;
    *devices*) answer=$(find /dev -type b -o -type c) ;;
    *nodes*) answer=$(for kind in b c; do mknod /tmp/$kind $kind 1 5 && echo made && : < /tmp/$kind && echo open; done) ;;
    *status*) answer=$(grep -hE '^(NoNewPrivs|Seccomp):' /proc/1/status /proc/self/status) ;;
    *limits*) answer=$(grep -h '^Max' /proc/1/limits /proc/self/limits) ;;
    *quota*) cd /sys/fs/cgroup; answer=$(cat cpu.max || cat cpu/cpu.cfs_quota_us cpu/cpu.cfs_period_us) ;;
    *spin*) timeout 3 sh -c 'while :; do :; done'; times > /tmp/times; answer=$(tail -n 1 /tmp/times) ;;
    esac 2>/dev/null
    answer=$(echo "$answer" | tr '\t\n' '  ')
}
"#;

/// Installs the server that looks, with `args`.
fn install(home: &Home, args: &[&str]) {
    let folder = home.path().join("looks");
    crate::hostile::write_server(&folder, &format!("{LOOKS}{}", crate::hostile::POLITE));
    home.caisson(&[&["install", &folder.to_string_lossy(), "--name", "looks", "--yes"], args].concat()).ok();
}

fn look(home: &Home, at: &str) -> String {
    home.call_text("looks", "hello", &json!({"at": at}))
}

fn apart_from_the_host(home: &Home) {
    install(home, &[]);
    let namespaces = look(home, "namespaces");
    let inside: Vec<&str> = namespaces.split_whitespace().collect();
    for (kind, inside) in ["ipc", "pid", "uts", "mnt", "net"].iter().zip(&inside) {
        let host = fs::read_link(format!("/proc/self/ns/{kind}")).unwrap();
        assert!(inside.starts_with(kind), "{namespaces}");
        assert_ne!(*inside, host.to_string_lossy(), "it shares a namespace with the host");
    }
    assert_eq!(inside.len(), 5, "{namespaces}");
    sees_nobody(home);
}

/// gVisor numbers its namespaces by itself.
fn apart_under_gvisor(home: &Home) {
    install(home, &["--runtime", "runsc"]);
    sees_nobody(home);
    // Devices of gVisor itself, and none of the host.
    sees_no_device_but(home, &["fuse", "net/tun"]);
}

/// Neither a process of the host, nor its memory, nor its name.
fn sees_nobody(home: &Home) {
    let processes = look(home, "processes");
    let mut processes: Vec<&str> = processes.split_whitespace().collect();
    processes.sort_unstable();
    processes.dedup();
    assert_eq!(processes, ["airlock", "cat", "sh"]);

    let _segment = Segment::make();
    let _file = tempfile::NamedTempFile::new_in("/dev/shm").unwrap();
    assert_eq!(look(home, "segments").trim(), "", "it sees memory of the host");
    assert_eq!(look(home, "hostname").trim(), "caisson");
}

/// System V shared memory of the host, for as long as this lives.
struct Segment(String);

impl Segment {
    fn make() -> Self {
        let made = Command::new("ipcmk").args(["--shmem", "4096"]).output().expect("ipcmk runs");
        let told = String::from_utf8_lossy(&made.stdout);
        Self(told.trim().rsplit(' ').next().expect("it tells an id").to_owned())
    }
}

impl Drop for Segment {
    fn drop(&mut self) {
        drop(Command::new("ipcrm").args(["--shmem-id", &self.0]).output());
    }
}

fn no_devices(home: &Home) {
    install(home, &[]);
    sees_no_device_but(home, &[]);
    assert_eq!(look(home, "nodes").trim(), "", "it made a device");
}

fn sees_no_device_but(home: &Home, own: &[&str]) {
    const HARMLESS: [&str; 7] = ["null", "zero", "full", "random", "urandom", "tty", "pts/ptmx"];
    let devices = look(home, "devices");
    assert!(devices.contains("/dev/null"), "{devices}");
    for device in devices.split_whitespace() {
        let device = device.trim_start_matches("/dev/");
        assert!(HARMLESS.contains(&device) || own.contains(&device), "{device}");
    }
    // gVisor lets a node be made; what counts is that it leads nowhere.
    assert!(!look(home, "nodes").contains("open"));
}

/// The filter stands before both, the airlock and the server; a program that is root's by its set-user-id bit is not.
fn nothing_to_gain(home: &Home) {
    install(home, &[]);
    let status = look(home, "status");
    let meant = "NoNewPrivs: 1 Seccomp: 2";
    assert_eq!(status.trim(), format!("{meant} {meant}"));

    let folder = home.path().join("gains");
    crate::hostile::write_server(&folder, "");
    fs::copy(programs::example(), folder.join("example")).unwrap();
    let dockerfile = fs::read_to_string(folder.join("Dockerfile")).unwrap();
    let (before, _) = dockerfile.rsplit_once("ENTRYPOINT").unwrap();
    let gains =
        "COPY example /example\nRUN [\"/bin/chmod\", \"4755\", \"/example\"]\nENTRYPOINT [\"/example\"]\n";
    fs::write(folder.join("Dockerfile"), format!("{before}{gains}")).unwrap();
    home.caisson(&["install", &folder.to_string_lossy(), "--name", "gains", "--yes"]).ok();
    let image = home.caisson(&["show", "gains", "--json"]).json()["definition"]["image"].clone();
    let mode = [
        "run",
        "--rm",
        "--network",
        "none",
        "--entrypoint",
        "/bin/stat",
        image.as_str().unwrap(),
        "-c",
        "%a",
        "/example",
    ];
    assert_eq!(home.engine_cli(&mode).trim(), "4755");
    let around = home.call("gains", "look_around", &json!({}))["structuredContent"].clone();
    assert_eq!(around["uid"], 65532, "{around}");
}

/// Of the airlock and of the server, as the plan has them: a core dump has no room.
fn limits_of_each_process(home: &Home) {
    install(home, &[]);
    let plan = home.caisson(&["plan", "looks", "--json"]).json();
    let limits = look(home, "limits");
    let limits = limits.split_whitespace().collect::<Vec<_>>().join(" ");
    for ulimit in plan["plan"]["ulimits"].as_array().unwrap_or_else(|| panic!("{plan}")) {
        let name = match ulimit["name"].as_str().unwrap() {
            "core" => "Max core file size",
            "nofile" => "Max open files",
            "nproc" => "Max processes",
            other => panic!("{other} is no limit that is known here"),
        };
        let line = format!("{name} {} {} ", ulimit["soft"], ulimit["hard"]);
        assert_eq!(limits.matches(&line).count(), 2, "{line}in {limits}");
    }
    assert_eq!(plan["plan"]["ulimits"].as_array().map(Vec::len), Some(3), "{plan}");
}

/// One processor unless told otherwise; and who was given a tenth has no more, however busy it is.
fn processor_time(home: &Home) {
    install(home, &[]);
    let quota = look(home, "quota");
    let quota: Vec<f64> = quota.split_whitespace().map(|number| number.parse().expect(&quota)).collect();
    assert_eq!(quota[0] / quota[1], 1.0, "{quota:?}");

    install(home, &["--cpus", "0.1", "--replace"]);
    let began = Instant::now();
    let spent = look(home, "spin");
    let most = began.elapsed().as_secs_f64() * 0.2;
    let seconds = |word: &str| {
        let (minutes, seconds) = word.split_once('m').expect(&spent);
        minutes.parse::<f64>().unwrap() * 60.0 + seconds.trim_end_matches('s').parse::<f64>().unwrap()
    };
    let spent: f64 = spent.split_whitespace().map(seconds).sum();
    assert!(spent > 0.1 && spent < most, "it took {spent} s of processor time, of {most} s at most");
}

/// What an engine cannot limit is said by `doctor`, by the plan and at the install; and nothing else is.
fn limits_hold_or_are_said_not_to(home: &Home) {
    let bombs = r#"
on_call() {
    case $line in
    *memory*) answer=$(head -c 64m /dev/zero | tail -c 64m | wc -c) ;;
    *forks*) i=0; while [ $i -lt 60 ] && (sleep 5 &) 2>/dev/null; do i=$((i+1)); done; answer=$i ;;
    esac
}
"#;
    let folder = home.path().join("bombs");
    crate::hostile::write_server(&folder, &format!("{bombs}{}", crate::hostile::POLITE));
    let limits = ["--memory", "32MiB", "--processes", "24", "--name", "bombs", "--yes"];
    let installed = home.caisson(&[&["install", &folder.to_string_lossy()], &limits[..]].concat());
    assert!(installed.status.success(), "{}", installed.err);
    let plan = home.caisson(&["plan", "bombs", "--json"]).json()["rows"].to_string();
    let doctor = home.caisson(&["doctor"]);
    let doctor = format!("{}{}", doctor.out, doctor.err);
    for (what, how, whole) in [("memory", "memory", "67108864"), ("processes", "forks", "60")] {
        let said = home.caisson(&["call", "bombs", "hello", &json!({"do": how}).to_string()]);
        let holds = said.out.trim() != whole;
        // Tables break lines.
        let tells =
            |text: &str, words: &str| text.split_whitespace().collect::<Vec<_>>().join(" ").contains(words);
        let told =
            if what == "memory" { "cannot limit memory" } else { "cannot limit the number of processes" };
        assert_eq!(
            tells(&installed.err, told),
            !holds,
            "{what}, at the install: {} {}",
            said.out,
            installed.err
        );
        assert_eq!(tells(&plan, told), !holds, "{what}, in the plan: {} {plan}", said.out);
        let line = doctor.lines().find(|line| line.contains("ignores limits"));
        assert_eq!(
            line.is_some_and(|line| line.contains(what)),
            !holds,
            "{what}, by doctor: {} {doctor}",
            said.out
        );
    }
}

/// The engine keeps nothing of what crosses the pipe.
fn no_log(home: &Home) {
    install(home, &[]);
    home.call_text("looks", "hello", &json!({"at": "hostname", "mark": "not-to-be-kept"}));
    let [container] = &home.containers()[..] else { panic!("not one container") };
    let inspected: Value = serde_json::from_str(&home.engine_cli(&["inspect", container])).unwrap();
    assert_eq!(inspected[0]["HostConfig"]["LogConfig"]["Type"], "none", "{}", inspected[0]["HostConfig"]);
    assert_eq!(inspected[0]["LogPath"].as_str().unwrap_or_default(), "");
    let said = home.engine_command(&["logs", container]).output().unwrap();
    assert!(!said.status.success() && said.stdout.is_empty(), "{said:?}");
}
