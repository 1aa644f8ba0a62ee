//! An MCP server for Caisson's own tests; it is never shipped.
//!
//! It has every tool, prompt, resource and completion that the official conformance suite asks for, and what the
//! tests of the bridge need besides: something for each feature of the protocol. It speaks on standard input and
//! output (`stdio`) or Streamable HTTP at `http://127.0.0.1:PORT/mcp` (`http PORT`), and either era of the
//! protocol or, with `--era`, one alone. It must do nothing on its own: what it does, a call asked for.

mod ask;
mod era;
mod http;
mod prompts;
mod resources;
mod samples;
mod server;
mod shared;
mod stdio;
mod tools;

use std::error::Error;

use crate::{era::Era, server::Fixture};

/// What the command line says.
#[derive(Debug, PartialEq)]
struct Options {
    /// The port to listen on; none for standard input and output.
    port: Option<u16>,
    era: Era,
}

fn main() -> Result<(), Box<dyn Error>> {
    let options = options(std::env::args().skip(1))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let fixture = Fixture::new(options.era);
    let ended = runtime.block_on(async {
        match options.port {
            Some(port) => http::serve(fixture, port).await.map_err(Into::into),
            None => stdio::serve(fixture).await,
        }
    });
    // A read of standard input may still be under way; nobody waits for it.
    runtime.shutdown_background();
    ended
}

fn options(mut arguments: impl Iterator<Item = String>) -> Result<Options, String> {
    const USAGE: &str = "usage: caisson-fixture stdio|http PORT [--era legacy|modern|both]";
    let port = match arguments.next().as_deref() {
        Some("stdio") => None,
        Some("http") => {
            let port = arguments.next().ok_or(USAGE)?;
            Some(port.parse().map_err(|_| format!("\"{port}\" is no port"))?)
        }
        _ => return Err(USAGE.to_owned()),
    };
    let era = match (arguments.next().as_deref(), arguments.next(), arguments.next()) {
        (None, ..) => Era::Both,
        (Some("--era"), Some(era), None) => era.parse()?,
        _ => return Err(USAGE.to_owned()),
    };
    Ok(Options { port, era })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Options, String> {
        options(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn the_command_line() {
        assert_eq!(parsed("stdio"), Ok(Options { port: None, era: Era::Both }));
        assert_eq!(parsed("http 80 --era modern"), Ok(Options { port: Some(80), era: Era::Modern }));
        assert_eq!(parsed("stdio --era legacy"), Ok(Options { port: None, era: Era::Legacy }));
        for bad in ["", "http", "http x", "stdio 1", "stdio --era", "stdio --era new", "stdio --era both x"] {
            assert!(parsed(bad).is_err(), "{bad}");
        }
    }
}
