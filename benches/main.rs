//! What Caisson costs beside other bridges and beside the engine alone, side by side in one run. Ratios first, since
//! machines are noisy.

mod arguments;
mod finding;
mod http;
mod lines;
mod machine;
mod measures;
mod network;
mod outside;
mod peers;
mod plot;
mod processes;
mod protocol;
mod results;
mod sample;
mod stage;

use clap::Parser;
use tokio::task::LocalSet;

use crate::{
    arguments::{Arguments, Part},
    finding::Finding,
    machine::Machine,
    peers::PeerKind,
    results::Results,
    stage::Stage,
};

type Fallible<T> = Result<T, Box<dyn std::error::Error>>;

fn main() -> Fallible<()> {
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let results = LocalSet::new().block_on(&runtime, run(&arguments))?;
    if let Some(file) = &arguments.json {
        results.write_json(file)?;
    }
    if let Some(folder) = &arguments.docs {
        results.write_page(folder)?;
    }
    Ok(())
}

async fn run(arguments: &Arguments) -> Fallible<Results> {
    let peers = PeerKind::ALL.into_iter().map(PeerKind::version).collect::<Fallible<_>>()?;
    let mut results = Results { machine: Machine::here(), peers, findings: Vec::new(), growth: None };
    if arguments.wants(Part::Scan) {
        results.add(measures::scan::measure()?);
    }
    for engine in arguments.engines() {
        let Some(stage) = Stage::set(*engine).await? else { continue };
        if arguments.wants(Part::Call) {
            results.add(measures::call::measure(&stage, arguments.calls).await?);
        }
        if arguments.wants(Part::Throughput) {
            for finding in measures::throughput::measure(&stage).await? {
                results.add(finding);
            }
        }
        if arguments.wants(Part::Connect) {
            results.add(measures::connect::measure(&stage).await?);
        }
        if arguments.wants(Part::FirstCall) {
            results.add(measures::first_call::measure(&stage).await?);
        }
        if arguments.wants(Part::Download) {
            for finding in measures::download::measure(&stage).await? {
                results.add(finding);
            }
        }
        if arguments.wants(Part::Memory) {
            results.add(measures::memory::measure(&stage).await?);
        }
        // It tells of Caisson more than of the engine: one is enough.
        if arguments.wants(Part::Growth) && results.growth.is_none() {
            results.growth = Some(measures::growth::measure(&stage).await?);
            results.growth.iter().flatten().for_each(Finding::print);
        }
    }
    Ok(results)
}
