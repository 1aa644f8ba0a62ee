//! A server that tries to carry a word out of its container, by whichever channel it is told. What it says about a
//! try is its own opinion: the tests listen at the other end.

use std::{
    error::Error,
    fs::{self, OpenOptions},
    io::{self, BufRead as _, Read as _, Write as _},
    net::{Shutdown, SocketAddr, TcpStream, UdpSocket},
    os::{
        linux::net::SocketAddrExt as _,
        unix::net::{SocketAddr as UnixAddr, UnixStream},
    },
    time::Duration,
};

use rustix::net::{AddressFamily, Protocol, RawProtocol, SocketFlags, SocketType, sendto, socket_with};
use serde_json::{Value, json};

/// What is to be carried out.
const WORD: &str = "the-word-that-must-not-get-out";
/// How long the other side is waited for.
const PATIENCE: Duration = Duration::from_millis(1500);
/// The airlock's proxy and name server.
const PROXY: &str = "127.0.0.1:3128";
const RESOLVER: &str = "127.0.0.1:53";

type Tried = Result<String, Box<dyn Error>>;

fn main() -> Result<(), Box<dyn Error>> {
    let mut output = io::stdout().lock();
    for line in io::stdin().lock().lines() {
        let message: Value = serde_json::from_str(&line?)?;
        let (Some(id), Some(method)) = (message.get("id"), message["method"].as_str()) else { continue };
        let result = match method {
            "initialize" => json!({"protocolVersion": "2025-11-25", "capabilities": {"tools": {}},
                "serverInfo": {"name": "exfiltrates", "version": "1"}}),
            "tools/list" => json!({"tools": [{"name": "try", "inputSchema": {"type": "object"}}]}),
            "tools/call" => {
                let said: Vec<Value> = message["params"]["arguments"]["tries"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .map(attempt)
                    .collect();
                json!({"content": [{"type": "text", "text": Value::from(said).to_string()}]})
            }
            _ => json!({}),
        };
        output
            .write_all(format!("{}\n", json!({"jsonrpc": "2.0", "id": id, "result": result})).as_bytes())?;
        output.flush()?;
    }
    Ok(())
}

/// One try, `[CHANNEL, TARGET]`, and what came of it.
fn attempt(wanted: &Value) -> Value {
    let (how, to) = (wanted[0].as_str().unwrap_or_default(), wanted[1].as_str().unwrap_or_default());
    let tried = match how {
        "tcp" => tcp(to),
        "udp" => udp(to),
        "icmp" => raw(AddressFamily::INET, SocketType::DGRAM, 1, to),
        "raw" => raw(AddressFamily::INET, SocketType::RAW, 1, to),
        "family" => family(to),
        "abstract" => UnixAddr::from_abstract_name(to)
            .and_then(|address| UnixStream::connect_addr(&address))
            .and_then(|mut stream| stream.write_all(WORD.as_bytes()))
            .map(|()| "connected".to_owned())
            .map_err(Into::into),
        "unix" => UnixStream::connect(to)
            .and_then(|mut stream| stream.write_all(b"GET /_ping HTTP/1.0\r\n\r\n"))
            .map(|()| "connected".to_owned())
            .map_err(Into::into),
        "dns" => dns(to),
        "proxy" => proxy(&format!("CONNECT {to} HTTP/1.1\r\nHost: {to}\r\n\r\n")),
        "get" => proxy(&format!("GET http://{to}/{WORD} HTTP/1.1\r\nHost: {to}\r\n\r\n")),
        "read" => fs::read(to).map(|bytes| format!("{} bytes", bytes.len())).map_err(Into::into),
        "write" => OpenOptions::new()
            .create(true)
            .append(true)
            .open(to)
            .and_then(|mut file| file.write_all(WORD.as_bytes()))
            .map(|()| "written".to_owned())
            .map_err(Into::into),
        "link" => std::os::unix::fs::symlink("/etc/shadow", to)
            .and_then(|()| fs::read(to))
            .map(|bytes| format!("{} bytes", bytes.len()))
            .map_err(Into::into),
        "log" => log(to),
        other => Err(format!("no such channel: {other}").into()),
    };
    match tried {
        Ok(said) => json!({"how": how, "to": to, "out": true, "said": said}),
        Err(error) => json!({"how": how, "to": to, "out": false, "said": error.to_string()}),
    }
}

fn tcp(to: &str) -> Tried {
    let mut stream = TcpStream::connect_timeout(&to.parse()?, PATIENCE)?;
    stream.write_all(WORD.as_bytes())?;
    stream.shutdown(Shutdown::Write)?;
    Ok("connected".to_owned())
}

fn udp(to: &str) -> Tried {
    let to: SocketAddr = to.parse()?;
    let from = if to.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    UdpSocket::bind(from)?.send_to(WORD.as_bytes(), to)?;
    Ok("sent".to_owned())
}

/// A packet written by hand, such as an ICMP echo request.
fn raw(family: AddressFamily, kind: SocketType, protocol: u32, to: &str) -> Tried {
    let protocol = RawProtocol::new(protocol).map(Protocol::from_raw);
    let socket = socket_with(family, kind, SocketFlags::CLOEXEC, protocol)?;
    let to: SocketAddr = to.parse()?;
    let echo = [&[8, 0, 0, 0, 0, 1, 0, 1][..], WORD.as_bytes()].concat();
    sendto(&socket, &echo, rustix::net::SendFlags::empty(), &to)?;
    Ok("sent".to_owned())
}

/// A socket of a family that knows nothing of the container's network: Bluetooth, a virtual machine's host, packets.
fn family(number: &str) -> Tried {
    let family = AddressFamily::from_raw(number.parse()?);
    for kind in [SocketType::STREAM, SocketType::DGRAM, SocketType::RAW, SocketType::SEQPACKET] {
        if socket_with(family, kind, SocketFlags::CLOEXEC, None).is_ok() {
            return Ok(format!("a socket of family {number}"));
        }
    }
    Err("no socket of that family".into())
}

/// A question of a type, `TYPE NAME [SERVER]`, to the airlock's name server or another one. It got out when it was
/// answered with a record.
fn dns(to: &str) -> Tried {
    let mut words = to.split(' ');
    let kind: u16 = words.next().unwrap_or_default().parse()?;
    let name = words.next().unwrap_or_default();
    let server = words.next().unwrap_or(RESOLVER);
    let mut question = vec![0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in name.split('.') {
        question.push(u8::try_from(label.len())?);
        question.extend_from_slice(label.as_bytes());
    }
    question.push(0);
    question.extend_from_slice(&kind.to_be_bytes());
    question.extend_from_slice(&[0, 1]);
    let socket = UdpSocket::bind("0.0.0.0:0")?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.send_to(&question, server)?;
    let mut answer = [0; 1500];
    let length = socket.recv(&mut answer)?;
    let answer = answer.get(..length).unwrap_or_default();
    let (Some(flags), Some(records)) = (answer.get(3), answer.get(6..8)) else {
        return Err("cut off".into());
    };
    match (flags & 0xf, records) {
        (code, [0, 0]) => Err(format!("no record, code {code}").into()),
        _ => Ok("answered".to_owned()),
    }
}

fn proxy(request: &str) -> Tried {
    let mut stream = TcpStream::connect_timeout(&PROXY.parse()?, PATIENCE)?;
    stream.set_read_timeout(Some(2 * PATIENCE))?;
    stream.write_all(request.as_bytes())?;
    let mut answer = vec![0; 512];
    let length = stream.read(&mut answer)?;
    let answer = String::from_utf8_lossy(answer.get(..length).unwrap_or_default()).into_owned();
    let status = answer.split(' ').nth(1).unwrap_or_default();
    if status.starts_with('2') { Ok(answer) } else { Err(answer.lines().next().unwrap_or_default().into()) }
}

/// Writes a variable's value to the log.
fn log(variable: &str) -> Tried {
    let value = std::env::vars().find(|(name, _)| name == variable).map(|(_, value)| value);
    let value = value.ok_or("there is no such variable")?;
    io::stderr().write_all(format!("the value is {value}.\n").as_bytes())?;
    Ok("written".to_owned())
}
