//! What goes on after its request: events, logs, and the registry's changes on their way to the sandbox.

use tokio::sync::broadcast::{Receiver, error::RecvError};

use super::Host;
use crate::{
    audit::Part,
    control::{
        Notices,
        api::{self, ApiError, LogTail, NoticeBody, ReadLogs},
    },
    model::ServerName,
    registry::RegistryChange,
    sandbox::LogLine,
};

impl Host {
    /// Tells the sandbox what is installed, now and at every change.
    pub(super) fn follow_registry(&self) {
        let mut changes = self.0.registry.changes();
        self.define_all();
        let host = self.clone();
        let shutdown = self.shutting_down();
        tokio::spawn(async move {
            loop {
                let change = tokio::select! {
                    change = changes.recv() => change,
                    () = shutdown.cancelled() => return,
                };
                match change {
                    Ok(RegistryChange { name, server: Some(server) }) => {
                        if host.0.sandbox.define(&name, server) {
                            host.configured(Some(&name), Part::Server, name.as_str(), "changed in its file");
                        }
                    }
                    Ok(RegistryChange { name, server: None }) => host.forget(&name),
                    Err(RecvError::Lagged(_)) => host.define_all(),
                    Err(RecvError::Closed) => return,
                }
            }
        });
    }

    /// Notes when rules are in force that were not before: the user has edited their file.
    pub(super) fn note_policies(&self) {
        let mut policy = self.0.registry.policy();
        let (host, shutdown) = (self.clone(), self.shutting_down());
        tokio::spawn(shutdown.run_until_cancelled_owned(async move {
            while policy.changed().await.is_ok() {
                let change = {
                    let policy = policy.borrow_and_update();
                    format!("{}, with {} rules", policy.preset(), policy.len())
                };
                host.configured(None, Part::Policy, "policy.toml", &change);
            }
        }));
    }

    fn define_all(&self) {
        let listed = self.0.registry.list();
        for (name, _) in self.0.sandbox.states() {
            if !listed.iter().any(|listed| listed.name == name) {
                self.forget(&name);
            }
        }
        for listed in listed {
            if let Some(server) = listed.server {
                self.0.sandbox.define(&listed.name, server);
            }
        }
    }

    fn forget(&self, name: &ServerName) {
        self.0.sandbox.forget(name);
        self.0.metrics.forget(name);
    }

    /// Sends every event from here on.
    pub(super) fn events(&self, notices: Notices) -> impl Future<Output = ()> + Send + use<> {
        forward(self.0.events.subscribe(), notices, NoticeBody::Event)
    }

    /// A server's recent lines, and what sends the later ones.
    pub(super) fn logs(
        &self,
        read: &ReadLogs,
        notices: Notices,
    ) -> Result<(LogTail, Option<impl Future<Output = ()> + Send + use<>>), ApiError> {
        self.in_force(&read.server)?;
        let tail = self.0.sandbox.logs(&read.server)?;
        let most = read.tail.map_or(usize::MAX, |tail| usize::try_from(tail).unwrap_or(usize::MAX));
        let skipped = tail.lines.len().saturating_sub(most);
        let lines = tail.lines.into_iter().skip(skipped).map(line).collect();
        let later = read.follow.then(|| forward(tail.live, notices, |late| NoticeBody::Log(line(late))));
        Ok((LogTail { lines }, later))
    }
}

/// Sends what comes, until the connection or the source ends. One that reads slowly is told how much it missed.
async fn forward<T: Clone>(mut from: Receiver<T>, to: Notices, body: impl Fn(T) -> NoticeBody) {
    loop {
        let notice = match from.recv().await {
            Ok(item) => body(item),
            Err(RecvError::Lagged(lost)) => NoticeBody::Lost(lost),
            Err(RecvError::Closed) => return,
        };
        if !to.send(notice).await {
            return;
        }
    }
}

fn line(LogLine { at, process, text }: LogLine) -> api::LogLine {
    api::LogLine { at, process, text }
}
