//! The bundled example MCP server. It needs no file and no network, and shows a client what a server sees
//! from inside its caisson.
//!
//! It speaks on standard input and output, or with `--http PORT` Streamable HTTP at
//! `http://127.0.0.1:PORT/mcp`. With `--state FOLDER` it keeps notes there; without, in `/state` if there is
//! such a folder.

mod client;
mod escape;
mod http;
mod look;
mod notes;
mod server;
mod standard;
mod tools;

use std::{error::Error, path::PathBuf};

use rmcp::{ServiceExt, transport::stdio};

use crate::{notes::Notes, server::Example};

/// Where notes are kept when nothing else is said.
const STATE: &str = "/state";

/// What the command line says.
#[derive(Debug, PartialEq)]
struct Options {
    http: Option<u16>,
    state: PathBuf,
}

fn main() -> Result<(), Box<dyn Error>> {
    let options = options(std::env::args().skip(1))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let ended = runtime.block_on(serve(options));
    // Not to be held up by a lookup that nobody waits for any more.
    runtime.shutdown_background();
    ended
}

async fn serve(Options { http, state }: Options) -> Result<(), Box<dyn Error>> {
    let example = Example::new(Notes::new(state));
    match http {
        Some(port) => http::serve(example, port).await?,
        None => {
            let serving = match standard::pipes() {
                Ok(pipes) => example.serve(pipes).await?,
                Err(_) => example.serve(stdio()).await?,
            };
            serving.waiting().await?;
        }
    }
    Ok(())
}

fn options(mut arguments: impl Iterator<Item = String>) -> Result<Options, String> {
    let mut options = Options { http: None, state: STATE.into() };
    while let Some(name) = arguments.next() {
        let value = arguments.next();
        match (name.as_str(), value) {
            ("--http", Some(port)) => {
                options.http = Some(port.parse().map_err(|_| format!("\"{port}\" is no port"))?);
            }
            ("--state", Some(folder)) => options.state = folder.into(),
            ("--http" | "--state", None) => return Err(format!("{name} wants a value")),
            _ => return Err(format!("there is no option {name}: there are --http PORT and --state FOLDER")),
        }
    }
    Ok(options)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Options, String> {
        options(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn the_command_line() {
        assert_eq!(parsed(""), Ok(Options { http: None, state: STATE.into() }));
        assert_eq!(parsed("--http 80 --state /a"), Ok(Options { http: Some(80), state: "/a".into() }));
        for bad in ["--http", "--http x", "--http 65536", "--odd", "a", "--state"] {
            assert!(parsed(bad).is_err(), "{bad}");
        }
    }
}
