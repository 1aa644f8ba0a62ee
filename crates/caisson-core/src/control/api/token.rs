use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::{gate::tokens::TokenState, model::Endpoint};

/// Makes a bearer token for the bridge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct IssueToken {
    /// Who will use it, for people.
    pub subject: String,
    /// The servers it opens.
    pub servers: TokenServers,
    /// The tools it may call; none means every tool of those servers.
    #[serde(default)]
    #[ts(optional)]
    pub tools: Option<Vec<String>>,
    /// How many seconds it lives; none means until revoked.
    #[serde(default)]
    #[ts(optional)]
    pub ttl: Option<u64>,
}

/// Which servers and groups a token opens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum TokenServers {
    /// Every server, also later ones.
    All,
    /// These alone, and the servers of these groups.
    Only(Vec<Endpoint>),
    /// None: the metrics alone.
    Metrics,
}

/// The answer to [`IssueToken`] and [`RotateToken`].
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct IssuedToken {
    /// Names the token, for [`RevokeToken`].
    pub id: String,
    /// The token itself, this one time: only its hash is kept.
    pub token: String,
    /// The address it opens: of its server or group, or of the first where it names several.
    pub url: Option<String>,
    /// All addresses it opens, where it names its servers.
    pub urls: Vec<String>,
    /// The same server's address for clients that speak HTTP+SSE alone.
    pub sse_url: Option<String>,
    /// The Unix socket on which those addresses are found too, for an agent in a container, which is shown its folder;
    /// none where Caisson has no such socket.
    pub socket: Option<PathBuf>,
    /// When it ends.
    pub expires_at: Option<u64>,
}

/// Shows everything but the token.
impl std::fmt::Debug for IssuedToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IssuedToken")
            .field("id", &self.id)
            .field("urls", &self.urls)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

/// The tokens that hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct ListTokens {
    /// Also those that hold no longer, as far as they are known: expired ones for a week, revoked ones until Caisson
    /// is started again.
    #[serde(default)]
    #[ts(as = "Option<bool>", optional)]
    pub all: bool,
}

/// The answer to [`ListTokens`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct TokenList {
    /// The tokens, newest first.
    pub tokens: Vec<TokenView>,
}

/// A token, without the token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct TokenView {
    /// Names it.
    pub id: String,
    /// Who uses it.
    pub subject: String,
    /// The servers it opens.
    pub servers: TokenServers,
    /// The tools it may call; none means every tool of those servers.
    pub tools: Option<Vec<String>>,
    /// When it was made.
    pub issued_at: u64,
    /// When it ends.
    pub expires_at: Option<u64>,
    /// When it was last used.
    pub last_used_at: Option<u64>,
    /// Whether it holds.
    pub state: TokenState,
}

/// Puts a new token in the place of one: for the same subject, of the same scope, until the same time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct RotateToken {
    /// Which.
    pub id: String,
    /// How many seconds the old one still holds; 0, as when it is missing, means that it is revoked at once.
    #[serde(default)]
    #[ts(as = "Option<u64>", optional)]
    pub grace: u64,
}

/// Ends a token at once; its sessions end too.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct RevokeToken {
    /// Which.
    pub id: String,
}
