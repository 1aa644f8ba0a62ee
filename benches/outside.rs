//! What servers download from: a small HTTP server of this machine, on threads of its own, so that it costs every way
//! the same.

use std::{
    io::{self, BufRead, BufReader, Write},
    net::{IpAddr, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use crate::Fallible;

/// What is written at a time.
const CHUNK: usize = 256 << 10;

/// Answers `/N` with so many bytes, and `/hold` with one byte, when it is let go.
pub(crate) struct Outside {
    pub(crate) address: SocketAddr,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    holding: AtomicUsize,
    let_go: AtomicBool,
    ended: AtomicBool,
}

impl Outside {
    /// Listens on a free port of an address.
    pub(crate) fn listen(at: IpAddr) -> Fallible<Self> {
        let listener = TcpListener::bind((at, 0))?;
        let address = listener.local_addr()?;
        let state = Arc::<State>::default();
        let serving = state.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if serving.ended.load(Ordering::Relaxed) {
                    break;
                }
                let state = serving.clone();
                // A client that goes away early has what it wants.
                thread::spawn(move || drop(serve(stream, &state)));
            }
        });
        Ok(Self { address, state })
    }

    /// The address of so many bytes.
    pub(crate) fn url(&self, what: &str) -> String {
        format!("http://{}/{what}", self.address)
    }

    /// How many connections are held open.
    pub(crate) fn holding(&self) -> usize {
        self.state.holding.load(Ordering::Relaxed)
    }

    /// Lets those go that are held.
    pub(crate) fn let_go(&self) {
        self.state.let_go.store(true, Ordering::Relaxed);
    }
}

impl Drop for Outside {
    fn drop(&mut self) {
        self.let_go();
        self.state.ended.store(true, Ordering::Relaxed);
        // Its thread waits for one more.
        drop(TcpStream::connect(self.address));
    }
}

fn serve(stream: TcpStream, state: &State) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut request = BufReader::new(stream.try_clone()?);
    let mut first = String::new();
    request.read_line(&mut first)?;
    let mut line = String::new();
    while request.read_line(&mut line)? > 2 {
        line.clear();
    }
    let target = first.split_whitespace().nth(1).unwrap_or_default();
    let what = target.rsplit('/').next().unwrap_or_default();
    let mut stream = stream;
    if what.starts_with("hold") {
        write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: close\r\n\r\n")?;
        state.holding.fetch_add(1, Ordering::Relaxed);
        while !state.let_go.load(Ordering::Relaxed) {
            thread::sleep(Duration::from_millis(50));
        }
        return stream.write_all(b"x");
    }
    let mut left: usize = what.parse().unwrap_or(0);
    write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {left}\r\nConnection: close\r\n\r\n")?;
    let chunk = vec![0; CHUNK.min(left)];
    while left > 0 {
        let now = left.min(CHUNK);
        stream.write_all(&chunk[..now])?;
        left -= now;
    }
    Ok(())
}
