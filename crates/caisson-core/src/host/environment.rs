use std::{
    collections::BTreeMap,
    ffi::OsString,
    path::{Path, PathBuf},
};

use super::{Paths, PathsError};
use crate::clients::{ClientPlaces, Os};

/// What a program's edge found out about its surroundings; [`Paths::find`] turns it into paths. Pure.
#[derive(Clone, Debug)]
pub struct Environment {
    /// The operating system.
    pub system: System,
    /// Environment variables that matter ([`Self::VARIABLES`]), those that are set and not empty.
    pub variables: BTreeMap<String, OsString>,
    /// The user's home folder.
    pub home: Option<PathBuf>,
    /// The running program's file.
    pub program: Option<PathBuf>,
}

/// An operating system, as far as paths go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum System {
    /// Linux and other systems that follow the XDG base directory specification.
    Xdg,
    /// macOS.
    MacOs,
    /// Windows.
    Windows,
}

impl System {
    /// The system this program was built for.
    pub const THIS: Self = if cfg!(windows) {
        Self::Windows
    } else if cfg!(target_os = "macos") {
        Self::MacOs
    } else {
        Self::Xdg
    };
}

impl Environment {
    /// The variables to hand in.
    pub const VARIABLES: [&str; 7] = [
        "CAISSON_HOME",
        "CAISSON_ARTIFACTS",
        "SSL_CERT_FILE",
        "XDG_CONFIG_HOME",
        "XDG_DATA_HOME",
        "APPDATA",
        "LOCALAPPDATA",
    ];

    /// Where clients keep their files.
    ///
    /// # Errors
    /// When the user has no home folder.
    pub fn clients(&self) -> Result<ClientPlaces, PathsError> {
        let home = self.home.clone().filter(|home| home.is_absolute()).ok_or(PathsError::NoHome)?;
        let (os, config) = match self.system {
            System::Xdg => (Os::Linux, self.path("XDG_CONFIG_HOME").unwrap_or_else(|| home.join(".config"))),
            System::MacOs => (Os::MacOs, home.join("Library").join("Application Support")),
            System::Windows => {
                let roaming = || home.join("AppData").join("Roaming");
                (Os::Windows, self.path("APPDATA").unwrap_or_else(roaming))
            }
        };
        let local = (os == Os::Windows)
            .then(|| self.path("LOCALAPPDATA").unwrap_or_else(|| home.join("AppData").join("Local")));
        Ok(ClientPlaces { os, home, config, local })
    }

    fn path(&self, variable: &str) -> Option<PathBuf> {
        // The XDG specification: a relative path in such a variable is ignored.
        self.variables.get(variable).map(PathBuf::from).filter(|path| path.is_absolute())
    }
}

impl Paths {
    /// Finds out where everything is: under `CAISSON_HOME` when that is set, else where the system wants it.
    ///
    /// The socket never lies in `XDG_RUNTIME_DIR`: clients start the shim without that variable, and it would
    /// look for the daemon elsewhere.
    ///
    /// # Errors
    /// When the user has no home folder, or `CAISSON_HOME` is relative.
    pub fn find(environment: &Environment) -> Result<Self, PathsError> {
        let home = environment.home.clone().filter(|home| home.is_absolute());
        let artifacts = artifacts(environment);
        let mut paths = if let Some(root) = environment.variables.get("CAISSON_HOME").map(PathBuf::from) {
            if !root.is_absolute() {
                return Err(PathsError::Relative(root));
            }
            let home = home.unwrap_or_else(|| root.clone());
            Self::under(&root, artifacts, home)
        } else {
            let home = home.ok_or(PathsError::NoHome)?;
            let (config, data) = match environment.system {
                System::Xdg => (
                    environment
                        .path("XDG_CONFIG_HOME")
                        .unwrap_or_else(|| home.join(".config"))
                        .join("caisson"),
                    environment
                        .path("XDG_DATA_HOME")
                        .unwrap_or_else(|| home.join(".local").join("share"))
                        .join("caisson"),
                ),
                System::MacOs => {
                    let root = home.join("Library").join("Application Support").join("Caisson");
                    (root.join("config"), root.join("data"))
                }
                System::Windows => (
                    environment
                        .path("APPDATA")
                        .unwrap_or_else(|| home.join("AppData").join("Roaming"))
                        .join("Caisson"),
                    environment
                        .path("LOCALAPPDATA")
                        .unwrap_or_else(|| home.join("AppData").join("Local"))
                        .join("Caisson"),
                ),
            };
            let socket = data.join("run").join("control.sock");
            Self {
                config,
                data,
                socket,
                artifacts,
                home,
                authorities: Vec::new(),
                variables: BTreeMap::new(),
            }
        };
        paths.authorities = authorities(environment);
        let has_home = environment.variables.contains_key("CAISSON_HOME");
        let led = |name: &str| match name {
            "CAISSON_HOME" | "CAISSON_ARTIFACTS" => true,
            "XDG_CONFIG_HOME" | "XDG_DATA_HOME" => !has_home && environment.system == System::Xdg,
            _ => false,
        };
        paths.variables = environment
            .variables
            .iter()
            .filter(|(name, _)| led(name))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        Ok(paths)
    }
}

