//! The other end: what the CLI, the tray and the shim use.

#[cfg(unix)]
mod blocking;
mod session;

use std::{
    collections::HashMap,
    fmt, io,
    marker::PhantomData,
    path::Path,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use serde_json::value::RawValue;
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt},
    sync::{mpsc, oneshot},
    task::AbortHandle,
};

#[cfg(unix)]
pub use blocking::BlockingSession;
pub use session::SessionStream;

use super::{
    LONGEST_LINE,
    api::{ApiError, Cancel, ErrorCode, Notice, NoticeBody, Request},
    lines::LineReader,
    message::{self, FromServer, RequestOut},
    socket,
};

/// So many notices of one request wait to be read before the connection waits for their reader.
const NOTICES: usize = 1024;

/// A connection to the process that owns the state. Cheap to clone; the connection ends with the last clone.
#[derive(Clone)]
pub struct ControlClient(Arc<Shared>);

struct Shared {
    out: mpsc::Sender<Vec<u8>>,
    waiting: Arc<Waiting>,
    next: AtomicU64,
    reader: AbortHandle,
}

/// The requests that wait for something, by id. None once the connection has ended.
struct Waiting(Mutex<Option<HashMap<u64, Waiter>>>);

struct Waiter {
    /// Until the answer came.
    answer: Option<oneshot::Sender<Result<Box<RawValue>, ApiError>>>,
    notices: mpsc::Sender<NoticeBody>,
}

/// A request under way, or the subscription it began. Dropping it cancels it.
#[derive(Debug)]
pub struct Running<R: Request> {
    id: u64,
    client: ControlClient,
    answer: Option<oneshot::Receiver<Result<Box<RawValue>, ApiError>>>,
    notices: mpsc::Receiver<NoticeBody>,
    ended: bool,
    request: PhantomData<fn() -> R>,
}

impl ControlClient {
    /// Connects to the process that listens on `socket`.
    ///
    /// # Errors
    /// When none answers there, or it belongs to another user.
    pub async fn connect(socket: &Path) -> io::Result<Self> {
        let (reader, writer) = socket::connect(socket).await?;
        Ok(Self::over(reader, writer))
    }

    /// Speaks over a connection that stands, such as a pipe in memory to [`super::serve_stream`].
    pub fn over<R, W>(reader: R, mut writer: W) -> Self
    where
        R: AsyncRead + Unpin + Send + 'static,
        W: AsyncWrite + Unpin + Send + 'static,
    {
        let (out, mut lines) = mpsc::channel::<Vec<u8>>(16);
        tokio::spawn(async move {
            while let Some(line) = lines.recv().await {
                if writer.write_all(&line).await.is_err() || writer.flush().await.is_err() {
                    break;
                }
            }
        });
        let waiting = Arc::new(Waiting(Mutex::new(Some(HashMap::new()))));
        let reader = tokio::spawn(read(reader, Arc::clone(&waiting))).abort_handle();
        Self(Arc::new(Shared { out, waiting, next: AtomicU64::new(1), reader }))
    }

    /// Makes a request and waits for its reply.
    ///
    /// # Errors
    /// What the other side answers, or [`ErrorCode::Daemon`] when it is gone.
    pub async fn call<R: Request>(&self, params: &R) -> Result<R::Reply, ApiError> {
        self.start(params).await?.reply().await
    }

    /// Makes a request that goes on after its reply, and waits for the reply.
    ///
    /// # Errors
    /// As [`Self::call`].
    pub async fn subscribe<R: Request>(&self, params: &R) -> Result<(R::Reply, Running<R>), ApiError> {
        let mut running = self.start(params).await?;
        let reply = running.reply_mut().await?;
        Ok((reply, running))
    }

    /// Makes a request. What comes before its reply is read from [`Running::notice`].
    ///
    /// # Errors
    /// [`ErrorCode::Daemon`] when the other side is gone.
    pub async fn start<R: Request>(&self, params: &R) -> Result<Running<R>, ApiError> {
        let id = self.0.next.fetch_add(1, Ordering::Relaxed);
        let (answer_to, answer) = oneshot::channel();
        let (notices_to, notices) = mpsc::channel(NOTICES);
        {
            let mut waiting = self.0.waiting.lock();
            let waiting = waiting.as_mut().ok_or_else(gone)?;
            waiting.insert(id, Waiter { answer: Some(answer_to), notices: notices_to });
        }
        let running = Running {
            id,
            client: self.clone(),
            answer: Some(answer),
            notices,
            ended: false,
            request: PhantomData,
        };
        let line = message::line(&RequestOut::new(id, R::METHOD, params));
        self.0.out.send(line).await.map_err(|_| gone())?;
        Ok(running)
    }
}

