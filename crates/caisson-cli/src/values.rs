//! Values of flags: parsed once, into the types of the model.

use std::{path::PathBuf, str::FromStr, time::Duration};

use jiff::{Timestamp, civil::Date, tz::TimeZone};

use caisson_core::model::{FolderGrant, SecretGrant, SecretName, SecretPlace, Transport, WorkspacePer};

/// `HOST[:INSIDE][:rw]`.
pub(crate) fn folder(text: &str) -> Result<FolderGrant, String> {
    let (rest, write) = match (text.strip_suffix(":rw"), text.strip_suffix(":ro")) {
        (Some(rest), _) => (rest, true),
        (None, Some(rest)) => (rest, false),
        (None, None) => (text, false),
    };
    // A drive letter's colon (`C:/…`) separates nothing.
    let drive = rest.starts_with(|c: char| c.is_ascii_alphabetic());
    let split = rest.rfind(":/").filter(|at| *at != 1 || !drive);
    let (host, inside) = match split {
        Some(at) => (&rest[..at], Some(PathBuf::from(&rest[at + 1..]))),
        None => (rest, None),
    };
    if host.is_empty() {
        return Err("name a folder: HOST, HOST:INSIDE or HOST:INSIDE:rw".into());
    }
    let host = std::path::absolute(host).map_err(|error| error.to_string())?;
    let inside = match inside {
        Some(inside) => inside,
        // The same place inside: what a client says about a path then holds for the server too.
        None if cfg!(unix) => host.clone(),
        None => {
            let name = host.file_name().ok_or("name the place inside: HOST:/workspace/NAME")?;
            PathBuf::from("/workspace").join(name)
        }
    };
    Ok(FolderGrant { host, inside, write })
}

/// A folder of this machine, made whole: the daemon has another working folder.
pub(crate) fn whole(text: &str) -> Result<PathBuf, String> {
    if text.is_empty() {
        return Err("name a folder".into());
    }
    std::path::absolute(text).map_err(|error| error.to_string())
}

/// `server` or `session`.
pub(crate) fn per(text: &str) -> Result<WorkspacePer, String> {
    match text {
        "server" => Ok(WorkspacePer::Server),
        "session" => Ok(WorkspacePer::Session),
        _ => Err("write server or session".into()),
    }
}

/// `NAME`, `NAME=env` or `NAME=file`.
pub(crate) fn secret(text: &str) -> Result<SecretGrant, String> {
    let (name, place) = match text.split_once('=') {
        None | Some((_, "env")) => (text.trim_end_matches("=env"), SecretPlace::Env),
        Some((name, "file")) => (name, SecretPlace::File),
        // The rest may be a value given by mistake, and is not repeated.
        Some((name, _)) => {
            return Err(format!(
                "write {0}, {0}=env or {0}=file; a value is never an argument: use `caisson secret set`",
                name.escape_debug()
            ));
        }
    };
    let name = SecretName::from_str(name).map_err(|error| error.to_string())?;
    Ok(SecretGrant { name, place })
}

/// `NAME=VALUE`.
pub(crate) fn variable(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write NAME=VALUE")?;
    let plain = !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if !plain {
        return Err(
            "a variable's name has letters, digits and '_', and begins with none of the digits".into()
        );
    }
    if value.contains('\0') {
        return Err("a variable's value cannot hold a NUL".into());
    }
    Ok((name.to_owned(), value.to_owned()))
}

/// `PORT` or `PORT/PATH`: an endpoint of Streamable HTTP inside the container.
pub(crate) fn http(text: &str) -> Result<Transport, String> {
    let (port, path) = match text.find('/') {
        Some(at) => (&text[..at], &text[at..]),
        None => (text, "/mcp"),
    };
    let port = port.parse().ok().filter(|port: &u16| *port != 0);
    let port = port.ok_or("write PORT or PORT/PATH, such as 8080 or 8080/mcp")?;
    if !path.bytes().all(|b| b.is_ascii_graphic()) {
        return Err("the path may hold visible ASCII characters alone".into());
    }
    Ok(Transport::Http { port, path: path.to_owned() })
}

/// A number of processors, such as `0.5`.
pub(crate) fn cpus(text: &str) -> Result<f64, String> {
    let cpus: f64 = text.parse().map_err(|_| "write a number, such as 0.5 or 2")?;
    if cpus.is_finite() && cpus > 0.0 && cpus <= 1024.0 {
        Ok(cpus)
    } else {
        Err("the number must be greater than 0 and at most 1024".into())
    }
}

const UNITS: [(char, u64); 5] = [('s', 1), ('m', 60), ('h', 3600), ('d', 86_400), ('w', 604_800)];

