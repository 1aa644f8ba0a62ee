//! The real engine, as the sandbox uses it.

use std::collections::BTreeMap;

use futures::future::BoxFuture;

use super::{
    Plan, StartError,
    vessel::{Dock, Hull, ImageSettings, Vessel},
};
use crate::{
    engine::{ContainerHandle, ContainerId, ContainerUse, EngineFacts, Engines, OurVolume},
    model::Digest,
};

/// The engine that is in use at each moment.
pub(super) struct EngineDock {
    pub(super) engines: Engines,
    pub(super) home_id: String,
}

impl Dock for EngineDock {
    fn facts(&self) -> BoxFuture<'_, Result<EngineFacts, StartError>> {
        Box::pin(async { Ok(self.engines.get().await?.facts().clone()) })
    }

    fn image<'a>(&'a self, image: &'a Digest) -> BoxFuture<'a, Result<Option<ImageSettings>, StartError>> {
        Box::pin(async move {
            let facts = self.engines.get().await?.image(image.as_str()).await?;
            Ok(facts.map(|facts| ImageSettings { env: facts.env, volumes: facts.volumes }))
        })
    }

    fn run<'a>(&'a self, plan: &'a Plan) -> BoxFuture<'a, Result<Vessel, StartError>> {
        Box::pin(async move {
            let container = self.engines.get().await?.run(plan).await?;
            let hull = EngineHull { handle: container.handle, memory: plan.memory() };
            Ok(Vessel {
                pipe: container.pipe,
                hatch: container.hatch,
                diagnostics: container.diagnostics,
                hull: Box::new(hull),
            })
        })
    }

    fn commit<'a>(
        &'a self,
        container: &'a str,
        tag: &'a str,
        labels: BTreeMap<String, String>,
    ) -> BoxFuture<'a, Result<Digest, StartError>> {
        Box::pin(async move {
            let id = ContainerId::from(container.to_owned());
            Ok(self.engines.get().await?.commit(&id, tag, &labels).await?.id)
        })
    }

    fn probe(&self) -> BoxFuture<'_, Result<String, StartError>> {
        Box::pin(async { Ok(self.engines.get().await?.ensure_probe().await?) })
    }

    fn inspect<'a>(&'a self, container: &'a str) -> BoxFuture<'a, Result<serde_json::Value, StartError>> {
        Box::pin(async move {
            let id = ContainerId::from(container.to_owned());
            Ok(self.engines.get().await?.inspect(&id).await?)
        })
    }

    fn uses<'a>(&'a self, container: &'a str) -> BoxFuture<'a, ContainerUse> {
        Box::pin(async move {
            let id = ContainerId::from(container.to_owned());
            match self.engines.get().await {
                Ok(engine) => engine.stats(&id).await,
                Err(_) => ContainerUse::default(),
            }
        })
    }

    fn remove<'a>(&'a self, container: &'a str) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let id = ContainerId::from(container.to_owned());
            let removed = async { self.engines.get().await?.remove(&id).await };
            if let Err(error) = removed.await {
                tracing::warn!(container, %error, "could not remove a container; the next start of Caisson does");
            }
        })
    }

    fn remove_volume<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<bool, StartError>> {
        Box::pin(async move { Ok(self.engines.get().await?.remove_volume(name).await?) })
    }

    fn volumes(&self) -> BoxFuture<'_, Result<Vec<OurVolume>, StartError>> {
        Box::pin(async { Ok(self.engines.get().await?.volumes_of(&self.home_id).await?) })
    }

    fn sweep<'a>(
        &'a self,
        is_mine: &'a (dyn Fn(&str) -> bool + Send + Sync),
    ) -> BoxFuture<'a, Result<(), StartError>> {
        Box::pin(async move {
            let engine = self.engines.get().await?;
            let mut swept = Ok(());
            for left in engine.list_ours(&self.home_id).await? {
                if is_mine(&left.name) {
                    continue;
                }
                tracing::info!(container = left.name, "removing a container of an earlier run");
                if let Err(error) = engine.remove(&left.id).await {
                    swept = Err(error.into());
                }
            }
            swept
        })
    }
}

struct EngineHull {
    handle: ContainerHandle,
    /// The limit, for the reason when it is met.
    memory: u64,
}

impl Hull for EngineHull {
    fn id(&self) -> String {
        self.handle.id().to_string()
    }

    fn wait(&self) -> BoxFuture<'_, String> {
        Box::pin(async {
            let exit = self.handle.wait().await;
            match (exit.out_of_memory, exit.code, exit.lost) {
                (true, ..) => format!("it needed more than its {} MiB of memory", self.memory >> 20),
                (false, Some(code), _) => format!("its container ended with exit code {code}"),
                (false, None, Some(lost)) => format!("its container is lost: {lost}"),
                (false, None, None) => "its container ended".to_owned(),
            }
        })
    }

    fn kill(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {
            if let Err(error) = self.handle.kill().await {
                tracing::warn!(container = %self.handle.id(), %error, "could not kill a container");
            }
        })
    }
}
