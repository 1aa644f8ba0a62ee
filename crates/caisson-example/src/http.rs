use std::{convert::Infallible, io, net::Ipv4Addr, sync::Arc, time::Duration};

use http_body_util::{BodyExt, Empty};
use hyper::{Request, Response, StatusCode, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use rmcp::transport::streamable_http_server::{
    StreamableHttpServerConfig, StreamableHttpService, session::local::LocalSessionManager,
};
use tokio::net::TcpListener;

use crate::server::Example;

/// How long to wait when no connection can be accepted.
const BREATHER: Duration = Duration::from_millis(100);

/// Serves MCP over Streamable HTTP on loopback, at `/mcp`. Hosts and origins that are not this machine are
/// refused.
pub(crate) async fn serve(example: Example, port: u16) -> io::Result<()> {
    let config = StreamableHttpServerConfig::default().enforce_origin_validation();
    let sessions = Arc::new(LocalSessionManager::default());
    let service = StreamableHttpService::new(move || Ok(example.clone()), sessions, config);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    loop {
        let Ok((client, _)) = listener.accept().await else {
            tokio::time::sleep(BREATHER).await;
            continue;
        };
        let service = service.clone();
        let answer = service_fn(move |request: Request<Incoming>| {
            let service = service.clone();
            async move {
                if request.uri().path() == "/mcp" {
                    return Ok::<_, Infallible>(service.handle(request).await);
                }
                let mut nothing = Response::new(Empty::new().boxed());
                *nothing.status_mut() = StatusCode::NOT_FOUND;
                Ok(nothing)
            }
        });
        // A connection that breaks concerns its client alone.
        tokio::spawn(
            http1::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(client), answer),
        );
    }
}
