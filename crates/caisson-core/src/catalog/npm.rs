//! npm packages: installed inside the sandbox, by npm, with nothing in reach but the registry.

mod failure;
mod lock;

use super::{
    Catalog, CatalogError, InstallOptions, Lockfile, Resolved,
    base::Runtime,
    error::shown,
    program,
    registry::PackageRegistry,
    tag::Tag,
    workshop::{Job, SERVER, TMP, Workshop},
};
use crate::{
    engine::Engine,
    model::{ProgressSink, ServerName, Source},
};
use lock::Lock;

const STEP: &str = "Installing npm packages";
const LOCKFILE: &str = "package-lock.json";

impl Catalog {
    /// Installs `package` in `version`, a version, range or tag.
    pub(super) async fn npm(
        &self,
        engine: &Engine,
        name: &ServerName,
        (package, version): (&str, Option<&str>),
        options: &InstallOptions,
        progress: &ProgressSink,
    ) -> Result<Resolved, CatalogError> {
        let registry = PackageRegistry::npm(self.0.settings.npm_registry.as_deref())?;
        let image = self.base(engine, Runtime::Node, name, progress).await?;
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
    let spec = format!("{package}@{}", version.unwrap_or("latest"));
    let installed = workshop.run(&arguments(&spec, options.allow_scripts), tell_fetched(progress)).await?;
    if !installed.success {
        let error = failure::read(package, host, &installed.stdout, &installed.stderr);
        return Err(with_versions(workshop, error).await);
    }
    let text = workshop.read(&format!("{SERVER}/{LOCKFILE}")).await?;
    let unread = |reason: String| CatalogError::Failed { what: package.to_owned(), reason };
    let lock: Lock = serde_json::from_str(&text)
        .map_err(|error| unread(format!("its lockfile cannot be read: {error}")))?;
    let version = lock.version(package).ok_or_else(|| unread("its lockfile does not name it".into()))?;
    let source = Source::Npm { package: package.to_owned(), version: Some(version.to_owned()) };
    let program = program::choose(package, &lock.programs(package), options.entry.as_deref())?;

    progress.step("Keeping the result as an image");
    let image = workshop.keep(Tag::server(&source, Some(version))?).await?;
    let skipped = if options.allow_scripts { Vec::new() } else { lock.with_scripts() };
    let command = options.command(format!("{SERVER}/node_modules/.bin/{program}"));
    Ok(Resolved {
        lockfile: Some(Lockfile { file_name: LOCKFILE.into(), content: text }),
        notices: skipped_notice(&skipped).into_iter().collect(),
        ..Resolved::new(source, image, command)
    })
}

/// docs.npmjs.com, "npm install" and "config".
fn arguments(spec: &str, allow_scripts: bool) -> Vec<String> {
    let scripts = if allow_scripts { "--no-ignore-scripts" } else { "--ignore-scripts" };
    // At "http", npm tells on standard error what it fetches; the result on standard output stays JSON.
    [
        "npm",
        "install",
        "--json",
        "--loglevel=http",
        "--omit=dev",
        "--save-exact",
        scripts,
        "--prefix",
        SERVER,
        "--",
        spec,
    ]
    .map(str::to_owned)
    .into()
}

fn environment(registry: &PackageRegistry) -> Vec<(String, String)> {
    [
        ("NPM_CONFIG_REGISTRY", registry.url.as_str()),
        ("NPM_CONFIG_CACHE", &format!("{TMP}/npm")),
        ("NPM_CONFIG_UPDATE_NOTIFIER", "false"),
        ("NPM_CONFIG_AUDIT", "false"),
        ("NPM_CONFIG_FUND", "false"),
        ("NPM_CONFIG_FETCH_RETRIES", "2"),
        ("NPM_CONFIG_FETCH_RETRY_MINTIMEOUT", "1000"),
        ("NPM_CONFIG_FETCH_TIMEOUT", "60000"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into()
}

/// Tells each package's file as it is fetched.
fn tell_fetched(progress: &ProgressSink) -> impl FnMut(&str) + Send {
    let progress = progress.clone();
    move |line| {
        let url = line.strip_prefix("npm http fetch GET 200 ").and_then(|rest| rest.split(' ').next());
        if let Some((_, file)) = url.filter(|url| url.ends_with(".tgz")).and_then(|url| url.rsplit_once('/'))
        {
            progress.detail(STEP, shown(file));
        }
    }
}

/// Adds to a version that does not exist the ones that do, where the registry tells.
async fn with_versions(workshop: &Workshop, error: CatalogError) -> CatalogError {
    let CatalogError::NoSuchVersion { registry, package, version, available } = error else { return error };
    let told = workshop
        .run(&["npm", "view", "--json", "--", &package, "versions"], |_| {})
        .await
        .ok()
        .filter(|told| told.success);
    let known: Option<Vec<String>> = told.and_then(|told| serde_json::from_str(&told.stdout).ok());
    CatalogError::NoSuchVersion { registry, package, version, available: known.unwrap_or(available) }
}

fn skipped_notice(packages: &[String]) -> Option<String> {
    (!packages.is_empty()).then(|| {
        format!(
            "these packages' install scripts were not run: {}. If the server misses something, \
             and you trust them, install again with --allow-scripts",
            shown(&packages.join(", "))
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_run_only_when_allowed() {
        assert!(arguments("a@latest", false).contains(&"--ignore-scripts".to_owned()));
        assert!(!arguments("a@latest", true).contains(&"--ignore-scripts".to_owned()));
        assert_eq!(arguments("a@1", false).last().map(String::as_str), Some("a@1"));
    }

    #[test]
    fn fetched_files_are_told() {
        let (sink, mut told) = ProgressSink::channel();
        let mut tell = tell_fetched(&sink);
        tell("npm http fetch GET 200 https://npm.test/a/-/a-1.0.0.tgz 12ms (cache miss)");
        tell("npm http fetch GET 200 https://npm.test/a 12ms (cache miss)");
        tell("npm warn deprecated a");
        assert_eq!(told.try_recv().unwrap().detail.as_deref(), Some("a-1.0.0.tgz"));
        assert!(told.try_recv().is_err());
    }
}
