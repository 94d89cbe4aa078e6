//! Planning subnets: prefix, gateway, pools and what workloads are told.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;

use super::draft::{Draft, expect_number, relabel, set};
use super::limits::Faults;
use super::networks::MTU_MIN_V6;
use super::{NewSubnet, Rejected, SubnetPatch};
use crate::address::{usable, without};
use crate::names::{has_reserved, reserved_v4};
use crate::{AddressRange, Key, Network, Record, Subnet, SubnetId};

/// Most allocation pools of a subnet.
const POOLS: usize = 64;
/// Most resolvers of a subnet.
const DNS_SERVERS: usize = 20;
/// Most host routes of a subnet.
const HOST_ROUTES: usize = 100;
/// The words of `ipv6_ra_mode` and `ipv6_address_mode`.
const MODES: [&str; 3] = ["slaac", "dhcpv6-stateful", "dhcpv6-stateless"];

impl Draft<'_> {
    pub(super) fn create_subnet(&mut self, new: &NewSubnet) -> Result<Key, Rejected> {
        if self.state.subnet(&new.id).is_some() {
            return Err(Rejected::AlreadyExists { what: "subnet", id: new.id.to_string() });
        }
        let network = self.network(new.network)?;
        self.check_may_extend(&network, "creating a subnet on an external network")?;
        let owner = self.owner_of_new(new.tenant.as_ref(), Some(&network.tenant))?;
        let tenant = owner.unwrap_or_else(|| network.tenant.clone());
        let (cidr, pool) = self.prefix_for(new.prefix, &tenant)?;
        let gateway = new.gateway.unwrap_or_else(|| default_gateway(cidr));
        let subnet = Subnet {
            id: new.id,
            tenant,
            network: new.network,
            stamp: self.stamp(&new.labels),
            cidr,
            pool,
            gateway,
            pools: new.pools.clone().unwrap_or_else(|| without(usable(cidr), gateway)),
            dhcp: new.dhcp,
            dns_servers: new.dns_servers.clone(),
            host_routes: new.host_routes.clone(),
            ipv6_ra_mode: new.ipv6_ra_mode.clone(),
            ipv6_address_mode: new.ipv6_address_mode.clone(),
        };
        let mut faults = Faults::default();
        check_cidr(&mut faults, cidr, &network);
        check_modes(&mut faults, &subnet);
        let subnet = checked(faults, subnet)?;
        let overlaps = |other: &Arc<Subnet>| other.cidr.contains(&cidr) || cidr.contains(&other.cidr);
        if self.state.subnets_of(new.network).any(overlaps) {
            return Err(Rejected::OverlappingSubnet { cidr, network: new.network });
        }
        self.check_affinity(&subnet)?;
        Ok(self.put(Record::Subnet(Arc::new(subnet))))
    }

    pub(super) fn update_subnet(&mut self, id: SubnetId, patch: &SubnetPatch) -> Result<Key, Rejected> {
        let before = self.subnet(id)?;
        expect_number(&before.stamp, patch.if_number)?;
        let mut after = Subnet::clone(&before);
        relabel(&mut after.stamp, &patch.labels);
        set(&mut after.gateway, patch.gateway);
        set(&mut after.pools, patch.pools.clone());
        set(&mut after.dhcp, patch.dhcp);
        set(&mut after.dns_servers, patch.dns_servers.clone());
        set(&mut after.host_routes, patch.host_routes.clone());
        let mut after = checked(Faults::default(), after)?;
        self.check_gateway_may_change(&before, &after)?;
        if after == *before {
            return Ok(Key::Subnet(id));
        }
        self.restamp(&mut after.stamp);
        Ok(self.put(Record::Subnet(Arc::new(after))))
    }

    pub(super) fn delete_subnet(&mut self, id: SubnetId, number: Option<u64>) -> Result<Key, Rejected> {
        let subnet = self.subnet(id)?;
        expect_number(&subnet.stamp, number)?;
        if self.state.addresses_from(id, subnet.cidr.network()).next().is_some() {
            return Err(Rejected::SubnetInUse(id));
        }
        Ok(self.delete(Key::Subnet(id)))
    }
}

/// The first usable address; none when it is the only one, because then the workload needs it.
pub(super) fn default_gateway(cidr: IpNet) -> Option<IpAddr> {
    let range = usable(cidr);
    (range.start != range.end).then_some(range.start)
}

/// The subnet with its pools in order, if it breaks no rule.
fn checked(mut faults: Faults, mut subnet: Subnet) -> Result<Subnet, Rejected> {
    faults.check_stamp(&subnet.stamp);
    check_gateway(&mut faults, &subnet);
    check_pools(&mut faults, &subnet);
    check_dns_servers(&mut faults, &subnet);
    check_host_routes(&mut faults, &subnet);
    faults.settle()?;
    subnet.pools.sort();
    Ok(subnet)
}

