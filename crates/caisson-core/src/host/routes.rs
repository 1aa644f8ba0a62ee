//! Which method of the control API is which of the host's.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use super::{Host, install::Waiting, session::Passthrough};
use crate::{
    audit::Part,
    control::{
        Call, CallError, Notices, Reply, Service,
        api::{
            AcceptInstall, AllowCall, AllowFolder, AllowHost, AnchorAudit, ApiError, BlockHost, CallTool,
            CheckAudit, CheckPolicy, CollectWorkspace, ConnectClient, DecidePins, DenyCall, DiscardInstall,
            DisconnectClient, Doctor, Done, DropSnapshot, ErrorCode, ExportAudit, ForgetHost, GetPlan,
            GetStatus, IssueToken, Learn, ListApprovals, ListClients, ListGroups, ListSecrets, ListServers,
            ListTokens, ListTools, ListWorkspace, LockCalls, NoticeBody, OpenSession, Pause, PrepareInstall,
            Propose, ReadAudit, ReadLogs, ReadStats, RemoveGroup, RemoveSecret, RemoveServer, Request,
            ResetWorkspace, RestartServer, RestoreWorkspace, RevokeGrant, RevokeToken, RotateClient,
            RotateToken, SetGroup, SetPreset, SetSecret, ShowNetwork, ShowPins, ShowPolicy, ShowServer,
            Shutdown, SnapshotWorkspace, StartServer, StopServer, SubscribeEvents, Ticket, VerifyServer,
        },
    },
    model::{Event, Progress, ProgressSink, ServerName},
};

/// What a connection holds: installs that wait for a yes. They are discarded with it.
#[derive(Default)]
pub struct Desk {
    next: AtomicU64,
    waiting: Mutex<HashMap<Ticket, Waiting>>,
}

impl Service for Host {
    type Local = Desk;
    type Session = Passthrough;

