//! A site on this machine's loopback: a few files over HTTP, and what was asked for.

use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader, Write as _},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
};

type Files = BTreeMap<String, Vec<u8>>;

/// A site, for as long as the test runs.
#[derive(Clone, Debug)]
pub struct Site {
    port: u16,
    asked: Arc<Mutex<Vec<String>>>,
    files: Arc<Mutex<Files>>,
}

impl Site {
    /// Begins to serve, on a port of its own. Nothing is there yet.
    ///
    /// # Panics
    /// When loopback has no free port.
    pub fn open() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("loopback has free ports");
        let port = listener.local_addr().expect("a listener has an address").port();
        let site = Self { port, asked: Arc::default(), files: Arc::default() };
        let serving = site.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let serving = serving.clone();
                std::thread::spawn(move || serving.serve(stream));
            }
        });
        site
    }

    /// Its port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Puts a file there.
    ///
    /// # Panics
    /// When another thread panicked.
    pub fn put(&self, path: &str, content: impl Into<Vec<u8>>) {
        self.files.lock().expect("no panic").insert(path.to_owned(), content.into());
    }

    /// The paths that were asked for; an empty one for a connection that asked for none.
    ///
    /// # Panics
    /// When another thread panicked.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("no panic").clone()
    }

    fn serve(&self, stream: TcpStream) {
        let mut lines = BufReader::new(&stream).lines().map_while(Result::ok);
        let first = lines.next().unwrap_or_default();
        let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
        lines.take_while(|line| !line.is_empty()).for_each(drop);
        self.asked.lock().expect("no panic").push(path.clone());
        let found = self.files.lock().expect("no panic").get(&path).cloned();
        let status = if found.is_some() { "200 OK" } else { "404 Not Found" };
        let kind = match path.rsplit_once('.') {
            Some((_, "tgz" | "gz")) => "application/octet-stream",
            _ if found.as_ref().is_some_and(|content| content.starts_with(b"{")) => "application/json",
            _ => "text/html",
        };
        let content = found.unwrap_or_default();
        let head = format!(
            "HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
            content.len()
        );
        // A client that does not wait for the answer is no fault of this one.
        drop((&stream).write_all(&[head.as_bytes(), &content].concat()));
    }
}
