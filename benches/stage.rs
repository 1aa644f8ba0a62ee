//! What all measures stand on: a Caisson of their own with servers installed, and the same servers' images for everyone
//! else.

use std::{fs, path::PathBuf, process::Command};

use bollard::Docker;
use caisson_tests::{Home, TestEngine, clients::Access, programs};

use crate::Fallible;

/// The label of every container that is not Caisson's. Its value tells runs apart.
pub(crate) const LABEL: &str = "dev.caisson.bench";

/// The name the example is installed under.
pub(crate) const SERVER: &str = "example";
/// The name of a server that answers from memory: behind it, nothing but a bridge takes time.
const BARE: &str = "bare";

/// So many clients share the sessions where they all call at once.
const CLIENTS: usize = 8;

/// A server, installed, and what runs it without Caisson.
pub(crate) struct Installed {
    pub(crate) name: &'static str,
    /// The image, as the engine's command line takes it.
    pub(crate) image: String,
    /// The program in it.
    pub(crate) program: String,
}

/// When it is dropped, everything it made is gone.
pub(crate) struct Stage {
    pub(crate) home: Home,
    /// The engine's name and version.
    pub(crate) engine: String,
    /// The engine's API, without Caisson.
    pub(crate) api: Docker,
    pub(crate) example: Installed,
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
        let engine = format!("{engine:?} {}", version.version.unwrap_or_default());
        let example = Installed::from(&home, "example", SERVER)?;
        Ok(Some(Self { home, engine, api, example }))
    }

    /// Installs the bare server, as users install a folder.
    pub(crate) fn bare(&self) -> Fallible<Installed> {
        let folder = self.home.path().join("folder-of-bare");
        fs::create_dir_all(&folder)?;
        fs::copy(programs::bare(), folder.join(BARE))?;
        fs::write(folder.join("Dockerfile"), "FROM scratch\nCOPY bare /bare\nENTRYPOINT [\"/bare\"]\n")?;
        Installed::from(&self.home, &folder.to_string_lossy(), BARE)
    }

    /// Removes a server, so that no other measure meets it.
    pub(crate) fn remove(&self, server: &Installed) -> Fallible<()> {
        self.caisson(&["remove", server.name, "--yes"]).map(drop)
    }

    /// Runs `caisson` to its end and gives what it printed.
    pub(crate) fn caisson(&self, arguments: &[&str]) -> Fallible<String> {
        caisson(&self.home, arguments)
    }

    /// The bridge's address for a server, and a token.
    pub(crate) fn access(&self, server: &str) -> Fallible<Access> {
        let issued = self.caisson(&["token", "issue", "--server", server, "--ttl", "1h", "--json"])?;
        let issued: serde_json::Value = serde_json::from_str(&issued)?;
        let field = |name: &str| issued[name].as_str().map(str::to_owned).ok_or("no token was issued");
        Ok(Access { url: field("url")?, sse_url: None, token: field("token")? })
    }

    /// The bridge's address for a server, as a few clients have it: one alone may not call as often as many sessions can.
    pub(crate) fn clients(&self, server: &str) -> Fallible<Vec<Access>> {
        (0..CLIENTS).map(|_| self.access(server)).collect()
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

    /// Runs the engine's own command line to its end and gives what it printed.
    pub(crate) fn engine_says(&self, arguments: &[&str]) -> Fallible<String> {
        let output = self.home.engine_command(arguments).output()?;
        if output.status.success() {
            return Ok(String::from_utf8(output.stdout)?);
        }
        let why = String::from_utf8_lossy(&output.stderr).into_owned();
        Err(format!("{}: {why}", arguments.first().copied().unwrap_or_default()).into())
    }

    /// The engine's own way to run a server, on standard input and output.
    pub(crate) fn run(&self, who: &str, server: &Installed) -> Command {
        let label = format!("{LABEL}={}", mark(who));
        let run = ["run", "-i", "--rm", "--network", "none", "--label", &label, "--entrypoint"];
        self.home.engine_command(&[&run[..], &[server.program.as_str(), &server.image]].concat())
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

impl Installed {
    /// Installs a source, without Caisson's usual limit of processors: what the others start has none.
    fn from(home: &Home, source: &str, name: &'static str) -> Fallible<Self> {
        let cpus = std::thread::available_parallelism()?.to_string();
        caisson(home, &["install", source, "--name", name, "--cpus", &cpus, "--yes"])?;
        let shown: serde_json::Value = serde_json::from_str(&caisson(home, &["show", name, "--json"])?)?;
        let text = |value: &serde_json::Value| value.as_str().map(str::to_owned);
        let definition = &shown["definition"];
        let image = text(&definition["image"]).ok_or("an installed server has an image")?;
        let program = text(&definition["command"][0]).ok_or("an installed server has a command")?;
        Ok(Self { name, image: image.trim_start_matches("sha256:").to_owned(), program })
    }
}

fn caisson(home: &Home, arguments: &[&str]) -> Fallible<String> {
    let said = home.caisson(arguments);
    if said.status.success() {
        Ok(said.out)
    } else {
        Err(format!("caisson {}: {}{}", arguments.join(" "), said.out, said.err).into())
    }
}

/// Tells what somebody has made in this run from all else.
pub(crate) fn mark(who: &str) -> String {
    format!("{}-{}", std::process::id(), who.replace(' ', "-"))
}
