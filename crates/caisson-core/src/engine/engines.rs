//! Finds the engine, keeps it, and looks for it anew when it went away.

use std::{path::PathBuf, sync::Arc};

use tokio::sync::Mutex;

use super::{
    Engine, EngineChoice, EngineEnv, EngineError, Outcome, Survey,
    candidates::candidates,
    contexts,
    machine::Machine,
    survey::{choose, survey},
};

/// The engines of this machine. Clones share what was found.
#[derive(Clone, Debug)]
pub struct Engines(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    env: EngineEnv,
    choice: EngineChoice,
    artifacts: PathBuf,
    sockets: Option<PathBuf>,
    machine: Machine,
    current: Mutex<Option<Engine>>,
}

impl Engines {
    /// Engines as seen from this environment. `artifacts` is the folder with Caisson's own files for inside:
    /// `airlock-linux-amd64`, `airlock-linux-arm64`. `sockets` is a folder for nothing but the sockets that take the
    /// place of attachments where they can; without it all containers are attached to. Nothing is looked for yet.
    pub fn new(env: EngineEnv, choice: EngineChoice, artifacts: PathBuf, sockets: Option<PathBuf>) -> Self {
        let machine = Machine::this();
        Self(Arc::new(Inner { env, choice, artifacts, sockets, machine, current: Mutex::default() }))
    }

    /// The engine to use. It is looked for the first time, and again after it went away.
    ///
    /// # Errors
    /// [`EngineError::PermissionDenied`] when the only engine there is may not be opened, else
    /// [`EngineError::NoEngine`], with what was tried.
    pub async fn get(&self) -> Result<Engine, EngineError> {
        let mut current = self.0.current.lock().await;
        if let Some(engine) = current.as_ref().filter(|engine| !engine.is_gone()) {
            return Ok(engine.clone());
        }
        *current = None;
        let surveys = self.look().await;
        let Some((address, facts)) = surveys.iter().find_map(|(address, survey)| {
            survey.facts.clone().filter(|_| survey.chosen).map(|facts| (address, facts))
        }) else {
            return Err(none_usable(surveys.into_iter().map(|(_, survey)| survey)));
        };
        tracing::info!(%address, kind = %facts.kind, version = facts.version, "found an engine");
        let engine = Engine::connect(address, facts, self.0.artifacts.clone(), self.0.sockets.clone())?;
        engine.sweep_helpers().await;
        *current = Some(engine.clone());
        Ok(engine)
    }

    /// Every endpoint there may be, with what is there and what is wrong with it; for `caisson doctor`.
    pub async fn survey(&self) -> Vec<Survey> {
        self.look().await.into_iter().map(|(_, survey)| survey).collect()
    }

    async fn look(&self) -> Vec<(super::Address, Survey)> {
        let Inner { env, choice, machine, .. } = &*self.0;
        let context = contexts::current(&env.home).await;
        let candidates = candidates(env, choice, machine.os, context);
        let mut surveys = survey(&candidates, machine).await;
        if let Some(chosen) = choose(&surveys, choice).and_then(|at| surveys.get_mut(at)) {
            chosen.chosen = true;
        }
        candidates.into_iter().map(|candidate| candidate.address).zip(surveys).collect()
    }
}

/// Why there is no engine, leaving out places where nothing ever was.
fn none_usable(surveys: impl Iterator<Item = Survey>) -> EngineError {
    let mut surveys: Vec<_> =
        surveys.filter(|survey| survey.named || survey.outcome != Outcome::Absent).collect();
    match surveys.as_mut_slice() {
        [only] if only.outcome == Outcome::PermissionDenied => EngineError::PermissionDenied {
            address: only.address.clone(),
            fix: only.problems.pop().map(|problem| problem.fix).unwrap_or_default(),
        },
        surveys => EngineError::NoEngine { tried: surveys.iter().map(Survey::tried).collect() },
    }
}
