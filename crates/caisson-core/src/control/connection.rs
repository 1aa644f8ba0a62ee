//! One connection: reads requests, runs them side by side, and writes answers and notices in one order.

use std::{collections::HashMap, sync::Arc, time::Duration};

use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt},
    sync::mpsc,
    task::{JoinHandle, JoinSet},
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{
    LONGEST_LINE,
    api::{ApiError, Cancel, Done, EndSubscription, ErrorCode, NoticeBody, OpenSession, Request},
    lines::{LineError, LineReader},
    message::{self, INVALID_REQUEST, PARSE_ERROR, RequestIn, RpcError},
    service::{Call, CallError, DRAIN, Notices, Reply, Service, Session},
};

/// So many requests of one connection run at once; more are refused.
const MOST_REQUESTS: usize = 64;
/// So many lines wait for a slow reader before senders wait too.
const OUTGOING: usize = 64;
/// So long the last answers may take to be read when Caisson shuts down.
const GOODBYE: Duration = Duration::from_millis(500);

/// Serves one connection until the peer ends it or `shutdown` is cancelled. The two halves may be a socket's
/// or, within one process, a pipe's in memory.
pub async fn serve_stream<S, R, W>(service: S, from_client: R, to_client: W, shutdown: CancellationToken)
where
    S: Service,
    R: AsyncRead + Unpin + Send + 'static,
    W: AsyncWrite + Unpin + Send + 'static,
{
    let mut reader = LineReader::new(from_client, LONGEST_LINE);
    let (out, writer) = write_lines(to_client);
    let mut requests = Requests {
        service,
        local: Arc::default(),
        out,
        running: HashMap::new(),
        tasks: JoinSet::new(),
        shutdown: shutdown.clone(),
    };
    let end = tokio::select! {
        end = requests.take(&mut reader) => end,
        () = shutdown.cancelled() => {
            requests.finish().await;
            End::Closed
        }
    };
    let Requests { service, local, out, tasks, .. } = requests;
    // Whatever runs for a peer that is gone, or whose connection becomes a session, is cancelled.
    drop((service, local, tasks, out));
    match end {
        End::Closed => drop(timeout(GOODBYE, writer).await),
        End::Session(session) => {
            let Ok(Some(to_client)) = writer.await else { return };
            // A client that reads nothing is not waited for.
            let over = async {
                shutdown.cancelled().await;
                sleep(DRAIN + GOODBYE).await;
            };
            tokio::select! {
                () = session.run(reader, to_client, shutdown.clone()) => {}
                () = over => {}
            }
        }
    }
}

/// Writes lines in the order they were sent; gives the stream back when the last sender is gone.
fn write_lines<W: AsyncWrite + Unpin + Send + 'static>(
    mut to_client: W,
) -> (mpsc::Sender<Vec<u8>>, JoinHandle<Option<W>>) {
    let (out, mut lines) = mpsc::channel::<Vec<u8>>(OUTGOING);
    let writer = tokio::spawn(async move {
        while let Some(line) = lines.recv().await {
            to_client.write_all(&line).await.ok()?;
            to_client.flush().await.ok()?;
        }
        Some(to_client)
    });
    (out, writer)
}

enum End<T> {
    Closed,
    Session(T),
}

struct Requests<S: Service> {
    service: S,
    local: Arc<S::Local>,
    out: mpsc::Sender<Vec<u8>>,
    /// What cancels each request, or the subscription it began.
    running: HashMap<u64, CancellationToken>,
    tasks: JoinSet<u64>,
    /// Ends subscriptions, not requests.
    shutdown: CancellationToken,
}