/// `SSL_CERT_FILE`, else the bundles of Debian, Fedora, Alpine and macOS.
fn authorities(environment: &Environment) -> Vec<PathBuf> {
    let usual =
        ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];
    environment.path("SSL_CERT_FILE").into_iter().chain(usual.map(PathBuf::from)).collect()
}

/// `CAISSON_ARTIFACTS`, else the folder of the program, or `../lib/caisson` from there, whichever holds them.
fn artifacts(environment: &Environment) -> PathBuf {
    if let Some(folder) = environment.path("CAISSON_ARTIFACTS") {
        return folder;
    }
    let beside =
        environment.program.as_deref().and_then(Path::parent).map(Path::to_owned).unwrap_or_default();
    let library = beside.parent().map(|prefix| prefix.join("lib").join("caisson"));
    let holds = |folder: &PathBuf| {
        ["amd64", "arm64"].iter().any(|arch| folder.join(format!("airlock-linux-{arch}")).is_file())
    };
    match library {
        Some(library) if !holds(&beside) && holds(&library) => library,
        _ => beside,
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;

    fn environment(system: System, variables: &[(&str, &str)]) -> Environment {
        Environment {
            system,
            variables: variables.iter().map(|(name, value)| ((*name).into(), value.into())).collect(),
            home: Some("/home/u".into()),
            program: Some("/opt/bin/caisson".into()),
        }
    }

    #[test]
    fn each_system_has_its_places_and_caisson_home_goes_before_them() {
        for (system, variables, config, data) in [
            (System::Xdg, &[][..], "/home/u/.config/caisson", "/home/u/.local/share/caisson"),
            (
                System::Xdg,
                &[("XDG_CONFIG_HOME", "/c"), ("XDG_DATA_HOME", "d")],
                "/c/caisson",
                "/home/u/.local/share/caisson",
            ),
            (
                System::MacOs,
                &[],
                "/home/u/Library/Application Support/Caisson/config",
                "/home/u/Library/Application Support/Caisson/data",
            ),
            (
                System::Windows,
                &[("APPDATA", "/roaming")],
                "/roaming/Caisson",
                "/home/u/AppData/Local/Caisson",
            ),
            (System::Xdg, &[("CAISSON_HOME", "/x"), ("XDG_CONFIG_HOME", "/c")], "/x/config", "/x/data"),
        ] {
            let paths = Paths::find(&environment(system, variables)).unwrap();
            assert_eq!((paths.config, paths.data), (config.into(), data.into()));
            assert_eq!(paths.artifacts, Path::new("/opt/bin"));
        }
        let relative = environment(System::Xdg, &[("CAISSON_HOME", "x")]);
        assert!(matches!(Paths::find(&relative), Err(PathsError::Relative(_))));
        let homeless = Environment { home: None, ..environment(System::Xdg, &[]) };
        assert_eq!(Paths::find(&homeless), Err(PathsError::NoHome));
    }

    #[test]
    fn what_led_to_the_paths_is_handed_on_and_nothing_else() {
        let all = [
            ("CAISSON_ARTIFACTS", "/a"),
            ("CAISSON_HOME", "/x"),
            ("SSL_CERT_FILE", "/c.pem"),
            ("XDG_DATA_HOME", "/d"),
        ];
        let led = |system, variables| {
            let paths = Paths::find(&environment(system, variables)).unwrap();
            paths.variables.into_keys().collect::<Vec<_>>()
        };
        assert_eq!(led(System::Xdg, &all), ["CAISSON_ARTIFACTS", "CAISSON_HOME"]);
        assert_eq!(led(System::Xdg, &all[2..]), ["XDG_DATA_HOME"]);
        assert_eq!(led(System::MacOs, &all[2..]), [""; 0]);
    }

    #[test]
    fn artifacts_lie_beside_the_program_or_in_its_library() {
        let root = tempfile::tempdir().unwrap();
        let (bin, library) = (root.path().join("bin"), root.path().join("lib/caisson"));
        std::fs::create_dir_all(&bin).unwrap();
        std::fs::create_dir_all(&library).unwrap();
        let find = || {
            let program = Some(bin.join("caisson"));
            Paths::find(&Environment { program, ..environment(System::Xdg, &[]) }).unwrap().artifacts
        };
        assert_eq!(find(), bin);
        std::fs::File::create(library.join("airlock-linux-arm64")).unwrap();
        assert_eq!(find(), library);
        std::fs::File::create(bin.join("airlock-linux-amd64")).unwrap();
        assert_eq!(find(), bin);
    }
}
