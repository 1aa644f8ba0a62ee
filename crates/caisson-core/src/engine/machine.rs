//! The machine Caisson itself runs on, as far as it bears on an engine.

/// The kind of system Caisson runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Os {
    Linux,
    Mac,
    Windows,
}

/// What of this machine bears on an engine that runs on it too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Machine {
    pub(super) os: Os,
    /// The kernel's release. An engine that names the same one is taken to share it.
    pub(super) kernel: String,
    /// Cgroups of both versions are mounted: `crun` refuses to run on such a machine.
    pub(super) hybrid_cgroups: bool,
    /// This process's hard limit for open files, if it has one.
    pub(super) max_files: Option<u64>,
    /// This process's hard limit for processes, if it has one.
    pub(super) max_processes: Option<u64>,
}

impl Machine {
    /// The machine this process runs on.
    #[cfg(unix)]
    pub(super) fn this() -> Self {
        use rustix::process::{Resource, getrlimit};
        Self {
            os: if cfg!(target_os = "macos") { Os::Mac } else { Os::Linux },
            kernel: rustix::system::uname().release().to_string_lossy().into_owned(),
            hybrid_cgroups: std::path::Path::new("/sys/fs/cgroup/unified/cgroup.procs").exists(),
            max_files: getrlimit(Resource::Nofile).maximum,
            max_processes: getrlimit(Resource::Nproc).maximum,
        }
    }

    /// The machine this process runs on.
    #[cfg(not(unix))]
    pub(super) fn this() -> Self {
        Self {
            os: Os::Windows,
            kernel: String::new(),
            hybrid_cgroups: false,
            max_files: None,
            max_processes: None,
        }
    }
}
