//! What a tool call costs on each way to the same server, side by side in one run: attached to the container
//! directly, through the shim, and through the bridge. Ratios, since these machines are noisy.
//!
//!     caisson-bench [CALLS]      on each engine `scripts/bench` names in the environment

mod http;
mod lines;
mod report;

use std::time::Instant;

use caisson_tests::{Home, TestEngine, clients::Access, programs};

use crate::{
    http::HttpWay,
    lines::LineWay,
    report::{Report, Sample},
};

/// The requests that open a session, as any client sends them, and the call that is measured.
mod message {
    pub(crate) const INITIALIZE: &str = r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"bench","version":"1"}}}"#;
    pub(crate) const INITIALIZED: &str = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;

    pub(crate) fn call(id: usize) -> String {
        format!(
            r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"greet","arguments":{{"name":"bench"}}}}}}"#
        )
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let calls = std::env::args().nth(1).map_or(Ok(3000), |text| text.parse())?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    for engine in [TestEngine::Podman, TestEngine::Docker] {
        let Some(home) = Home::new(engine) else { continue };
        runtime
            .block_on(measure(&home, calls))?
            .print(&format!("One small tool call, {engine:?}, {calls} calls"));
    }
    Ok(())
}

/// Takes the ways in turn, call by call, so that a busy moment of the machine hits all of them.
async fn measure(home: &Home, calls: usize) -> Result<Report, Box<dyn std::error::Error>> {
    home.caisson(&["install", "example", "--yes"]).ok();
    home.caisson(&["start", "example"]).ok();
    let shown = home.caisson(&["show", "example", "--json"]).json();
    let image = shown["definition"]["image"].as_str().ok_or("an installed server has an image")?;
    let command = shown["definition"]["command"][0].as_str().ok_or("an installed server has a command")?;

    let engine = home.engine_command(&[
        "run",
        "-i",
        "--rm",
        "--network",
        "none",
        "--entrypoint",
        command,
        bare(image),
    ]);
    let mut cli = LineWay::open(engine).await?;
    let mut direct = LineWay::attach(home, bare(image), command).await?;
    let mut shim = LineWay::open(home.command_of(&programs::caisson(), &["stdio", "example"])).await?;
    let mut bridge = HttpWay::open(&Access::to(home, "example")).await?;

    let mut samples = [
        Sample::new("attached to the container"),
        Sample::new("the engine's own run -i"),
        Sample::new("through the shim"),
        Sample::new("through the bridge"),
    ];
    for id in 1..=calls + calls / 10 {
        let warm = id > calls / 10;
        let mut note = |sample: usize, start: Instant| {
            if warm {
                samples[sample].add(start.elapsed());
            }
        };
        let call = message::call(id);
        let start = Instant::now();
        direct.call(&call).await?;
        note(0, start);
        let start = Instant::now();
        cli.call(&call).await?;
        note(1, start);
        let start = Instant::now();
        shim.call(&call).await?;
        note(2, start);
        let start = Instant::now();
        bridge.call(&call).await?;
        note(3, start);
    }
    direct.close().await?;
    Ok(Report::new(samples))
}

fn bare(image: &str) -> &str {
    image.trim_start_matches("sha256:")
}
