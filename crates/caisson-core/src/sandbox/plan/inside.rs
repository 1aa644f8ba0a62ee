//! Where something may be mounted inside a container.

use std::path::{Component, Path};

/// Nothing may be mounted here or beneath: the kernel's, the engine's and the airlock's own folders.
const CLOSED: [&str; 7] = ["/caisson", "/caisson-pipe", "/dev", "/etc", "/proc", "/run", "/sys"];
/// Nothing may be mounted over these as a whole: the server would lose its own programs.
const WHOLE: [&str; 12] = [
    "/bin",
    "/boot",
    "/home",
    "/home/server",
    "/lib",
    "/lib32",
    "/lib64",
    "/sbin",
    "/tmp",
    "/usr",
    "/usr/bin",
    "/var",
];

/// Checks a path inside a container and gives it as text.
///
/// # Errors
/// Says why nothing can be mounted there.
pub(super) fn check(path: &Path) -> Result<String, &'static str> {
    let text = path.to_str().ok_or("it is not UTF-8")?;
    if text.chars().any(|c| c.is_control() || c == ',' || c == ':') {
        return Err("it holds a control character, a comma or a colon");
    }
    let mut parts = path.components();
    if parts.next() != Some(Component::RootDir) {
        return Err("it is not absolute");
    }
    let mut clean = String::new();
    for part in parts {
        match part {
            Component::Normal(name) => {
                clean.push('/');
                clean.push_str(name.to_str().unwrap_or_default());
            }
            Component::ParentDir => return Err("it holds \"..\""),
            Component::Prefix(_) | Component::RootDir | Component::CurDir => {}
        }
    }
    if clean.is_empty() {
        return Err("it is the root folder");
    }
    let closed = |folder: &&str| clean == **folder || clean.starts_with(&format!("{folder}/"));
    if CLOSED.iter().any(closed) {
        return Err("it lies in a folder of the system or of Caisson");
    }
    if WHOLE.contains(&clean.as_str()) {
        return Err("it would hide a folder the server needs");
    }
    Ok(clean)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_inside() {
        for (path, meant) in [
            ("/data", "/data"),
            ("/workspace/input/", "/workspace/input"),
            ("/home/server/.cache", "/home/server/.cache"),
            ("/usr/src/app/data", "/usr/src/app/data"),
            ("/a/./b//c", "/a/b/c"),
        ] {
            assert_eq!(check(Path::new(path)), Ok(meant.to_owned()));
        }
        for path in [
            "",
            "data",
            "/",
            "//",
            "/..",
            "/data/../etc",
            "/proc",
            "/proc/self",
            "/sys/fs",
            "/dev/shm",
            "/etc/x",
            "/run",
            "/run/secrets",
            "/caisson",
            "/caisson/airlock",
            "/caisson-pipe",
            "/usr",
            "/tmp",
            "/home/server",
            "/a:b",
            "/a,b",
            "/a\nb",
            "/a\u{1b}[2J",
        ] {
            assert!(check(Path::new(path)).is_err(), "{path:?}");
        }
    }
}