    async fn call(&self, call: Call, desk: Arc<Desk>) -> Result<Reply, CallError> {
        let host = self.clone();
        match call.method.as_str() {
            ListSecrets::METHOD => answer(&call, |list: ListSecrets| host.list_secrets(&list.server)),
            ListGroups::METHOD => answer(&call, |_: ListGroups| Ok(host.list_groups())),
            ListTokens::METHOD => answer(&call, |list: ListTokens| Ok(host.list_tokens(list.all))),
            RevokeToken::METHOD => answer(&call, |revoke: RevokeToken| done(host.revoke_token(&revoke.id))),
            IssueToken::METHOD => answer(&call, |issue| host.issue_token(issue)),
            RotateToken::METHOD => answer(&call, |rotate: RotateToken| host.rotate_token(&rotate)),

            ShowPolicy::METHOD => answer(&call, |_: ShowPolicy| Ok(host.show_policy())),
            CheckPolicy::METHOD => answer(&call, |check: CheckPolicy| host.check_policy(&check)),
            ListApprovals::METHOD => answer(&call, |_: ListApprovals| host.list_approvals()),
            AllowCall::METHOD => answer(&call, |allow: AllowCall| host.allow_call(allow)),
            DenyCall::METHOD => answer(&call, |deny: DenyCall| host.deny_call(deny)),
            RevokeGrant::METHOD => answer(&call, |revoke: RevokeGrant| host.revoke_grant(revoke)),
            LockCalls::METHOD => answer(&call, |lock: LockCalls| done(host.lock_calls(lock.locked))),
            ShowPins::METHOD => answer(&call, |show: ShowPins| host.show_pins(&show)),
            DecidePins::METHOD => {
                through(&call, async move |decide: DecidePins| host.decide_pins(&decide).await).await
            }
            SetPreset::METHOD => {
                through(&call, async move |it: SetPreset| host.set_preset(it.preset).await).await
            }

            ListServers::METHOD => wait(&call, async |_: ListServers| Ok(host.list().await)).await,
            ShowServer::METHOD => wait(&call, async |show: ShowServer| host.show(&show.server).await).await,
            GetStatus::METHOD => wait(&call, async |_: GetStatus| Ok(host.status().await)).await,
            GetPlan::METHOD => wait(&call, async |plan: GetPlan| host.plan(&plan.server).await).await,
            ListTools::METHOD => wait(&call, async |list: ListTools| host.tools(&list.server).await).await,
            CallTool::METHOD => wait(&call, async |call: CallTool| host.call_tool(call).await).await,
            ListClients::METHOD => wait(&call, async |_: ListClients| host.list_clients().await).await,
            Doctor::METHOD => wait(&call, async |_: Doctor| Ok(host.doctor().await)).await,
            ListWorkspace::METHOD => wait(&call, async |list| host.list_workspace(list).await).await,
            CollectWorkspace::METHOD => wait(&call, async |it| host.collect(it).await).await,
            PrepareInstall::METHOD => self.prepared(call, &desk).await,
            VerifyServer::METHOD => self.verified_with_progress(call).await,

            StartServer::METHOD => {
                through(&call, async move |it: StartServer| host.start(&it.server).await).await
            }
            StopServer::METHOD => {
                through(&call, async move |it: StopServer| host.stop(&it.server).await).await
            }
            RestartServer::METHOD => {
                through(&call, async move |it: RestartServer| host.restart(&it.server).await).await
            }
            RemoveServer::METHOD => {
                through(&call, async move |it: RemoveServer| host.remove(&it.server, it.keep_state).await)
                    .await
            }
            AcceptInstall::METHOD => {
                through(&call, async move |it: AcceptInstall| host.accept(desk.take(it.ticket)?).await).await
            }
            DiscardInstall::METHOD => {
                answer(&call, |it: DiscardInstall| done(desk.take(it.ticket).map(drop)))
            }
            ConnectClient::METHOD => through(&call, async move |it| host.connect_client(it).await).await,
            DisconnectClient::METHOD => {
                through(&call, async move |it| host.disconnect_client(it).await).await
            }
            RotateClient::METHOD => {
                through(&call, async move |it: RotateClient| host.rotate_client(&it.client).await).await
            }
            ShowNetwork::METHOD => answer(&call, |it: ShowNetwork| host.network(&it.server)),
            Propose::METHOD => answer(&call, |it: Propose| host.propose(&it)),
            ReadAudit::METHOD => {
                let (list, later) = host.read_audit(call.params::<ReadAudit>()?, call.notices).await?;
                let reply = Reply::of::<ReadAudit>(&list)?;
                Ok(match later {
                    Some(later) => reply.then(later),
                    None => reply,
                })
            }
            ExportAudit::METHOD => wait(&call, async |it| host.export_audit(it).await).await,
            CheckAudit::METHOD => wait(&call, async |it| host.check_audit(it).await).await,
            AnchorAudit::METHOD => {
                through(&call, async move |it: AnchorAudit| host.anchor_audit(it.renew).await).await
            }
            ReadStats::METHOD => wait(&call, async |it: ReadStats| host.stats(it).await).await,
            AllowHost::METHOD => {
                through(&call, async move |it: AllowHost| host.allow_host(&it.server, it.rule, it.once).await)
                    .await
            }
            BlockHost::METHOD => {
                through(&call, async move |it: BlockHost| host.block_host(&it.server, it.rule).await).await
            }
            ForgetHost::METHOD => {
                through(&call, async move |it: ForgetHost| host.forget_host(&it.server, it.rule).await).await
            }
            AllowFolder::METHOD => through(&call, async move |it| host.allow_folder(it).await).await,
            Learn::METHOD => {
                let (reply, running) = host.try_out(&call.params::<Learn>()?, call.notices)?;
                Ok(Reply::of::<Learn>(&reply)?.then(running))
            }
            SetGroup::METHOD => through(&call, async move |it| host.set_group(it).await).await,
            RemoveGroup::METHOD => {
                through(&call, async move |it: RemoveGroup| host.remove_group(it.name).await).await
            }
            SetSecret::METHOD => through(&call, async move |it| done(host.set_secret(it).await)).await,
            RemoveSecret::METHOD => {
                through(&call, async move |it: RemoveSecret| {
                    done(host.remove_secret(&it.server, &it.name).await)
                })
                .await
            }
            SnapshotWorkspace::METHOD => through(&call, async move |it| host.snapshot(it).await).await,
            RestoreWorkspace::METHOD => through(&call, async move |it| host.restore(it).await).await,
            DropSnapshot::METHOD => through(&call, async move |it| host.drop_snapshot(it).await).await,
            ResetWorkspace::METHOD => through(&call, async move |it| host.reset(it).await).await,
            Pause::METHOD => {
                through(&call, async move |it: Pause| {
                    host.0.sandbox.pause(it.paused).await;
                    host.configured(None, Part::Pause, "", if it.paused { "paused" } else { "resumed" });
                    Ok(Done {})
                })
                .await
            }

            ReadLogs::METHOD => {
                let (tail, later) = host.logs(&call.params::<ReadLogs>()?, call.notices)?;
                let reply = Reply::of::<ReadLogs>(&tail)?;
                Ok(match later {
                    Some(later) => reply.then(later),
                    None => reply,
                })
            }
            SubscribeEvents::METHOD => {
                let events = host.events(call.notices);
                Ok(Reply::of::<SubscribeEvents>(&Done {})?.then(events))
            }
            Shutdown::METHOD => {
                host.shutdown();
                Reply::of::<Shutdown>(&Done {})
            }
            _ => Err(CallError::UnknownMethod),
        }
    }

    async fn open_session(&self, params: OpenSession) -> Result<Passthrough, ApiError> {
        self.pass_through(&params.server).await
    }
}

