use std::{
    io::{self, IsTerminal as _},
    time::Duration,
};

use caisson_core::{
    control::api::{CallStats, ReadStats, ServerStats, Stats},
    model::ServerName,
};

use super::{Outcome, list};
use crate::{
    exit,
    failure::Failure,
    reach,
    show::{Screen, Table, distance, latency, size},
};

/// Clears the terminal, and begins at its top.
const ANEW: &str = "\u{1b}[H\u{1b}[2J";

/// Show how often servers are called, and what they use
///
/// Calls and bytes are counted since Caisson started; processors and memory are measured now. A tool counts by its name where
/// its server says that it has it.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
P50, P95 and P99: so many of a hundred answers took no longer. CPU is in percent
of one processor. SENT and RECEIVED are what hosts got and gave, not clients.

Examples:
  caisson stats
  caisson stats github --tools
  caisson stats --watch
  caisson stats --watch=10 --json | jq '.servers[0].calls'")]
pub(crate) struct Args {
    /// This server alone
    server: Option<ServerName>,
    /// Each tool by itself, too
    #[arg(long)]
    tools: bool,
    /// Go on, every 2 seconds or as many as are given; with --json, one line each
    #[arg(
        long, value_name = "SECONDS", num_args = 0..=1, require_equals = true, default_missing_value = "2",
        value_parser = clap::value_parser!(u64).range(1..=86_400)
    )]
    watch: Option<u64>,
}

pub(crate) async fn run(args: Args, screen: &Screen) -> Outcome {
    let Args { server, tools, watch } = args;
    let client = reach::client().await?;
    let read = ReadStats { server };
    let Some(seconds) = watch else {
        let stats = client.call(&read).await?;
        if screen.json {
            screen.json(&stats)?;
        } else {
            show(&stats, tools, screen)?;
        }
        return Ok(exit::OK);
    };
    let is_terminal = io::stdout().is_terminal();
    let mut ticks = tokio::time::interval(Duration::from_secs(seconds));
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let stats = client.call(&read).await?;
        if screen.json {
            screen.json_line(&stats)?;
        } else {
            screen.text(if is_terminal { ANEW } else { "" })?;
            show(&stats, tools, screen)?;
            screen.text(if is_terminal { "" } else { "\n" })?;
        }
    }
}

fn show(stats: &Stats, tools: bool, screen: &Screen) -> Result<(), Failure> {
    screen.text(&page(stats, tools, screen.width, screen.color))?;
    if stats.servers.is_empty() {
        screen.note("No server is installed. Try: caisson install example");
    }
    Ok(())
}

/// All that is shown: the machine, what servers use, and what became of calls.
fn page(stats: &Stats, tools: bool, width: usize, color: bool) -> String {
    let now = stats.at / 1000;
    let mut page = machine(stats, now);
    let mut uses = Table::new(&["SERVER", "STATE", "UP", "CPU", "MEMORY", "SENT", "RECEIVED", "OPEN"]);
    for server in &stats.servers {
        let up = server.running_since.map_or_else(dash, |since| distance(since, now));
        let cpu = server.cpu.map_or_else(dash, |cpu| format!("{cpu:.1}%"));
        let traffic = &server.traffic;
        uses.row([
            server.name.as_str(),
            &list::state(&server.state),
            &up,
            &cpu,
            &server.uses.memory.map_or_else(dash, size),
            &size(traffic.sent),
            &size(traffic.received),
            &traffic.open.to_string(),
        ]);
    }
    let mut calls =
        Table::new(&["SERVER", "TOOL", "CALLS", "TODAY", "FAILED", "DENIED", "P50", "P95", "P99"]);
    for ServerStats { name, calls: all, tools: each, .. } in &stats.servers {
        if all.counts.calls + all.counts.denied > 0 {
            count(&mut calls, name, "(all)", all);
        }
        for tool in each.iter().filter(|_| tools) {
            count(&mut calls, name, tool.tool.as_deref().unwrap_or("(other)"), &tool.calls);
        }
    }
    for table in [uses, calls] {
        if !table.is_empty() {
            page.push('\n');
            page.push_str(&table.render(width, color));
        }
    }
    page
}

fn machine(stats: &Stats, now: u64) -> String {
    let mut lines = format!("Caisson has run for {}", distance(stats.since, now));
    if let Some(own) = &stats.own {
        lines += &format!(", and uses {}", size(own.memory));
    }
    lines += ".\n";
    if let Some(machine) = &stats.machine {
        let (used, memory) = (size(machine.memory_used), size(machine.memory));
        lines += &format!(
            "This machine uses {:.0}% of {} processors, and {used} of {memory}.\n",
            machine.cpu, machine.processors
        );
    }
    lines
}

fn count(table: &mut Table, server: &ServerName, tool: &str, calls: &CallStats) {
    let CallStats { counts, latency: times } = calls;
    let [p50, p95, p99] = match times {
        Some(times) => [times.p50, times.p95, times.p99].map(latency),
        None => [dash(), dash(), dash()],
    };
    let [all, today, failed, denied] =
        [counts.calls, counts.today, counts.failed, counts.denied].map(|number| number.to_string());
    table.row([server.as_str(), tool, &all, &today, &failed, &denied, &p50, &p95, &p99]);
}

fn dash() -> String {
    "-".to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn stats() -> Stats {
        let nothing =
            json!({"calls": 0, "denied": 0, "failed": 0, "unanswered": 0, "today": 0, "latency": null});
        let with = |more: serde_json::Value| {
            let mut calls = nothing.clone();
            let fields = more.as_object().unwrap().clone();
            calls.as_object_mut().unwrap().extend(fields);
            calls
        };
        let latency = json!({"p50": 340, "p95": 12_000, "p99": 2_345_000});
        serde_json::from_value(json!({
            "at": 1_800_007_200_000_u64, "since": 1_800_000_000,
            "machine": {"processors": 8, "cpu": 12.3, "memory": 16_u64 << 30, "memory_used": 5_u64 << 30},
            "own": {"memory": 31 << 20, "cpu_millis": 1000},
            "servers": [
                {
                    "name": "asleep", "state": {"state": "stopped"}, "running_since": null, "starts": 0,
                    "failures": 0, "cpu": null, "uses": {"memory": null, "cpu_nanos": null, "processes": null},
                    "memory_limit": 1 << 20, "calls": nothing, "tools": [],
                    "traffic": {"connections": 0, "open": 0, "sent": 0, "received": 0, "refused": 0},
                },
                {
                    "name": "everything", "state": {"state": "running", "sessions": 2},
                    "running_since": 1_800_003_600, "starts": 1, "failures": 0, "cpu": 3.25,
                    "uses": {"memory": 52_u64 << 20, "cpu_nanos": 1, "processes": 3}, "memory_limit": 512 << 20,
                    "traffic": {"connections": 5, "open": 1, "sent": 2048, "received": 5 << 20, "refused": 0},
                    "calls": with(json!({"calls": 12, "denied": 2, "failed": 1, "today": 7, "latency": latency})),
                    "tools": [
                        with(json!({"tool": "ec\u{202e}ho", "calls": 12, "failed": 1, "today": 7, "latency": latency})),
                        with(json!({"tool": null, "denied": 2})),
                    ],
                },
            ],
        }))
        .unwrap()
    }

    #[test]
    fn a_page_reads_well() {
        for tools in [false, true] {
            let page = page(&stats(), tools, 80, false);
            let wide = page.lines().find(|line| line.chars().count() > 80);
            assert!(wide.is_none(), "{wide:?}");
            insta::assert_snapshot!(format!("a_page_tools_{tools}"), page);
        }
    }
}
