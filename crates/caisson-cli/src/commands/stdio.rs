//! The stdio shim: MCP on standard input and output, for clients that start programs.
//!
//! After the session is open it copies bytes and reads none of them. Standard output carries only MCP.

mod relay;

use std::io::{self, BufRead, Read, Write};

use caisson_core::{
    control::{
        SessionStream,
        api::{ApiError, OpenSession},
    },
    model::{Endpoint, Envelope, EnvelopeKind, RequestId},
};
use serde_json::json;

use super::{Outcome, alone};
use crate::{exit, failure::Failure, reach, show::Screen, surroundings};

/// The longest first message that is read to answer it with an error.
const LONGEST: u64 = 1 << 20;

/// Speak MCP with a server on standard input and output
///
/// For clients that start a program instead of opening a URL, such as Claude Desktop. Each run is a session
/// with a process of its own inside the container.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
`caisson connect CLIENT` writes this command into a client's configuration.

Examples:
  caisson stdio everything
  caisson stdio group/work")]
pub(crate) struct Args {
    /// The server, or group/NAME
    server: Endpoint,
}

#[cfg(unix)]
pub(crate) fn run(args: &Args, _: &Screen) -> Outcome {
    let session = alone(async {
        open(args).await?.into_blocking().map_err(|error| {
            Failure::new(exit::FAILURE, "the session could not be relayed").why(error.to_string())
        })
    });
    relay::run(session.map_err(answered)?)
}

#[cfg(not(unix))]
pub(crate) fn run(args: &Args, _: &Screen) -> Outcome {
    alone(async {
        let stream = open(args).await.map_err(answered)?;
        relay::run(stream).await
    })
}

async fn open(args: &Args) -> Result<SessionStream, Failure> {
    let paths = surroundings::paths()?;
    let params = OpenSession { server: args.server.clone(), client: "stdio".into() };
    let opened = reach::connected(&paths, async || SessionStream::open(&paths.socket, &params).await).await?;
    Ok(opened?)
}

/// Answers the client's first request with the error: a client shows that, while standard error ends in a
/// log nobody reads.
fn answered(failure: Failure) -> Failure {
    let mut line = Vec::new();
    let read = io::stdin().lock().take(LONGEST).read_until(b'\n', &mut line);
    if let (Ok(_), Ok((Envelope { id: Some(id), .. }, EnvelopeKind::Request))) = (read, Envelope::read(&line))
    {
        let mut out = io::stdout().lock();
        // A client that is gone reads no answer.
        drop(out.write_all(&error_line(&id, &failure.error)).and_then(|()| out.flush()));
    }
    failure
}

fn error_line(id: &RequestId, error: &ApiError) -> Vec<u8> {
    let message = format!("Caisson: {error}");
    let mut line = json!({
        "jsonrpc": "2.0",
        "id": id,
        "error": { "code": -32000, "message": message, "data": error },
    })
    .to_string()
    .into_bytes();
    line.push(b'\n');
    line
}

#[cfg(test)]
mod tests {
    use caisson_core::control::api::ErrorCode;

    use super::*;

    #[test]
    fn an_error_is_an_answer_of_json_rpc() {
        let error = ApiError::new(ErrorCode::Engine, "no engine").fix("start one");
        let line = error_line(&RequestId::Text("a".into()), &error);
        let (envelope, kind) = Envelope::read(&line).unwrap();
        assert_eq!((kind, envelope.id), (EnvelopeKind::Response, Some(RequestId::Text("a".into()))));
        assert!(String::from_utf8(line).unwrap().contains("Caisson: no engine (start one)"));
    }
}
