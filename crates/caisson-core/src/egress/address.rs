//! Which addresses lie outside. Pure.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Whether a server may be connected to an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// It lies outside.
    Public,
    /// It does not, and why, as the end of a sentence.
    Closed(&'static str),
}

/// Networks that are never connected to (IANA special-purpose registries, RFC 6890 and its updates).
/// The networks for documentation are not among them: nobody's secrets lie there, and closed companies and
/// test machines do use them for their registries.
const CLOSED_V4: [(Ipv4Addr, u32, &str); 14] = [
    (Ipv4Addr::new(0, 0, 0, 0), 8, "which means this machine"),
    (Ipv4Addr::new(10, 0, 0, 0), 8, "in a private network"),
    (Ipv4Addr::new(100, 64, 0, 0), 10, "in a provider's private network"),
    (Ipv4Addr::new(127, 0, 0, 0), 8, "which is this machine"),
    (Ipv4Addr::new(168, 63, 129, 16), 32, "a cloud's service for its own machines"),
    (Ipv4Addr::new(169, 254, 0, 0), 16, "a link's own network, where clouds keep credentials"),
    (Ipv4Addr::new(172, 16, 0, 0), 12, "in a private network"),
    (Ipv4Addr::new(192, 0, 0, 0), 24, "reserved for protocols"),
    (Ipv4Addr::new(192, 88, 99, 0), 24, "a relay to other networks"),
    (Ipv4Addr::new(192, 168, 0, 0), 16, "in a private network"),
    (Ipv4Addr::new(198, 18, 0, 0), 15, "in a network for measurements"),
    (Ipv4Addr::new(224, 0, 0, 0), 4, "a multicast address"),
    (Ipv4Addr::new(240, 0, 0, 0), 4, "a reserved address"),
    (Ipv4Addr::BROADCAST, 32, "the broadcast address"),
];

/// The same for IPv6. What embeds an IPv4 address is judged by that one, in [`embedded`].
const CLOSED_V6: [(Ipv6Addr, u32, &str); 9] = [
    (Ipv6Addr::UNSPECIFIED, 128, "which means this machine"),
    (Ipv6Addr::LOCALHOST, 128, "which is this machine"),
    (Ipv6Addr::new(0x100, 0, 0, 0, 0, 0, 0, 0), 64, "an address that discards"),
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 32, "a tunnel (Teredo)"),
    (Ipv6Addr::new(0x64, 0xff9b, 1, 0, 0, 0, 0, 0), 48, "a translator of a private network"),
    (Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0), 7, "in a private network"),
    (Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0), 10, "a link's own network"),
    (Ipv6Addr::new(0xfec0, 0, 0, 0, 0, 0, 0, 0), 10, "in a private network"),
    (Ipv6Addr::new(0xff00, 0, 0, 0, 0, 0, 0, 0), 8, "a multicast address"),
];

/// Whether `address` lies outside this machine and its local networks.
pub fn reach(address: IpAddr) -> Reach {
    let closed = match address {
        IpAddr::V4(v4) => closed_v4(v4),
        IpAddr::V6(v6) => closed_v6(v6).or_else(|| embedded(v6).and_then(closed_v4)),
    };
    closed.map_or(Reach::Public, Reach::Closed)
}

fn closed_v4(address: Ipv4Addr) -> Option<&'static str> {
    let within = |(network, bits, _): &&(Ipv4Addr, u32, &str)| {
        (address.to_bits() ^ network.to_bits()) >> (32 - bits) == 0
    };
    CLOSED_V4.iter().find(within).map(|(.., why)| *why)
}

fn closed_v6(address: Ipv6Addr) -> Option<&'static str> {
    let within = |(network, bits, _): &&(Ipv6Addr, u32, &str)| {
        (address.to_bits() ^ network.to_bits()) >> (128 - bits) == 0
    };
    CLOSED_V6.iter().find(within).map(|(.., why)| *why)
}

/// The IPv4 address an IPv6 address stands for: mapped and compatible (RFC 4291), 6to4 (RFC 3056), NAT64
/// (RFC 6052), ISATAP (RFC 5214).
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let low = |high: u16, low: u16| Some(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)));
    match address.segments() {
        [0, 0, 0, 0, 0, 0 | 0xffff, a, b] | [0x64, 0xff9b, 0, 0, 0, 0, a, b] => low(a, b),
        [0, 0, 0, 0, 0xffff, 0, a, b] => low(a, b),
        [0x2002, a, b, ..] => low(a, b),
        [_, _, _, _, 0 | 0x0200, 0x5efe, a, b] => low(a, b),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for public in [
            "1.1.1.1",
            "8.8.8.8",
            "203.0.113.7",
            "198.51.100.1",
            "100.63.255.255",
            "100.128.0.0",
            "172.15.0.1",
            "172.32.0.1",
            "192.169.0.1",
            "198.20.0.1",
            "223.255.255.255",
            "2606:4700::1111",
            "2a00::1",
            "::ffff:1.1.1.1",
            "64:ff9b::8.8.8.8",
            "2002:808:808::1",
        ] {
            assert_eq!(reach(public.parse().unwrap()), Reach::Public, "{public}");
        }
        for closed in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "100.100.100.200",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.255.255",
            "168.63.129.16",
            "169.254.169.254",
            "169.254.170.2",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.192",
            "192.168.0.1",
            "198.18.0.1",
            "198.19.255.255",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::127.0.0.1",
            "::10.0.0.1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "::ffff:0:10.0.0.1",
            "64:ff9b::a00:1",
            "64:ff9b::169.254.169.254",
            "64:ff9b:1::1",
            "2002:7f00:1::",
            "2002:a00:1::1",
            "2002:c0a8:1::",
            "2001:0:1::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "100::1",
            "2a00::5efe:10.0.0.1",
        ] {
            assert_ne!(reach(closed.parse().unwrap()), Reach::Public, "{closed}");
        }
    }
}
