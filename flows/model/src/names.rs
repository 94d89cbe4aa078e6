//! Names: what the addresses of ports are called, in the domains of their networks.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net};

use crate::network::Network;
use crate::port::Port;

/// The domain of networks that have none of their own. No such top level domain will ever be given to anybody.
pub const DEFAULT_DOMAIN: &str = "weft.internal";
/// Where every network has its resolver (RFC 3927 addresses stay on the link): beside the well-known address of
/// metadata services, as cloud users know it.
pub const RESOLVER_V4: Ipv4Addr = Ipv4Addr::new(169, 254, 169, 253);
/// The same for IPv6: link-local, so that it needs no route, and the IPv4 address in it.
pub const RESOLVER_V6: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0xa9fe, 0xa9fd);
/// Where workloads look for a metadata service; kept for one, see ARCHITECTURE.md.
pub const METADATA_V4: Ipv4Addr = Ipv4Addr::new(169, 254, 169, 254);
/// The same for IPv6, as OpenStack has it.
pub const METADATA_V6: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0xa9fe, 0xa9fe);

/// The IPv4 addresses that belong to the network itself, everywhere; no subnet may have one of them.
pub fn reserved_v4() -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(169, 254, 169, 252), 30)
}

/// True if a subnet would have an address that belongs to the network itself.
pub fn has_reserved(cidr: IpNet) -> bool {
    let reserved = IpNet::V4(reserved_v4());
    cidr.contains(&reserved) || reserved.contains(&cidr)
}

impl Network {
    /// The domain of its ports' names, without a dot at the end.
    pub fn domain(&self) -> &str {
        match self.dns_domain.trim_end_matches('.') {
            "" => DEFAULT_DOMAIN,
            own => own,
        }
    }
}

/// The name of an address of a port within its network's domain: the port's own, or one made of the address.
pub fn host_name(network: &Network, port: &Port, address: IpAddr) -> String {
    match own_name(network, port) {
        "" => made_name(address),
        name => name.to_owned(),
    }
}

/// The whole name of an address of a port, without a dot at the end.
pub fn full_name(network: &Network, port: &Port, address: IpAddr) -> String {
    format!("{}.{}", host_name(network, port, address), network.domain())
}

/// The name that its user gave a port, without the domain if it was given with it; may be empty.
fn own_name<'a>(network: &Network, port: &'a Port) -> &'a str {
    let name = port.dns_name.trim_end_matches('.');
    below(name, network.domain()).unwrap_or(name)
}

/// The part of a name before a domain; `None` when it is not in the domain.
pub(crate) fn below<'a>(name: &'a str, domain: &str) -> Option<&'a str> {
    let at = name.len().checked_sub(domain.len())?;
    let (host, end) = (name.get(..at)?, name.get(at..)?);
    let host = host.strip_suffix('.')?;
    (end.eq_ignore_ascii_case(domain) && !host.is_empty()).then_some(host)
}

fn made_name(address: IpAddr) -> String {
    format!("host-{}", address.to_string().replace(['.', ':'], "-"))
}

/// The address that a made name is of; both families are tried where dashes could be either.
pub(crate) fn made_from(host: &str) -> Option<IpAddr> {
    let dashed = host.strip_prefix("host-")?;
    let v4 = dashed.replace('-', ".").parse::<Ipv4Addr>().map(IpAddr::from);
    v4.or_else(|_| dashed.replace('-', ":").parse::<Ipv6Addr>().map(IpAddr::from)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_made_of_addresses_lead_back_to_them() {
        for text in ["10.0.0.5", "fd00::5", "2001:db8:1:2:3:4:5:6", "::1"] {
            let address: IpAddr = text.parse().expect("an address");
            assert_eq!(made_from(&made_name(address)), Some(address), "{text}");
        }
        for other in ["host-", "host-a", "host-10-0-0", "10-0-0-5", "host-10.0.0.5.6"] {
            assert_eq!(made_from(other), None, "{other}");
        }
    }

    #[test]
    fn a_domain_ends_at_a_dot() {
        assert_eq!(below("a.Example.com", "example.COM"), Some("a"));
        assert_eq!(below("a.b.example.com", "example.com"), Some("a.b"));
        for outside in ["example.com", ".example.com", "aexample.com", "a.example.org", "com", ""] {
            assert_eq!(below(outside, "example.com"), None, "{outside}");
        }
    }

    #[test]
    fn what_is_the_networks_own_is_in_no_subnet() {
        let has = |text: &str| has_reserved(text.parse().expect("a prefix"));
        assert!(has("169.254.0.0/16") && has("169.254.169.252/31") && has("128.0.0.0/1"));
        assert!(!has("169.254.0.0/17") && !has("169.254.169.0/25") && !has("fd00::/64"));
        assert!(reserved_v4().contains(&RESOLVER_V4) && reserved_v4().contains(&METADATA_V4));
    }
}
