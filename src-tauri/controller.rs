//! Keeps what the tray knows up to date, and fulfils what the user asks of it. Knows no Tauri.

use std::time::Duration;

use caisson_core::{
    control::{
        ControlClient,
        api::{
            AllowCall, AllowHost, ApiError, ApprovalList, BlockHost, DaemonStatus, DecidePins, DenyCall,
            GetStatus, ListApprovals, ListServers, LockCalls, NoticeBody, Pause, Request, RestartServer,
            ServerList, StartServer, StopServer, SubscribeEvents,
        },
    },
    model::{Event, Lasting, Offer, ServerName},
};
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
    time::{Instant, sleep, sleep_until},
};
use tokio_util::sync::CancellationToken;

use crate::{
    desktop::Desktop,
    glance::{Glance, Refresh},
    link::Way,
    owner::{Found, Owner},
    tray::{Tray, tray},
    wish::Wish,
};

/// The tray changes at most so often: sessions come and go faster than anyone can read.
const FRAME: Duration = Duration::from_millis(100);
/// How long until an owner is looked for again, at first and at most.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(15));
/// How long until an engine is looked for again: no event tells that one was started.
const ENGINE: Duration = Duration::from_secs(10);

/// What drives the tray.
pub(crate) struct Controller<D, O> {
    desktop: D,
    owner: O,
    wishes: mpsc::UnboundedReceiver<Wish>,
    way: watch::Sender<Way>,
    glance: Glance,
    shown: Option<Tray>,
}

/// What a task of the controller's came to.
enum Outcome {
    /// Everything was asked for.
    Known(Box<Result<Everything, ApiError>>),
    /// A wish was fulfilled, or why not.
    Wished(Result<(), String>),
}

/// Everything the tray shows, as it was at one moment.
struct Everything {
    list: ServerList,
    status: DaemonStatus,
    approvals: ApprovalList,
}

impl<D: Desktop, O: Owner> Controller<D, O> {
    /// A controller that listens to `wishes` and tells by `way` how to reach the control API.
    pub(crate) fn new(
        desktop: D,
        owner: O,
        wishes: mpsc::UnboundedReceiver<Wish>,
        way: watch::Sender<Way>,
    ) -> Self {
        Self { desktop, owner, wishes, way, glance: Glance::searching(), shown: None }
    }

    /// Runs until `stop` is cancelled, then ends what this application hosts.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        tokio::select! {
            () = self.drive() => {}
            () = stop.cancelled() => {}
        }
        self.owner.close().await;
    }

    async fn drive(&mut self) {
        let mut pause = PAUSES.0;
        loop {
            self.show();
            let problem = match self.owner.find().await {
                Ok(found) => match self.follow(found).await {
                    Ok(()) => {
                        self.stand(Way::Searching);
                        self.show();
                        // Whoever ended it may start another, or want it to stay ended for a moment.
                        pause = PAUSES.0;
                        sleep(pause).await;
                        continue;
                    }
                    Err(problem) => problem,
                },
                Err(problem) => problem,
            };
            tracing::warn!(%problem, "no process owns the servers");
            self.stand(Way::Down { problem });
            self.show();
            sleep(pause).await;
            pause = PAUSES.1.min(pause * 2);
        }
    }

    /// Follows the owner's events until it is gone.
    async fn follow(&mut self, Found { client, host }: Found) -> Result<(), ApiError> {
        let (_, mut events) = client.subscribe(&SubscribeEvents {}).await?;
        self.stand(Way::Up { client: client.clone(), host });
        let mut tasks = JoinSet::new();
        // Asked after subscribing, so that nothing falls between.
        let (mut wanted, mut asking) = (true, false);
        // Until the first answer the tray goes on saying what it said: it knows no servers yet.
        let (mut known, mut stale, mut next_frame) = (false, false, Instant::now());
        loop {
            if wanted && !asking {
                (wanted, asking) = (false, true);
                tasks.spawn(everything(client.clone()));
            }
            tokio::select! {
                notice = events.notice() => match notice {
                    Some(NoticeBody::Event(event)) => {
                        if let Some(offer) = Offer::of(&event).filter(|offer| self.glance.is_news(offer)) {
                            self.desktop.offer(&offer);
                        }
                        wanted |= self.glance.hear(&event) == Refresh::All;
                        if let Event::Asked { question } = &event {
                            self.desktop.ask(question);
                        } else if let Event::Answered { id, .. } = &event {
                            self.desktop.settle(*id);
                        }
                        stale = true;
                    }
                    Some(NoticeBody::Lost(_)) => wanted = true,
                    Some(NoticeBody::Progress(_) | NoticeBody::Log(_) | NoticeBody::Audit(_)) => {}
                    Some(NoticeBody::End) | None => return Ok(()),
                },
                Some(wish) = self.wishes.recv() => {
                    tasks.spawn(fulfil(client.clone(), wish));
                }
                Some(done) = tasks.join_next() => {
                    match done {
                        Ok(Outcome::Known(answer)) => {
                            (asking, known) = (false, true);
                            self.know(*answer);
                        }
                        Ok(Outcome::Wished(outcome)) => self.glance.trouble = outcome.err(),
                        Err(fault) => {
                            asking = false;
                            tracing::error!(%fault, "a task of the tray ended badly");
                        }
                    }
                    stale = true;
                }
                () = sleep(ENGINE), if known && !asking && !self.glance.engine => wanted = true,
                () = sleep_until(next_frame), if known && stale => {
                    self.show();
                    (stale, next_frame) = (false, Instant::now() + FRAME);
                }
            }
        }
    }

    /// Says how the way stands, and forgets what only its end knew.
    fn stand(&mut self, way: Way) {
        self.glance = Glance { link: way.link(), ..Glance::searching() };
        self.way.send_replace(way);
    }

    fn know(&mut self, answer: Result<Everything, ApiError>) {
        match answer {
            Ok(Everything { list, status, approvals }) => {
                self.glance.servers = list.servers;
                self.glance.paused = list.paused;
                self.glance.engine = status.engine.is_some();
                self.glance.bridge_problem = status.bridge_problem;
                self.glance.locked = approvals.locked;
                // Those that nobody was asked about yet: they came before this did.
                for question in &approvals.waiting {
                    if !self.glance.waiting.iter().any(|known| known.id == question.id) {
                        self.desktop.ask(question);
                    }
                }
                self.glance.waiting = approvals.waiting;
                for decided in &self.glance.offers {
                    if !approvals.offers.iter().any(|offer| offer.is_same(decided)) {
                        self.desktop.withdraw(decided);
                    }
                }
                self.glance.offers = approvals.offers;
            }
            Err(problem) => self.glance.trouble = Some(problem.to_string()),
        }
    }

    /// Shows what is known, where that changes anything.
    fn show(&mut self) {
        let tray = tray(&self.glance);
        if self.shown.as_ref() != Some(&tray) {
            self.desktop.show_tray(&tray);
            self.shown = Some(tray);
        }
    }
}

