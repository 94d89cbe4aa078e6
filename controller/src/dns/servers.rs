//! Whom the resolver may ask: the servers of a port's subnets, as far as the operator lets it, or the operator's own.
//!
//! A subnet's servers are a tenant's choice, and it is the controller that asks them, from where the operator's own networks
//! are in reach. So nobody is asked but public addresses, unless the operator says which others; and never the machine
//! itself, its link or a group, whatever anybody says.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use ipnet::IpNet;
use thiserror::Error;
use weft_model::{Port, Snapshot};

use weft_answers::dns::PORT;

/// Most servers that are asked for one question.
const MOST: usize = 3;

/// What the operator allows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Servers {
    /// Who is asked where a subnet names nobody.
    pub forwarders: Vec<Forwarder>,
    /// Which servers of tenants may be asked; public addresses when nothing is said.
    pub allowed: Option<Vec<IpNet>>,
}

/// A server of the operator's, which may be anywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Forwarder(SocketAddr);

/// Not an address of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("must be addresses, each with a port or without")]
pub struct Unfit;

impl FromStr for Forwarder {
    type Err = Unfit;

    fn from_str(text: &str) -> Result<Forwarder, Unfit> {
        let alone = text.parse::<IpAddr>().map(|ip| SocketAddr::new(ip, PORT));
        alone.or_else(|_| text.parse()).map(Forwarder).map_err(|_| Unfit)
    }
}

/// Somebody who may be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Server {
    pub address: SocketAddr,
    pub choice: Choice,
}

/// Whose choice a server is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Choice {
    /// A tenant's; it is not asked if it turns out to be the controller's own machine.
    Tenant,
    /// The operator's.
    Operator,
}

impl Servers {
    /// Whom to ask for a port, in this order.
    pub(super) fn of(&self, port: &Port, snapshot: &Snapshot) -> Vec<Server> {
        let subnets = port.fixed_ips.iter().filter_map(|ip| snapshot.subnet(&ip.subnet));
        let mut chosen: Vec<IpAddr> = Vec::new();
        for server in subnets.flat_map(|subnet| &subnet.dns_servers).filter(|ip| !ip.is_unspecified()) {
            if !chosen.contains(server) {
                chosen.push(*server);
            }
        }
        if chosen.is_empty() {
            let operators = self.forwarders.iter().map(|Forwarder(address)| *address);
            return operators
                .take(MOST)
                .map(|address| Server { address, choice: Choice::Operator })
                .collect();
        }
        let allowed = chosen.into_iter().filter(|ip| self.may_ask(*ip));
        let server = |ip| Server { address: SocketAddr::new(ip, PORT), choice: Choice::Tenant };
        allowed.take(MOST).map(server).collect()
    }

    fn may_ask(&self, address: IpAddr) -> bool {
        let within = |allowed: &Vec<IpNet>| allowed.iter().any(|prefix| prefix.contains(&address));
        is_somewhere_else(address) && self.allowed.as_ref().map_or_else(|| is_public(address), within)
    }
}

/// Neither this machine nor its link nor a group.
fn is_somewhere_else(address: IpAddr) -> bool {
    let special = match address {
        IpAddr::V4(v4) => {
            v4.is_loopback()
                || v4.is_link_local()
                || v4.is_multicast()
                || v4.octets()[0] == 0
                || v4.is_broadcast()
        }
        IpAddr::V6(v6) => {
            // An IPv4 address in another form would pass by what is said of IPv4.
            let is_other_form = v6.to_ipv4().is_some();
            v6.is_loopback() || v6.is_unicast_link_local() || v6.is_multicast() || is_other_form
        }
    };
    !special && !address.is_unspecified()
}

/// Reachable for everybody (the registries of RFC 6890): management networks are hardly ever numbered so.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, ..] = v4.octets();
            let is_shared = a == 100 && b & 0xc0 == 64;
            let is_benchmark = a == 198 && b & 0xfe == 18;
            let is_protocol = v4.octets()[..3] == [192, 0, 0];
            !(v4.is_private()
                || v4.is_documentation()
                || is_shared
                || is_benchmark
                || is_protocol
                || a >= 240)
        }
        IpAddr::V6(v6) => {
            let [a, b, ..] = v6.segments();
            let is_documentation = (a, b) == (0x2001, 0x0db8) || a & 0xfff0 == 0x3ff0;
            // Addresses of IPv4 inside: 6to4 and Teredo.
            let is_transition = a == 0x2002 || (a, b) == (0x2001, 0);
            // Global unicast is 2000::/3 so far (RFC 4291 section 2.4).
            a & 0xe000 == 0x2000 && !is_documentation && !is_transition
        }
    }
}

/// The unspecified address of the same family, to send from.
pub(super) fn any_of(address: SocketAddr) -> SocketAddr {
    let ip =
        if address.is_ipv4() { IpAddr::from(Ipv4Addr::UNSPECIFIED) } else { Ipv6Addr::UNSPECIFIED.into() };
    SocketAddr::new(ip, 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_public_addresses_unless_the_operator_says_others() {
        let default = Servers::default();
        let may = |servers: &Servers, text: &str| servers.may_ask(text.parse().unwrap());
        for public in ["9.9.9.9", "1.1.1.1", "2620:fe::fe"] {
            assert!(may(&default, public), "{public}");
        }
        let inside =
            ["10.0.0.53", "192.168.1.1", "172.31.0.1", "100.64.0.1", "198.18.0.1", "192.0.2.1", "fd00::53"];
        let never =
            ["127.0.0.1", "169.254.169.253", "224.0.0.251", "0.0.0.0", "0.1.2.3", "255.255.255.255", "::"];
        let never6 = ["::1", "fe80::1", "ff02::fb", "::ffff:127.0.0.1", "::ffff:10.0.0.53", "::127.0.0.1"];
        for private in inside.iter().chain(&never).chain(&never6).chain(&["240.0.0.1", "2002:7f00:1::1"]) {
            assert!(!may(&default, private), "{private}");
        }
        let all =
            Servers { allowed: Some(vec!["0.0.0.0/0".parse().unwrap(), "::/0".parse().unwrap()]), ..default };
        assert!(inside.iter().all(|address| may(&all, address)));
        for address in never.iter().chain(&never6) {
            assert!(!may(&all, address), "{address}");
        }
        let none = Servers { allowed: Some(Vec::new()), ..Servers::default() };
        assert!(!may(&none, "9.9.9.9"));
    }

    #[test]
    fn forwarders_have_a_port_or_the_usual_one() {
        let read = |text: &str| text.parse::<Forwarder>().map(|Forwarder(address)| address.to_string());
        assert_eq!(read("127.0.0.53"), Ok("127.0.0.53:53".to_owned()));
        assert_eq!(read("[2620:fe::fe]:5353"), Ok("[2620:fe::fe]:5353".to_owned()));
        assert_eq!(read("2620:fe::fe"), Ok("[2620:fe::fe]:53".to_owned()));
        assert_eq!(read("resolver.example"), Err(Unfit));
    }
}
