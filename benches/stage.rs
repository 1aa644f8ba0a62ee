//! What all measures stand on: a Caisson of their own with the example server installed, and the same server's
//! image for everyone else.

use std::{fs, path::PathBuf, process::Command};

use bollard::Docker;
use caisson_tests::{Home, TestEngine, clients::Access};

use crate::Fallible;

/// The label of every container that is not Caisson's. Its value tells runs apart.
pub(crate) const LABEL: &str = "dev.caisson.bench";

/// The name the example is installed under.
pub(crate) const SERVER: &str = "example";

/// When it is dropped, everything it made is gone.
pub(crate) struct Stage {
    pub(crate) home: Home,
    /// The engine's name and version.
    pub(crate) engine: String,
    /// The engine's API, without Caisson.
    pub(crate) api: Docker,
    /// The server's image, as the engine's command line takes it.
    pub(crate) image: String,
    /// The program in it.
    pub(crate) program: String,
}

impl Stage {
    /// Installs the example; none where that engine does not run.
    pub(crate) async fn set(engine: TestEngine) -> Fallible<Option<Self>> {
        let Some(home) = Home::new(engine) else { return Ok(None) };
        let socket = home.socket().to_string_lossy().into_owned();
        let api = Docker::connect_with_unix(&socket, 120, bollard::API_DEFAULT_VERSION)?
            .negotiate_version()
            .await?;
        let version = api.version().await?;
        let mut stage = Self {
            home,
            engine: format!("{engine:?} {}", version.version.unwrap_or_default()),
            api,
            image: String::new(),
            program: String::new(),
        };
        // What the others start has no limit.
        let cpus = std::thread::available_parallelism()?.to_string();
        stage.caisson(&["install", "example", "--name", SERVER, "--cpus", &cpus, "--yes"])?;
        let shown: serde_json::Value = serde_json::from_str(&stage.caisson(&["show", SERVER, "--json"])?)?;
        let text = |value: &serde_json::Value| value.as_str().map(str::to_owned);
        let definition = &shown["definition"];
        let image = text(&definition["image"]).ok_or("an installed server has an image")?;
        stage.image = image.trim_start_matches("sha256:").to_owned();
        stage.program = text(&definition["command"][0]).ok_or("an installed server has a command")?;
        Ok(Some(stage))
    }

    /// Runs `caisson` to its end and gives what it printed.
    pub(crate) fn caisson(&self, arguments: &[&str]) -> Fallible<String> {
        let said = self.home.caisson(arguments);
        if said.status.success() {
            Ok(said.out)
        } else {
            Err(format!("caisson {}: {}{}", arguments.join(" "), said.out, said.err).into())
        }
    }

    /// The bridge's address for a server, and a token.
    pub(crate) fn access(&self, server: &str) -> Fallible<Access> {
        let issued = self.caisson(&["token", "issue", "--server", server, "--ttl", "1h", "--json"])?;
        let issued: serde_json::Value = serde_json::from_str(&issued)?;
        let field = |name: &str| issued[name].as_str().map(str::to_owned).ok_or("no token was issued");
        Ok(Access { url: field("url")?, sse_url: None, token: field("token")? })
    }

    /// Starts the server, so that sessions find it running.
    pub(crate) fn start(&self, server: &str) -> Fallible<()> {
        self.caisson(&["start", server]).map(drop)
    }

    /// Stops the server: no container of it is left.
    pub(crate) fn stop(&self, server: &str) -> Fallible<()> {
        self.caisson(&["stop", server]).map(drop)
    }

    /// Makes it so that `count` servers are installed: the example, and copies of its file.
    pub(crate) fn install(&self, count: usize) -> Fallible<Vec<String>> {
        let folder = self.home.path().join("config/servers");
        let file = |name: &str| -> PathBuf { folder.join(format!("{name}.toml")) };
        let definition = fs::read_to_string(file(SERVER))?;
        let copies = (2..=count).map(|number| format!("{SERVER}-{number}"));
        let names: Vec<String> = std::iter::once(SERVER.to_owned()).chain(copies).collect();
        for name in names.iter().skip(1).filter(|name| !file(name).exists()) {
            fs::write(file(name), &definition)?;
        }
        // A measure before may have had more.
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
            if stem.starts_with(SERVER) && !names.contains(&stem) {
                fs::remove_file(path)?;
            }
        }
        // A daemon that starts has read them all.
        self.caisson(&["daemon", "--stop"])?;
        let listed: serde_json::Value = serde_json::from_str(&self.caisson(&["list", "--json"])?)?;
        let found = listed["servers"].as_array().map_or(0, Vec::len);
        if found == count {
            Ok(names)
        } else {
            Err(format!("{count} servers were installed and {found} are listed").into())
        }
    }

    /// The daemon's process id.
    pub(crate) fn daemon(&self) -> Fallible<u32> {
        let status: serde_json::Value =
            serde_json::from_str(&self.caisson(&["daemon", "--status", "--json"])?)?;
        Ok(u32::try_from(status["pid"].as_u64().ok_or("a status has a process id")?)?)
    }

    /// The engine's own way to run the server, on standard input and output.
    pub(crate) fn run(&self, who: &str) -> Command {
        let label = format!("{LABEL}={}", mark(who));
        let image = self.image.as_str();
        let run = ["run", "-i", "--rm", "--network", "none", "--label", &label, "--entrypoint"];
        self.home.engine_command(&[&run[..], &[self.program.as_str(), image]].concat())
    }

    /// The containers that somebody's [`Stage::run`] has made.
    pub(crate) fn containers(&self, who: &str) -> Fallible<Vec<String>> {
        let label = format!("label={LABEL}={}", mark(who));
        let mut list = self.home.engine_command(&["ps", "--all", "--quiet", "--filter", &label]);
        let output = list.output()?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
        }
        Ok(String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect())
    }

    /// Removes them, and says how many there were.
    pub(crate) fn sweep(&self, who: &str) -> Fallible<usize> {
        let left = self.containers(who)?;
        if !left.is_empty() {
            let ids = left.iter().map(String::as_str);
            let remove: Vec<&str> = ["rm", "--force"].into_iter().chain(ids).collect();
            self.home.engine_command(&remove).output()?;
        }
        Ok(left.len())
    }
}

/// Tells what somebody has made in this run from all else.
pub(crate) fn mark(who: &str) -> String {
    format!("{}-{}", std::process::id(), who.replace(' ', "-"))
}
