use std::path::PathBuf;

use crate::{
    engine::EngineError,
    sandbox::{AuthoritiesError, PlanError, SandboxError},
};

/// Why a source could not be installed: what happened, why, what to do.
///
/// Text that came from a registry or a package is escaped: it may hold terminal escapes.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// The registry does not know the package.
    #[error("{registry} has no package named {package}. Check how it is spelled")]
    NoSuchPackage {
        /// The registry's host.
        registry: String,
        /// The package, or one that it needs.
        package: String,
    },
    /// The registry knows the package, not the version.
    #[error("{registry} has no version {version} of {package}{}", offered(.available))]
    NoSuchVersion {
        /// The registry's host.
        registry: String,
        /// The package, or one that it needs.
        package: String,
        /// What was asked for.
        version: String,
        /// Versions there are, oldest first; empty where that is not known.
        available: Vec<String>,
    },
    /// The registry did not answer.
    #[error(
        "{host} cannot be reached: {reason}. Check the network, and npm_registry or pypi_index in settings.toml"
    )]
    Unreachable {
        /// The host.
        host: String,
        /// What the package manager said.
        reason: String,
    },
    /// The registry's certificate is signed by nobody known.
    #[error(
        "the certificate of {host} is not trusted: {reason}. If your company inspects traffic, \
         set ca_bundle in settings.toml to its certificate authority"
    )]
    Certificate {
        /// The host.
        host: String,
        /// What the package manager said.
        reason: String,
    },
    /// The registry wants a login, or refuses.
    #[error("{host} refused: {reason}")]
    Refused {
        /// The host.
        host: String,
        /// What the package manager said.
        reason: String,
    },
    /// The package is made for another system, processor or runtime.
    #[error("{package} does not run here: {reason}")]
    WrongPlatform {
        /// The package.
        package: String,
        /// What it wants.
        reason: String,
    },
    /// Only source code is published, and building it runs code of the package.
    #[error(
        "{package} is published as source code only, and building it would run its code during the install. \
         If you trust it, install again with --allow-scripts"
    )]
    NeedsScripts {
        /// The package, or one that it needs.
        package: String,
    },
    /// No room was left.
    #[error(
        "the disk is full, so {what} could not be installed. Free some space (the engine's images, for one) and try again"
    )]
    DiskFull {
        /// What was being installed.
        what: String,
    },
    /// The package brings no program, or several.
    #[error("{package} {}", choice(.asked.as_deref(), .programs))]
    Entry {
        /// The package.
        package: String,
        /// The program that was asked for.
        asked: Option<String>,
        /// The programs it brings.
        programs: Vec<String>,
    },
    /// A package manager failed in another way.
    #[error("installing {what} failed: {reason}")]
    Failed {
        /// What was being installed.
        what: String,
        /// The end of what the package manager said.
        reason: String,
    },
    /// An install took too long.
    #[error("installing {what} took longer than {minutes} minutes and was stopped")]
    TooLong {
        /// What was being installed.
        what: String,
        /// How long it was given.
        minutes: u64,
    },
    /// A setting is no registry's address.
    #[error(
        "{setting} in settings.toml is not a registry's address: {why}. Write it as https://registry.example.com/path/"
    )]
    Setting {
        /// The setting's name.
        setting: &'static str,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The certificate authorities could not be read.
    #[error(transparent)]
    Authorities(#[from] AuthoritiesError),
    /// Neither is the image here, nor could it be pulled.
    #[error("the image {reference} is not on this engine and could not be pulled: {reason}")]
    NoSuchImage {
        /// The image.
        reference: String,
        /// What the engine said.
        reason: String,
    },
    /// The image is made for another platform.
    #[error(
        "the image of {image_of} is for {image}, and this engine runs {engine}. \
         Choose an image, or a tag of it, that is built for {engine}"
    )]
    WrongImagePlatform {
        /// The source.
        image_of: String,
        /// Its platform, `os/arch`.
        image: String,
        /// The engine's platform.
        engine: String,
    },
    /// The image does not say what to run.
    #[error(
        "the image of {image_of} has neither an entrypoint nor a command, so it does not say what to run. Say it with --entry"
    )]
    NoCommand {
        /// The source.
        image_of: String,
    },
    /// The folder cannot be built.
    #[error("{} {why}", .path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The folder's `Dockerfile` could not be built.
    #[error("the Dockerfile in {} could not be built: {reason}{}", .path.display(), if *.network { "" } else {
        ". The build reaches nothing; if it needs a host, install again with --build-host HOST" })]
    Build {
        /// The folder.
        path: PathBuf,
        /// What the engine said.
        reason: String,
        /// Whether the build could reach anything.
        network: bool,
    },
    /// There is no base image to install on.
    #[error("the {runtime} base image could be neither pulled ({pulled}) nor built ({built})")]
    NoBase {
        /// The runtime: `node` or `python`.
        runtime: &'static str,
        /// Why the pull failed.
        pulled: String,
        /// Why the build failed, and what to do.
        built: String,
    },
    /// A file that comes with Caisson is missing.
    #[error("{} is missing or cannot be read ({reason}). It comes with Caisson; install Caisson again", .path.display())]
    Artifact {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The engine failed.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The install's container is not possible on this engine.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The install's own sandbox failed.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
}

