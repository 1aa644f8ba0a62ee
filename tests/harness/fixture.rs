//! Our fixture server: as a program of this machine, and installed into a home as users install a folder.

use std::{
    fs,
    net::TcpStream,
    os::unix::fs::PermissionsExt,
    process::{Command, Stdio},
    time::Duration,
};

use crate::{
    Home,
    desktop::Running,
    home::{eventually, free_port},
    images, programs,
};

/// The port it listens on inside its container, where it has all of them for itself.
const PORT_INSIDE: u16 = 8080;

/// Which versions of the protocol the server speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Era {
    /// Up to 2025-11-25.
    Legacy,
    /// 2026-07-28.
    Modern,
    /// All of them.
    Both,
}

impl Era {
    fn name(self) -> &'static str {
        match self {
            Self::Legacy => "legacy",
            Self::Modern => "modern",
            Self::Both => "both",
        }
    }
}

/// What the server speaks on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    /// Standard input and output.
    Stdio,
    /// Streamable HTTP, on a port inside the container.
    Http,
}

/// Installs the fixture server under `name`.
#[track_caller]
pub fn install(home: &Home, name: &str, over: Over, era: Era) {
    let folder = home.path().join(format!("folder-of-{name}"));
    fs::create_dir_all(&folder).expect("room for a folder");
    let program = folder.join("fixture");
    fs::copy(programs::fixture(), &program).expect("the fixture can be copied");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("our own file");
    images::write_dockerfile(&folder, "COPY fixture /fixture\nENTRYPOINT [\"/fixture\"]\n");

    let folder = folder.to_string_lossy();
    let http = format!("{PORT_INSIDE}/mcp");
    let port = PORT_INSIDE.to_string();
    let mut args = vec!["install", &folder, "--name", name, "--yes"];
    if over == Over::Http {
        args.extend(["--http", &http]);
    }
    args.push("--");
    match over {
        Over::Stdio => args.push("stdio"),
        Over::Http => args.extend(["http", &port]),
    }
    args.extend(["--era", era.name()]);
    home.caisson(&args).ok();
}

/// The fixture server as a program of this machine, over HTTP, for as long as this lives.
#[derive(Debug)]
pub struct Direct {
    /// Where it listens.
    pub url: String,
    _running: Running,
}

impl Direct {
    /// Starts it, and waits until it listens.
    #[track_caller]
    pub fn start(era: Era) -> Self {
        let port = free_port();
        let mut command = Command::new(programs::fixture());
        command.args(["http", &port.to_string(), "--era", era.name()]).stdout(Stdio::null());
        let running = Running::start(command);
        eventually(Duration::from_secs(10), "the fixture listens", || {
            TcpStream::connect(("127.0.0.1", port)).is_ok()
        });
        Self { url: format!("http://127.0.0.1:{port}/mcp"), _running: running }
    }
}
