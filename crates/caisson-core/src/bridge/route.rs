use crate::model::Endpoint;

/// What a path names. Every address of the bridge is listed here but that of the numbers: those of the server NAME
/// begin with `/s/NAME`, those of a group with `/g/NAME`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Route {
    /// `…/mcp`: by Streamable HTTP.
    Mcp(Endpoint),
    /// `…/sse`: by HTTP+SSE; here its stream of events.
    Events(Endpoint),
    /// `…/messages`: where clients of such a stream post.
    Messages(Endpoint),
}

impl Route {
    /// Reads a URI's path. A name has no character that is ever percent-encoded, so an encoded one names nothing.
    pub(super) fn of(path: &str) -> Option<Self> {
        let (kind, rest) = path.strip_prefix('/')?.split_once('/')?;
        let (name, last) = rest.split_once('/')?;
        let endpoint = match kind {
            "s" => Endpoint::Server(name.parse().ok()?),
            "g" => Endpoint::Group(name.parse().ok()?),
            _ => return None,
        };
        match last {
            "mcp" => Some(Self::Mcp(endpoint)),
            "sse" => Some(Self::Events(endpoint)),
            "messages" => Some(Self::Messages(endpoint)),
            _ => None,
        }
    }

    /// What it belongs to.
    pub(super) fn endpoint(&self) -> &Endpoint {
        match self {
            Self::Mcp(endpoint) | Self::Events(endpoint) | Self::Messages(endpoint) => endpoint,
        }
    }

    /// The methods it takes, as the `Allow` header lists them (RFC 9110, section 10.2.1).
    pub(super) fn methods(&self) -> &'static str {
        match self {
            Self::Mcp(_) => "POST, GET, DELETE",
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
        let time: Endpoint = "time".parse().unwrap();
        assert_eq!(Route::of("/s/time/mcp"), Some(Route::Mcp(time.clone())));
        let group: Endpoint = "group/time".parse().unwrap();
        assert_eq!(Route::of("/g/time/mcp"), Some(Route::Mcp(group.clone())));
        assert_eq!(Route::of("/g/time/sse"), Some(Route::Events(group)));
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
            "/x/a/mcp",
            "//a/mcp",
        ] {
            assert_eq!(Route::of(nothing), None, "{nothing}");
        }
    }
}
