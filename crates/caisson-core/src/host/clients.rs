//! Connects clients: writes servers into their configuration, each client with a token of its own.

use std::time::SystemTime;

use super::Host;
use crate::{
    audit::Part,
    clients::{Change, Client, ClientError, ClientStatus, Link},
    control::api::{
        ApiError, ClientChange, ClientList, ClientView, ConnectClient, DisconnectClient, ErrorCode,
    },
    gate::{Scope, tokens::TokenId},
    model::Endpoint,
};

impl Host {
    pub(super) async fn list_clients(&self) -> Result<ClientList, ApiError> {
        let host = self.clone();
        let listed = blocking(move || Ok(host.0.clients.list())).await?;
        Ok(ClientList { clients: listed.into_iter().map(view).collect() })
    }

    pub(super) async fn connect_client(&self, connect: ConnectClient) -> Result<ClientChange, ApiError> {
        let client = known(&connect.client)?;
        let mut servers = connect.servers;
        if servers.is_empty() {
            servers = self.0.registry.list().into_iter().map(|listed| listed.name.into()).collect();
        }
        if servers.is_empty() {
            return Err(ApiError::new(ErrorCode::NotFound, "no server is installed")
                .fix("install one first, for example: caisson install example"));
        }
        for server in &servers {
            self.known(server)?;
        }
        let host = self.clone();
        let change = blocking(move || {
            // All entries carry the one token, so those that are connected already are written again.
            let connected = host.0.clients.status(client).servers;
            servers.extend(connected);
            servers.sort();
            servers.dedup();
            host.with_token(client, &servers, |link| host.0.clients.connect(client, &servers, link))
        });
        let change = change.await?;
        self.configured(
            None,
            Part::Client,
            client.title(),
            &format!("connected to {}", names(&change.servers)),
        );
        Ok(told(client, change))
    }

    pub(super) async fn disconnect_client(
        &self,
        request: DisconnectClient,
    ) -> Result<ClientChange, ApiError> {
        let client = known(&request.client)?;
        let host = self.clone();
        let change = blocking(move || host.disconnect(client, &request.servers)).await?;
        Ok(told(client, change))
    }

    pub(super) async fn rotate_client(&self, client: &str) -> Result<ClientChange, ApiError> {
        let client = known(client)?;
        if !client.reads_urls() {
            let why = format!("{} starts `caisson stdio`, and has no token", client.title());
            return Err(ApiError::new(ErrorCode::Invalid, why));
        }
        let host = self.clone();
        let change = blocking(move || {
            let servers = host.0.clients.status(client).servers;
            if servers.is_empty() {
                let nothing = format!("{} has nothing of Caisson's", client.title());
                return Err(ApiError::new(ErrorCode::NotFound, nothing)
                    .fix(format!("connect it first: caisson connect {}", client.id())));
            }
            host.with_token(client, &servers, |link| host.0.clients.connect(client, &servers, link))
        });
        let change = change.await?;
        self.configured(None, Part::Client, client.title(), "given a new token");
        Ok(told(client, change))
    }

    /// Takes a server or group out of every client that has it.
    pub(super) async fn disconnect_everywhere(&self, server: &Endpoint) -> Vec<Result<String, ApiError>> {
        let host = self.clone();
        let server = server.clone();
        let changes = blocking(move || {
            let statuses = host.0.clients.list().into_iter();
            let having = statuses.filter(|status| status.servers.contains(&server));
            let change = |status: ClientStatus| {
                let entry = format!("entry in {}", status.client.title());
                host.disconnect(status.client, std::slice::from_ref(&server)).map(|_| entry)
            };
            Ok(having.map(change).collect())
        });
        changes.await.unwrap_or_else(|error| vec![Err(error)])
    }

    /// Blocks. The client's token ends when none of its servers is left; else it is narrowed.
    fn disconnect(&self, client: Client, servers: &[Endpoint]) -> Result<Change, ApiError> {
        let change = self.0.clients.disconnect(client, servers)?;
        let from = names(&change.servers);
        self.configured(None, Part::Client, client.title(), &format!("disconnected from {from}"));
        let left = self.0.clients.status(client).servers;
        if left.is_empty() {
            self.forget_token(client)?;
        } else if client.reads_urls() {
            self.with_token(client, &left, |link| self.0.clients.connect(client, &left, link))?;
        }
        Ok(change)
    }

