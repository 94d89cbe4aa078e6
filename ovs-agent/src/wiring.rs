//! What a workload's interface is to look like: a pure function of what the controller says about its port.

use std::net::IpAddr;

use serde::Serialize;
use weft_api::{Network, Port, Subnet};

use crate::error::AgentError;

/// An address with the length of its subnet's prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Prefix {
    /// The address.
    pub ip: IpAddr,
    /// The number of leading bits that its neighbours share.
    pub length: u8,
}

/// A route of the workload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Route {
    /// Where to.
    pub to: Prefix,
    /// Through which neighbour.
    pub via: IpAddr,
}

impl Route {
    /// Whether it leads everywhere.
    pub fn is_default(&self) -> bool {
        self.to.length == 0
    }
}

/// What a workload's interface is to look like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wiring {
    /// Its Ethernet address.
    pub mac: [u8; 6],
    /// Its MTU in bytes.
    pub mtu: u32,
    /// Its addresses.
    pub addresses: Vec<Prefix>,
    /// Its routes: one default for each family that has a gateway, and the subnets' own.
    pub routes: Vec<Route>,
}

impl Wiring {
    /// The wiring of a port in its network with its subnets.
    ///
    /// # Errors
    /// [`AgentError::Unusable`] when the controller says something that is no address.
    pub fn of(port: &Port, network: &Network, subnets: &[Subnet]) -> Result<Wiring, AgentError> {
        let unusable =
            |what, value: &str| AgentError::Unusable { port: port.id.clone(), what, value: value.to_owned() };
        let mac = mac(&port.mac_address).ok_or_else(|| unusable("the MAC address", &port.mac_address))?;
        let (mut addresses, mut routes) = (Vec::new(), Vec::<Route>::new());
        for fixed in &port.fixed_ips {
            let ip: IpAddr =
                fixed.ip_address.parse().map_err(|_| unusable("the address", &fixed.ip_address))?;
            let Some(subnet) = subnets.iter().find(|subnet| subnet.id == fixed.subnet_id) else {
                return Err(unusable("an address of the unknown subnet", &fixed.subnet_id));
            };
            let cidr = prefix(&subnet.cidr).ok_or_else(|| unusable("the subnet", &subnet.cidr))?;
            addresses.push(Prefix { ip, length: cidr.length });
            for route in routes_of(subnet).ok_or_else(|| unusable("routes of the subnet", &subnet.id))? {
                // Two subnets may both have a gateway; there is one default route, by the first.
                if !routes.iter().any(|other| other.to == route.to) {
                    routes.push(route);
                }
            }
        }
        Ok(Wiring { mac, mtu: network.mtu, addresses, routes })
    }
}

fn routes_of(subnet: &Subnet) -> Option<Vec<Route>> {
    let mut routes = Vec::new();
    for route in &subnet.host_routes {
        routes.push(Route { to: prefix(&route.destination)?, via: route.nexthop.parse().ok()? });
    }
    if let Some(gateway) = &subnet.gateway_ip {
        let via: IpAddr = gateway.parse().ok()?;
        let everywhere: IpAddr = if via.is_ipv4() { [0; 4].into() } else { [0; 16].into() };
        routes.push(Route { to: Prefix { ip: everywhere, length: 0 }, via });
    }
    Some(routes)
}

fn prefix(text: &str) -> Option<Prefix> {
    let (ip, length) = text.split_once('/')?;
    let (ip, length): (IpAddr, u8) = (ip.parse().ok()?, length.parse().ok()?);
    let most = if ip.is_ipv4() { 32 } else { 128 };
    (length <= most).then_some(Prefix { ip, length })
}

/// Reads `02:00:00:00:00:01`.
pub fn mac(text: &str) -> Option<[u8; 6]> {
    let mut mac = [0; 6];
    let mut parts = text.split(':');
    for byte in &mut mac {
        let part = parts.next().filter(|part| part.len() == 2)?;
        *byte = u8::from_str_radix(part, 16).ok()?;
    }
    parts.next().is_none().then_some(mac)
}

impl std::fmt::Display for Prefix {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.ip, self.length)
    }
}

impl Serialize for Prefix {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weft_api::{FixedIp, HostRoute};

    fn subnet(id: &str, cidr: &str, gateway: Option<&str>) -> Subnet {
        Subnet {
            id: id.into(),
            cidr: cidr.into(),
            gateway_ip: gateway.map(str::to_owned),
            ..Subnet::default()
        }
    }

    fn port(addresses: &[(&str, &str)]) -> Port {
        let fixed = |(subnet, ip): &(&str, &str)| FixedIp {
            subnet_id: (*subnet).to_owned(),
            ip_address: (*ip).to_owned(),
        };
        Port {
            id: "p".into(),
            mac_address: "02:00:00:aB:00:01".into(),
            fixed_ips: addresses.iter().map(fixed).collect(),
            ..Port::default()
        }
    }

    fn network() -> Network {
        Network { mtu: 1450, ..Network::default() }
    }

    #[test]
    fn both_families_with_their_prefixes_and_gateways() {
        let mut v4 = subnet("s4", "10.0.0.0/24", Some("10.0.0.1"));
        v4.host_routes =
            vec![HostRoute { destination: "198.51.100.0/24".into(), nexthop: "10.0.0.9".into() }];
        let subnets = [v4, subnet("s6", "fd00::/64", Some("fd00::1"))];
        let wiring = Wiring::of(&port(&[("s4", "10.0.0.5"), ("s6", "fd00::5")]), &network(), &subnets)
            .expect("usable");
        let addresses: Vec<String> = wiring.addresses.iter().map(ToString::to_string).collect();
        let routes: Vec<String> = wiring.routes.iter().map(|r| format!("{} via {}", r.to, r.via)).collect();
        assert_eq!((wiring.mac, wiring.mtu), ([2, 0, 0, 0xab, 0, 1], 1450));
        assert_eq!(addresses, ["10.0.0.5/24", "fd00::5/64"]);
        assert_eq!(routes, ["198.51.100.0/24 via 10.0.0.9", "0.0.0.0/0 via 10.0.0.1", "::/0 via fd00::1"]);
    }

    #[test]
    fn one_default_route_though_two_subnets_have_gateways() {
        let subnets = [
            subnet("a", "10.0.0.0/24", Some("10.0.0.1")),
            subnet("b", "10.0.1.0/24", Some("10.0.1.1")),
            subnet("c", "10.0.2.0/24", None),
        ];
        let of = port(&[("a", "10.0.0.5"), ("b", "10.0.1.5"), ("c", "10.0.2.5")]);
        let wiring = Wiring::of(&of, &network(), &subnets).expect("usable");
        assert_eq!(wiring.routes.len(), 1);
        assert_eq!(wiring.routes[0].via.to_string(), "10.0.0.1");
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        let of = |port: &Port, subnets: &[Subnet]| Wiring::of(port, &network(), subnets).map(drop);
        let subnets = [subnet("s", "10.0.0.0/24", None), subnet("bad", "10.0.0.0/33", None)];
        for wrong in [port(&[("s", "x")]), port(&[("gone", "10.0.0.1")]), port(&[("bad", "10.0.0.1")])] {
            assert!(matches!(of(&wrong, &subnets), Err(AgentError::Unusable { .. })), "{wrong:?}");
        }
        for text in ["", "02:00:00:00:00", "02:00:00:00:00:01:02", "2:0:0:0:0:1", "02-00-00-00-00-01"] {
            assert_eq!(mac(text), None, "{text}");
        }
    }
}
