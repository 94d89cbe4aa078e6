//! Changes of what ports are told (DHCP, DHCPv6, router advertisements), which only a port's own host knows.

use std::net::{IpAddr, Ipv4Addr};

use weft_model::{NetworkId, Port, PortId, Snapshot, Subnet, SubnetId};

use super::Collector;
use crate::owner::Owner;

/// Everything about a subnet that its ports are told.
fn told_of(subnet: &Subnet) -> impl PartialEq + use<> {
    let Subnet { cidr, gateway, dhcp, dns_servers, host_routes, .. } = subnet;
    let modes = (subnet.ra_mode(), subnet.address_mode());
    (*cidr, *gateway, *dhcp, dns_servers.clone(), host_routes.clone(), modes)
}

impl Collector<'_> {
    /// A subnet concerns the ports that have addresses of it.
    pub(super) fn told_by_subnet(&mut self, id: SubnetId) {
        let told = |snapshot: &Snapshot| snapshot.subnet(&id).map(|subnet| told_of(subnet));
        if told(self.before) != told(self.after) {
            self.ports_of_subnet(id);
        }
    }

    /// What a network tells concerns all of its ports, on their own hosts, and its routers.
    pub(super) fn told_by_network(&mut self, id: NetworkId) {
        let told = |snapshot: &Snapshot| {
            snapshot.network(&id).map(|network| (network.mtu, network.dns_domain.clone()))
        };
        let sides = [told(self.before), told(self.after)];
        if sides[0] == sides[1] {
            return;
        }
        let [before, after] = sides.map(|side| side.map(|(mtu, _)| mtu));
        if before != after {
            self.resized(id);
        }
        for snapshot in [self.before, self.after] {
            // How large its packets may be is known to its routers too, and to the floating IPs of its ports.
            self.routers_in(id, snapshot);
            if before != after {
                let floating = snapshot.ports_of(id).flat_map(|port| snapshot.floating_ips_of_port(port.id));
                floating.map(|ip| ip.id).collect::<Vec<_>>().into_iter().for_each(|ip| self.floating_ip(ip));
            }
            let bound = snapshot.bound_ports(id);
            self.impact.owners.extend(bound.map(|(host, port)| Owner::LocalPort(host, port.key)));
        }
    }

    /// Routers are announced under the address of whoever is a subnet's gateway.
    pub(super) fn gateways(&mut self, id: PortId) {
        let face = |snapshot: &Snapshot| {
            snapshot.port(&id).map(|port: &std::sync::Arc<Port>| (port.mac, port.fixed_ips.clone()))
        };
        let sides = [face(self.before), face(self.after)];
        if sides[0] == sides[1] {
            return;
        }
        let mut subnets: Vec<SubnetId> = Vec::new();
        for (snapshot, side) in [self.before, self.after].into_iter().zip(&sides) {
            let ips = side.iter().flat_map(|(_, ips)| ips);
            let is_gateway = |subnet: &Subnet, address| {
                subnet.dhcp && subnet.gateway == Some(address) && subnet.ra_mode().is_some()
            };
            let gateways = ips.filter(|ip| {
                snapshot.subnet(&ip.subnet).is_some_and(|subnet| is_gateway(subnet, ip.address))
            });
            subnets.extend(gateways.map(|ip| ip.subnet));
        }
        subnets.sort_unstable();
        subnets.dedup();
        for subnet in subnets {
            self.ports_of_subnet(subnet);
        }
    }

    fn ports_of_subnet(&mut self, id: SubnetId) {
        for snapshot in [self.before, self.after] {
            let addresses = snapshot.addresses_from(id, IpAddr::V4(Ipv4Addr::UNSPECIFIED));
            let ports = addresses.filter_map(|address| snapshot.port_by_address(id, address));
            let local = ports
                .filter_map(|port| Some(Owner::LocalPort(snapshot.bound_host(port.id)?.index, port.key)));
            self.impact.owners.extend(local);
        }
    }
}
