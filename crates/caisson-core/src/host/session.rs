//! An MCP session over the control socket: the stdio shim's other end. Messages pass as the bytes they are.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt},
    sync::mpsc,
    task::{AbortHandle, JoinSet},
    time::sleep,
};
use tokio_util::sync::CancellationToken;

use super::Host;
use crate::{
    bridge::{Installed, Servers as _},
    control::{self, DRAIN, LineError, LineReader, api::ApiError},
    gate::{Admission, Asked, Gate, LocalCaller, Permit, Principal},
    model::{Endpoint, Envelope, EnvelopeKind, RequestId},
    sandbox::{SandboxError, Session, SessionSender},
};

/// So many answers of Caisson's own wait to be written.
const ANSWERS: usize = 64;

/// A session that may be opened, and is with the client's first message: that tells which protocol it speaks.
pub struct Passthrough {
    gate: Gate,
    principal: Principal,
    endpoint: Endpoint,
    installed: Installed,
    permit: Permit,
}

impl Host {
    pub(super) async fn pass_through(&self, endpoint: &Endpoint) -> Result<Passthrough, ApiError> {
        self.start_timeout(endpoint)?;
        let principal = self.0.gate.local(LocalCaller::Shim).in_session();
        let permit = self.0.gate.open(&principal, endpoint)?;
        let (gate, installed) = (self.0.gate.clone(), self.0.installed.clone());
        Ok(Passthrough { gate, principal, endpoint: endpoint.clone(), installed, permit })
    }
}

/// What the client waits for an answer to; told by the way in, looked at by the way out.
enum Told {
    /// The server was asked, or will be when a person allows it.
    Asked(RequestId),
    /// Caisson tells something itself.
    Say(Vec<u8>),
    /// Caisson answers in the server's place.
    Answer(RequestId, Vec<u8>),
    /// The client wants no answer any more.
    Withdrawn(RequestId),
}

/// Calls that wait for a person's answer before they are sent. Dropped, they are withdrawn.
#[derive(Default)]
struct Held {
    tasks: JoinSet<()>,
    by_id: HashMap<RequestId, AbortHandle>,
}

impl Held {
    /// Holds a call back; then sends it, or answers it with the denial.
    fn hold(
        &mut self,
        asked: Box<Asked>,
        sender: Arc<SessionSender>,
        line: Vec<u8>,
        told: mpsc::Sender<Told>,
    ) {
        // What is done needs no place any more.
        while self.tasks.try_join_next().is_some() {}
        self.by_id.retain(|_, task| !task.is_finished());
        let id = asked.id().cloned();
        let held = id.clone();
        let task = self.tasks.spawn(async move {
            let alive = |progress: bytes::Bytes| drop(told.try_send(Told::Say(as_line(&progress))));
            match (asked.settle(alive).await, id) {
                // The receiver says why a session takes no more.
                (Ok(permit), _) => drop(sender.send(permit, &line).await),
                (Err(denial), Some(id)) => {
                    let answer = as_line(&denial.response(&id));
                    drop(told.send(Told::Answer(id, answer)).await);
                }
                (Err(_), None) => {}
            }
        });
        if let Some(id) = held {
            self.by_id.insert(id, task);
        }
    }

    /// Withdraws a call, if it waits.
    fn release(&mut self, id: &RequestId) -> bool {
        self.by_id.remove(id).is_some_and(|task| {
            let waits = !task.is_finished();
            task.abort();
            waits
        })
    }
}

impl control::Session for Passthrough {
    async fn run<R, W>(self, mut from_client: LineReader<R>, mut to_client: W, shutdown: CancellationToken)
    where
        R: AsyncRead + Unpin + Send + 'static,
        W: AsyncWrite + Unpin + Send + 'static,
    {
        let Self { gate, principal, endpoint, installed, permit } = self;
        let Some(Ok(Some(first))) = shutdown.run_until_cancelled(from_client.next()).await else { return };
        let first = first.to_vec();
        let opened = shutdown.run_until_cancelled(installed.open(permit, &principal, &first)).await;
        match opened.unwrap_or(Err(SandboxError::ShutDown)) {
            Ok(session) => {
                let relay = Relay { gate, principal, endpoint, session, shutdown };
                relay.run(first, from_client, to_client).await;
            }
            Err(error) => {
                let id = Envelope::read(&first).ok().and_then(|(envelope, _)| envelope.id);
                let refusal = answer(id.as_ref(), -32000, &error.to_string());
                // A client that is gone needs no answer.
                drop(to_client.write_all(&refusal).await);
                drop(to_client.shutdown().await);
            }
        }
    }
}

/// A session that was opened, before its client's first message is sent.
struct Relay {
    gate: Gate,
    principal: Principal,
    endpoint: Endpoint,
    session: Session,
    shutdown: CancellationToken,
}

