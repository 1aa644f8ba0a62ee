//! Tries to break out of a server's container, in one that is made from the very same plan, and says what happened.
//!
//! The container stands beside the server's own and is removed afterwards. It is given no secret: decoys stand in
//! their place. What a probe says of itself is believed when it says that it got through; that it did not is checked
//! where the host can see it.

mod configuration;
mod decoys;
mod ground;
mod table;

use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

use caisson_wire::{
    Command, Exit, SecretBytes,
    probe::{Finding, Ground, Outcome},
};
use tokio::{
    sync::broadcast,
    time::{Instant, timeout},
};

use self::{
    decoys::Decoys,
    table::{How, Probe, probes},
};
use super::{
    Plan, SandboxError, StartError, base_environment,
    exec::{ExecContainer, Output},
    start::Common,
    with_image,
};
use crate::{
    audit::Phase,
    engine::{EngineFacts, LimitsEnforced},
    model::{
        EngineIdentity, HostRule, ProbeOutcome, ProbeResult, Progress, ProgressSink, Server, ServerName,
        Verification,
    },
};

/// What stands in the place of each secret.
const DECOY_SECRET: &str = "caisson-decoy-of-a-secret";
/// How long a process that does not end is left to itself.
const STUBBORN: Duration = Duration::from_secs(1);
/// How long the end of a container may take that ends itself.
const ENDING: Duration = Duration::from_secs(15);
/// Of what a probe says happened, so many characters are kept.
const LONGEST: usize = 600;

/// What of this machine must not be found inside, and where decoys may be laid out.
#[derive(Clone, Debug)]
pub struct Surroundings {
    /// A folder of Caisson's own for files that last a moment.
    pub scratch: PathBuf,
    /// Files and sockets that no container may see.
    pub absent: Vec<PathBuf>,
}

/// What a verification under this plan holds for.
pub(super) fn identity(plan: &Plan, facts: &EngineFacts) -> EngineIdentity {
    EngineIdentity {
        kind: facts.kind.to_string(),
        version: facts.version.clone(),
        runtime: plan.runtime().unwrap_or(&facts.default_runtime).to_owned(),
        rootless: facts.rootless,
    }
}

/// Runs every probe.
pub(super) async fn verify(
    common: Arc<Common>,
    name: ServerName,
    server: Arc<Server>,
    surroundings: Surroundings,
    progress: &ProgressSink,
) -> Result<Verification, SandboxError> {
    let failed = |cause| SandboxError::Start { server: name.clone(), cause: Arc::new(cause) };
    progress.step("Preparing a container under the same plan");
    let facts = common.dock.facts().await.map_err(failed)?;
    let image = common.dock.image(&server.image).await.map_err(failed)?;
    let image = image.ok_or_else(|| failed(StartError::NoImage(server.image.clone())))?;
    let plan = common.plan_on(&name, &server, &facts).await.map_err(failed)?;
    let program = common.dock.probe().await.map_err(failed)?;
    let mut ground = ground::of(&plan, &server, &facts, &image);
    ground.absent = surroundings.absent.iter().map(|path| path.display().to_string()).collect();
    if !facts.remote {
        ground.host_namespaces = decoys::own_namespaces();
    }
    let laid = Decoys::lay_out(&surroundings.scratch, &mut ground).await;
    let decoys =
        laid.map_err(|error| failed(StartError::Airlock(format!("no decoy could be laid out: {error}"))))?;
    let text = serde_json::to_string(&ground);
    let ground_text = text.map_err(|error| failed(StartError::Airlock(error.to_string())))?;

    let mut env = with_image(base_environment(!plan.hosts().is_empty()), &image.env);
    env.extend(ground.secret_variables.iter().map(|name| (name.clone(), DECOY_SECRET.to_owned())));
    let trial = Trial {
        common: common.clone(),
        hosts: plan.hosts().to_vec(),
        ground,
        ground_text,
        program,
        env: env.into_iter().map(|(name, value)| (name, SecretBytes::from(value))).collect(),
        decoys,
        limits: facts.limits,
        plan,
    };
    let probes = trial.run(progress).await?;
    let at = (common.clock)().duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_secs());
    Ok(Verification { at, plan: trial.plan.hash().clone(), engine: identity(&trial.plan, &facts), probes })
}

/// One run of all probes.
struct Trial {
    common: Arc<Common>,
    plan: Plan,
    hosts: Vec<HostRule>,
    ground: Ground,
    /// The same as JSON.
    ground_text: String,
    /// The probes' program, inside.
    program: String,
    env: BTreeMap<String, SecretBytes>,
    decoys: Decoys,
    limits: LimitsEnforced,
}

