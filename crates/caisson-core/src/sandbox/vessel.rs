//! What the sandbox needs of an engine, as a trait: so that a server's life is tested without one.

use std::collections::BTreeMap;

use bytes::Bytes;
use futures::future::BoxFuture;
use tokio::sync::mpsc;

use super::{Plan, StartError};
use crate::{
    egress::Hatch,
    engine::{ContainerUse, EngineFacts, OurVolume, Pipe},
    model::Digest,
};

/// A container that was just started.
pub(super) struct Vessel {
    /// What it and the airlock say to each other.
    pub(super) pipe: Box<dyn Pipe>,
    /// Where the airlock is handed sockets for connections.
    pub(super) hatch: Option<Hatch>,
    /// The airlock's standard error.
    pub(super) diagnostics: mpsc::Receiver<Bytes>,
    /// The container itself.
    pub(super) hull: Box<dyn Hull>,
}

/// A container that runs, or ran.
pub(super) trait Hull: Send + Sync + 'static {
    /// Its id on the engine.
    fn id(&self) -> String;
    /// Waits until it has ended. Says how, for people.
    fn wait(&self) -> BoxFuture<'_, String>;
    /// Ends it at once.
    fn kill(&self) -> BoxFuture<'_, ()>;
}

/// What an image says that a launch needs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ImageSettings {
    /// Environment, each `NAME=value`.
    pub(super) env: Vec<String>,
    /// Folders for which it wants a volume.
    pub(super) volumes: Vec<String>,
}

/// Where containers are built: an engine.
pub(super) trait Dock: Send + Sync + 'static {
    /// What the engine can do.
    fn facts(&self) -> BoxFuture<'_, Result<EngineFacts, StartError>>;
    /// What an image says; none when there is no such image.
    fn image<'a>(&'a self, image: &'a Digest) -> BoxFuture<'a, Result<Option<ImageSettings>, StartError>>;
    /// Makes the plan's volumes and container, attaches and starts it. When it fails, no container is left.
    fn run<'a>(&'a self, plan: &'a Plan) -> BoxFuture<'a, Result<Vessel, StartError>>;
    /// Makes an image of a container as it is.
    fn commit<'a>(
        &'a self,
        container: &'a str,
        tag: &'a str,
        labels: BTreeMap<String, String>,
    ) -> BoxFuture<'a, Result<Digest, StartError>>;
    /// Makes sure that the program that tries to break out is in the airlock's volume. Gives its path inside.
    fn probe(&self) -> BoxFuture<'_, Result<String, StartError>>;
    /// What the engine says of a container, in its own words.
    fn inspect<'a>(&'a self, container: &'a str) -> BoxFuture<'a, Result<serde_json::Value, StartError>>;
    /// What a container uses; nothing where that cannot be known.
    fn uses<'a>(&'a self, container: &'a str) -> BoxFuture<'a, ContainerUse>;
    /// Removes a container, if it is still there.
    fn remove<'a>(&'a self, container: &'a str) -> BoxFuture<'a, ()>;
    /// Removes a volume, and says whether it was there.
    fn remove_volume<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<bool, StartError>>;
    /// This home's volumes.
    fn volumes(&self) -> BoxFuture<'_, Result<Vec<OurVolume>, StartError>>;
    /// Removes the containers a crashed predecessor has left, all that can be. `is_mine` tells, by its name, one
    /// that is of this process and stays.
    fn sweep<'a>(
        &'a self,
        is_mine: &'a (dyn Fn(&str) -> bool + Send + Sync),
    ) -> BoxFuture<'a, Result<(), StartError>>;
}
