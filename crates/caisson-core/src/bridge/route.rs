use crate::model::ServerName;

/// What a path names. Every endpoint of the bridge is listed here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Route {
    /// `/s/NAME/mcp`: one server, by Streamable HTTP.
    Server(ServerName),
}

impl Route {
    /// Reads a URI's path. A server's name has no character that is ever percent-encoded, so an encoded one
    /// names nothing.
    pub(super) fn of(path: &str) -> Option<Self> {
        let name = path.strip_prefix("/s/")?.strip_suffix("/mcp")?;
        name.parse().ok().map(Self::Server)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths() {
        assert_eq!(Route::of("/s/time/mcp"), Some(Route::Server("time".parse().unwrap())));
        for nothing in [
            "",
            "/",
            "/s//mcp",
            "/s/mcp",
            "/s/a/b/mcp",
            "/s/../mcp",
            "/s/A/mcp",
            "/s/%61/mcp",
            "/s/a/mcp/",
            "/S/a/mcp",
        ] {
            assert_eq!(Route::of(nothing), None, "{nothing}");
        }
    }
}
