use serde_json::json;

use crate::model::{By, GroupName, PinKind, RequestId, ServerName, error_response};

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
    /// The token is for servers, and not for the numbers.
    #[error("this token is not for the metrics; issue one with `caisson token issue --metrics`")]
    Metrics,
    /// A tool call that does not say, once and as text, which tool it calls.
    #[error("this tool call names no tool, so it cannot be decided")]
    NamelessCall,
    /// A call whose arguments two readers may understand differently.
    #[error("the arguments of this call cannot be decided on: {why}")]
    Unclear {
        /// What is wrong with them.
        why: String,
    },
    /// The message carries what the user's rules stop.
    #[error("this call carries what the user's policy stops: {what}. Make it without")]
    Carries {
        /// What it carries.
        what: String,
    },
    /// The answer carries what the user's rules stop. The call itself was made.
    #[error("the call was made, and its answer was stopped, since it carries: {what}")]
    Answer {
        /// What it carries.
        what: String,
    },
    /// What is called was changed since the user accepted it, or came later.
    #[error(
        "{kind} \"{}\" of the server {server} is not what the user has accepted, so it cannot be used; ask them to look at \
         it with `caisson pins diff {server}`", .name.escape_debug()
    )]
    Quarantined {
        /// The server.
        server: ServerName,
        /// What it is.
        kind: PinKind,
        /// What it is called.
        name: String,
    },
    /// What a server says of itself could not be held against what the user has accepted.
    #[error("what the server says of itself could not be held against what the user has accepted: {why}")]
    Unreviewed {
        /// Why.
        why: String,
    },
    /// The user's rules forbid the call.
    #[error("the user's policy does not allow this call ({by}); do not try it again, or by another way")]
    Rule {
        /// What has decided.
        by: By,
    },
    /// A person was asked, and has refused.
    #[error("a person was asked and refused this call; do not try it again unless they ask for it")]
    Person,
    /// A person was asked, and did not answer.
    #[error(
        "a person was asked about this call and did not answer within {seconds} seconds, so it was refused; ask them \
         before trying it again"
    )]
    Silence {
        /// How long they had.
        seconds: u64,
    },
    /// Too many calls wait for an answer.
    #[error("too many calls wait for a person's answer, so this one was refused")]
    TooManyQuestions,
    /// The user refuses everything for the moment.
    #[error("the user has locked Caisson, so every call is refused until they unlock it")]
    Locked,
    /// Whoever called went away before there was an answer.
    #[error("the call was withdrawn before a person answered")]
    Withdrawn,
}

impl Denial {
    /// The code of the JSON-RPC error that tells of it. Outside what JSON-RPC reserves (MCP 2026-07-28, "Error Codes").
    pub const CODE: i32 = -31010;

    /// Whether it is about who asks, so that another token is the remedy (RFC 6750: `invalid_token`), and
    /// not about what was asked for.
    pub fn is_about_the_token(&self) -> bool {
        matches!(self, Self::UnknownToken | Self::RevokedToken | Self::ExpiredToken)
    }

    /// Whether the model that called is to know why, so that it does not try again: it reads a tool's result, and no
    /// error of the protocol.
    pub fn is_for_the_model(&self) -> bool {
        match self {
            Self::UnknownToken
            | Self::RevokedToken
            | Self::ExpiredToken
            | Self::Server { .. }
            | Self::Group { .. }
            | Self::Tool { .. }
            | Self::Metrics
            | Self::Unreviewed { .. }
            | Self::NamelessCall => false,
            Self::Unclear { .. }
            | Self::Carries { .. }
            | Self::Answer { .. }
            | Self::Quarantined { .. }
            | Self::Rule { .. }
            | Self::Person
            | Self::Silence { .. }
            | Self::TooManyQuestions
            | Self::Locked
            | Self::Withdrawn => true,
        }
    }

    /// The response to the call `id` that tells of it: a tool's result that is an error (MCP 2025-11-25, "Tools: Error
    /// Handling"), or an error of the protocol.
    pub fn response(&self, id: &RequestId) -> Vec<u8> {
        if !self.is_for_the_model() {
            return error_response(Some(id), Self::CODE, &self.to_string());
        }
        let content = json!([{"type": "text", "text": format!("Caisson: {self}.")}]);
        let result = json!({"content": content, "isError": true, "resultType": "complete"});
        json!({"jsonrpc": "2.0", "id": id, "result": result}).to_string().into_bytes()
    }
}
