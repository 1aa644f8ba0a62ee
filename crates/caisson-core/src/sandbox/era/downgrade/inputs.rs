//! What a server wants of the client within an answer, asked as the requests that clients of this era know.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use futures::future::try_join_all;
use serde::Deserialize;
use serde_json::{json, value::RawValue};
use tokio::sync::{Semaphore, mpsc, oneshot};

use super::{super::pair::Fault, Shared, client::Capabilities};
use crate::model::{Envelope, RequestId, Splice};

/// Questions to one client at a time. Fewer than its requests at a time, so that its answers are always heard.
const MOST_QUESTIONS: usize = 128;
/// The answer of a person who was not asked, or did not answer.
const CANCEL: &str = r#"{"action":"cancel"}"#;

/// The questions a client has not answered yet.
#[derive(Debug)]
pub(super) struct Inputs {
    open: Mutex<HashMap<RequestId, oneshot::Sender<Bytes>>>,
    last: AtomicU64,
    room: Semaphore,
    withdrawn: mpsc::UnboundedSender<RequestId>,
}

/// A question to the client. When dropped before its answer, it is withdrawn.
#[derive(Debug)]
struct Question<'a> {
    inputs: &'a Inputs,
    id: RequestId,
    answer: oneshot::Receiver<Bytes>,
}

/// The part of a wanted input that is read.
#[derive(Deserialize)]
struct Input {
    method: String,
    #[serde(default)]
    params: Option<InputParams>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct InputParams {
    mode: Option<String>,
    elicitation_id: Option<String>,
    tools: Option<serde::de::IgnoredAny>,
}

impl Inputs {
    /// With the ids of questions that are withdrawn: the client is to be told.
    pub(super) fn new() -> (Self, mpsc::UnboundedReceiver<RequestId>) {
        let (withdrawn, ids) = mpsc::unbounded_channel();
        let (open, last, room) = (Mutex::default(), AtomicU64::new(0), Semaphore::new(MOST_QUESTIONS));
        (Self { open, last, room, withdrawn }, ids)
    }

    /// Asks the client all of `wanted`, and returns its answers under the same names, as JSON.
    ///
    /// # Errors
    /// When the client cannot be asked one of them, in which case it is asked none, or answers with an error.
    pub(super) async fn ask(
        &self,
        shared: &Shared,
        wanted: &BTreeMap<String, Box<RawValue>>,
    ) -> Result<String, Fault> {
        let mut inputs = Vec::with_capacity(wanted.len());
        for raw in wanted.values() {
            let input: Input = serde_json::from_str(raw.get())
                .map_err(|error| Fault::broken(&format!("wants input that is none: {error}")))?;
            input.is_within(&shared.client.capabilities)?;
            inputs.push((input, raw));
        }
        let many = || {
            Fault::broken(&format!("asks this client too much at once; it is asked {MOST_QUESTIONS} things"))
        };
        let count = u32::try_from(inputs.len()).map_err(|_| many())?;
        let _room = self.room.try_acquire_many(count).map_err(|_| many())?;
        let mut questions = Vec::with_capacity(inputs.len());
        for (input, raw) in &inputs {
            let question = self.question();
            let request = input.request(raw, &question.id)?;
            shared.upward.tell(request).await;
            questions.push(question);
        }
        let answers = questions.into_iter().zip(&inputs);
        let answers =
            answers.map(|(question, (input, _))| async { input.answer(&question.answered().await?) });
        let answers = try_join_all(answers).await?;
        let answers: BTreeMap<&String, Box<RawValue>> = wanted.keys().zip(answers).collect();
        serde_json::to_string(&answers).map_err(|error| Fault::refused(error.to_string()))
    }

    /// Hands over the client's answer. One to a question that is not open has come too late.
    pub(super) fn answered(&self, id: &RequestId, answer: Bytes) {
        if let Some(question) = self.table().remove(id) {
            drop(question.send(answer));
        }
    }

    /// A question with an id that no client's own request has: they are numbered apart, and named.
    fn question(&self) -> Question<'_> {
        let number = self.last.fetch_add(1, Ordering::Relaxed);
        let id = RequestId::Text(format!("caisson/input-{number}"));
        let (sender, answer) = oneshot::channel();
        self.table().insert(id.clone(), sender);
        Question { inputs: self, id, answer }
    }

