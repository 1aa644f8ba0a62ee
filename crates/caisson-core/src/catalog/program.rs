use super::CatalogError;

/// The program a package's server is: the one asked for, else the only one, else the one named like the
/// package. `programs` are the names the package declares; they come from a stranger.
pub(super) fn choose(
    package: &str,
    programs: &[String],
    asked: Option<&str>,
) -> Result<String, CatalogError> {
    // A name becomes a path below the folder of programs, and must not lead out of it.
    let programs: Vec<String> = programs.iter().filter(|name| is_file_name(name)).cloned().collect();
    let unscoped = package.rsplit('/').next().unwrap_or(package);
    let found = match (asked, programs.as_slice()) {
        (Some(asked), _) => programs.iter().find(|name| *name == asked),
        (None, [only]) => Some(only),
        (None, _) => programs.iter().find(|name| normal(name) == normal(unscoped)),
    };
    found.cloned().ok_or_else(|| CatalogError::Entry {
        package: package.to_owned(),
        asked: asked.map(str::to_owned),
        programs,
    })
}

fn is_file_name(name: &str) -> bool {
    !matches!(name, "" | "." | "..")
        && name.len() <= 128
        && !name.contains(['/', '\\'])
        && !name.contains(char::is_control)
}

/// As PyPI compares names: case and the kind of separator do not count (PEP 503).
pub(super) fn normal(name: &str) -> String {
    name.to_lowercase().split(['-', '_', '.']).filter(|part| !part.is_empty()).collect::<Vec<_>>().join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_chosen() {
        for (package, programs, asked, chosen) in [
            ("@a/server", vec!["mcp-a"], None, Ok("mcp-a")),
            ("@a/server", vec!["other", "server"], None, Ok("server")),
            ("mcp-server-git", vec!["x", "mcp_server_git"], None, Ok("mcp_server_git")),
            ("a", vec!["b", "c"], Some("c"), Ok("c")),
            ("a", vec!["b", "c"], None, Err("a brings several programs: choose one with --entry (b, c)")),
            ("a", vec!["b"], Some("x"), Err("a brings no program named x: it has b")),
            ("a", vec![], None, Err("a brings no program to run, so it is no server")),
            ("a", vec!["../../bin/sh"], None, Err("a brings no program to run, so it is no server")),
            ("a", vec!["..", "x\u{1b}"], Some(".."), Err("a brings no program to run, so it is no server")),
        ] {
            let programs: Vec<String> = programs.into_iter().map(str::to_owned).collect();
            let found = choose(package, &programs, asked).map_err(|error| error.to_string());
            assert_eq!(found.as_deref().map_err(String::as_str), chosen, "{package} {programs:?}");
        }
    }
}
