//! Which addresses requests may reach.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Which addresses requests may reach: those of the public internet, and private ones of the hosts that are named
/// here.
///
/// A definition names the address of a request, and can come from someone else than the owner of the machine and of its
/// network. So addresses of the machine itself, of private networks and of the local link are refused, whether they are
/// written as a name or as a number, and after redirects as well. The rule is checked with the address that the
/// connection is made to.
///
/// ```
/// use workflow_providers::Network;
///
/// let network = Network::public().allow_private("localhost:11434")?.allow_private("10.1.2.3")?;
/// # let _ = network;
/// # Ok::<_, workflow_providers::InvalidHost>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Network {
    private: Vec<Allowed>,
}

/// A host that may have private addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Allowed {
    /// As it stands in the address; `None` for all.
    host: Option<String>,
    port: Option<u16>,
}

/// Why a text does not name a host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` names no host: write for instance `localhost:11434`, `10.1.2.3`, `[::1]:8080`, or `*` for all"
)]
pub struct InvalidHost(String);

impl Network {
    /// Only public addresses.
    pub fn public() -> Self {
        Self::default()
    }

    /// Allows private addresses for requests to `host`, as it is written in their address: `HOST` or `HOST:PORT`, or `*`
    /// for all hosts. Addresses of the local link, where machines of clouds keep credentials, are never reached.
    ///
    /// # Errors
    ///
    /// If `host` names no host.
    pub fn allow_private(mut self, host: &str) -> Result<Self, InvalidHost> {
        let invalid = || InvalidHost(host.chars().take(100).collect());
        let (name, port) = match host.rsplit_once(':') {
            Some((name, port)) if !name.contains(':') || name.ends_with(']') => {
                (name, Some(port.parse().map_err(|_| invalid())?))
            }
            _ => (host, None),
        };
        let name = plain(name);
        let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':');
        if name != "*" && (name.is_empty() || !name.chars().all(is_name)) {
            return Err(invalid());
        }
        self.private.push(Allowed { host: Some(name).filter(|name| name != "*"), port });
        Ok(self)
    }

    /// Why a request to `host` must not be sent to `address`, if so.
    pub(super) fn refused(&self, host: &str, port: u16, address: IpAddr) -> Option<&'static str> {
        let address = four(address);
        if let Some(why) = is_never_reached(address) {
            return Some(why);
        }
        let why = is_private(address)?;
        let host = plain(host);
        let is_allowed = |allowed: &Allowed| {
            allowed.host.as_ref().is_none_or(|name| *name == host)
                && allowed.port.is_none_or(|only| only == port)
        };
        (!self.private.iter().any(is_allowed)).then_some(why)
    }
}

/// A host without brackets, trailing dot and upper case.
fn plain(host: &str) -> String {
    host.trim_matches(['[', ']']).trim_end_matches('.').to_ascii_lowercase()
}

fn is_never_reached(address: IpAddr) -> Option<&'static str> {
    let of_link = match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    };
    let is_of_many = match address {
        IpAddr::V4(address) => address.is_multicast() || address.octets()[0] >= 240,
        IpAddr::V6(address) => address.is_multicast(),
    };
    // All of 0.0.0.0/8 reaches the machine itself on some systems.
    let is_none = match address {
        IpAddr::V4(address) => address.octets()[0] == 0,
        IpAddr::V6(address) => address.is_unspecified(),
    };
    if of_link {
        Some("an address of the local link, where machines of clouds keep credentials")
    } else if is_of_many {
        Some("not the address of one machine")
    } else if is_none {
        Some("the address of no machine")
    } else {
        None
    }
}

fn is_private(address: IpAddr) -> Option<&'static str> {
    if address.is_loopback() {
        return Some("an address of this machine");
    }
    let is_private = match address {
        IpAddr::V4(address) => {
            let [a, b, c, _] = address.octets();
            address.is_private()
                // Shared by the customers of a provider, of protocols, and of benchmarks.
                || (a == 100 && (64..128).contains(&b))
                || (a == 192 && b == 0 && c == 0)
                || (a == 198 && (b == 18 || b == 19))
        }
        // The former site-local addresses too.
        IpAddr::V6(address) => address.is_unique_local() || (address.segments()[0] & 0xffc0) == 0xfec0,
    };
    is_private.then_some("an address of a private network")
}

/// The IPv4 address that an IPv6 address stands for: mapped, compatible, translated (NAT64), of 6to4 or of Teredo.
fn four(address: IpAddr) -> IpAddr {
    let IpAddr::V6(six) = address else { return address };
    if six == Ipv6Addr::LOCALHOST || six.is_unspecified() {
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
        [0x2001, 0, .., high, low] => four(!high, !low),
        _ => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_told_apart() {
        for (address, public, private) in [
            ("93.184.216.34", true, true),
            ("2606:2800:220:1::1", true, true),
            ("64:ff9b::5db8:d822", true, true),
            ("172.32.0.1", true, true),
            ("100.128.0.1", true, true),
            ("10.0.0.7", false, true),
            ("172.16.0.1", false, true),
            ("192.168.1.1", false, true),
            ("100.64.0.1", false, true),
            ("192.0.0.8", false, true),
            ("198.19.0.1", false, true),
            ("fd00::1", false, true),
            ("fec0::1", false, true),
            ("127.0.0.1", false, true),
            ("127.8.9.10", false, true),
            ("::1", false, true),
            ("::ffff:127.0.0.1", false, true),
            ("::ffff:10.0.0.1", false, true),
            ("::127.0.0.1", false, true),
            ("64:ff9b::7f00:1", false, true),
            ("2002:7f00:1::", false, true),
            ("2001:0:1:2:3:4:80ff:fffe", false, true),
            ("::ffff:0:7f00:1", false, true),
            ("169.254.169.254", false, false),
            ("::ffff:169.254.169.254", false, false),
            ("fe80::1", false, false),
            ("0.0.0.0", false, false),
            ("0.1.2.3", false, false),
            ("::", false, false),
            ("224.0.0.1", false, false),
            ("ff02::1", false, false),
            ("255.255.255.255", false, false),
            ("240.0.0.1", false, false),
        ] {
            let parsed = address.parse().unwrap();
            let is_allowed = |network: Network| network.refused("x", 80, parsed).is_none();
            assert_eq!(is_allowed(Network::public()), public, "{address}");
            assert_eq!(is_allowed(Network::public().allow_private("*").unwrap()), private, "{address}");
        }
    }

    #[test]
    fn a_host_is_allowed_as_it_is_written() {
        let private = IpAddr::from([127, 0, 0, 1]);
        for (allowed, host, port, is_allowed) in [
            ("localhost:11434", "localhost", 11434, true),
            ("localhost:11434", "LocalHost.", 11434, true),
            ("localhost:11434", "localhost", 80, false),
            ("localhost", "localhost", 80, true),
            ("localhost", "127.0.0.1", 80, false),
            ("[::1]:8080", "[::1]", 8080, true),
            ("::1", "[::1]", 8080, true),
            ("*:8080", "anything", 8080, true),
            ("*:8080", "anything", 80, false),
        ] {
            let network = Network::public().allow_private(allowed).unwrap();
            assert_eq!(
                network.refused(host, port, private).is_none(),
                is_allowed,
                "{allowed}: {host}:{port}"
            );
        }
        for wrong in ["", ":80", "http://localhost", "localhost:x", "a b", "10.0.0.0/8", "localhost:70000"] {
            assert!(Network::public().allow_private(wrong).is_err(), "{wrong}");
        }
    }
}
