//! The environment, read in this one place.

use std::{env, ffi::OsString, path::PathBuf};

use caisson_core::{
    clients::ClientPlaces,
    engine::EngineEnv,
    host::{Environment, Paths, System},
};

use crate::{exit, failure::Failure};

/// What the environment says about where things are.
pub(crate) fn environment() -> Environment {
    #[expect(clippy::disallowed_methods, reason = "a program's edge finds the home folder")]
    let home = env::home_dir();
    Environment {
        system: System::THIS,
        variables: Environment::VARIABLES
            .into_iter()
            .filter_map(|name| Some((name.to_owned(), variable(name)?)))
            .collect(),
        home,
        program: env::current_exe().ok(),
    }
}

/// Where everything is.
pub(crate) fn paths() -> Result<Paths, Failure> {
    let paths = Paths::find(&environment()).and_then(|paths| paths.check().map(|()| paths));
    paths.map_err(|error| {
        Failure::usage("Caisson cannot tell where to keep its files")
            .why(error.to_string())
            .fix("set CAISSON_HOME to a folder with a short, absolute path")
    })
}

/// Where clients keep their files.
pub(crate) fn clients() -> Result<ClientPlaces, Failure> {
    environment().clients().map_err(|error| {
        Failure::usage("Caisson cannot tell where clients keep their files").why(error.to_string())
    })
}

/// This program's own file.
pub(crate) fn program() -> Result<PathBuf, Failure> {
    env::current_exe().map_err(|error| {
        Failure::new(exit::FAILURE, "Caisson cannot tell where its own program is").why(error.to_string())
    })
}

/// What engines are told by.
pub(crate) fn engine_env(paths: &Paths) -> EngineEnv {
    let text = |name| variable(name).and_then(|value| value.into_string().ok());
    EngineEnv {
        docker_host: text("DOCKER_HOST"),
        container_host: text("CONTAINER_HOST"),
        runtime_dir: variable("XDG_RUNTIME_DIR").map(Into::into),
        home: paths.home.clone(),
        uid: user().0,
        gid: user().1,
    }
}

/// The user and group Caisson runs as.
#[cfg(unix)]
pub(crate) fn user() -> (u32, u32) {
    (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw())
}

/// Windows knows no such numbers; containers run in a virtual machine there.
#[cfg(not(unix))]
pub(crate) fn user() -> (u32, u32) {
    (1000, 1000)
}

/// Whether colour is wanted at all (no-color.org).
pub(crate) fn color_wanted() -> bool {
    variable("NO_COLOR").is_none() && variable("TERM").is_none_or(|term| term != "dumb")
}

/// What the daemon writes to its log: `CAISSON_LOG`, in tracing's filter syntax.
pub(crate) fn log_filter() -> String {
    variable("CAISSON_LOG").and_then(|filter| filter.into_string().ok()).unwrap_or_else(|| "info".into())
}

/// An empty variable is one that is not set.
fn variable(name: &str) -> Option<OsString> {
    env::var_os(name).filter(|value| !value.is_empty())
}
