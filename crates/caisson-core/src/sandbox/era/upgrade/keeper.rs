//! The life of one session with a legacy server. It serves one request at a time, so that whatever the server
//! asks or tells meanwhile is surely that request's, and rests in between.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::oneshot,
    time::{Instant, sleep, sleep_until, timeout},
};

use super::{
    Shared,
    call::Call,
    client::Client,
    heard::Heard,
    outlet::Job,
    pool::Slot,
    process::Process,
    request::{INTERNAL, takes_input},
    reshape,
};
use crate::{model::error_response, sandbox::SessionError};

/// After so long a rest a session ends: an open one keeps the container from idling.
const REST: Duration = Duration::from_secs(60);
/// So long a client may take for its input.
const PATIENCE: Duration = Duration::from_secs(600);
/// What a server asks within this time is put to the client at once.
const AT_ONCE: Duration = Duration::from_millis(5);
/// So long a server may take to drop a request.
const DROP: Duration = Duration::from_secs(5);
/// So much may be heard while a request waits for input.
const MOST_HELD: usize = 32;

/// A session and its right to be.
pub(super) struct Keeper {
    process: Process,
    client: Arc<Client>,
    shared: Arc<Shared>,
    /// None while the request it serves waits for input.
    slot: Option<Slot>,
}

/// How a wait for an answer ended.
enum Outcome {
    /// With the answer.
    Answered,
    /// With something the client must be asked.
    Asked,
    /// Nobody waits any more.
    Dropped,
}

impl Keeper {
    pub(super) fn new(process: Process, client: Arc<Client>, shared: Arc<Shared>, slot: Slot) -> Self {
        Self { process, client, shared, slot: Some(slot) }
    }

    /// Serves `job`, and what comes after it, until the session ends.
    pub(super) async fn keep(mut self, job: Job) {
        let mut next = Some(job);
        while let Some(job) = next {
            let mut call = Call::new(job);
            if let Err(error) = self.serve(&mut call).await {
                if let Some(outlet) = call.outlet {
                    outlet.fail(error).await;
                }
                return;
            }
            drop(call);
            next = self.rest().await;
        }
    }

    /// Serves one request.
    async fn serve(&mut self, call: &mut Call) -> Result<(), SessionError> {
        if call.request.method == "server/discover" {
            call.say(self.process.hello().discover(&call.request)).await;
            return Ok(());
        }
        self.process.prepare(call.request.level).await?;
        if call.outlet.as_ref().is_none_or(|outlet| outlet.is_dropped()) {
            return Ok(());
        }
        match self.process.ask(|id| call.request.with_id(id)) {
            Ok(id) => call.id = id,
            Err(error) => {
                call.say(error_response(Some(&call.request.id), INTERNAL, &error.to_string())).await;
                return Ok(());
            }
        }
        loop {
            match self.attend(call).await? {
                Outcome::Answered => return Ok(()),
                Outcome::Dropped => return self.drop_request(call.id).await,
                Outcome::Asked => self.park(call).await?,
            }
        }
    }

    /// Waits for the answer, or for what the client must be asked first.
    async fn attend(&mut self, call: &mut Call) -> Result<Outcome, SessionError> {
        let mut asked = (!call.asks.is_empty()).then(|| Instant::now() + AT_ONCE);
        loop {
            let heard = match call.held.pop_front() {
                Some(heard) => heard,
                None => tokio::select! {
                    biased;
                    () = dropped(call) => return Ok(Outcome::Dropped),
                    () = at(asked) => return Ok(Outcome::Asked),
                    heard = self.process.hear() => heard?,
                },
            };
            match heard {
                Heard::Response(id, message) if id == call.id => {
                    if call.request.level.is_some() {
                        self.hear_stragglers(call).await;
                    }
                    call.say(call.response(&message)).await;
                    return Ok(Outcome::Answered);
                }
                // To nothing that was asked.
                Heard::Response(..) => {}
                Heard::Ask(ask) => {
                    let can = call.request.can.cover(&ask.method, ask.params.as_deref());
                    if !can || !takes_input(&call.request.method) {
                        self.process.refuse(&ask);
                        continue;
                    }
                    call.asks.add(ask);
                    asked.get_or_insert_with(|| Instant::now() + AT_ONCE);
                    if call.asks.is_full() {
                        return Ok(Outcome::Asked);
                    }
                }
                Heard::Notification(method, message) => {
                    if let Some(message) = call.notification(&method, message)
                        && !call.say(message).await
                    {
                        return Ok(Outcome::Dropped);
                    }
                }
            }
        }
    }

