//! Advice that stands beside a plan: which runtime a server is better run with.

use serde::Deserialize;

use super::Host;
use crate::{
    control::api::{PlanRow, PlanView},
    model::{Server, ServerName},
    pins::Profile,
    sandbox::{Isolating, Plan, Spoken},
};

/// Tools that are looked at; a server may list more without end.
const MOST_TOOLS: usize = 512;

#[derive(Deserialize)]
struct Listed {
    tools: Vec<Tool>,
}

#[derive(Deserialize)]
struct Tool {
    name: String,
    #[serde(default)]
    description: String,
}

impl Host {
    /// A plan for review, with a line of advice where its server seems to run code and shares the host's kernel.
    pub(super) async fn advised(
        &self,
        name: &ServerName,
        server: &Server,
        plan: &Plan,
        mut view: PlanView,
    ) -> PlanView {
        // Without an engine there is no plan to look at either.
        let Ok(engine) = self.0.engines.get().await else { return view };
        let facts = engine.facts();
        let runtime = plan.runtime().unwrap_or(&facts.default_runtime);
        let spoken = self.spoken(name, server);
        if let (None, Some(told)) = (Isolating::of(runtime), spoken.runs_code()) {
            let value = match Isolating::offered(facts) {
                Some(offered) => format!("consider the runtime {offered} (--runtime {offered})"),
                None => "consider a runtime with a kernel of its own; `caisson doctor` says how to add one"
                    .to_owned(),
            };
            let why = format!(
                "it seems to run code (\"{told}\"), and {runtime} lets that reach the kernel of this machine"
            );
            view.rows.push(PlanRow { what: "Note".to_owned(), value, why });
        }
        view
    }

    /// What a server is called and, where it has run, what it said of its tools.
    fn spoken(&self, name: &ServerName, server: &Server) -> Spoken {
        let pin = self.0.pins.of(name, server);
        let list = [Profile::unspoken(), Profile::least()]
            .iter()
            .find_map(|profile| pin.result(profile, "tools/list"))
            .and_then(|list| serde_json::from_str::<Listed>(list.get()).ok());
        let tools = list.into_iter().flat_map(|list| list.tools).take(MOST_TOOLS);
        Spoken {
            names: vec![name.to_string(), server.source.to_string()],
            tools: tools.map(|tool| (tool.name, tool.description)).collect(),
        }
    }
}