impl Host {
    /// Prepares an install, telling its steps to the caller and, as events, to everybody.
    async fn prepared(&self, call: Call, desk: &Desk) -> Result<Reply, CallError> {
        let request = call.params::<PrepareInstall>()?;
        let server: Option<ServerName> =
            request.options.name.clone().or_else(|| crate::catalog::suggest_name(&request.source));
        let waiting = self
            .told(
                call.notices,
                move |progress| server.clone().map(|server| Event::Install { server, progress }),
                async |sink| self.prepare(request, &sink).await,
            )
            .await;
        let waiting = waiting?;
        let ticket = Ticket(desk.next.fetch_add(1, Ordering::Relaxed));
        let prepared = self.review(&waiting, ticket).await?;
        desk.lock().insert(ticket, waiting);
        Reply::of::<PrepareInstall>(&prepared)
    }

    /// Verifies a server, telling each try to the caller and, as events, to everybody.
    async fn verified_with_progress(&self, call: Call) -> Result<Reply, CallError> {
        let request = call.params::<VerifyServer>()?;
        let server = request.server.clone();
        let event = move |progress| Some(Event::Verify { server: server.clone(), progress });
        let report = self.told(call.notices, event, async |sink| self.verify(request, &sink).await).await?;
        Reply::of::<VerifyServer>(&report)
    }

    /// Works, and tells each step to the caller and, as an event, to everybody.
    async fn told<T>(
        &self,
        notices: Notices,
        event: impl Fn(Progress) -> Option<Event>,
        work: impl AsyncFnOnce(ProgressSink) -> T,
    ) -> T {
        let (sink, mut steps) = ProgressSink::channel();
        let telling = async {
            while let Some(progress) = steps.recv().await {
                if let Some(event) = event(progress.clone()) {
                    // Nobody watching is fine.
                    drop(self.0.events.send(event));
                }
                notices.send(NoticeBody::Progress(progress)).await;
            }
        };
        // The sink is dropped with the work, which ends the telling.
        let (done, ()) = tokio::join!(work(sink), telling);
        done
    }
}

impl Desk {
    fn take(&self, ticket: Ticket) -> Result<Waiting, ApiError> {
        self.lock().remove(&ticket).ok_or_else(|| {
            ApiError::new(ErrorCode::NotFound, "no install waits under this ticket")
                .why("it was accepted or discarded, or was prepared on another connection")
        })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Ticket, Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Answers from memory, or after a short write.
fn answer<R: Request>(
    call: &Call,
    work: impl FnOnce(R) -> Result<R::Reply, ApiError>,
) -> Result<Reply, CallError> {
    Reply::of::<R>(&work(call.params::<R>()?)?)
}

/// Answers in a while; a caller who goes away cancels it, which leaves nothing half done.
async fn wait<R: Request>(
    call: &Call,
    work: impl AsyncFnOnce(R) -> Result<R::Reply, ApiError>,
) -> Result<Reply, CallError> {
    Reply::of::<R>(&work(call.params::<R>()?).await?)
}

/// Answers when it is done, and does it to the end even when the caller goes away.
async fn through<R, W, F>(call: &Call, work: W) -> Result<Reply, CallError>
where
    R: Request,
    W: FnOnce(R) -> F,
    F: Future<Output = Result<R::Reply, ApiError>> + Send + 'static,
{
    let done = tokio::spawn(work(call.params::<R>()?)).await;
    let reply = done.map_err(|error| ApiError::new(ErrorCode::Internal, error.to_string()))??;
    Reply::of::<R>(&reply)
}

fn done(outcome: Result<(), ApiError>) -> Result<Done, ApiError> {
    outcome.map(|()| Done {})
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use serde_json::value::RawValue;
    use tokio::sync::mpsc;

    use super::*;
    use crate::control::{
        Notices,
        api::{Cancel, EndSubscription, MethodVisitor, visit_methods},
    };
    use crate::host::tests::setup;

    #[derive(Default)]
    struct Names(Vec<&'static str>);

    impl MethodVisitor for Names {
        fn visit<R: Request>(&mut self) {
            self.0.push(R::METHOD);
        }
    }

    #[tokio::test]
    async fn every_method_of_the_api_has_a_route() {
        let folder = tempfile::tempdir().unwrap();
        let host = Host::open(setup(folder.path())).await.unwrap();
        let mut names = Names::default();
        visit_methods(&mut names);
        // The connection itself answers these.
        let elsewhere = [Cancel::METHOD, EndSubscription::METHOD, OpenSession::METHOD];
        for name in names.0.into_iter().filter(|name| !elsewhere.contains(name)) {
            let (out, _) = mpsc::channel(1);
            let notices = Notices { request: 1, out };
            // No method has a number for parameters: each that is there says so, and does nothing.
            let params = RawValue::from_string("0".into()).unwrap();
            let outcome = host.call(Call { method: name.into(), params, notices }, Arc::default()).await;
            assert!(!matches!(outcome, Err(CallError::UnknownMethod)), "{name}");
        }
    }
}