/// How many versions an error names.
const SHOWN_VERSIONS: usize = 8;

fn offered(available: &[String]) -> String {
    match available {
        [] => String::new(),
        [.., newest] => {
            let from = available.len().saturating_sub(SHOWN_VERSIONS);
            let more = if from > 0 { "…, " } else { "" };
            format!(". There is {more}{}; the newest is {newest}", shown(&available[from..].join(", ")))
        }
    }
}

fn choice(asked: Option<&str>, programs: &[String]) -> String {
    let listed = shown(&programs.join(", "));
    match (asked, programs) {
        (_, []) => "brings no program to run, so it is no server".to_owned(),
        (None, _) => format!("brings several programs: choose one with --entry ({listed})"),
        (Some(asked), _) => format!("brings no program named {}: it has {listed}", shown(asked)),
    }
}

/// How much of a stranger's text an error shows.
const LONGEST: usize = 600;

/// A stranger's text, fit to be shown: on one line, what is not visible escaped, the end kept when it is long.
pub(super) fn shown(text: &str) -> String {
    let text = text.trim();
    let skipped = text.chars().count().saturating_sub(LONGEST);
    let ellipsis = if skipped > 0 { "…" } else { "" };
    let end = text.chars().skip(skipped).map(|c| match c {
        '\n' => " / ".to_owned(),
        '"' | '\'' | '\\' => c.to_string(),
        c => c.escape_debug().to_string(),
    });
    ellipsis.chars().map(String::from).chain(end).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_strangers_text_is_tamed() {
        assert_eq!(shown(" a\u{1b}[31m\n\"b\u{202e}\r "), "a\\u{1b}[31m / \"b\\u{202e}");
        assert_eq!(shown(&"x".repeat(5000)).chars().count(), LONGEST + 1);
    }

    #[test]
    fn a_missing_version_names_the_ones_there_are() {
        let error = |available: &[&str]| {
            CatalogError::NoSuchVersion {
                registry: "pypi.org".into(),
                package: "a".into(),
                version: "9".into(),
                available: available.iter().map(ToString::to_string).collect(),
            }
            .to_string()
        };
        assert_eq!(error(&[]), "pypi.org has no version 9 of a");
        assert_eq!(error(&["1", "2"]), "pypi.org has no version 9 of a. There is 1, 2; the newest is 2");
        assert!(error(&["0"; 20]).contains("There is …, 0, 0, 0, 0, 0, 0, 0, 0;"));
    }
}
