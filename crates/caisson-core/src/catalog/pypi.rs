//! PyPI packages: installed inside the sandbox, by pip into a virtual environment, with nothing in reach but
//! the index and its files.

mod failure;
mod report;

use super::{
    Catalog, CatalogError, InstallOptions, Lockfile, Resolved,
    base::Runtime,
    error::shown,
    program,
    registry::PackageRegistry,
    tag::Tag,
    workshop::{Job, SERVER, Workshop},
};
use crate::{
    engine::Engine,
    model::{ProgressSink, ServerName, Source},
};
use failure::Failure;
use report::Report;

const STEP: &str = "Installing Python packages";
/// pip's own report. It stays in the image, which so tells what it was made of.
const REPORT: &str = "/srv/server/pip-report.json";
/// Prints the names of a distribution's console scripts (Python Packaging User Guide, "Entry points").
const PROGRAMS: &str = "import importlib.metadata as m, json, sys; \
    print(json.dumps([e.name for e in m.distribution(sys.argv[1]).entry_points if e.group == 'console_scripts']))";

impl Catalog {
    /// The index installs use.
    pub(super) fn python_index(&self) -> Result<PackageRegistry, CatalogError> {
        PackageRegistry::pypi(self.0.settings.pypi_index.as_deref())
    }

    /// Installs `package` in exactly `version`, or the newest.
    pub(super) async fn pypi(
        &self,
        engine: &Engine,
        name: &ServerName,
        (package, version): (&str, Option<&str>),
        options: &InstallOptions,
        progress: &ProgressSink,
    ) -> Result<Resolved, CatalogError> {
        let registry = self.python_index()?;
        let image = self.base(engine, Runtime::Python, name, progress).await?;
        progress.detail(STEP, package);
        let environment = environment(&registry);
        let job = Job { name, what: package, image, egress: registry.egress, environment };
        let workshop = Workshop::open(self, engine, job).await?;
        let made = install(&workshop, &registry.host, (package, version), options, progress).await;
        workshop.end().await;
        made
    }
}

/// Installs in `workshop` and makes the image.
async fn install(
    workshop: &Workshop,
    host: &str,
    (package, version): (&str, Option<&str>),
    options: &InstallOptions,
    progress: &ProgressSink,
) -> Result<Resolved, CatalogError> {
    let failed = |reason: String| CatalogError::Failed { what: package.to_owned(), reason };
    workshop.must(&["python3", "-m", "venv", "--without-pip", SERVER]).await?;
    let spec = version.map_or_else(|| package.to_owned(), |version| format!("{package}=={version}"));
    let installed = workshop.run(&arguments(&spec, options.allow_scripts), tell_fetched(progress)).await?;
    if !installed.success {
        return Err(explain(workshop, package, host, &installed.stderr, options.allow_scripts).await);
    }
    let report: Report = serde_json::from_str(&workshop.read(REPORT).await?)
        .map_err(|error| failed(format!("pip's report cannot be read: {error}")))?;
    let version = report.version(package).ok_or_else(|| failed("pip's report does not name it".into()))?;
    let source = Source::Pypi { package: package.to_owned(), version: Some(version.to_owned()) };
    let programs = workshop.must(&[&format!("{SERVER}/bin/python"), "-I", "-c", PROGRAMS, package]).await?;
    let programs: Vec<String> = serde_json::from_str(&programs)
        .map_err(|error| failed(format!("its programs cannot be listed: {error}")))?;
    let program = program::choose(package, &programs, options.entry.as_deref())?;

    progress.step("Keeping the result as an image");
    let image = workshop.keep(Tag::server(&source, Some(version))?).await?;
    let command = options.command(format!("{SERVER}/bin/{program}"));
    Ok(Resolved {
        lockfile: Some(Lockfile { file_name: "requirements.txt".into(), content: report.requirements() }),
        ..Resolved::new(source, image, command)
    })
}

/// pip documentation, "pip install". The base's pip installs into the environment, which has none itself.
fn arguments(spec: &str, allow_scripts: bool) -> Vec<String> {
    let python = format!("{SERVER}/bin/python");
    let mut arguments: Vec<String> =
        ["python3", "-m", "pip", "--python", &python, "install", "--report", REPORT]
            .map(str::to_owned)
            .into();
    if !allow_scripts {
        // A source distribution is built by running its code.
        arguments.extend(["--only-binary".to_owned(), ":all:".to_owned()]);
    }
    arguments.extend(["--".to_owned(), spec.to_owned()]);
    arguments
}

