use crate::model::ServerName;

/// What a path names. Every endpoint of the bridge is listed here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Route {
    /// `/s/NAME/mcp`: one server, by Streamable HTTP.
    Server(ServerName),
    /// `/s/NAME/sse`: one server, by HTTP+SSE; here its stream of events.
    Events(ServerName),
    /// `/s/NAME/messages`: where clients of such a stream post.
    Messages(ServerName),
}

impl Route {
    /// Reads a URI's path. A server's name has no character that is ever percent-encoded, so an encoded one
    /// names nothing.
    pub(super) fn of(path: &str) -> Option<Self> {
        let (name, endpoint) = path.strip_prefix("/s/")?.split_once('/')?;
        let route = match endpoint {
            "mcp" => Self::Server,
            "sse" => Self::Events,
            "messages" => Self::Messages,
            _ => return None,
        };
        name.parse().ok().map(route)
    }

    /// The server it belongs to.
    pub(super) fn server(&self) -> &ServerName {
        match self {
            Self::Server(server) | Self::Events(server) | Self::Messages(server) => server,
        }
    }

    /// The methods it takes, as the `Allow` header lists them (RFC 9110, section 10.2.1).
    pub(super) fn methods(&self) -> &'static str {
        match self {
            Self::Server(_) => "POST, GET, DELETE",
            Self::Events(_) => "GET",
            Self::Messages(_) => "POST",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths() {
        let time: ServerName = "time".parse().unwrap();
        assert_eq!(Route::of("/s/time/mcp"), Some(Route::Server(time.clone())));
        assert_eq!(Route::of("/s/time/sse"), Some(Route::Events(time.clone())));
        assert_eq!(Route::of("/s/time/messages"), Some(Route::Messages(time)));
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
            "/s/a/messages/",
            "/s/a/MCP",
            "/s/a",
            "/S/a/mcp",
        ] {
            assert_eq!(Route::of(nothing), None, "{nothing}");
        }
    }
}