async fn everything(client: ControlClient) -> Outcome {
    let answer = async {
        Ok(Everything {
            list: client.call(&ListServers {}).await?,
            status: client.call(&GetStatus {}).await?,
            approvals: client.call(&ListApprovals {}).await?,
        })
    };
    Outcome::Known(Box::new(answer.await))
}

async fn fulfil(client: ControlClient, wish: Wish) -> Outcome {
    let (what, outcome) = match wish {
        Wish::Start(server) => server_call(&client, "start", &server, |server| StartServer { server }).await,
        Wish::Stop(server) => server_call(&client, "stop", &server, |server| StopServer { server }).await,
        Wish::Restart(server) => {
            server_call(&client, "restart", &server, |server| RestartServer { server }).await
        }
        Wish::PauseAll => ("pause the servers".into(), call(&client, &Pause { paused: true }).await),
        Wish::ResumeAll => ("resume the servers".into(), call(&client, &Pause { paused: false }).await),
        Wish::Allow(id) => {
            ("allow the call".into(), call(&client, &AllowCall { id, lasting: Lasting::Once }).await)
        }
        Wish::Deny(id) => ("deny the call".into(), call(&client, &DenyCall { id }).await),
        Wish::Reach { server, rule, once } => {
            (format!("let {server} reach {rule}"), call(&client, &AllowHost { server, rule, once }).await)
        }
        Wish::Block { server, rule } => {
            (format!("keep {rule} from {server}"), call(&client, &BlockHost { server, rule }).await)
        }
        Wish::KeepAway { server, name } => {
            let what = format!("decide on what {server} has changed");
            let refuse = DecidePins { server, name: Some(name), digest: None, accept: false };
            (what, call(&client, &refuse).await)
        }
        Wish::Lock => ("lock Caisson".into(), call(&client, &LockCalls { locked: true }).await),
        Wish::Unlock => ("unlock Caisson".into(), call(&client, &LockCalls { locked: false }).await),
        // The shell's own: they need no owner.
        Wish::Open | Wish::Quit => return Outcome::Wished(Ok(())),
    };
    Outcome::Wished(outcome.map_err(|problem| format!("Could not {what}: {problem}")))
}

async fn server_call<R: Request>(
    client: &ControlClient,
    verb: &str,
    server: &ServerName,
    params: impl FnOnce(ServerName) -> R,
) -> (String, Result<(), ApiError>) {
    (format!("{verb} {server}"), call(client, &params(server.clone())).await)
}

async fn call<R: Request>(client: &ControlClient, params: &R) -> Result<(), ApiError> {
    client.call(params).await.map(drop)
}

#[cfg(test)]
mod tests;
