//! What the command line says.

use std::path::PathBuf;

use caisson_tests::TestEngine;
use clap::{Parser, ValueEnum};

/// What can be measured, in the order it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Part {
    /// What one small tool call costs
    Call,
    /// Calls a second at 1, 8 and 64 sessions
    Throughput,
    /// From connecting to a stopped server until its tools are listed
    Connect,
    /// The first tool call on a stopped server
    FirstCall,
    /// A server's download: throughput, first byte, the airlock's memory
    Download,
    /// The resident set, idle and for each session
    Memory,
    /// Looking through messages; without an engine
    Scan,
    /// How all that grows with servers and sessions
    Growth,
}

/// Measures Caisson beside other bridges, on the engines that `scripts/bench` names in the environment.
#[derive(Debug, Parser)]
#[command(name = "scripts/bench FOLDER")]
pub(crate) struct Arguments {
    /// What to measure; without a word, everything
    parts: Vec<Part>,
    /// Where to; without this, every engine the machine has
    #[arg(long = "engine", value_name = "NAME", value_parser = engine)]
    engines: Vec<TestEngine>,
    /// Calls on each way when one call is measured
    #[arg(long, value_name = "N", default_value_t = 2000, value_parser = clap::value_parser!(u32).range(100..))]
    pub(crate) calls: u32,
    /// Write the numbers to this file too
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// Write the page and its plots into this folder. Not from a part: the page tells of everything
    #[arg(long, value_name = "FOLDER", conflicts_with = "parts")]
    pub(crate) docs: Option<PathBuf>,
}

impl Arguments {
    pub(crate) fn wants(&self, part: Part) -> bool {
        self.parts.is_empty() || self.parts.contains(&part)
    }

    pub(crate) fn engines(&self) -> &[TestEngine] {
        if self.engines.is_empty() { &[TestEngine::Podman, TestEngine::Docker] } else { &self.engines }
    }
}

fn engine(name: &str) -> Result<TestEngine, String> {
    match name {
        "podman" => Ok(TestEngine::Podman),
        "docker" => Ok(TestEngine::Docker),
        _ => Err("there are podman and docker".to_owned()),
    }
}
