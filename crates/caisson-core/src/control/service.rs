use std::{future::Future, pin::Pin, sync::Arc, time::Duration};

use serde_json::value::RawValue;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::mpsc,
};
use tokio_util::sync::CancellationToken;

use super::{
    api::{ApiError, ErrorCode, Notice, NoticeBody, OpenSession, Request},
    lines::LineReader,
    message::{self, INVALID_PARAMS, METHOD_NOT_FOUND, RpcError},
};

/// How long a session's requests may still be answered when Caisson shuts down.
pub const DRAIN: Duration = Duration::from_secs(5);

/// What answers the requests of a connection. The host is one.
pub trait Service: Clone + Send + Sync + 'static {
    /// What it remembers for one connection. Dropped when the connection ends.
    type Local: Default + Send + Sync + 'static;
    /// An MCP session that takes a connection over.
    type Session: Session;

    /// Answers one request. Dropping the future cancels it.
    fn call(
        &self,
        call: Call,
        local: Arc<Self::Local>,
    ) -> impl Future<Output = Result<Reply, CallError>> + Send;

    /// Opens a session for [`OpenSession`].
    fn open_session(
        &self,
        params: OpenSession,
    ) -> impl Future<Output = Result<Self::Session, ApiError>> + Send;
}

/// An MCP session that takes a connection over.
pub trait Session: Send + 'static {
    /// Relays messages, one a line, until either side ends. When `shutdown` is cancelled, what was asked may still
    /// be answered, for [`DRAIN`].
    fn run<R, W>(
        self,
        from_client: LineReader<R>,
        to_client: W,
        shutdown: CancellationToken,
    ) -> impl Future<Output = ()> + Send
    where
        R: AsyncRead + Unpin + Send + 'static,
        W: AsyncWrite + Unpin + Send + 'static;
}

/// One request.
#[derive(Debug)]
pub struct Call {
    /// The method's name.
    pub method: String,
    /// The parameters, unread.
    pub params: Box<RawValue>,
    /// Where to tell what happens meanwhile.
    pub notices: Notices,
}

impl Call {
    /// Reads the parameters.
    ///
    /// # Errors
    /// When they are not those of the method.
    pub fn params<R: Request>(&self) -> Result<R, CallError> {
        // JSON-RPC lets a request without parameters leave them out.
        let params = Some(self.params.get()).filter(|params| *params != "null").unwrap_or("{}");
        serde_json::from_str(params).map_err(|error| CallError::Params(error.to_string()))
    }
}

/// What is sent before a request is over.
#[derive(Clone, Debug)]
pub struct Notices {
    pub(crate) request: u64,
    pub(crate) out: mpsc::Sender<Vec<u8>>,
}

impl Notices {
    /// Sends one notice and waits while the connection is full. False when the connection is gone.
    pub async fn send(&self, body: NoticeBody) -> bool {
        self.out.send(message::notice(&Notice { request: self.request, body })).await.is_ok()
    }
}

/// A success.
pub struct Reply {
    pub(super) result: Box<RawValue>,
    pub(super) then: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

impl std::fmt::Debug for Reply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reply").field("result", &self.result).field("then", &self.then.is_some()).finish()
    }
}

impl Reply {
    /// The reply of `R`.
    ///
    /// # Errors
    /// When the reply cannot be written as JSON.
    pub fn of<R: Request>(reply: &R::Reply) -> Result<Self, CallError> {
        let result = serde_json::value::to_raw_value(reply).map_err(|error| {
            ApiError::new(ErrorCode::Internal, format!("the reply cannot be written: {error}"))
        })?;
        Ok(Self { result, then: None })
    }

    /// The same, followed by what `then` sends, until it is over or the caller ends the subscription.
    #[must_use]
    pub fn then(mut self, then: impl Future<Output = ()> + Send + 'static) -> Self {
        self.then = Some(Box::pin(then));
        self
    }
}

/// Why a request was not answered as asked.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The method is not known.
    #[error("there is no such method")]
    UnknownMethod,
    /// The parameters are not those of the method.
    #[error("the parameters are not those of the method: {0}")]
    Params(String),
    /// It failed.
    #[error(transparent)]
    Failed(#[from] ApiError),
}

impl From<CallError> for RpcError {
    fn from(error: CallError) -> Self {
        let what = error.to_string();
        match error {
            CallError::UnknownMethod => Self::new(
                METHOD_NOT_FOUND,
                ApiError::new(ErrorCode::Invalid, what)
                    .why("the program that asks and the Caisson that runs may be of different versions")
                    .fix("restart Caisson, so that both are of the same version"),
            ),
            CallError::Params(_) => Self::new(INVALID_PARAMS, ApiError::new(ErrorCode::Invalid, what)),
            CallError::Failed(error) => error.into(),
        }
    }
}