impl<R: Request> Running<R> {
    /// The next notice; none once the reply has come, or the subscription ended.
    pub async fn notice(&mut self) -> Option<NoticeBody> {
        let notice = match self.answer.as_mut() {
            None => self.notices.recv().await,
            Some(answer) => tokio::select! {
                biased;
                notice = self.notices.recv() => notice,
                // Put back for `reply`: a receiver that was polled to its value gives it only once.
                outcome = answer => {
                    let (to, from) = oneshot::channel();
                    drop(to.send(outcome.unwrap_or_else(|_| Err(gone()))));
                    self.answer = Some(from);
                    return self.notices.try_recv().ok();
                }
            },
        };
        match notice {
            Some(NoticeBody::End) | None => {
                self.ended = true;
                None
            }
            other => other,
        }
    }

    /// Waits for the reply.
    ///
    /// # Errors
    /// What the other side answers, or [`ErrorCode::Daemon`] when it is gone.
    pub async fn reply(mut self) -> Result<R::Reply, ApiError> {
        let reply = self.reply_mut().await;
        self.ended = true;
        self.client.0.waiting.forget(self.id);
        reply
    }

    /// Asks for the request to be cancelled; the reply says whether it was.
    pub async fn cancel(&self) {
        let line = self.client.cancel_line(self.id);
        drop(self.client.0.out.send(line).await);
    }

    async fn reply_mut(&mut self) -> Result<R::Reply, ApiError> {
        let Some(answer) = self.answer.take() else { return Err(gone()) };
        let outcome = answer.await.map_err(|_| gone()).and_then(|outcome| outcome);
        // A failure begins no subscription.
        self.ended = outcome.is_err();
        serde_json::from_str(outcome?.get()).map_err(|error| {
            ApiError::new(ErrorCode::Daemon, "the running Caisson answered what this version does not know")
                .why(error.to_string())
                .fix("restart Caisson, so that both are of the same version")
        })
    }
}

impl<R: Request> Drop for Running<R> {
    fn drop(&mut self) {
        self.client.0.waiting.forget(self.id);
        if !self.ended {
            let line = self.client.cancel_line(self.id);
            // When the queue is full the other side is not reading, and the connection's end will tell it.
            drop(self.client.0.out.try_send(line));
        }
    }
}

impl ControlClient {
    fn cancel_line(&self, request: u64) -> Vec<u8> {
        let id = self.0.next.fetch_add(1, Ordering::Relaxed);
        message::line(&RequestOut::new(id, Cancel::METHOD, &Cancel { request }))
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

impl fmt::Debug for ControlClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ControlClient").finish_non_exhaustive()
    }
}

impl Waiting {
    // A panic elsewhere leaves the map whole: every change is one call.
    fn lock(&self) -> MutexGuard<'_, Option<HashMap<u64, Waiter>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn forget(&self, id: u64) {
        if let Some(waiting) = self.lock().as_mut() {
            waiting.remove(&id);
        }
    }

    fn answer(&self, id: u64, outcome: Result<Box<RawValue>, ApiError>) {
        let waiter = self.lock().as_mut().and_then(|waiting| waiting.get_mut(&id)?.answer.take());
        if let Some(waiter) = waiter {
            // One that no longer waits wants no answer.
            drop(waiter.send(outcome));
        }
    }

    fn notices(&self, id: u64) -> Option<mpsc::Sender<NoticeBody>> {
        self.lock().as_ref()?.get(&id).map(|waiter| waiter.notices.clone())
    }
}

async fn read<R: AsyncRead + Unpin>(from: R, waiting: Arc<Waiting>) {
    let mut lines = LineReader::new(from, LONGEST_LINE);
    while let Ok(Some(line)) = lines.next().await {
        let Ok(message) = serde_json::from_slice::<FromServer<'_>>(line) else { continue };
        match (message.id, message.error, message.result, message.params) {
            (Some(id), Some(error), ..) => waiting.answer(id, Err(error.into())),
            (Some(id), None, Some(result), _) => waiting.answer(id, Ok(result.to_owned())),
            (None, None, None, Some(params)) => {
                let Ok(notice) = serde_json::from_str::<Notice>(params.get()) else { continue };
                if let Some(notices) = waiting.notices(notice.request) {
                    drop(notices.send(notice.body).await);
                }
            }
            _ => {}
        }
    }
    // Drops every waiter, which tells each that the other side is gone.
    waiting.lock().take();
}

fn gone() -> ApiError {
    ApiError::new(ErrorCode::Daemon, "the connection to the running Caisson ended")
        .fix("try again; `caisson doctor` shows what keeps it from running")
}