fn check_cidr(faults: &mut Faults, cidr: IpNet, network: &Network) {
    if cidr != cidr.trunc() {
        faults.add("cidr", format_args!("has host bits set, perhaps {} is meant", cidr.trunc()));
    }
    if cidr.prefix_len() == 0 {
        faults.add("cidr", "must not have a prefix length of 0");
    }
    check_special(faults, "cidr", cidr);
    if has_reserved(cidr) {
        let own = reserved_v4();
        faults
            .add("cidr", format_args!("must not have addresses of {own}, which the network itself answers"));
    }
    if cidr.addr().is_ipv6() && network.mtu.0 < MTU_MIN_V6 {
        let mtu = network.mtu.0;
        faults
            .add("cidr", format_args!("cannot be IPv6 on a network whose MTU is {mtu}, below {MTU_MIN_V6}"));
    }
}

/// Notes what no subnet may have.
pub(super) fn check_special(faults: &mut Faults, path: &str, cidr: IpNet) {
    let special: [(&str, &str); 6] = [
        ("multicast", "224.0.0.0/4"),
        ("loopback", "127.0.0.0/8"),
        ("unspecified", "0.0.0.0/8"),
        ("multicast", "ff00::/8"),
        ("loopback", "::1/128"),
        // Every port has a link-local address that follows from its MAC; a second owner would shadow it.
        ("link-local", "fe80::/10"),
    ];
    for (kind, block) in special {
        let block: IpNet = block.parse().expect("written as a prefix above");
        if block.contains(&cidr) || cidr.contains(&block) {
            faults.add(path, format_args!("must not be of the {kind} addresses {block}"));
        }
    }
}

fn check_gateway(faults: &mut Faults, subnet: &Subnet) {
    let Some(gateway) = subnet.gateway else { return };
    // Routers announce themselves under their link-local address (RFC 4861 section 6.1.2).
    let is_link_local = matches!(gateway, IpAddr::V6(v6) if v6.is_unicast_link_local());
    let is_inside = usable(subnet.cidr).contains(gateway) || (gateway.is_ipv6() && is_link_local);
    if !is_inside || subnet.cidr.addr().is_ipv4() != gateway.is_ipv4() {
        faults.add("gateway_ip", format_args!("must be a usable address of {}", subnet.cidr));
    }
}

fn check_pools(faults: &mut Faults, subnet: &Subnet) {
    faults.check_count("allocation_pools", subnet.pools.len(), POOLS);
    let range = usable(subnet.cidr);
    let mut sorted: Vec<(AddressRange, usize)> = Vec::new();
    for (position, pool) in subnet.pools.iter().take(POOLS).enumerate() {
        let path = format!("allocation_pools.{position}");
        if !range.contains(pool.start) || !range.contains(pool.end) || pool.start > pool.end {
            faults.add(path, format_args!("must go upwards from {} to {} at most", range.start, range.end));
        } else if let Some(gateway) = subnet.gateway.filter(|gateway| pool.contains(*gateway)) {
            faults.add(path, format_args!("must not contain the gateway {gateway}"));
        } else {
            sorted.push((*pool, position));
        }
    }
    sorted.sort();
    for pair in sorted.windows(2) {
        let [(first, _), (second, position)] = pair else { continue };
        if second.start <= first.end {
            let reason = format_args!("overlaps with the pool from {} to {}", first.start, first.end);
            faults.add(format_args!("allocation_pools.{position}"), reason);
        }
    }
}

fn check_dns_servers(faults: &mut Faults, subnet: &Subnet) {
    faults.check_count("dns_nameservers", subnet.dns_servers.len(), DNS_SERVERS);
    let mut seen = BTreeSet::new();
    for (position, server) in subnet.dns_servers.iter().take(DNS_SERVERS).enumerate() {
        let path = format!("dns_nameservers.{position}");
        if server.is_ipv4() != subnet.cidr.addr().is_ipv4() {
            faults.add(path, format_args!("must be of the same family as {}", subnet.cidr));
        } else if !seen.insert(*server) {
            faults.add(path, format_args!("repeats {server}"));
        }
    }
}

fn check_host_routes(faults: &mut Faults, subnet: &Subnet) {
    faults.check_count("host_routes", subnet.host_routes.len(), HOST_ROUTES);
    let mut seen = BTreeSet::new();
    for (position, route) in subnet.host_routes.iter().take(HOST_ROUTES).enumerate() {
        let is_v4 = subnet.cidr.addr().is_ipv4();
        if route.destination.addr().is_ipv4() != is_v4 || route.destination != route.destination.trunc() {
            let reason =
                format_args!("must be a prefix without host bits, of the same family as {}", subnet.cidr);
            faults.add(format_args!("host_routes.{position}.destination"), reason);
        }
        if route.nexthop.is_ipv4() != is_v4 {
            let reason = format_args!("must be of the same family as {}", subnet.cidr);
            faults.add(format_args!("host_routes.{position}.nexthop"), reason);
        }
        if !seen.insert(*route) {
            faults.add(format_args!("host_routes.{position}"), "repeats an earlier route");
        }
    }
}

fn check_modes(faults: &mut Faults, subnet: &Subnet) {
    let modes = [("ipv6_ra_mode", &subnet.ipv6_ra_mode), ("ipv6_address_mode", &subnet.ipv6_address_mode)];
    for (path, mode) in modes {
        let Some(mode) = mode else { continue };
        if subnet.cidr.addr().is_ipv4() {
            faults.add(path, "must be null for an IPv4 subnet");
        } else if !MODES.contains(&mode.as_str()) {
            faults.add(path, format_args!("must be one of {}", MODES.join(", ")));
        }
    }
}
