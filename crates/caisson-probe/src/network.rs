//! Ways out by the network: sockets below TCP, interfaces, routes, and addresses that must not be reached.

use std::{
    fs, io,
    net::{SocketAddr, TcpStream, UdpSocket},
    time::Duration,
};

use caisson_wire::probe::{Finding, Ground};

use crate::{
    Probe, kernel,
    status::{none_of, refused},
};

/// How long an address is waited for. Without a route the answer comes at once.
pub(crate) const PATIENCE: Duration = Duration::from_secs(2);

pub(crate) const PROBES: &[Probe] = &[
    ("raw-socket", |ground| {
        refused(ground, "a raw socket", kernel::socket(libc::AF_INET, libc::SOCK_RAW, libc::IPPROTO_ICMP))
    }),
    ("packet-socket", |ground| {
        refused(ground, "a packet socket", kernel::socket(libc::AF_PACKET, libc::SOCK_RAW, 0))
    }),
    ("vsock-socket", |ground| family(ground, "a socket to the hypervisor", libc::AF_VSOCK)),
    ("bluetooth-socket", |ground| family(ground, "a Bluetooth socket", libc::AF_BLUETOOTH)),
    ("crypto-socket", |ground| family(ground, "a socket to the kernel's ciphers", libc::AF_ALG)),
    ("interfaces", |_| interfaces()),
    ("routes", |_| routes()),
    ("public-address", |_| {
        // For documentation (RFC 5737, RFC 3849): nobody is there, but a way out would be tried.
        no_way(&["192.0.2.1:443", "198.51.100.1:80", "203.0.113.1:22", "[2001:db8::1]:443"])
    }),
    ("dns-outside", |_| no_way_udp(&["192.0.2.53:53", "[2001:db8::53]:53", "198.51.100.53:53"])),
    ("metadata-ipv4", |_| {
        no_way(&["169.254.169.254:80", "169.254.170.2:80", "100.100.100.200:80", "192.0.0.192:80"])
    }),
    ("metadata-ipv6", |_| no_way(&["[fd00:ec2::254]:80", "[fd20:ce::254]:80"])),
    ("host-gateway", |_| {
        no_way(&[
            "172.17.0.1:22",
            "10.88.0.1:22",
            "10.0.2.2:22",
            "192.168.65.2:80",
            "192.168.65.254:80",
            "192.168.127.254:80",
        ])
    }),
    ("other-containers", |_| {
        let neighbours = (2..=9).flat_map(|n| [format!("172.17.0.{n}:80"), format!("10.88.0.{n}:80")]);
        no_way(&neighbours.collect::<Vec<_>>())
    }),
    ("multicast", |_| no_way_udp(&["224.0.0.251:5353", "239.255.255.250:1900", "255.255.255.255:67"])),
    ("host-loopback", host_loopback),
];

/// A family of sockets that the filter leaves out. Where the kernel has none, there is nothing to leave out.
fn family(ground: &Ground, what: &str, family: libc::c_int) -> Finding {
    match kernel::socket(family, libc::SOCK_STREAM, 0).or_else(|error| match error.raw_os_error() {
        Some(libc::ESOCKTNOSUPPORT) => kernel::socket(family, libc::SOCK_SEQPACKET, 0),
        _ => Err(error),
    }) {
        Err(error) if error.raw_os_error() == Some(libc::EAFNOSUPPORT) => {
            Finding::not_applicable(format!("this kernel has no such sockets: {error}"))
        }
        answer => refused(ground, what, answer),
    }
}

/// Loopback alone. Tunnels that every namespace has are down and lead nowhere.
fn interfaces() -> Finding {
    // Two lines of headings come first (proc_pid_net(5)).
    let Ok(table) = fs::read_to_string("/proc/self/net/dev") else {
        return Finding::not_applicable("the list of interfaces cannot be read");
    };
    let names = table.lines().skip(2).filter_map(|line| line.split_once(':')).map(|(name, _)| name.trim());
    let is_down = |name: &str| {
        let flags = fs::read_to_string(format!("/sys/class/net/{name}/flags")).unwrap_or_default();
        let flags = u32::from_str_radix(flags.trim().trim_start_matches("0x"), 16);
        flags.is_ok_and(|flags| flags & 1 == 0)
    };
    let others: Vec<_> = names
        .filter(|name| *name != "lo" && !is_down(name))
        .map(|name| name.escape_debug().to_string())
        .collect();
    none_of(&others, "loopback is the only interface", "there are interfaces beside loopback")
}

fn routes() -> Finding {
    let table = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let four = table("/proc/self/net/route");
    let four = four.lines().skip(1).filter_map(|line| line.split_whitespace().next());
    // The interface comes last (Documentation/networking/proc_net_ipv6_route).
    let six = table("/proc/self/net/ipv6_route");
    let six = six.lines().filter_map(|line| line.split_whitespace().last());
    let mut out: Vec<_> = four.chain(six).filter(|name| *name != "lo").map(str::to_owned).collect();
    out.sort();
    out.dedup();
    none_of(&out, "no route leads out of loopback", "there are routes over")
}

/// Connects to addresses to which there must be no way.
pub(crate) fn no_way<A: AsRef<str>>(addresses: &[A]) -> Finding {
    let connect = |address: SocketAddr| TcpStream::connect_timeout(&address, PATIENCE).map(drop);
    ways(addresses, connect)
}

/// Sends to addresses to which there must be no way.
fn no_way_udp<A: AsRef<str>>(addresses: &[A]) -> Finding {
    ways(addresses, |to| {
        let from: SocketAddr = if to.is_ipv4() { ([0, 0, 0, 0], 0).into() } else { ([0u16; 8], 0).into() };
        UdpSocket::bind(from)?.send_to(b"caisson", to).map(drop)
    })
}

fn ways<A: AsRef<str>>(addresses: &[A], try_it: impl Fn(SocketAddr) -> io::Result<()>) -> Finding {
    let mut got = Vec::new();
    let mut last = String::new();
    for address in addresses {
        let address = address.as_ref();
        let Ok(parsed) = address.parse() else { continue };
        match try_it(parsed) {
            Err(error) if leads_nowhere(&error) => last = error.to_string(),
            Err(error) => got.push(format!("{address} ({error})")),
            Ok(()) => got.push(address.to_owned()),
        }
        // One way is enough to know.
        if !got.is_empty() {
            break;
        }
    }
    none_of(
        &got,
        format!("there is no way to any of {} addresses: {last}", addresses.len()),
        "there is a way to",
    )
}

/// An answer of this kernel's own, before anything was sent.
fn leads_nowhere(error: &io::Error) -> bool {
    const NOWHERE: [i32; 6] = [
        libc::ENETUNREACH,
        libc::EHOSTUNREACH,
        libc::EADDRNOTAVAIL,
        libc::EAFNOSUPPORT,
        libc::EPERM,
        libc::EACCES,
    ];
    error.raw_os_error().is_some_and(|code| NOWHERE.contains(&code))
}

/// The host listens there; inside, nobody does.
fn host_loopback(ground: &Ground) -> Finding {
    let Some(port) = ground.decoy_port else {
        return Finding::not_applicable("the host laid out no decoy");
    };
    for address in
        [SocketAddr::from(([127, 0, 0, 1], port)), SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, 1], port))]
    {
        if TcpStream::connect_timeout(&address, PATIENCE).is_ok() {
            return Finding::broken(format!("the host's own {address} answered"));
        }
    }
    Finding::held("nobody answers there: loopback is the container's own")
}
