//! The programs under test, and those of others, as `make test` built or installed them.

use std::path::{Path, PathBuf};

/// The repository.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .canonicalize()
        .expect("the repository is where it was built")
}

/// The `caisson` command line: `CAISSON_TEST_BIN` or the one built beside the tests.
///
/// # Panics
/// When it was not built.
pub fn caisson() -> PathBuf {
    beside_the_tests("CAISSON_TEST_BIN", "caisson")
}

/// The tray application.
///
/// # Panics
/// When it was not built.
pub fn desktop() -> PathBuf {
    beside_the_tests("CAISSON_TEST_DESKTOP", "caisson-desktop")
}

/// The fixture server.
///
/// # Panics
/// When it was not built.
pub fn fixture() -> PathBuf {
    inside("CAISSON_TEST_FIXTURE", "fixture")
}

/// What `caisson verify` runs inside.
///
/// # Panics
/// When it was not built.
pub fn probe() -> PathBuf {
    inside("CAISSON_TEST_PROBE", "probe")
}

/// A server that answers from memory, for measures.
///
/// # Panics
/// When it was not built.
pub fn bare() -> PathBuf {
    inside("CAISSON_TEST_BARE", "bare")
}

/// The example server.
///
/// # Panics
/// When it was not built.
pub fn example() -> PathBuf {
    inside("CAISSON_TEST_EXAMPLE", "example")
}

/// A server that tries to carry a word out.
///
/// # Panics
/// When it was not built.
pub fn exfiltrates() -> PathBuf {
    inside("CAISSON_TEST_EXFILTRATES", "exfiltrates")
}

/// An airlock that has turned against its host.
///
/// # Panics
/// When it was not built.
pub fn hostile_airlock() -> PathBuf {
    inside("CAISSON_TEST_HOSTILE_AIRLOCK", "hostile-airlock")
}

/// The airlock.
///
/// # Panics
/// When it was not built.
pub fn airlock() -> PathBuf {
    inside("CAISSON_TEST_AIRLOCK", "airlock")
}

/// A program that is static, so that it runs in an empty image: the one `variable` names, or the one that
/// `scripts/test` lays beside `caisson`.
fn inside(variable: &str, name: &str) -> PathBuf {
    let arch = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };
    let path = std::env::var_os(variable)
        .map(PathBuf::from)
        .unwrap_or_else(|| caisson().with_file_name(format!("{name}-linux-{arch}")));
    assert!(path.exists(), "{} is not there: use `make test`", path.display());
    path
}

fn beside_the_tests(variable: &str, name: &str) -> PathBuf {
    let path = std::env::var_os(variable).map(PathBuf::from).unwrap_or_else(|| {
        let test = std::env::current_exe().expect("a test knows its own path");
        test.ancestors().nth(2).expect("tests lie in target/PROFILE/deps").join(name)
    });
    assert!(path.exists(), "{} is not there: build it first, or use `make test`", path.display());
    path
}

/// A program that `scripts/setup test` installed below `.setup`.
///
/// # Panics
/// When it is not there.
pub fn installed(path: &str) -> PathBuf {
    let path = repository().join(".setup").join(path);
    assert!(path.exists(), "{} is not there: run `scripts/setup test`", path.display());
    path
}