    /// Does `work` with a link for `client` to `servers`. A new token takes the place of the client's old one
    /// when the work is done, and is taken back when it fails. Whichever of the two stands in the client's file holds
    /// at every moment, and the state knows of it, also after a crash.
    fn with_token(
        &self,
        client: Client,
        servers: &[Endpoint],
        work: impl FnOnce(&Link) -> Result<Change, ClientError>,
    ) -> Result<Change, ApiError> {
        if !client.reads_urls() {
            let env = self.0.paths.variables.clone();
            return Ok(work(&Link::Shim { program: self.0.program.clone(), env })?);
        }
        let tokens = self.0.gate.tokens();
        let scope = Scope::only(servers.iter().cloned());
        let old = self.tokens_of(client)?;
        let (token, text) = tokens.issue(client.title(), scope, None, SystemTime::now())?;
        let both = [old.as_slice(), std::slice::from_ref(&token.id)].concat();
        let bridge = format!("http://127.0.0.1:{}", self.0.settings.port);
        let link = Link::Url { bridge, token: text.expose().to_owned().into() };
        match self.keep_tokens_of(client, &both).and_then(|()| Ok(work(&link)?)) {
            Ok(change) => {
                self.revoke_all(&old)?;
                self.keep_tokens_of(client, &[token.id])?;
                Ok(change)
            }
            Err(error) => {
                tokens.revoke(&token.id)?;
                self.keep_tokens_of(client, &old)?;
                Err(error)
            }
        }
    }

    fn forget_token(&self, client: Client) -> Result<(), ApiError> {
        self.revoke_all(&self.tokens_of(client)?)?;
        self.keep_tokens_of(client, &[])
    }

    /// The client in whose file a token stands.
    pub(super) fn client_of(&self, id: &TokenId) -> Result<Option<Client>, ApiError> {
        for client in Client::ALL {
            if self.tokens_of(client)?.contains(id) {
                return Ok(Some(client));
            }
        }
        Ok(None)
    }

    fn revoke_all(&self, ids: &[TokenId]) -> Result<(), ApiError> {
        for id in ids {
            self.0.gate.tokens().revoke(id)?;
        }
        Ok(())
    }

    /// The tokens of which one stands in the client's file: there is one, but after a crash in the middle of a change.
    fn tokens_of(&self, client: Client) -> Result<Vec<TokenId>, ApiError> {
        let kept = self.0.state.value(&token_key(client))?.unwrap_or_default();
        Ok(kept.split_whitespace().map(TokenId::from).collect())
    }

    fn keep_tokens_of(&self, client: Client, ids: &[TokenId]) -> Result<(), ApiError> {
        let ids: Vec<&str> = ids.iter().map(TokenId::as_str).collect();
        Ok(self.0.state.set_value(&token_key(client), &ids.join(" "))?)
    }
}

/// Under which key the state keeps the ids of a client's tokens.
fn token_key(client: Client) -> String {
    format!("client_token:{}", client.id())
}

fn known(text: &str) -> Result<Client, ApiError> {
    text.parse::<Client>().map_err(|error| {
        ApiError::new(ErrorCode::NotFound, error.to_string())
            .fix("`caisson clients` lists those Caisson knows")
    })
}

fn view(status: ClientStatus) -> ClientView {
    let dropped = (!status.dropped.is_empty()).then(|| {
        let names = names(&status.dropped);
        format!("{} has dropped {names} from its file; connect it again", status.client.title())
    });
    ClientView {
        client: status.client.id().to_owned(),
        title: status.client.title().to_owned(),
        found: status.found,
        file: status.file,
        servers: status.servers,
        problem: status.problem.or(dropped),
    }
}

fn names(endpoints: &[Endpoint]) -> String {
    let names: Vec<&str> = endpoints.iter().map(Endpoint::name).collect();
    names.join(", ")
}

fn told(client: Client, change: Change) -> ClientChange {
    ClientChange {
        title: client.title().to_owned(),
        file: change.file,
        backup: change.backup,
        servers: change.servers,
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ApiError> + Send + 'static,
) -> Result<T, ApiError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| ApiError::new(ErrorCode::Internal, error.to_string()))?
}

impl From<ClientError> for ApiError {
    fn from(error: ClientError) -> Self {
        let code = match &error {
            ClientError::NotFound { .. } => ErrorCode::NotFound,
            ClientError::Taken { .. } => ErrorCode::Exists,
            ClientError::State(_) => ErrorCode::Storage,
            ClientError::NoUrls(_)
            | ClientError::NotUnicode { .. }
            | ClientError::Fault { .. }
            | ClientError::Read { .. }
            | ClientError::Strange { .. }
            | ClientError::ReadOnly { .. }
            | ClientError::Backup { .. }
            | ClientError::Write { .. }
            | ClientError::Restless { .. } => ErrorCode::Client,
        };
        Self::new(code, error.to_string())
    }
}