/// `30s`, `15m`, `1h`, `7d`, `2w`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    UNITS
        .iter()
        .find_map(|(unit, seconds)| {
            let count: u64 = text.strip_suffix(*unit)?.parse().ok()?;
            count.checked_mul(*seconds).filter(|seconds| *seconds > 0)
        })
        .map(Duration::from_secs)
        .ok_or_else(|| "write a time such as 30s, 15m, 1h, 7d or 2w".into())
}

/// A moment in milliseconds since 1970: so long ago (`2h`), a day (`2026-11-24`, from its beginning here), or RFC 3339.
pub(crate) fn moment(text: &str) -> Result<u64, String> {
    let wanted = || "write a time such as 2h or 7d (ago), 2026-11-24, or 2026-11-24T21:30:00Z".to_owned();
    let since_1970 = |moment: Timestamp| u64::try_from(moment.as_millisecond()).map_err(|_| wanted());
    if let Ok(ago) = duration(text) {
        return since_1970(Timestamp::now().checked_sub(ago).map_err(|_| wanted())?);
    }
    if let Ok(moment) = text.parse::<Timestamp>() {
        return since_1970(moment);
    }
    let day: Date = text.parse().map_err(|_| wanted())?;
    since_1970(day.to_zoned(TimeZone::system()).map_err(|_| wanted())?.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(unix)]
    fn folders() {
        let grant = |host: &str, inside: &str, write| {
            Ok(FolderGrant { host: host.into(), inside: inside.into(), write })
        };
        assert_eq!(folder("/data"), grant("/data", "/data", false));
        assert_eq!(folder("/data:rw"), grant("/data", "/data", true));
        assert_eq!(folder("/data:/workspace/in"), grant("/data", "/workspace/in", false));
        assert_eq!(folder("/data:/workspace/in:rw"), grant("/data", "/workspace/in", true));
        assert_eq!(folder("/data:/in:ro"), grant("/data", "/in", false));
        assert_eq!(folder("/:/in"), grant("/", "/in", false));
        assert_eq!(folder("/with:colon/x"), grant("/with:colon/x", "/with:colon/x", false));
        assert!(folder("here").unwrap().host.is_absolute());
        assert!(folder("").is_err() && folder(":rw").is_err());
    }

    #[test]
    fn workspaces() {
        assert!(whole("here").unwrap().is_absolute() && whole("").is_err());
        assert_eq!(per("session"), Ok(WorkspacePer::Session));
        assert!(per("client").is_err());
    }

    #[test]
    fn secrets() {
        let place = |text| secret(text).map(|grant| (String::from(grant.name), grant.place));
        assert_eq!(place("KEY"), Ok(("KEY".into(), SecretPlace::Env)));
        assert_eq!(place("KEY=env"), Ok(("KEY".into(), SecretPlace::Env)));
        assert_eq!(place("KEY=file"), Ok(("KEY".into(), SecretPlace::File)));
        assert!(!secret("KEY=hunter2").unwrap_err().contains("hunter2"));
        assert!(secret("K-Y").is_err());
    }

    #[test]
    fn moments() {
        assert_eq!(moment("2026-11-24T21:30:05Z"), Ok(1_795_555_805_000));
        assert!(moment("2026-11-24").unwrap().abs_diff(1_795_478_400_000) <= 14 * 3_600_000);
        let hour_ago = moment("1h").unwrap();
        assert!(Timestamp::now().as_millisecond().abs_diff(hour_ago as i64).abs_diff(3_600_000) < 60_000);
        assert!(
            ["", "soon", "2026-13-01", "24.11.2026", "1969-12-30", "99999w"]
                .iter()
                .all(|t| moment(t).is_err())
        );
    }

    #[test]
    fn the_rest() {
        assert_eq!(variable("A=b=c"), Ok(("A".into(), "b=c".into())));
        assert!(variable("A").is_err() && variable("=x").is_err() && variable("1A=x").is_err());
        assert_eq!(http("8080"), Ok(Transport::Http { port: 8080, path: "/mcp".into() }));
        assert_eq!(http("80/a/b"), Ok(Transport::Http { port: 80, path: "/a/b".into() }));
        assert!(
            http("0").is_err() && http("70000").is_err() && http("x").is_err() && http("80/a b").is_err()
        );
        assert_eq!(cpus("0.5"), Ok(0.5));
        assert!(cpus("0").is_err() && cpus("NaN").is_err() && cpus("inf").is_err() && cpus("-1").is_err());
        assert_eq!(duration("1h"), Ok(Duration::from_secs(3600)));
        assert!(
            ["", "1", "h", "0s", "-1s", "1y", "99999999999999999999s"].iter().all(|t| duration(t).is_err())
        );
    }
}
