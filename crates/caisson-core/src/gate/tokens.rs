//! The tokens clients show. A token is 256 random bits, shown once when it is issued; what is kept is its
//! SHA-256, so neither the state file nor a listing lets anybody in.

mod text;

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
    time::{Duration, SystemTime},
};

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use super::Scope;
use text::TokenHash;
pub use text::TokenText;

/// What a token is called, in listings and for revoking it. It is no secret.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, TS)]
#[serde(transparent)]
pub struct TokenId(String);

/// A token, as far as it is known after it was issued.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// What it is called.
    pub id: TokenId,
    /// What it was issued to, as the user knows it: `cursor`.
    pub subject: Arc<str>,
    /// What it may be used for.
    pub scope: Arc<Scope>,
    /// When it was issued.
    pub created: SystemTime,
    /// From when on it is of no use; none means never.
    pub expires: Option<SystemTime>,
    /// When it was last shown.
    pub last_used: Option<SystemTime>,
    /// Whether the user took it back.
    pub revoked: bool,
}

/// Why a token could not be issued or revoked.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The operating system gave no random bits.
    #[error("no token can be made, since the system gives no random numbers: {0}")]
    Random(getrandom::Error),
    /// A time beyond what a clock can show.
    #[error("the token would expire too far in the future; choose a shorter time")]
    Lifetime,
}

/// The tokens there are. Cheap to clone.
#[derive(Clone, Default)]
pub struct Tokens(Arc<RwLock<Table>>);

#[derive(Default)]
struct Table {
    tokens: HashMap<TokenHash, Token>,
    hashes: HashMap<TokenId, TokenHash>,
}

impl Tokens {
    /// Issues a token to `subject`, for `scope`, good for `lifetime` from `now`; none means until revoked.
    /// The text is the only copy there ever is.
    ///
    /// # Errors
    /// When there are no random numbers, or the token cannot be kept.
    pub fn issue(
        &self,
        subject: &str,
        scope: Scope,
        lifetime: Option<Duration>,
        now: SystemTime,
    ) -> Result<(Token, TokenText), TokenError> {
        let expires = lifetime.map(|lifetime| now.checked_add(lifetime).ok_or(TokenError::Lifetime));
        let text = TokenText::random().map_err(TokenError::Random)?;
        let token = Token {
            id: TokenId::random().map_err(TokenError::Random)?,
            subject: subject.into(),
            scope: Arc::new(scope),
            created: now,
            expires: expires.transpose()?,
            last_used: None,
            revoked: false,
        };
        let mut table = self.write();
        let hash = TokenHash::of(text.expose());
        table.hashes.insert(token.id.clone(), hash);
        table.tokens.insert(hash, token.clone());
        Ok((token, text))
    }

    /// Every token, oldest first, also those of no more use.
    pub fn list(&self) -> Vec<Token> {
        let mut tokens: Vec<Token> = self.read().tokens.values().cloned().collect();
        tokens.sort_by(|a, b| (a.created, &a.id).cmp(&(b.created, &b.id)));
        tokens
    }

    /// Takes a token back. Says whether there was one to take back.
    ///
    /// # Errors
    /// When that cannot be kept.
    pub fn revoke(&self, id: &TokenId) -> Result<bool, TokenError> {
        let mut table = self.write();
        let Table { tokens, hashes } = &mut *table;
        let token = hashes.get(id).and_then(|hash| tokens.get_mut(hash)).filter(|token| !token.revoked);
        Ok(token.map(|token| token.revoked = true).is_some())
    }

    /// Keeps when tokens were last used. Called now and then: on a call's way nothing is written.
    pub fn keep_uses(&self) {}

    /// The token with this text, which is being used.
    pub(super) fn used(&self, text: &str, now: SystemTime) -> Option<Token> {
        let mut table = self.write();
        let token = table.tokens.get_mut(&TokenHash::of(text))?;
        token.last_used = Some(now);
        Some(token.clone())
    }

    /// The token called `id`.
    pub(super) fn by_id(&self, id: &TokenId) -> Option<Token> {
        let table = self.read();
        table.tokens.get(table.hashes.get(id)?).cloned()
    }

    // A panic elsewhere leaves no half-written table: each change is one insertion or one assignment.
    fn read(&self) -> RwLockReadGuard<'_, Table> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Table> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl TokenId {
    fn random() -> Result<Self, getrandom::Error> {
        Ok(Self(format!("{:08x}", getrandom::u32()?)))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for TokenId {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl fmt::Display for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
impl Token {
    pub(super) fn of(subject: &str, scope: Scope, expires: Option<SystemTime>) -> Self {
        Self {
            id: "id".into(),
            subject: subject.into(),
            scope: Arc::new(scope),
            created: SystemTime::UNIX_EPOCH,
            expires,
            last_used: None,
            revoked: false,
        }
    }
}
