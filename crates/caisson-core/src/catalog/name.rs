//! What to call a server when the user does not say.

use crate::model::{ServerName, Source};

/// Words that say "this is an MCP server", which every server is.
const PREFIXES: [&str; 4] = ["mcp-server-", "server-", "mcp-", "mcp_server_"];
const SUFFIXES: [&str; 3] = ["-mcp-server", "-server-mcp", "-mcp"];
/// Names that say nothing else; the scope or folder above them says more.
const EMPTY_WORDS: [&str; 3] = ["mcp", "server", "mcp-server"];

/// A name for a server from `source`: `npm:@modelcontextprotocol/server-everything` suggests `everything`.
/// Whether it is taken already is for the caller to find out. None where no letter or digit is left.
pub fn suggest_name(source: &Source) -> Option<ServerName> {
    match source {
        Source::Npm { package, .. } | Source::Pypi { package, .. } => {
            from_path(package.trim_start_matches('@'))
        }
        Source::Oci { reference } => from_path(without_tag(reference)),
        Source::Folder { path } => from_path(&path.file_name()?.to_string_lossy()),
        Source::Example => from_path("example"),
    }
}

/// The last part of `path` that says something.
fn from_path(path: &str) -> Option<ServerName> {
    let mut parts = path.rsplit('/');
    let last = parts.next()?;
    let telling = match parts.next() {
        Some(above) if EMPTY_WORDS.contains(&last) => above,
        Some(_) | None => last,
    };
    plain(stripped(&telling.to_lowercase())).parse().ok()
}

fn stripped(name: &str) -> &str {
    let name = PREFIXES.iter().find_map(|prefix| name.strip_prefix(prefix)).unwrap_or(name);
    let name = SUFFIXES.iter().find_map(|suffix| name.strip_suffix(suffix)).unwrap_or(name);
    name.trim_matches(|c: char| !c.is_ascii_alphanumeric())
}

/// Only what a server's name may hold, and no longer than it may be.
fn plain(name: &str) -> String {
    let fits = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '-' };
    name.chars().map(fits).take(48).collect()
}

/// An image reference without its tag and digest. A colon before a slash belongs to a port.
fn without_tag(reference: &str) -> &str {
    let name = reference.split_once('@').map_or(reference, |(name, _)| name);
    match name.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => name,
        Some(_) | None => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_what_the_server_is_about() {
        for (source, name) in [
            ("npm:@modelcontextprotocol/server-everything", "everything"),
            ("npm:@modelcontextprotocol/server-filesystem@1.0", "filesystem"),
            ("npm:@playwright/mcp", "playwright"),
            ("npm:mcp-server", "server"),
            ("pypi:mcp-server-time==1", "time"),
            ("pypi:mcp_server_git", "git"),
            ("pypi:Weather.MCP", "weather.mcp"),
            ("oci:docker.io/mcp/time:latest", "time"),
            ("oci:localhost:5000/github-mcp-server", "github"),
            ("dir:/srv/My Server!", "my-server"),
            ("example", "example"),
        ] {
            let source: Source = source.parse().unwrap();
            assert_eq!(suggest_name(&source).map(String::from).as_deref(), Some(name), "{source}");
        }
        assert_eq!(suggest_name(&"dir:/".parse().unwrap()), None);
        assert_eq!(suggest_name(&"dir:/srv/ééé".parse().unwrap()), None);
    }
}
