//! An internet of a test's own (tests/internet): a network namespace in which the home's daemon lives, with web servers
//! and a PostgreSQL at addresses that seem public or private. Names come from a hosts file.

use std::{
    fs,
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use crate::{Home, home::eventually, programs};

/// The image of unmodified clients.
pub const CLIENTS: &str = "localhost/caisson-test/clients:latest";
/// Addresses of the internet, beside loopback.
const ADDRESSES: [&str; 4] = ["203.0.113.10", "203.0.113.20", "10.9.8.7", "169.254.169.254"];
/// A user that PostgreSQL may run as: it refuses root.
const NOBODY: &str = "65534";

/// The internet, and the daemon in it. Ends when dropped.
#[derive(Debug)]
pub struct Internet {
    folder: PathBuf,
    running: Vec<Child>,
}

impl Internet {
    /// Starts the home's daemon in an internet of its own, with the clients' image on its engine.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn around(home: &Home) -> Self {
        let made = made();
        let folder = home.path().join("internet");
        fs::create_dir_all(&folder).expect("a folder");
        let mut settings = fs::read_to_string(home.path().join("config/settings.toml")).expect("settings");
        settings.push_str(&format!("ca_bundle = {:?}\n", made.join("ca.pem")));
        fs::write(home.path().join("config/settings.toml"), settings).expect("settings");
        bring_clients(home);
        let mut internet = Self { folder, running: Vec::new() };
        internet.start_daemon(home);
        internet.start_web(&made);
        internet.start_postgres(&made);
        internet
    }

    /// What the web servers heard, a line each.
    pub fn heard(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    fn start_daemon(&mut self, home: &Home) {
        let names = programs::repository().join("tests/internet/names");
        let add: String =
            ADDRESSES.iter().map(|address| format!("ip addr add {address}/32 dev lo; ")).collect();
        let script =
            format!("set -e; ip link set lo up; {add} mount --bind \"$1\" /etc/hosts; shift; exec \"$@\"");
        let daemon = programs::caisson().display().to_string();
        let names = names.display().to_string();
        let args = ["--net", "--mount", "sh", "-c", &script, "sh", &names, &daemon, "daemon"];
        let log = fs::File::create(self.folder.join("daemon.log")).expect("a log");
        let mut command = home.command_of(Path::new("unshare"), &args);
        command.stdout(log.try_clone().expect("a log")).stderr(log);
        self.running.push(command.spawn().expect("unshare runs"));
        let socket = home.path().join("run/control.sock");
        eventually(Duration::from_secs(20), "the daemon answers", || UnixStream::connect(&socket).is_ok());
    }

    fn start_web(&mut self, made: &Path) {
        let script = programs::repository().join("tests/internet/internet.py");
        let web = ["web", "web.pem", "web.key"].map(|name| made.join(name).display().to_string());
        let log = self.folder.join("log").display().to_string();
        let script = script.display().to_string();
        let mut args = vec!["python3", &script];
        args.extend(web.iter().map(String::as_str));
        args.push(&log);
        let command = self.inside(&args);
        self.spawn(command);
        eventually(Duration::from_secs(20), "the web is ready", || self.heard().contains("ready"));
    }

    fn start_postgres(&mut self, made: &Path) {
        // Copied, since nobody may not look into the folder this repository stands in.
        let (server, data) = (self.folder.join("postgres"), self.folder.join("data"));
        let from = fs::canonicalize(made.join("postgres")).expect("PostgreSQL is there");
        run(Command::new("cp").args(["-a", "--no-preserve=ownership"]).arg(from).arg(&server));
        fs::create_dir(&data).expect("a folder");
        run(Command::new("chown").args(["-R", NOBODY]).args([&server, &data]));
        for folder in self.folder.ancestors().take(2) {
            run(Command::new("chmod").arg("a+x").arg(folder));
        }
        let as_nobody = ["setpriv", "--reuid", NOBODY, "--regid", NOBODY, "--clear-groups"];
        let bin = |name: &str| server.join("bin").join(name).display().to_string();
        let at = data.display().to_string();
        let init = bin("initdb");
        let mut args = as_nobody.to_vec();
        args.extend([&init, "-D", &at, "-U", "postgres", "--auth=trust", "--no-sync", "--locale=C"]);
        run(&mut self.inside(&args));
        let access = data.join("pg_hba.conf");
        let mut rules = fs::read_to_string(&access).expect("rules of access");
        rules.push_str("host all all 10.9.8.7/32 trust\n");
        fs::write(&access, rules).expect("rules of access");
        let start = bin("postgres");
        let mut args = as_nobody.to_vec();
        args.extend([&start, "-D", &at, "-c", "listen_addresses=10.9.8.7", "-c", "unix_socket_directories="]);
        let mut command = self.inside(&args);
        let log = fs::File::create(self.folder.join("postgres.log")).expect("a log");
        command.stderr(log);
        self.spawn(command);
        let ready = || {
            fs::read_to_string(self.folder.join("postgres.log"))
                .is_ok_and(|log| log.contains("ready to accept"))
        };
        eventually(Duration::from_secs(30), "PostgreSQL is ready", ready);
    }

    /// A command that runs in this internet.
    fn inside(&self, args: &[&str]) -> Command {
        let daemon = self.running[0].id();
        let mut command = Command::new("nsenter");
        command.arg(format!("--net=/proc/{daemon}/ns/net")).args(args);
        command.current_dir("/").stdin(Stdio::null()).stdout(Stdio::null());
        command
    }

    fn spawn(&mut self, mut command: Command) {
        self.running.push(command.spawn().expect("nsenter runs"));
    }
}

impl Drop for Internet {
    fn drop(&mut self) {
        // The daemon is asked to end by its home; what is left is ended here.
        for mut child in self.running.drain(..).rev() {
            drop(child.kill());
            drop(child.wait());
        }
    }
}

/// What `scripts/internet` has made.
/// Brings the clients' image to the home's engine.
///
/// # Panics
/// When it was not made.
pub fn bring_clients(home: &Home) {
    if !home.engine_cli(&["images", "--format", "{{.Repository}}:{{.Tag}}"]).contains(CLIENTS) {
        home.engine_cli(&["import", &made().join("clients.tar").display().to_string(), CLIENTS]);
    }
}

fn made() -> PathBuf {
    let made = programs::repository().join(".setup/internet");
    assert!(made.join("ready").exists(), "`scripts/setup test` makes the internet of the tests");
    made
}

fn run(command: &mut Command) {
    let ran = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(ran.status.success(), "{command:?}: {}", String::from_utf8_lossy(&ran.stderr));
}
