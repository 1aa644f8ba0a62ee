//! Which addresses lie outside. Pure.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Whether a server may be connected to an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// It lies outside.
    Public,
    /// It lies in this machine or its networks, and where, as the end of a sentence. A rule may name it.
    Private(&'static str),
    /// Nobody may: credentials of clouds, many at once, nothing at all.
    Never(&'static str),
}

use Reach::{Never, Private};

/// Networks that do not lie outside (IANA special-purpose registries, RFC 6890 and its updates); of two that hold an
/// address, the first counts. The networks for documentation are not among them: nobody's secrets lie there, and
/// closed companies and test machines do use them for their registries.
const CLOSED_V4: [(Ipv4Addr, u32, Reach); 15] = [
    (Ipv4Addr::new(0, 0, 0, 0), 8, Never("which means this machine")),
    (Ipv4Addr::new(10, 0, 0, 0), 8, Private("in a private network")),
    (Ipv4Addr::new(100, 100, 100, 200), 32, Never("where a cloud keeps credentials")),
    (Ipv4Addr::new(100, 64, 0, 0), 10, Private("in a provider's private network")),
    (Ipv4Addr::new(127, 0, 0, 0), 8, Private("which is this machine")),
    (Ipv4Addr::new(168, 63, 129, 16), 32, Never("a cloud's service for its own machines")),
    (Ipv4Addr::new(169, 254, 0, 0), 16, Never("a link's own network, where clouds keep credentials")),
    (Ipv4Addr::new(172, 16, 0, 0), 12, Private("in a private network")),
    (Ipv4Addr::new(192, 0, 0, 0), 24, Never("reserved for protocols")),
    (Ipv4Addr::new(192, 88, 99, 0), 24, Never("a relay to other networks")),
    (Ipv4Addr::new(192, 168, 0, 0), 16, Private("in a private network")),
    (Ipv4Addr::new(198, 18, 0, 0), 15, Private("in a network for measurements")),
    (Ipv4Addr::new(224, 0, 0, 0), 4, Never("a multicast address")),
    (Ipv4Addr::BROADCAST, 32, Never("the broadcast address")),
    (Ipv4Addr::new(240, 0, 0, 0), 4, Never("a reserved address")),
];

/// The same for IPv6. What embeds an IPv4 address is judged by that one, in [`embedded`].
const CLOSED_V6: [(Ipv6Addr, u32, Reach); 10] = [
    (Ipv6Addr::UNSPECIFIED, 128, Never("which means this machine")),
    (Ipv6Addr::LOCALHOST, 128, Private("which is this machine")),
    (Ipv6Addr::new(0x100, 0, 0, 0, 0, 0, 0, 0), 64, Never("an address that discards")),
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 32, Never("a tunnel (Teredo)")),
    (Ipv6Addr::new(0x64, 0xff9b, 1, 0, 0, 0, 0, 0), 48, Never("a translator of a private network")),
    (Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254), 128, Never("where a cloud keeps credentials")),
    (Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0), 7, Private("in a private network")),
    (Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0), 10, Never("a link's own network")),
    (Ipv6Addr::new(0xfec0, 0, 0, 0, 0, 0, 0, 0), 10, Private("in a private network")),
    (Ipv6Addr::new(0xff00, 0, 0, 0, 0, 0, 0, 0), 8, Never("a multicast address")),
];

/// Whether `address` lies outside this machine and its local networks.
pub fn reach(address: IpAddr) -> Reach {
    match address.to_canonical() {
        IpAddr::V4(address) => reach_v4(address),
        IpAddr::V6(address) => {
            let within = |(network, bits, _): &&(Ipv6Addr, u32, Reach)| {
                (address.to_bits() ^ network.to_bits()) >> (128 - bits) == 0
            };
            match CLOSED_V6.iter().find(within) {
                Some((.., reach)) => *reach,
                // A rule names addresses as they are: these are detours, which nobody needs.
                None => match embedded(address).map(reach_v4) {
                    Some(Private(where_it_lies) | Never(where_it_lies)) => Never(where_it_lies),
                    Some(Reach::Public) | None => Reach::Public,
                },
            }
        }
    }
}

fn reach_v4(address: Ipv4Addr) -> Reach {
    let within = |(network, bits, _): &&(Ipv4Addr, u32, Reach)| {
        (address.to_bits() ^ network.to_bits()) >> (32 - bits) == 0
    };
    CLOSED_V4.iter().find(within).map_or(Reach::Public, |(.., reach)| *reach)
}

/// The IPv4 address an IPv6 address stands for: compatible (RFC 4291), translated (RFC 2765), 6to4 (RFC 3056), NAT64
/// (RFC 6052), ISATAP (RFC 5214). Mapped ones are canonical before this.
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let low = |high: u16, low: u16| Some(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)));
    match address.segments() {
        [0, 0, 0, 0, 0, 0, a, b] | [0x64, 0xff9b, 0, 0, 0, 0, a, b] => low(a, b),
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
        for private in [
            "10.0.0.1",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.255.255",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.0.1",
            "198.18.0.1",
            "198.19.255.255",
            "::1",
            "::ffff:127.0.0.1",
            "fc00::1",
            "fec0::1",
        ] {
            assert!(matches!(reach(private.parse().unwrap()), Private(_)), "{private}");
        }
        for never in [
            "0.0.0.0",
            "0.1.2.3",
            "100.100.100.200",
            "168.63.129.16",
            "169.254.169.254",
            "169.254.170.2",
            "192.0.0.192",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::127.0.0.1",
            "::10.0.0.1",
            "::ffff:169.254.169.254",
            "::ffff:0:10.0.0.1",
            "64:ff9b::a00:1",
            "64:ff9b::169.254.169.254",
            "64:ff9b:1::1",
            "2002:7f00:1::",
            "2002:a00:1::1",
            "2002:c0a8:1::",
            "2001:0:1::1",
            "fd00:ec2::254",
            "fe80::1",
            "ff02::1",
            "100::1",
            "2a00::5efe:10.0.0.1",
        ] {
            assert!(matches!(reach(never.parse().unwrap()), Never(_)), "{never}");
        }
    }
}
