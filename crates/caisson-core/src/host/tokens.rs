//! Tokens for the bridge.

use std::{
    collections::BTreeSet,
    time::{Duration, SystemTime},
};

use super::Host;
use crate::{
    audit::Part,
    control::api::{
        ApiError, ErrorCode, IssueToken, IssuedToken, RotateToken, TokenList, TokenServers, TokenView,
    },
    gate::{
        Scope, ToolScope,
        tokens::{Token, TokenId, TokenState, TokenText},
    },
    model::{Endpoint, utc},
};

/// The longest name of a token's user.
const LONGEST_SUBJECT: usize = 100;

impl Host {
    pub(super) fn issue_token(&self, issue: IssueToken) -> Result<IssuedToken, ApiError> {
        let IssueToken { subject, servers, tools, ttl } = issue;
        if subject.trim().is_empty() || subject.chars().count() > LONGEST_SUBJECT {
            return Err(ApiError::new(ErrorCode::Invalid, "a token needs a name of at most 100 characters"));
        }
        if ttl == Some(0) {
            return Err(ApiError::new(ErrorCode::Invalid, "a token that lives 0 seconds is of no use"));
        }
        let scope = self.scope(&servers, tools)?;
        let named: &[Endpoint] = match &servers {
            TokenServers::All | TokenServers::Metrics => &[],
            TokenServers::Only(servers) => servers,
        };
        let ttl = ttl.map(Duration::from_secs);
        let (token, text) = self.0.gate.tokens().issue(&subject, scope, ttl, SystemTime::now())?;
        let until = token
            .expires
            .map_or_else(|| "until revoked".to_owned(), |end| format!("until {}", utc::shown(end)));
        self.configured(None, Part::Token, token.id.as_str(), &format!("issued to {subject}, {until}"));
        Ok(self.issued(&token, &text, named))
    }

    pub(super) fn rotate_token(&self, rotate: &RotateToken) -> Result<IssuedToken, ApiError> {
        let id = TokenId::from(rotate.id.as_str());
        if let Some(client) = self.client_of(&id)? {
            let (title, name) = (client.title(), client.id());
            return Err(ApiError::new(
                ErrorCode::Invalid,
                format!("this token stands in the file of {title}"),
            )
            .fix(format!("caisson token rotate --client {name}")));
        }
        let grace = Duration::from_secs(rotate.grace);
        let rotated = self.0.gate.tokens().rotate(&id, grace, SystemTime::now())?;
        let (token, text) = rotated.ok_or_else(|| unknown(&rotate.id))?;
        self.configured(None, Part::Token, &rotate.id, &format!("replaced by {}", token.id));
        let named: Vec<Endpoint> = match &*token.scope {
            Scope::All | Scope::Metrics => Vec::new(),
            Scope::Only(endpoints) => endpoints.keys().cloned().collect(),
        };
        Ok(self.issued(&token, &text, &named))
    }

    /// What whoever is to use a token needs to know.
    fn issued(&self, token: &Token, text: &TokenText, named: &[Endpoint]) -> IssuedToken {
        let urls: Vec<String> = named.iter().map(|endpoint| self.url(endpoint)).collect();
        IssuedToken {
            id: token.id.to_string(),
            token: text.expose().to_owned(),
            url: urls.first().cloned(),
            urls,
            sse_url: named.first().map(|endpoint| self.sse_url(endpoint)),
            socket: self.agent_socket(),
            expires_at: token.expires.map(utc::whole_seconds),
        }
    }

    /// Tokens, newest first: those that hold, or also those that do no more.
    pub(super) fn list_tokens(&self, all: bool) -> TokenList {
        let now = SystemTime::now();
        let tokens = self.0.gate.tokens().list().into_iter().rev().map(|token| view(&token, now));
        TokenList { tokens: tokens.filter(|token| all || token.state == TokenState::Holds).collect() }
    }

    pub(super) fn revoke_token(&self, id: &str) -> Result<(), ApiError> {
        if self.0.gate.tokens().revoke(&TokenId::from(id))? {
            self.configured(None, Part::Token, id, "revoked");
            return Ok(());
        }
        Err(unknown(id))
    }

    /// Takes back the tokens that open a removed server or group and nothing else: a later one of that name is
    /// another one.
    pub(super) fn revoke_tokens_of(&self, endpoint: &Endpoint) -> Result<usize, ApiError> {
        let mut revoked = 0;
        for token in self.0.gate.tokens().list() {
            let only = match &*token.scope {
                Scope::All | Scope::Metrics => false,
                Scope::Only(endpoints) => endpoints.len() == 1 && endpoints.contains_key(endpoint),
            };
            if only && !token.revoked && self.0.gate.tokens().revoke(&token.id)? {
                self.configured(
                    None,
                    Part::Token,
                    token.id.as_str(),
                    "revoked, since what it opened was removed",
                );
                revoked += 1;
            }
        }
        Ok(revoked)
    }

    fn scope(&self, servers: &TokenServers, tools: Option<Vec<String>>) -> Result<Scope, ApiError> {
        let names = match (servers, &tools) {
            (TokenServers::All, None) => return Ok(Scope::All),
            (TokenServers::Metrics, None) => return Ok(Scope::Metrics),
            (TokenServers::All | TokenServers::Metrics, Some(_)) => {
                return Err(ApiError::new(ErrorCode::Invalid, "tools belong to servers")
                    .fix("name the servers whose tools these are"));
            }
            (TokenServers::Only(names), _) => names,
        };
        if names.is_empty() {
            return Err(ApiError::new(ErrorCode::Invalid, "the token would open no server"));
        }
        for name in names {
            self.known(name)?;
        }
        if tools.is_some() && names.iter().any(|name| name.server().is_none()) {
            return Err(ApiError::new(ErrorCode::Invalid, "tools belong to servers, not to groups")
                .fix("name the servers whose tools these are"));
        }
        let tools: Option<BTreeSet<String>> = tools.map(|tools| tools.into_iter().collect());
        let scope = |_: &Endpoint| tools.clone().map_or(ToolScope::All, ToolScope::Only);
        Ok(Scope::Only(names.iter().map(|name| (name.clone(), scope(name))).collect()))
    }
}

fn unknown(id: &str) -> ApiError {
    ApiError::new(ErrorCode::NotFound, format!("no token that holds is called \"{}\"", id.escape_debug()))
        .fix("`caisson token list` shows those that hold")
}

fn view(token: &Token, now: SystemTime) -> TokenView {
    let (servers, tools) = match &*token.scope {
        Scope::All => (TokenServers::All, None),
        Scope::Metrics => (TokenServers::Metrics, None),
        Scope::Only(servers) => {
            let tools: BTreeSet<String> = servers
                .values()
                .filter_map(|tools| match tools {
                    ToolScope::All => None,
                    ToolScope::Only(tools) => Some(tools.iter().cloned()),
                })
                .flatten()
                .collect();
            let all = servers.values().any(|tools| *tools == ToolScope::All);
            let tools = (!all).then(|| tools.into_iter().collect());
            (TokenServers::Only(servers.keys().cloned().collect()), tools)
        }
    };
    TokenView {
        id: token.id.to_string(),
        subject: token.subject.to_string(),
        servers,
        tools,
        issued_at: utc::whole_seconds(token.created),
        expires_at: token.expires.map(utc::whole_seconds),
        last_used_at: token.last_used.map(utc::whole_seconds),
        state: token.state(now),
    }
}
