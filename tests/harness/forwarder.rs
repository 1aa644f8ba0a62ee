//! A way into the bridge for clients that can send no token: it adds one to every request.
//!
//! It must change nothing else, so that what a client sees of the bridge is what the bridge does. Host and Origin
//! pass as they came, but for the forwarder's own port, in whose place the bridge's stands.

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};

use http_body_util::{Either, Full};
use hyper::{
    Request, Response, StatusCode,
    body::{Body, Bytes, Frame, Incoming, SizeHint},
    client::conn::http1 as client,
    header::{AUTHORIZATION, HOST, HeaderName, HeaderValue, ORIGIN},
    server::conn::http1 as server,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::{
    net::{TcpListener, TcpStream},
    runtime::Runtime,
    task::JoinHandle,
};

use crate::clients::Access;

/// A forwarder on a port of its own, until it is dropped.
#[derive(Debug)]
pub struct Forwarder {
    /// Where it stands for the bridge's URL.
    pub url: String,
    // Dropped, it ends every task: nothing is forwarded any more.
    _runtime: Runtime,
}

/// What one request needs to know.
#[derive(Clone, Debug)]
struct Way {
    /// Where the bridge listens: `127.0.0.1:PORT`.
    bridge: String,
    /// The port of the forwarder, as it stands after a host.
    ours: String,
    /// The port of the bridge, likewise.
    theirs: String,
    token: HeaderValue,
}

impl Forwarder {
    /// Starts one that leads to `access.url` with `access.token`.
    ///
    /// # Panics
    /// When the URL is none of the bridge's, or no port is free.
    #[track_caller]
    pub fn to(access: &Access) -> Self {
        let rest = access.url.strip_prefix("http://").expect("the bridge speaks HTTP");
        let (bridge, path) = rest.split_once('/').expect("a server has a path");
        let (_, port) = bridge.rsplit_once(':').expect("the bridge has a port");
        let runtime = Runtime::new().expect("room for a runtime");
        let listener =
            runtime.block_on(TcpListener::bind(("127.0.0.1", 0))).expect("loopback has free ports");
        let address = listener.local_addr().expect("a listener has an address");
        let way = Way {
            bridge: bridge.to_owned(),
            ours: format!(":{}", address.port()),
            theirs: format!(":{port}"),
            token: format!("Bearer {}", access.token).parse().expect("a token is visible ASCII"),
        };
        runtime.spawn(accept(listener, way));
        Self { url: format!("http://{address}/{path}"), _runtime: runtime }
    }
}

async fn accept(listener: TcpListener, way: Way) {
    while let Ok((stream, _)) = listener.accept().await {
        let way = way.clone();
        let service = service_fn(move |request| {
            let way = way.clone();
            async move { Ok::<_, Infallible>(answer(&way, request).await) }
        });
        tokio::spawn(server::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}

async fn answer(way: &Way, request: Request<Incoming>) -> Response<Either<Held, Full<Bytes>>> {
    match forward(way, request).await {
        Ok(response) => response.map(Either::Left),
        Err(error) => {
            let mut response = Response::new(Either::Right(Full::from(format!("the forwarder: {error}"))));
            *response.status_mut() = StatusCode::BAD_GATEWAY;
            response
        }
    }
}

/// Sends one request on over a connection of its own, which ends with the answer's body.
async fn forward(
    way: &Way,
    mut request: Request<Incoming>,
) -> Result<Response<Held>, Box<dyn std::error::Error>> {
    let headers = request.headers_mut();
    headers.insert(AUTHORIZATION, way.token.clone());
    for name in [HOST, ORIGIN] {
        translate(headers, name, way)?;
    }
    let stream = TcpStream::connect(&way.bridge).await?;
    let (mut bridge, connection) = client::handshake(TokioIo::new(stream)).await?;
    let connection = Connection(tokio::spawn(async move { drop(connection.await) }));
    let response = bridge.send_request(request).await?;
    Ok(response.map(|body| Held { body, _connection: connection }))
}

fn translate(
    headers: &mut hyper::HeaderMap,
    name: HeaderName,
    way: &Way,
) -> Result<(), Box<dyn std::error::Error>> {
    if let Some(value) = headers.get(&name)
        && let Some(host) = value.to_str()?.strip_suffix(&way.ours)
    {
        let value = format!("{host}{}", way.theirs).parse()?;
        headers.insert(name, value);
    }
    Ok(())
}

/// A connection to the bridge, closed when it is dropped: so the bridge learns at once that its client has gone.
#[derive(Debug)]
struct Connection(JoinHandle<()>);

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The body of an answer, and the connection it comes over.
#[derive(Debug)]
struct Held {
    body: Incoming,
    _connection: Connection,
}

impl Body for Held {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{BufRead, BufReader, Read, Write},
        net::{TcpListener, TcpStream},
        time::Duration,
    };

    use super::*;

    /// Up to the empty line.
    fn head(stream: &TcpStream) -> String {
        let lines = BufReader::new(stream).lines().map(Result::unwrap);
        lines.take_while(|line| !line.is_empty()).collect::<Vec<_>>().join("\n").to_lowercase()
    }

    #[test]
    fn adds_a_token_streams_and_ends_with_its_client() {
        let bridge = TcpListener::bind("127.0.0.1:0").unwrap();
        let theirs = bridge.local_addr().unwrap();
        let access =
            Access { url: format!("http://{theirs}/s/a/mcp"), sse_url: None, token: "csn_t".to_owned() };
        let forwarder = Forwarder::to(&access);
        let ours = forwarder.url.strip_prefix("http://").unwrap().split_once('/').unwrap().0.to_owned();

        let mut client = TcpStream::connect(&ours).unwrap();
        client.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        write!(client, "GET /s/a/mcp HTTP/1.1\r\nHost: {ours}\r\nOrigin: http://evil.example\r\n\r\n")
            .unwrap();
        let (mut served, _) = bridge.accept().unwrap();
        served.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let request = head(&served);
        for wanted in
            ["get /s/a/mcp", "bearer csn_t", &format!("host: {theirs}"), "origin: http://evil.example"]
        {
            assert!(request.contains(wanted), "{wanted}: {request}");
        }

        // An event arrives while the stream goes on.
        let event = "data: {}\n\n";
        let answer =
            "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
        write!(served, "{answer}{:x}\r\n{event}\r\n", event.len()).unwrap();
        let mut seen = Vec::new();
        while !seen.ends_with(b"data: {}\n\n\r\n") {
            let mut byte = [0];
            client.read_exact(&mut byte).unwrap();
            seen.push(byte[0]);
        }
        drop(client);
        assert_eq!(served.read(&mut [0]).unwrap(), 0, "the bridge does not learn that its client has gone");
    }
}
