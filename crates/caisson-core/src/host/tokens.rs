//! Tokens for the bridge.

use std::{
    collections::BTreeSet,
    time::{Duration, SystemTime},
};

use super::Host;
use crate::{
    audit::Part,
    control::api::{ApiError, ErrorCode, IssueToken, IssuedToken, TokenList, TokenServers, TokenView},
    gate::{
        Scope, ToolScope,
        tokens::{Token, TokenId},
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
        let urls: Vec<String> = named.iter().map(|endpoint| self.url(endpoint)).collect();
        let ttl = ttl.map(Duration::from_secs);
        let (token, text) = self.0.gate.tokens().issue(&subject, scope, ttl, SystemTime::now())?;
        let until = token
            .expires
            .map_or_else(|| "until revoked".to_owned(), |end| format!("until {}", utc::stamp(end)));
        self.configured(None, Part::Token, token.id.as_str(), &format!("issued to {subject}, {until}"));
        Ok(IssuedToken {
            id: token.id.to_string(),
            token: text.expose().to_owned(),
            url: urls.first().cloned(),
            urls,
            sse_url: named.first().map(|endpoint| self.sse_url(endpoint)),
            expires_at: token.expires.map(utc::whole_seconds),
        })
    }

    /// Tokens that still hold, newest first.
    pub(super) fn list_tokens(&self) -> TokenList {
        let now = SystemTime::now();
        let holds = |token: &Token| !token.revoked && token.expires.is_none_or(|end| end > now);
        let tokens = self.0.gate.tokens().list().into_iter().rev().filter(holds).map(|token| view(&token));
        TokenList { tokens: tokens.collect() }
    }

    pub(super) fn revoke_token(&self, id: &str) -> Result<(), ApiError> {
        if self.0.gate.tokens().revoke(&TokenId::from(id))? {
            self.configured(None, Part::Token, id, "revoked");
            return Ok(());
        }
        Err(ApiError::new(ErrorCode::NotFound, format!("no token is called \"{}\"", id.escape_debug()))
            .fix("`caisson token list` shows those that hold"))
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

fn view(token: &Token) -> TokenView {
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
    }
}