/// How pip behaves. Its downloads pass through `TMPDIR`.
pub(super) fn environment(index: &PackageRegistry) -> Vec<(String, String)> {
    [
        ("PIP_INDEX_URL", index.url.as_str()),
        ("PIP_NO_CACHE_DIR", "1"),
        ("PIP_DISABLE_PIP_VERSION_CHECK", "1"),
        ("PIP_NO_INPUT", "1"),
        ("PIP_PROGRESS_BAR", "off"),
        ("PIP_RETRIES", "2"),
        ("PIP_TIMEOUT", "30"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into()
}

/// Tells each package as it is looked up or fetched.
fn tell_fetched(progress: &ProgressSink) -> impl FnMut(&str) + Send {
    let progress = progress.clone();
    move |line| {
        let line = line.trim_start();
        if ["Collecting ", "Downloading ", "Building wheel"].iter().any(|word| line.starts_with(word)) {
            progress.detail(STEP, shown(line));
        }
    }
}

/// Turns what pip said on standard error into an error. Where nothing fitted, asks the index what there is.
pub(super) async fn explain(
    workshop: &Workshop,
    package: &str,
    host: &str,
    stderr: &str,
    allow_scripts: bool,
) -> CatalogError {
    let failure = failure::read(stderr);
    let mut published = Vec::new();
    if let Failure::NoMatch { package, .. } = &failure {
        let asked = ["python3", "-m", "pip", "index", "versions", "--pre", "--", package];
        if let Ok(told) = workshop.run(&asked, |_| {}).await {
            published = failure::versions(&told.stdout);
        }
    }
    error(package, host, failure, published, allow_scripts)
}

/// Pure. `published` are all versions the index has, those that are only source code too.
fn error(
    package: &str,
    host: &str,
    failure: Failure,
    published: Vec<String>,
    allow_scripts: bool,
) -> CatalogError {
    let (what, host) = (package.to_owned(), host.to_owned());
    match failure {
        Failure::DiskFull => CatalogError::DiskFull { what },
        Failure::Unreachable(reason) => CatalogError::Unreachable { host, reason },
        Failure::Certificate(reason) => CatalogError::Certificate { host, reason },
        Failure::WrongPython(reason) => CatalogError::WrongPlatform { package: what, reason },
        Failure::Other(reason) => CatalogError::Failed { what, reason },
        Failure::NoMatch { package, fitting, .. } if fitting.is_empty() && published.is_empty() => {
            CatalogError::NoSuchPackage { registry: host, package }
        }
        Failure::NoMatch { package, version: Some(version), fitting } if !published.contains(&version) => {
            let available = if published.is_empty() { fitting } else { published };
            CatalogError::NoSuchVersion { registry: host, package, version, available }
        }
        Failure::NoMatch { package, .. } if !allow_scripts => CatalogError::NeedsScripts { package },
        Failure::NoMatch { package, .. } => CatalogError::WrongPlatform {
            package,
            reason: "no file that is published fits this processor and Python".into(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_built_unless_allowed() {
        assert!(arguments("a==1", false).contains(&"--only-binary".to_owned()));
        assert!(!arguments("a==1", true).contains(&"--only-binary".to_owned()));
    }

    #[test]
    fn what_fits_nothing_is_told_apart() {
        let told = |version: Option<&str>, fitting: &[&str], published: &[&str], allow_scripts| {
            let all = |list: &[&str]| list.iter().map(ToString::to_string).collect::<Vec<_>>();
            let failure = Failure::NoMatch {
                package: "a".into(),
                version: version.map(Into::into),
                fitting: all(fitting),
            };
            error("a", "pypi.test", failure, all(published), allow_scripts).to_string()
        };
        assert!(told(None, &[], &[], false).starts_with("pypi.test has no package named a"));
        assert!(told(Some("9"), &[], &[], false).starts_with("pypi.test has no package named a"));
        assert!(
            told(Some("9"), &["1", "2"], &["1", "2"], false)
                .starts_with("pypi.test has no version 9 of a. There is 1, 2")
        );
        assert!(told(Some("1"), &["2"], &["1", "2"], false).contains("--allow-scripts"));
        assert!(told(None, &[], &["1"], false).contains("--allow-scripts"));
        assert!(told(None, &[], &["1"], true).starts_with("a does not run here"));
    }
}