impl<S: Service> Requests<S> {
    async fn take<R: AsyncRead + Unpin>(&mut self, reader: &mut LineReader<R>) -> End<S::Session> {
        loop {
            let line = tokio::select! {
                line = reader.next() => line,
                Some(ended) = self.tasks.join_next() => {
                    if let Ok(id) = ended {
                        self.running.remove(&id);
                    }
                    continue;
                }
            };
            let line = match line {
                Ok(Some(line)) => line,
                Ok(None) | Err(LineError::Cut | LineError::Io(_)) => return End::Closed,
                Err(error @ LineError::TooLong(_)) => {
                    self.refuse(None, INVALID_REQUEST, error.to_string()).await;
                    return End::Closed;
                }
            };
            let request = match serde_json::from_slice::<RequestIn<'_>>(line) {
                Ok(request) if request.jsonrpc == "2.0" => request,
                Ok(request) => {
                    let id = request.id;
                    self.refuse(Some(id), INVALID_REQUEST, "it is not JSON-RPC 2.0").await;
                    continue;
                }
                Err(error) => {
                    let code = match serde_json::from_slice::<IgnoredAny>(line) {
                        Ok(_) => INVALID_REQUEST,
                        Err(_) => PARSE_ERROR,
                    };
                    self.refuse(None, code, format!("the line is not a request: {error}")).await;
                    continue;
                }
            };
            let (id, method) = (request.id, request.method.into_owned());
            let params = request.params.map_or_else(|| RawValue::NULL.to_owned(), RawValue::to_owned);
            if method == OpenSession::METHOD {
                match self.session(id, &params, reader).await {
                    Ok(Some(session)) => return End::Session(session),
                    Ok(None) => return End::Closed,
                    Err(error) => self.answer(id, Err(error)).await,
                }
            } else {
                self.request(id, method, params).await;
            }
        }
    }

    async fn request(&mut self, id: u64, method: String, params: Box<RawValue>) {
        let cancel: Option<Result<u64, _>> = match method.as_str() {
            Cancel::METHOD => Some(serde_json::from_str(params.get()).map(|cancel: Cancel| cancel.request)),
            EndSubscription::METHOD => {
                Some(serde_json::from_str(params.get()).map(|end: EndSubscription| end.request))
            }
            _ => None,
        };
        match cancel {
            Some(Ok(request)) => {
                // One that is over already is no error: it was faster.
                if let Some(running) = self.running.get(&request) {
                    running.cancel();
                }
                return self.answer(id, Reply::of::<Cancel>(&Done {})).await;
            }
            Some(Err(error)) => return self.answer(id, Err(CallError::Params(error.to_string()))).await,
            None => {}
        }
        if self.running.contains_key(&id) {
            return self.refuse(Some(id), INVALID_REQUEST, "a request of this id runs already").await;
        }
        if self.running.len() >= MOST_REQUESTS {
            let error = ApiError::new(ErrorCode::Busy, "too many requests run on this connection")
                .fix("wait for one to end");
            return self.answer(id, Err(error.into())).await;
        }
        let cancelled = CancellationToken::new();
        self.running.insert(id, cancelled.clone());
        let notices = Notices { request: id, out: self.out.clone() };
        let call = Call { method, params, notices: notices.clone() };
        let then_until = self.shutdown.clone();
        let local = Arc::clone(&self.local);
        self.tasks.spawn(run(self.service.clone(), local, call, notices, cancelled, then_until));
    }

    /// Opens a session. None when the peer went away meanwhile.
    async fn session<R: AsyncRead + Unpin>(
        &mut self,
        id: u64,
        params: &RawValue,
        reader: &mut LineReader<R>,
    ) -> Result<Option<S::Session>, CallError> {
        let params: OpenSession =
            serde_json::from_str(params.get()).map_err(|error| CallError::Params(error.to_string()))?;
        while self.tasks.try_join_next().is_some() {}
        if !self.tasks.is_empty() {
            return Err(ApiError::new(ErrorCode::Busy, "another request of this connection runs").into());
        }
        let session = tokio::select! {
            session = self.service.open_session(params) => session?,
            // The peer waits for the answer before its first message; anything earlier is its end.
            _ = reader.next() => return Ok(None),
        };
        self.answer(id, Reply::of::<OpenSession>(&Done {})).await;
        Ok(Some(session))
    }

    /// Lets what runs come to its end, within [`GOODBYE`]; subscriptions end at once.
    async fn finish(&mut self) {
        let ended = async {
            while let Some(ended) = self.tasks.join_next().await {
                drop(ended);
            }
        };
        if timeout(GOODBYE, ended).await.is_err() {
            self.running.values().for_each(CancellationToken::cancel);
            let cancelled = async { while self.tasks.join_next().await.is_some() {} };
            drop(timeout(GOODBYE, cancelled).await);
        }
    }

    async fn answer(&self, id: u64, outcome: Result<Reply, CallError>) {
        send(&self.out, id, outcome.map(|reply| reply.result)).await;
    }

    async fn refuse(&self, id: Option<u64>, code: i32, why: impl Into<String>) {
        let error = RpcError::new(code, ApiError::new(ErrorCode::Invalid, why));
        drop(self.out.send(message::answer(id, Err(&error))).await);
    }
}

/// Runs one request to its answer and, where it began a subscription, to that one's end.
async fn run<S: Service>(
    service: S,
    local: Arc<S::Local>,
    call: Call,
    notices: Notices,
    cancelled: CancellationToken,
    then_until: CancellationToken,
) -> u64 {
    let id = notices.request;
    let outcome = tokio::select! {
        outcome = service.call(call, local) => outcome,
        () = cancelled.cancelled() => {
            Err(ApiError::new(ErrorCode::Cancelled, "the request was cancelled").into())
        }
    };
    let (outcome, then) = match outcome {
        Ok(Reply { result, then }) => (Ok(result), then),
        Err(error) => (Err(error), None),
    };
    send(&notices.out, id, outcome).await;
    if let Some(then) = then {
        tokio::select! {
            () = then => {}
            () = cancelled.cancelled() => {}
            () = then_until.cancelled() => {}
        }
        notices.send(NoticeBody::End).await;
    }
    id
}

async fn send(out: &mpsc::Sender<Vec<u8>>, id: u64, outcome: Result<Box<RawValue>, CallError>) {
    let outcome = outcome.map_err(RpcError::from);
    let line = message::answer(Some(id), outcome.as_deref());
    // A peer that is gone reads no answer.
    drop(out.send(line).await);
}