    /// Hears the log messages that an answer may have overtaken: a server over HTTP sends the two on streams of their
    /// own.
    async fn hear_stragglers(&mut self, call: &Call) {
        let mut late = std::pin::pin!(sleep(AT_ONCE));
        loop {
            let heard = tokio::select! {
                () = &mut late => return,
                heard = self.process.hear() => heard,
            };
            match heard {
                Ok(Heard::Notification(method, message)) => {
                    if let Some(message) = call.notification(&method, message) {
                        call.say(message).await;
                    }
                }
                Ok(Heard::Ask(ask)) => self.process.refuse(&ask),
                Ok(Heard::Response(..)) => {}
                // There is an answer all the same.
                Err(_) => return,
            }
        }
    }

    /// Asks the client for input, and waits until it comes back with it. The exchange is over meanwhile.
    async fn park(&mut self, call: &mut Call) -> Result<(), SessionError> {
        let caller = self.client.caller().clone();
        let shared = self.shared.clone();
        let (resume, resumed) = oneshot::channel();
        let token = shared.parking.park(&caller, &call.request, resume);
        let token = token.map_err(|error| SessionError::Ended(format!("no random numbers: {error}")))?;
        let said = call.say(reshape::input_required(&call.request, &call.asks.json(), &token)).await;
        call.outlet = None;
        self.slot = None;
        if !said {
            shared.parking.forget(&caller, &token);
        }
        let held = &mut call.held;
        let hold = |_: &mut Process, heard| {
            held.push_back(heard);
            held.len() < MOST_HELD
        };
        let job = self.wait(resumed, PATIENCE, || shared.parking.forget(&caller, &token), hold).await?;
        let Some(job) = job else {
            self.drop_request(call.id).await?;
            return Err(SessionError::Closed);
        };
        self.slot = Some(shared.pool.regain(&self.client));
        call.resume(job);
        for (ask, answer) in call.asks.answered_by(&call.request) {
            self.process.answer(&ask, &answer);
        }
        for ask in call.asks.beyond(&call.request) {
            self.process.refuse(&ask);
        }
        Ok(())
    }

    /// Rests until the next request; none when the session is to end.
    async fn rest(&mut self) -> Option<Job> {
        let (client, shared) = (self.client.clone(), self.shared.clone());
        let (session, job) = oneshot::channel();
        let rest = shared.pool.rest(&client, session);
        // No request is served: there is nobody to answer.
        let refuse = |process: &mut Process, heard| {
            if let Heard::Ask(ask) = heard {
                process.refuse(&ask);
            }
            true
        };
        self.wait(job, REST, || shared.pool.withdraw(&client, rest), refuse).await.ok().flatten()
    }

    /// Waits for a request, and hears the process meanwhile, for as long as `hear` has room for more. After
    /// `limit` the place where requests come from is given up by `withdraw`, which drops the other end.
    async fn wait(
        &mut self,
        mut job: oneshot::Receiver<Job>,
        limit: Duration,
        withdraw: impl Fn(),
        mut hear: impl FnMut(&mut Process, Heard) -> bool,
    ) -> Result<Option<Job>, SessionError> {
        let mut limit = std::pin::pin!(sleep(limit));
        let (mut is_late, mut has_room) = (false, true);
        loop {
            tokio::select! {
                biased;
                job = &mut job => return Ok(job.ok()),
                () = &mut limit, if !is_late => {
                    is_late = true;
                    withdraw();
                }
                heard = self.process.hear(), if has_room => match heard {
                    Ok(heard) => has_room = hear(&mut self.process, heard),
                    Err(error) => {
                        withdraw();
                        // One that came at the last moment.
                        if let Ok(job) = job.await {
                            job.outlet.fail(error.clone()).await;
                        }
                        return Err(error);
                    }
                },
            }
        }
    }

    /// Cancels a request at the server, and waits until it is done with it.
    async fn drop_request(&mut self, id: i64) -> Result<(), SessionError> {
        self.process.cancel(id);
        let done = async {
            loop {
                match self.process.hear().await? {
                    Heard::Response(response, _) if response == id => return Ok(()),
                    Heard::Ask(ask) => self.process.refuse(&ask),
                    Heard::Response(..) | Heard::Notification(..) => {}
                }
            }
        };
        timeout(DROP, done).await.unwrap_or(Err(SessionError::Closed))
    }
}

/// Waits until nobody waits for the answer any more.
async fn dropped(call: &Call) {
    if let Some(outlet) = &call.outlet {
        outlet.dropped().await;
    }
}

/// Waits until this moment; for ever where there is none.
async fn at(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => std::future::pending().await,
    }
}