    fn table(&self) -> MutexGuard<'_, HashMap<RequestId, oneshot::Sender<Bytes>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Question<'_> {
    async fn answered(mut self) -> Result<Bytes, Fault> {
        // Only a question that is dropped loses its answer.
        (&mut self.answer).await.map_err(|_| Fault::refused("the question was withdrawn"))
    }
}

impl Drop for Question<'_> {
    fn drop(&mut self) {
        if self.inputs.table().remove(&self.id).is_some() {
            // When the session is over, there is nobody to be told.
            drop(self.inputs.withdrawn.send(self.id.clone()));
        }
    }
}

impl Input {
    /// Whether the client has said that it can be asked this. What MCP 2026-07-28 tells with -32021 is told in
    /// words: clients of this era know no such code.
    fn is_within(&self, capabilities: &Capabilities) -> Result<(), Fault> {
        let params = self.params.as_ref();
        let missing = match self.method.as_str() {
            "roots/list" if capabilities.roots.is_some() => return Ok(()),
            "roots/list" => "roots",
            "sampling/createMessage" => match &capabilities.sampling {
                Some(sampling)
                    if sampling.tools.is_none() && params.is_some_and(|params| params.tools.is_some()) =>
                {
                    "sampling.tools"
                }
                Some(_) => return Ok(()),
                None => "sampling",
            },
            "elicitation/create" => match (&capabilities.elicitation, params.and_then(InputParams::mode)) {
                (Some(can), Some("url")) if can.url.is_some() => return Ok(()),
                // One that names no mode can show forms: until 2025-11-25 there was nothing else.
                (Some(can), None | Some("form")) if can.form.is_some() || can.url.is_none() => return Ok(()),
                (Some(_), Some("url")) => "elicitation.url",
                (Some(_), None | Some("form")) => "elicitation.form",
                (Some(_), Some(_)) => "another kind of elicitation",
                (None, _) => "elicitation",
            },
            other => {
                return Err(Fault::refused(format!(
                    "the server needs an answer to {other:?}, which clients of this protocol version do not know"
                )));
            }
        };
        Err(Fault::refused(format!(
            "the server needs {missing} to answer this, which this client did not declare when it initialized"
        )))
    }

    /// The request to the client.
    fn request(&self, raw: &RawValue, id: &RequestId) -> Result<Vec<u8>, Fault> {
        let strange = || Fault::broken("wants input that is none");
        let mut splice = Splice::of(raw.get().as_bytes()).ok_or_else(strange)?;
        let id = serde_json::to_string(id).map_err(|_| strange())?;
        splice.set(&["jsonrpc"], "\"2.0\"");
        splice.set(&["id"], &id);
        let params = self.params.as_ref();
        // Until 2025-11-25 it must have one; since then there is none.
        if params.and_then(InputParams::mode) == Some("url")
            && params.is_some_and(|params| params.elicitation_id.is_none())
        {
            splice.set(&["params", "elicitationId"], &id);
        }
        Ok(splice.done())
    }

    /// What the server is told for the client's answer.
    fn answer(&self, answer: &[u8]) -> Result<Box<RawValue>, Fault> {
        let strange = || Fault::refused(format!("the client's answer to {} is none", self.method));
        let (envelope, _) = Envelope::read(answer).map_err(|_| strange())?;
        match (envelope.result, envelope.error) {
            (Some(result), _) if result.get().starts_with('{') => Ok(result.to_owned()),
            (None, Some(_)) if self.method == "elicitation/create" => {
                RawValue::from_string(CANCEL.to_owned()).map_err(|_| strange())
            }
            (None, Some(error)) => Err(Fault::Given(error.get().to_owned())),
            _ => Err(strange()),
        }
    }
}

impl InputParams {
    fn mode(&self) -> Option<&str> {
        self.mode.as_deref()
    }
}

/// Tells the client that nobody waits for its answer any more.
pub(super) fn withdrawal(id: &RequestId) -> String {
    let params = json!({"requestId": id, "reason": "the request that needed it is over"});
    json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": params}).to_string()
}
