//! The process that owns the servers: found, or become.

use std::{future::Future, io::ErrorKind, time::Duration};

use caisson_core::{
    control::{
        ControlClient,
        api::{ApiError, ErrorCode},
    },
    host::{Host, Setup},
};
use tokio::{
    task::JoinHandle,
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

/// So long an owner may take from taking the lock until it answers.
const PATIENCE: Duration = Duration::from_secs(5);
/// So long the servers get to stop when the application ends; what is left then ends with its pipe.
const FAREWELL: Duration = Duration::from_secs(20);

/// Finds the process that owns the servers.
pub(crate) trait Owner: Send + 'static {
    /// Connects to it, or becomes it.
    ///
    /// # Errors
    /// Why there is none.
    fn find(&mut self) -> impl Future<Output = Result<Found, ApiError>> + Send;

    /// Ends what this application hosts, if it does; every server is stopped.
    fn close(&mut self) -> impl Future<Output = ()> + Send;
}

/// The process that owns the servers.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    /// A connection to it.
    pub(crate) client: ControlClient,
    /// Whether this application is that process.
    pub(crate) host: bool,
}

/// The owner on this machine: a daemon that runs, else this application.
pub(crate) struct LocalOwner {
    setup: Setup,
    /// Cancelled when someone asks the process that owns the servers to end, and this is it.
    quit: CancellationToken,
    hosting: Option<Hosting>,
}

struct Hosting {
    host: Host,
    serving: JoinHandle<Result<(), ApiError>>,
    /// Hears when someone else asks the host to end.
    listening: JoinHandle<()>,
}

impl Owner for LocalOwner {
    async fn find(&mut self) -> Result<Found, ApiError> {
        if let Some(client) = self.connect().await? {
            return Ok(Found { client, host: self.hosting.is_some() });
        }
        if let Some(fault) = self.end_hosting().await {
            tracing::error!(%fault, "what this application hosted had ended");
        }
        match self.begin_hosting().await {
            Ok(()) => self.wait(None).await,
            // Another process was faster and answers in a moment, or it hangs.
            Err(held) if held.code == ErrorCode::Busy => self.wait(Some(held)).await,
            Err(problem) => Err(problem),
        }
    }

    async fn close(&mut self) {
        if let Some(fault) = self.end_hosting().await {
            tracing::error!(%fault, "the end was not as it should be");
        }
    }
}

impl LocalOwner {
    /// Looks where `setup` says, and cancels `quit` when what it hosts is asked to end.
    pub(crate) fn new(setup: Setup, quit: CancellationToken) -> Self {
        Self { setup, quit, hosting: None }
    }

    /// A connection to whoever listens.
    async fn connect(&self) -> Result<Option<ControlClient>, ApiError> {
        let socket = &self.setup.paths.socket;
        match ControlClient::connect(socket).await {
            Ok(client) => Ok(Some(client)),
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused) => {
                Ok(None)
            }
            Err(error) => Err(ApiError::new(ErrorCode::Daemon, "the running Caisson does not answer")
                .why(format!("{}: {error}", socket.display()))
                .fix("check that this socket belongs to you, or stop the process that holds it")),
        }
    }

    /// Waits until someone listens: this application, or the one that `held` it back.
    async fn wait(&mut self, held: Option<ApiError>) -> Result<Found, ApiError> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(client) = self.connect().await? {
                return Ok(Found { client, host: self.hosting.is_some() });
            }
            let failed = self.hosting.as_ref().is_some_and(|hosting| hosting.serving.is_finished());
            if failed || Instant::now() > deadline {
                let fault = self.end_hosting().await;
                return Err(held.or(fault).unwrap_or_else(|| {
                    let socket = self.setup.paths.socket.display();
                    ApiError::new(ErrorCode::Daemon, "Caisson does not answer itself")
                        .why(format!("nobody listens on {socket}"))
                }));
            }
            sleep(Duration::from_millis(10)).await;
        }
    }

    async fn begin_hosting(&mut self) -> Result<(), ApiError> {
        let host = Host::open(self.setup.clone()).await?;
        let serving = tokio::spawn({
            let host = host.clone();
            async move { host.serve().await }
        });
        let (shutting_down, quit) = (host.shutting_down(), self.quit.clone());
        let listening = tokio::spawn(async move {
            shutting_down.cancelled().await;
            quit.cancel();
        });
        self.hosting = Some(Hosting { host, serving, listening });
        Ok(())
    }

    /// Ends what is hosted; why it failed, if it did.
    async fn end_hosting(&mut self) -> Option<ApiError> {
        let Hosting { host, serving, listening } = self.hosting.take()?;
        listening.abort();
        host.shutdown();
        match timeout(FAREWELL, serving).await {
            Ok(Ok(served)) => served.err(),
            Ok(Err(fault)) => Some(ApiError::new(ErrorCode::Internal, fault.to_string())),
            Err(_) => Some(ApiError::new(ErrorCode::Internal, "the servers took too long to stop")),
        }
    }
}
