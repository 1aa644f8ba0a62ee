//! Requests that wait for their client's input, each with the process it runs in. A token says which; it works
//! once, for the caller it was made for, on the method and the name it was made for.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, PoisonError},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use tokio::sync::oneshot;

use super::{outlet::Job, request::Request};
use crate::gate::CallerId;

/// So many requests of one caller may wait. When one more is to, the oldest is given up.
const MOST_PARKED: usize = 64;
/// A token's random bytes.
const TOKEN: usize = 24;

/// All that wait, by caller: a token is looked up among its caller's own alone.
#[derive(Debug, Default)]
pub(super) struct Parking(Mutex<HashMap<CallerId, VecDeque<Parked>>>);

#[derive(Debug)]
struct Parked {
    token: String,
    method: String,
    name: Option<String>,
    resume: oneshot::Sender<Job>,
}

impl Parking {
    /// Lets `request` wait, until something comes by `resume` or it is given up, which drops that. Returns its token.
    ///
    /// # Errors
    /// When the system has no random numbers.
    pub(super) fn park(
        &self,
        caller: &CallerId,
        request: &Request,
        resume: oneshot::Sender<Job>,
    ) -> Result<String, getrandom::Error> {
        let mut bits = [0; TOKEN];
        getrandom::fill(&mut bits)?;
        let token = URL_SAFE_NO_PAD.encode(bits);
        let (method, name) = (request.method.clone(), request.name.clone());
        let parked = Parked { token: token.clone(), method, name, resume };
        let mut callers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let all = callers.entry(caller.clone()).or_default();
        if all.len() >= MOST_PARKED {
            all.pop_front();
        }
        all.push_back(parked);
        Ok(token)
    }

    /// What waits for `request`, by the token it shows. From then on the token is used.
    pub(super) fn take(&self, caller: &CallerId, request: &Request) -> Option<oneshot::Sender<Job>> {
        let token = request.state.as_ref()?;
        let found = |parked: &Parked| {
            parked.token == *token && parked.method == request.method && parked.name == request.name
        };
        self.remove(caller, found).map(|parked| parked.resume)
    }

    /// Gives up the request of this token.
    pub(super) fn forget(&self, caller: &CallerId, token: &str) {
        drop(self.remove(caller, |parked| parked.token == token));
    }

    fn remove(&self, caller: &CallerId, found: impl Fn(&Parked) -> bool) -> Option<Parked> {
        let mut callers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let all = callers.get_mut(caller)?;
        let parked = all.iter().position(found).and_then(|at| all.remove(at));
        if all.is_empty() {
            callers.remove(caller);
        }
        parked
    }
}