impl Relay {
    /// Carries messages both ways until either side ends, or Caisson: then until what was asked is answered.
    async fn run<R, W>(self, first: Vec<u8>, mut from_client: LineReader<R>, mut to_client: W)
    where
        R: AsyncRead + Unpin + Send + 'static,
        W: AsyncWrite + Unpin + Send + 'static,
    {
        let Self { gate, principal, endpoint, session, shutdown } = self;
        let (sender, mut receiver) = session.split();
        let sender = Arc::new(sender);
        let mut first = Some(first);
        let (told, mut tells) = mpsc::channel(ANSWERS);

        let closing = shutdown.clone();
        let inward = async move {
            let mut held = Held::default();
            loop {
                let hello = first.take();
                let next = match &hello {
                    Some(hello) => Ok(Some(hello.as_slice())),
                    None => tokio::select! {
                        next = from_client.next() => next,
                        // The sender stays: dropped, it would end the server's input before it has answered.
                        () = closing.cancelled() => std::future::pending().await,
                    },
                };
                let line = match next {
                    Ok(Some(line)) => line,
                    // Dropping the sender ends the server's input.
                    Ok(None) | Err(LineError::Io(_) | LineError::Cut) => return,
                    Err(error @ LineError::TooLong(_)) => {
                        drop(told.send(Told::Say(answer(None, -32600, &error.to_string()))).await);
                        return;
                    }
                };
                let refusal = match Envelope::read(line) {
                    Err(error) => Some(answer(None, -32600, &error.to_string())),
                    Ok((envelope, kind)) => {
                        let id = envelope.id.clone().filter(|_| kind == EnvelopeKind::Request);
                        let admission = gate.admit(&principal, &endpoint, line, (&envelope, kind));
                        if let (Some(id), Admission::Permitted(_) | Admission::Asked(_)) = (&id, &admission)
                            && told.send(Told::Asked(id.clone())).await.is_err()
                        {
                            return;
                        }
                        match admission {
                            Admission::Denied(denial) => id.map(|id| as_line(&denial.response(&id))),
                            Admission::Asked(asked) => {
                                held.hold(asked, Arc::clone(&sender), line.to_vec(), told.clone());
                                None
                            }
                            Admission::Permitted(permit) => {
                                if let Some(id) = envelope.cancels().filter(|id| held.release(id)) {
                                    // The server has not heard of the call.
                                    if told.send(Told::Withdrawn(id)).await.is_err() {
                                        return;
                                    }
                                } else if sender.send(permit, line).await.is_err() {
                                    // The receiver says why a session takes no more.
                                    return;
                                }
                                None
                            }
                        }
                    }
                };
                if let Some(line) = refusal
                    && told.send(Told::Say(line)).await.is_err()
                {
                    return;
                }
            }
        };

        let outward = async move {
            let mut asked = HashSet::new();
            let mut line = Vec::new();
            let drained = async {
                shutdown.cancelled().await;
                sleep(DRAIN).await;
            };
            let mut drained = std::pin::pin!(drained);
            let why = loop {
                tokio::select! {
                    // What was asked is known before it is answered.
                    biased;
                    Some(told) = tells.recv() => match told {
                        Told::Asked(id) => drop(asked.insert(id)),
                        Told::Withdrawn(id) => drop(asked.remove(&id)),
                        Told::Say(line) => to_client.write_all(&line).await?,
                        Told::Answer(id, line) => {
                            asked.remove(&id);
                            to_client.write_all(&line).await?;
                        }
                    },
                    () = shutdown.cancelled(), if asked.is_empty() => break SandboxError::ShutDown.to_string(),
                    () = &mut drained => break SandboxError::ShutDown.to_string(),
                    message = receiver.next() => match message {
                        None => break "the server has ended the session".to_owned(),
                        Some(Err(error)) => break error.to_string(),
                        Some(Ok(message)) => {
                            if !asked.is_empty()
                                && let Ok((Envelope { id: Some(id), .. }, EnvelopeKind::Response)) =
                                    Envelope::read(&message)
                            {
                                asked.remove(&id);
                            }
                            line.clear();
                            line.extend_from_slice(&message);
                            line.push(b'\n');
                            to_client.write_all(&line).await?;
                        }
                    },
                }
            };
            while let Ok(told) = tells.try_recv() {
                if let Told::Asked(id) = told {
                    asked.insert(id);
                }
            }
            // Nobody shall wait for an answer that cannot come.
            for id in asked {
                to_client.write_all(&answer(Some(&id), -32000, &why)).await?;
            }
            to_client.shutdown().await
        };

        let mut outward = std::pin::pin!(outward);
        let ended: std::io::Result<()> = tokio::select! {
            ended = &mut outward => ended,
            () = inward => outward.await,
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "a client went away");
        }
    }
}

/// An error response of JSON-RPC 2.0, as a line.
fn answer(id: Option<&RequestId>, code: i32, why: &str) -> Vec<u8> {
    let message = format!("Caisson: {why}");
    let response =
        serde_json::json!({ "jsonrpc": "2.0", "id": id, "error": { "code": code, "message": message } });
    as_line(response.to_string().as_bytes())
}

fn as_line(message: &[u8]) -> Vec<u8> {
    [message, b"\n"].concat()
}

#[cfg(test)]
mod tests;
