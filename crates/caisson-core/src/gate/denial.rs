use crate::model::{GroupName, ServerName};

/// Why something may not be done. The text is for the one who asked; it names no token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denial {
    /// The token was never issued, or was thrown away long ago.
    #[error("this token is not known; connect the client again, or issue one with `caisson token issue`")]
    UnknownToken,
    /// The user has revoked the token.
    #[error("this token was revoked; connect the client again, or issue one with `caisson token issue`")]
    RevokedToken,
    /// The token's time is over.
    #[error("this token has expired; issue a new one with `caisson token issue`")]
    ExpiredToken,
    /// The token is not for this server.
    #[error("this token is not for the server {server}; connect the client to it with `caisson connect`")]
    Server {
        /// The server.
        server: ServerName,
    },
    /// The token is for no server of this group.
    #[error("this token is not for the group {group}; connect the client to it with `caisson connect`")]
    Group {
        /// The group.
        group: GroupName,
    },
    /// The token is for this server, and not for this tool.
    #[error("this token does not allow the tool \"{}\" of the server {server}", .tool.escape_debug())]
    Tool {
        /// The server.
        server: ServerName,
        /// The tool, as the message names it.
        tool: String,
    },
    /// A tool call that does not say, once and as text, which tool it calls.
    #[error("this tool call names no tool, so it cannot be decided")]
    NamelessCall,
}

impl Denial {
    /// The code of the JSON-RPC error that tells of it. Outside what JSON-RPC reserves (MCP 2026-07-28, "Error Codes").
    pub const CODE: i32 = -31010;

    /// Whether it is about who asks, so that another token is the remedy (RFC 6750: `invalid_token`), and
    /// not about what was asked for.
    pub fn is_about_the_token(&self) -> bool {
        match self {
            Self::UnknownToken | Self::RevokedToken | Self::ExpiredToken => true,
            Self::Server { .. } | Self::Group { .. } | Self::Tool { .. } | Self::NamelessCall => false,
        }
    }
}
