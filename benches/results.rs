//! All that a run found, and where it is written: JSON for programs, a page and plots for people.

use std::{fs, path::Path};

use serde::Serialize;

use crate::{Fallible, finding::Finding, machine::Machine, plot};

/// The page, but for what was found.
const PAGE: &str = include_str!("page.md");

#[derive(Debug, Serialize)]
pub(crate) struct Results {
    pub(crate) machine: Machine,
    /// Names and versions of the other bridges.
    pub(crate) peers: Vec<String>,
    pub(crate) findings: Vec<Finding>,
    /// By servers, then by sessions.
    pub(crate) growth: Option<[Finding; 2]>,
}

impl Results {
    /// Keeps a finding, and shows it at once: a run takes minutes.
    pub(crate) fn add(&mut self, finding: Finding) {
        finding.print();
        self.findings.push(finding);
    }

    pub(crate) fn write_json(&self, file: &Path) -> Fallible<()> {
        Ok(fs::write(file, serde_json::to_string_pretty(self)? + "\n")?)
    }

    /// Writes `benchmarks.md` and the images it shows.
    pub(crate) fn write_page(&self, folder: &Path) -> Fallible<()> {
        let joined = |findings: &[Finding]| -> String {
            findings.iter().map(Finding::markdown).collect::<Vec<_>>().join("\n")
        };
        let mut growth = String::new();
        for (finding, by) in self.growth.iter().flatten().zip(["servers", "sessions"]) {
            let image = format!("images/bench-{by}.svg");
            plot::draw(finding, by, &folder.join(&image))?;
            growth += &format!("{}\n![{}]({image})\n\n", finding.markdown(), finding.title);
        }
        let Machine { processor, cores, memory_gb, system } = &self.machine;
        let machine = format!("{cores} cores ({processor}), {memory_gb} GB of memory, {system}");
        let page = PAGE
            .replace("{machine}", &machine)
            .replace("{peers}", &self.peers.join(", "))
            .replace("{findings}", joined(&self.findings).trim_end())
            .replace("{growth}", growth.trim_end());
        Ok(fs::write(folder.join("benchmarks.md"), page)?)
    }
}
