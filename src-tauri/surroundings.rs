//! The command line and the environment, read in this one place.

use std::{
    collections::BTreeMap,
    env,
    ffi::OsString,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    io,
    path::PathBuf,
};

use caisson_core::{
    engine::EngineEnv,
    host::{Environment, Paths, PathsError, Setup, System},
    sandbox::UserIds,
};
use jiff::tz::TimeZone;

/// How to start it.
const USAGE: &str =
    "usage: caisson-desktop [--hidden]\n\n  --hidden  stay in the tray until the window is asked for";

/// What the application was started with.
#[derive(Clone, Debug)]
pub(crate) struct Surroundings {
    /// What it takes to own the servers.
    pub(crate) setup: Setup,
    /// Whether the window waits until it is asked for, as when the application starts with the session.
    pub(crate) hidden: bool,
    /// What is written to the log, in tracing's filter syntax.
    pub(crate) log: String,
}

impl Surroundings {
    /// What this application is called on the session's bus: one for each folder of state.
    pub(crate) fn instance_id(&self) -> String {
        let mut hasher = DefaultHasher::new();
        self.setup.paths.data.hash(&mut hasher);
        format!("dev.caisson.desktop.state-{:016x}", hasher.finish())
    }

    /// A folder of this user's own, for the tray's icons.
    pub(crate) fn icons(&self) -> PathBuf {
        self.setup.paths.data.join("tray")
    }
}

/// Why the application cannot start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
    /// An argument is not known.
    #[error("unknown argument {}\n{USAGE}", .0.to_string_lossy().escape_debug())]
    Argument(OsString),
    /// Nowhere to keep files.
    #[error(
        "Caisson cannot tell where to keep its files: {0}\nSet CAISSON_HOME to a folder with a short, absolute path"
    )]
    Paths(#[from] PathsError),
    /// Nothing to show a tray on.
    #[error("there is no display. Without one, run `caisson daemon`")]
    NoDisplay,
    /// It cannot tell where its own program is.
    #[error("Caisson cannot tell where its own program is: {0}")]
    Program(#[from] io::Error),
    /// The desktop refused.
    #[error("the desktop application cannot start: {0}")]
    Desktop(#[from] tauri::Error),
}

/// Reads the command line and the environment.
///
/// # Errors
/// When either makes no sense, or there is no display.
pub(crate) fn read() -> Result<Surroundings, StartError> {
    let hidden = hidden(env::args_os().skip(1))?;
    if cfg!(target_os = "linux") && variable("DISPLAY").or_else(|| variable("WAYLAND_DISPLAY")).is_none() {
        return Err(StartError::NoDisplay);
    }
    let environment = environment();
    let paths = Paths::find(&environment)?;
    paths.check()?;
    let text = |name| variable(name).and_then(|value| value.into_string().ok());
    let user = user();
    let engine = EngineEnv {
        docker_host: text("DOCKER_HOST"),
        container_host: text("CONTAINER_HOST"),
        runtime_dir: variable("XDG_RUNTIME_DIR").map(Into::into),
        home: paths.home.clone(),
        uid: user.uid,
        gid: user.gid,
    };
    // The command line lies beside this program; clients that read no URLs start it.
    let program = env::current_exe()?.with_file_name("caisson").with_extension(env::consts::EXE_EXTENSION);
    let clients = environment.clients()?;
    let setup =
        Setup { paths, engine, user, role: "desktop".into(), program, clients, zone: TimeZone::system() };
    Ok(Surroundings { setup, hidden, log: text("CAISSON_LOG").unwrap_or_else(|| "info".into()) })
}

/// Whether the arguments of a start, this one or a second one, ask for no window.
///
/// # Errors
/// When one of them is not known.
pub(crate) fn hidden(arguments: impl IntoIterator<Item = OsString>) -> Result<bool, StartError> {
    let mut hidden = false;
    for argument in arguments {
        match argument.to_str() {
            Some("--hidden") => hidden = true,
            Some(_) | None => return Err(StartError::Argument(argument)),
        }
    }
    Ok(hidden)
}

fn environment() -> Environment {
    #[expect(clippy::disallowed_methods, reason = "a program's edge finds the home folder")]
    let home = env::home_dir();
    let variables: BTreeMap<_, _> = Environment::VARIABLES
        .into_iter()
        .filter_map(|name| Some((name.to_owned(), variable(name)?)))
        .collect();
    Environment { system: System::THIS, variables, home, program: env::current_exe().ok() }
}

/// The user and group Caisson runs as.
#[cfg(unix)]
fn user() -> UserIds {
    UserIds { uid: rustix::process::geteuid().as_raw(), gid: rustix::process::getegid().as_raw() }
}

/// Windows knows no such numbers; containers run in a virtual machine there.
#[cfg(not(unix))]
fn user() -> UserIds {
    UserIds { uid: 1000, gid: 1000 }
}

/// An empty variable is one that is not set.
fn variable(name: &str) -> Option<OsString> {
    env::var_os(name).filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments() {
        let read = |arguments: &[&str]| hidden(arguments.iter().map(OsString::from)).ok();
        assert_eq!(read(&[]), Some(false));
        assert_eq!(read(&["--hidden"]), Some(true));
        assert_eq!(read(&["--hide"]), None);
    }
}
