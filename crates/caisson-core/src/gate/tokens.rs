//! The tokens clients show. A token is 256 random bits, shown once when it is issued; what is kept is its
//! SHA-256, so neither the state file nor a listing lets anybody in.

mod store;
mod text;

use std::{
    collections::{HashMap, HashSet},
    fmt,
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
    time::{Duration, SystemTime},
};

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use super::Scope;
use crate::registry::{State, StateError};
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

/// Whether a token is good for anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum TokenState {
    /// It opens what it is for.
    Holds,
    /// Its time is over.
    Expired,
    /// The user took it back.
    Revoked,
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
    /// It could not be kept. Nothing was changed.
    #[error(transparent)]
    State(#[from] StateError),
}

/// The tokens there are. Cheap to clone; all clones know the same.
///
/// What is asked on a call's way is answered from memory; what changes is first written to the state file.
#[derive(Clone)]
pub struct Tokens(Arc<Shared>);

struct Shared {
    state: State,
    table: RwLock<Table>,
}

#[derive(Default)]
struct Table {
    tokens: HashMap<TokenHash, Token>,
    hashes: HashMap<TokenId, TokenHash>,
    /// Those used since that was last kept.
    used: HashSet<TokenHash>,
}

impl Token {
    /// Whether it is good for anything at this time.
    pub fn state(&self, now: SystemTime) -> TokenState {
        if self.revoked {
            TokenState::Revoked
        } else if self.expires.is_some_and(|expires| expires <= now) {
            TokenState::Expired
        } else {
            TokenState::Holds
        }
    }
}

impl Tokens {
    /// The tokens kept in `state`.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub fn open(state: State, now: SystemTime) -> Result<Self, StateError> {
        let mut table = Table::default();
        for (hash, token) in store::load(&state, now)? {
            table.insert(hash, token);
        }
        Ok(Self(Arc::new(Shared { state, table: RwLock::new(table) })))
    }

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
        let hash = TokenHash::of(text.expose());
        store::insert(&self.0.state, &hash, &token)?;
        self.write().insert(hash, token.clone());
        Ok((token, text))
    }

    /// Puts a new token in the place of one: for the same subject, of the same scope, and for the time that is left. The
    /// old one is good for `grace` from `now` yet, where it does not end before; for no time at all, it is revoked.
    /// None when there is no such token, or it is of no more use.
    ///
    /// # Errors
    /// When there are no random numbers, or it cannot be kept; then the old token holds as it did.
    pub fn rotate(
        &self,
        id: &TokenId,
        grace: Duration,
        now: SystemTime,
    ) -> Result<Option<(Token, TokenText)>, TokenError> {
        let holds = |token: &Token| token.state(now) == TokenState::Holds;
        let Some(old) = self.by_id(id).filter(holds) else { return Ok(None) };
        let text = TokenText::random().map_err(TokenError::Random)?;
        let id = TokenId::random().map_err(TokenError::Random)?;
        let new = Token { id, created: now, last_used: None, ..old.clone() };
        let end = if grace.is_zero() {
            None
        } else {
            let end = now.checked_add(grace).ok_or(TokenError::Lifetime)?;
            Some(old.expires.map_or(end, |expires| expires.min(end)))
        };
        let hash = TokenHash::of(text.expose());
        if !store::replace(&self.0.state, &old.id, end, (&hash, &new))? {
            return Ok(None);
        }
        let mut table = self.write();
        if let Some(old) = table.get_mut(&old.id) {
            match end {
                None => old.revoked = true,
                Some(_) => old.expires = end,
            }
        }
        table.insert(hash, new.clone());
        Ok(Some((new, text)))
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
    /// When that cannot be kept; then the token still holds.
    pub fn revoke(&self, id: &TokenId) -> Result<bool, TokenError> {
        Ok(self.revoke_where(|token| token.id == *id)? > 0)
    }

    /// Takes back every token issued to `subject`. Says how many there were.
    ///
    /// # Errors
    /// When that cannot be kept; then the tokens still hold.
    pub fn revoke_of(&self, subject: &str) -> Result<usize, TokenError> {
        self.revoke_where(|token| *token.subject == *subject)
    }

    fn revoke_where(&self, is_meant: impl Fn(&Token) -> bool) -> Result<usize, TokenError> {
        let meant = |token: &Token| !token.revoked && is_meant(token);
        let ids: Vec<TokenId> =
            self.read().tokens.values().filter(|token| meant(token)).map(|token| token.id.clone()).collect();
        if !ids.is_empty() {
            store::revoke(&self.0.state, &ids)?;
        }
        let mut table = self.write();
        for token in table.tokens.values_mut().filter(|token| ids.contains(&token.id)) {
            token.revoked = true;
        }
        Ok(ids.len())
    }

    /// Keeps when tokens were last used. Called now and then: on a call's way nothing is written. Writes to
    /// the disk, so call it from a blocking thread.
    pub fn keep_uses(&self) {
        let uses: Vec<(TokenId, SystemTime)> = {
            let mut table = self.write();
            let used = std::mem::take(&mut table.used);
            let tokens = used.iter().filter_map(|hash| table.tokens.get(hash));
            tokens.filter_map(|token| Some((token.id.clone(), token.last_used?))).collect()
        };
        if !uses.is_empty()
            && let Err(error) = store::used(&self.0.state, &uses)
        {
            tracing::warn!(%error, "when tokens were last used could not be kept");
        }
    }

    /// The token with this text, which is being used.
    pub(super) fn used(&self, text: &str, now: SystemTime) -> Option<Token> {
        let hash = TokenHash::of(text);
        let mut table = self.write();
        let token = table.tokens.get_mut(&hash)?;
        token.last_used = Some(now);
        let token = token.clone();
        table.used.insert(hash);
        Some(token)
    }

    /// The token called `id`.
    pub(super) fn by_id(&self, id: &TokenId) -> Option<Token> {
        let table = self.read();
        table.tokens.get(table.hashes.get(id)?).cloned()
    }

    // A panic elsewhere leaves no half-written table: each change is one insertion or one assignment.
    fn read(&self) -> RwLockReadGuard<'_, Table> {
        self.0.table.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Table> {
        self.0.table.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn get_mut(&mut self, id: &TokenId) -> Option<&mut Token> {
        self.tokens.get_mut(self.hashes.get(id)?)
    }

    fn insert(&mut self, hash: TokenHash, token: Token) {
        self.hashes.insert(token.id.clone(), hash);
        self.tokens.insert(hash, token);
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

#[cfg(test)]
mod tests;