impl Trial {
    async fn run(&self, progress: &ProgressSink) -> Result<Vec<ProbeResult>, SandboxError> {
        const STEP: &str = "Trying to break out";
        let lines = self.plan.explain();
        let all = probes();
        let mut results = Vec::with_capacity(all.len());
        let mut container = Some(self.container().await?);
        for (at, probe) in all.iter().enumerate() {
            // Fewer than a thousand: exact.
            #[expect(clippy::cast_precision_loss, reason = "counts of probes are small")]
            let fraction = Some(at as f64 / all.len() as f64);
            progress.tell(Progress { step: STEP.to_owned(), detail: Some(probe.name.to_owned()), fraction });
            // A probe may have ended its container, whether it was meant to or not.
            let running = match container.take() {
                Some(running) if !running.is_over() => running,
                Some(over) => {
                    over.end().await;
                    self.container().await?
                }
                None => self.container().await?,
            };
            let before = self.decoys.taken();
            let mut finding = self.probe(probe, &running).await;
            if finding.outcome == Outcome::Held && !self.is_enforced(probe.name) {
                let happened = finding.happened;
                finding = Finding::not_applicable(format!(
                    "this engine cannot enforce the limit; this time, {happened}"
                ));
            }
            if self.decoys.taken() > before {
                finding = Finding::broken("a decoy of the host took a connection from inside");
            }
            let wanted = probe.stopped_by.iter();
            let stopped_by = wanted.filter_map(|what| lines.iter().find(|line| line.what == **what)).next();
            results.push(ProbeResult {
                name: probe.name.to_owned(),
                group: probe.group.to_owned(),
                tried: probe.tried.to_owned(),
                outcome: match finding.outcome {
                    Outcome::Held => ProbeOutcome::Held,
                    Outcome::Broken => ProbeOutcome::Broken,
                    Outcome::NotApplicable => ProbeOutcome::NotApplicable,
                },
                happened: finding.happened.chars().take(LONGEST).collect(),
                stopped_by: stopped_by.map(|line| line.what.clone()),
            });
            container = Some(running);
        }
        if let Some(container) = container {
            container.end().await;
        }
        Ok(results)
    }

    /// Whether the engine enforces the limit a probe is to meet, where it is to meet one.
    fn is_enforced(&self, probe: &str) -> bool {
        match probe {
            "memory-bomb" => self.limits.memory,
            "fork-bomb" => self.limits.pids,
            "processor-bomb" => self.limits.cpu,
            _ => true,
        }
    }

    /// A container under the plan. What it is refused is recorded, and told nobody: these are no wishes of the server's.
    async fn container(&self) -> Result<ExecContainer, SandboxError> {
        let files = ground::decoy_secrets(&self.ground);
        let (common, plan, hosts) = (self.common.clone(), self.plan.clone(), self.hosts.clone());
        let (nobody, _) = broadcast::channel(1);
        // Detached, as an install is: stopped in the middle, it would leave a container behind.
        let begun = tokio::spawn(ExecContainer::begin(common, plan, hosts, files, Phase::Verify, nobody));
        begun.await.unwrap_or_else(|_| Err(SandboxError::Stopped(self.plan.server().clone())))
    }

    async fn probe(&self, probe: &Probe, container: &ExecContainer) -> Finding {
        match probe.how {
            How::Configuration(look) => match self.common.dock.inspect(&container.container()).await {
                Ok(inspected) => look(&self.plan, &inspected),
                Err(error) => Finding::broken(format!("no answer: {error}")),
            },
            How::Inside(within) => match self.exec(probe.name, within, container).await {
                Ok(output) => answer(&output, within),
                Err(error) => Finding::broken(format!("no answer: {error}")),
            },
            How::Stubborn => {
                let began = Instant::now();
                match self.exec(probe.name, STUBBORN, container).await {
                    Ok(output) if output.exit == Exit::Signal(9) => {
                        let took = began.elapsed().saturating_sub(STUBBORN).as_millis();
                        Finding::held(format!("it was killed, {took} ms after its time was up"))
                    }
                    Ok(output) => Finding::broken(format!("it did not wait for its end: {}", output.exit)),
                    Err(error) => Finding::broken(format!("it could not be ended: {error}")),
                }
            }
            How::Terminate => {
                if let Ok(output) = self.exec(probe.name, ENDING, container).await
                    && output.exit == Exit::Code(0)
                {
                    return answer(&output, ENDING);
                }
                match timeout(ENDING, container.ended()).await {
                    Ok(reason) => {
                        Finding::held(format!("its own container ended, and Caisson saw it: {reason}"))
                    }
                    Err(_) => Finding::broken("Caisson did not see its container end"),
                }
            }
        }
    }

    async fn exec(
        &self,
        name: &str,
        within: Duration,
        container: &ExecContainer,
    ) -> Result<Output, SandboxError> {
        let argv = vec![self.program.clone(), name.to_owned(), self.ground_text.clone()];
        let command = Command { argv, env: self.env.clone(), cwd: Some("/".to_owned()) };
        container.exec(command, Some(within), |_| {}).await
    }
}

/// What a probe answered. One that dies, or says nothing that can be read, has not held.
fn answer(output: &Output, within: Duration) -> Finding {
    let line = output.stdout.split(|byte| *byte == b'\n').next().unwrap_or_default();
    if output.exit == Exit::Code(0)
        && let Ok(finding) = serde_json::from_slice::<Finding>(line)
    {
        return finding;
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let said = said.lines().next_back().unwrap_or_default();
    match output.exit {
        Exit::Signal(9) => {
            Finding::broken(format!("no answer within {} s, or it was killed. {said}", within.as_secs()))
        }
        exit @ (Exit::Code(_) | Exit::Signal(_)) => {
            Finding::broken(format!("no answer: it ended with {exit}. {said}"))
        }
    }
}

#[cfg(test)]
mod tests;
