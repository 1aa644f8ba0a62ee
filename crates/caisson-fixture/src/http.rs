//! The server over Streamable HTTP, on loopback.

use std::{convert::Infallible, io, net::Ipv4Addr, sync::Arc, time::Duration};

use http_body_util::{BodyExt, Full, combinators::BoxBody};
use hyper::{
    Request, Response, StatusCode,
    body::{Bytes, Incoming},
    header::CONTENT_TYPE,
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use rmcp::transport::streamable_http_server::{
    StreamableHttpServerConfig, StreamableHttpService, session::local::LocalSessionManager,
};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::{era::Era, server::Fixture};

/// How long to wait when no connection can be accepted.
const BREATHER: Duration = Duration::from_millis(100);
/// The largest request, in bytes: tests send large arguments.
const LARGEST: usize = 64 << 20;

type Answer = Response<BoxBody<Bytes, Infallible>>;
type Mcp = StreamableHttpService<Fixture, LocalSessionManager>;

/// Serves MCP on loopback, at `/mcp`. Hosts and origins that are not this machine are refused.
pub(crate) async fn serve(fixture: Fixture, port: u16) -> io::Result<()> {
    let config = StreamableHttpServerConfig::default()
        .with_allowed_origins(["http://localhost:*", "http://127.0.0.1:*", "http://[::1]:*"])
        .with_max_request_body_bytes(LARGEST);
    let era = fixture.era;
    let sessions = Arc::new(LocalSessionManager::default());
    let mcp = StreamableHttpService::new(move || Ok(fixture.session()), sessions, config);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    loop {
        let Ok((client, _)) = listener.accept().await else {
            tokio::time::sleep(BREATHER).await;
            continue;
        };
        let mcp = mcp.clone();
        let answer = service_fn(move |request| {
            let mcp = mcp.clone();
            async move { answer(era, &mcp, request).await }
        });
        // A connection that breaks concerns its client alone.
        tokio::spawn(
            http1::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(client), answer),
        );
    }
}

async fn answer(era: Era, mcp: &Mcp, request: Request<Incoming>) -> Result<Answer, hyper::Error> {
    if request.uri().path() != "/mcp" {
        return Ok(plain(StatusCode::NOT_FOUND, Bytes::new()));
    }
    if era != Era::Legacy {
        return Ok(mcp.handle(request).await);
    }
    // rmcp answers a request of a version it does not support before it looks at the method.
    let (head, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let message: Value = serde_json::from_slice(&body).unwrap_or_default();
    if message["method"].as_str().is_some_and(|method| era.has_not(method)) {
        let error = json!({"code": -32601, "message": message["method"]});
        let refusal = json!({"jsonrpc": "2.0", "id": message["id"], "error": error});
        return Ok(plain(StatusCode::OK, refusal.to_string().into()));
    }
    Ok(mcp.handle(Request::from_parts(head, Full::new(body))).await)
}

fn plain(status: StatusCode, body: Bytes) -> Answer {
    let mut answer = Response::new(Full::new(body).boxed());
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static("application/json"));
    answer
}
