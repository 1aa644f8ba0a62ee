//! One request, from its first asking to its answer: a server that needs the client's input answers with what
//! it needs, and is asked again with that (MCP 2026-07-28, "Multi-round-trip requests").

use std::{collections::BTreeMap, time::Duration};

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::time::sleep;

use super::{super::pair::Fault, Shared, results};
use crate::model::{RequestId, Splice};

/// How often a request is asked until it must be answered.
const MOST_ROUNDS: u32 = 64;
/// A server that needs no input but time is asked again after a pause: the first, and the longest.
const PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// What a server needs before it can answer.
struct Wanted {
    /// What it asks of the client, under its own names.
    inputs: BTreeMap<String, Box<RawValue>>,
    /// What it is to be handed back untouched.
    state: Option<Box<RawValue>>,
}

/// The answer to `request`, which stands alone but for what its rounds add.
///
/// # Errors
/// When there is none.
pub(super) async fn answer(
    shared: &Shared,
    method: &str,
    id: &RequestId,
    request: Bytes,
) -> Result<Bytes, Fault> {
    let mut asked = request.clone();
    let mut pause = PAUSE;
    for _ in 0..MOST_ROUNDS {
        let response = shared.below.ask(&shared.upward, id, asked).await?;
        let response = response.ok_or_else(|| Fault::broken("gave the request up"))?;
        let Some(wanted) = Wanted::read(&response)? else { return Ok(results::readable(method, response)) };
        let inputs = if wanted.inputs.is_empty() {
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
            None
        } else {
            pause = PAUSE;
            Some(shared.inputs.ask(shared, &wanted.inputs).await?)
        };
        asked = again(&request, inputs.as_deref(), wanted.state.as_deref())?;
    }
    Err(Fault::broken(&format!("was asked {MOST_ROUNDS} times, and still wants more input")))
}

/// `request` with the client's answers and the server's state, as JSON.
fn again(request: &[u8], inputs: Option<&str>, state: Option<&RawValue>) -> Result<Bytes, Fault> {
    let mut splice = Splice::of(request).ok_or_else(|| Fault::refused("a request is an object"))?;
    if let Some(inputs) = inputs {
        splice.set(&["params", "inputResponses"], inputs);
    }
    if let Some(state) = state {
        splice.set(&["params", "requestState"], state.get());
    }
    Ok(splice.done().into())
}

impl Wanted {
    /// What the response says is wanted; none when it is the answer.
    ///
    /// # Errors
    /// When it is neither.
    fn read(response: &[u8]) -> Result<Option<Self>, Fault> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Kind<'a> {
            #[serde(borrow)]
            result_type: Option<&'a RawValue>,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct InputRequired {
            input_requests: Option<BTreeMap<String, Box<RawValue>>>,
            request_state: Option<Box<RawValue>>,
        }
        // What is no result is an error, which goes as it came.
        let result = Splice::of(response).and_then(|response| response.get(&["result"]));
        let Some(result) = result.map(RawValue::get) else { return Ok(None) };
        let strange = |why: &str| Fault::broken(&format!("answered with what is no result: {why}"));
        if !result.starts_with('{') {
            return Err(strange("it is no object"));
        }
        let kind: Kind<'_> = serde_json::from_str(result).map_err(|error| strange(&error.to_string()))?;
        if kind.result_type.map(RawValue::get) != Some("\"input_required\"") {
            return Ok(None);
        }
        let wanted: InputRequired =
            serde_json::from_str(result).map_err(|error| strange(&error.to_string()))?;
        let (inputs, state) = (wanted.input_requests.unwrap_or_default(), wanted.request_state);
        if inputs.is_empty() && state.is_none() {
            return Err(Fault::broken("wants input, and does not say which"));
        }
        Ok(Some(Self { inputs, state }))
    }
}
