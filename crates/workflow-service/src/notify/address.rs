//! Which addresses webhooks are sent to.

use std::net::{IpAddr, Ipv4Addr};

/// Why an address gets no webhook; `None` if it may get one.
pub(super) fn refused(address: IpAddr, allow_loopback: bool) -> Option<&'static str> {
    let address = plain(address);
    if address.is_loopback() {
        return (!allow_loopback)
            .then_some("is an address of this machine: set `allow_loopback: true` to allow it");
    }
    let of_link = match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    };
    if of_link {
        return Some("is an address of the local link, where machines of clouds keep credentials");
    }
    // All of 0.0.0.0/8 reaches the machine itself on some systems.
    let is_this_host = matches!(address, IpAddr::V4(address) if address.octets()[0] == 0);
    if address.is_unspecified() || is_this_host {
        return Some("is the address of no machine");
    }
    let is_broadcast = matches!(address, IpAddr::V4(address) if address.is_broadcast());
    if address.is_multicast() || is_broadcast {
        return Some("is an address of many machines");
    }
    None
}

/// The IPv4 address that an IPv6 address stands for: mapped, compatible, translated (NAT64) or of 6to4.
fn plain(address: IpAddr) -> IpAddr {
    let IpAddr::V6(six) = address else { return address };
    if six.is_loopback() || six.is_unspecified() {
        return address;
    }
    let four = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        IpAddr::V4(Ipv4Addr::new(a, b, c, d))
    };
    match six.segments() {
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low]
        | [0x64, 0xff9b, 0, 0, 0, 0, high, low]
        | [0, 0, 0, 0, 0xffff, 0, high, low]
        | [0x2002, high, low, ..] => four(high, low),
        _ => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_machines_are_told_apart() {
        for (address, refused_at_all, allowed_with_loopback) in [
            ("93.184.216.34", false, true),
            ("10.0.0.7", false, true),
            ("192.168.1.1", false, true),
            ("2606:2800:220:1::1", false, true),
            ("fd00::1", false, true),
            ("64:ff9b::5db8:d822", false, true),
            ("127.0.0.1", true, true),
            ("127.8.9.10", true, true),
            ("::1", true, true),
            ("::ffff:127.0.0.1", true, true),
            ("::127.0.0.1", true, true),
            ("64:ff9b::7f00:1", true, true),
            ("2002:7f00:1::", true, true),
            ("::ffff:0:7f00:1", true, true),
            ("169.254.169.254", true, false),
            ("::ffff:169.254.169.254", true, false),
            ("fe80::1", true, false),
            ("0.0.0.0", true, false),
            ("0.1.2.3", true, false),
            ("::", true, false),
            ("::ffff:0.0.0.0", true, false),
            ("224.0.0.1", true, false),
            ("ff02::1", true, false),
            ("255.255.255.255", true, false),
        ] {
            let parsed = address.parse().unwrap();
            assert_eq!(refused(parsed, false).is_some(), refused_at_all, "{address}");
            assert_eq!(refused(parsed, true).is_none(), allowed_with_loopback, "{address}");
        }
    }
}
