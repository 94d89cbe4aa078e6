//! What a change of gateways, floating IPs and port forwardings concerns.
//!
//! A floating IP concerns the hosts that serve it, before and after, and nothing network-wide. A gateway that changes
//! concerns its router everywhere, the hosts that serve it, the floating IPs behind it, and who needs the external network.

use std::collections::BTreeSet;

use weft_model::{FloatingIpId, HostIndex, NetworkId, PortForwardingId, PortId, RouterId, Snapshot};

use super::Collector;
use crate::gateways::Floating;
use crate::owner::Owner;

impl Collector<'_> {
    /// A floating IP on the hosts that serve it.
    pub(super) fn floating_ip(&mut self, id: FloatingIpId) {
        for snapshot in [self.before, self.after] {
            let floating = snapshot.floating_ip(&id).and_then(|ip| Floating::of(ip, snapshot));
            self.floating(floating, snapshot);
        }
    }

    fn floating(&mut self, floating: Option<Floating<'_>>, snapshot: &Snapshot) {
        let Some(floating) = floating else { return };
        let key = floating.port.key;
        self.impact.owners.extend(floating.hosts.iter().map(|host| Owner::Floating(*host, key)));
        let outside = floating.outside;
        if !outside.gateway.snat {
            // It knows who is translated nevertheless.
            let servers = outside.servers(snapshot);
            self.impact.owners.extend(servers.map(|host| Owner::Gateway(host, outside.router.key)));
        }
    }

    pub(super) fn port_forwarding(&mut self, id: PortForwardingId) {
        let floating_ip = |s: &Snapshot| s.port_forwarding(&id).map(|forwarding| forwarding.floating_ip);
        let concerned: BTreeSet<FloatingIpId> =
            [floating_ip(self.before), floating_ip(self.after)].into_iter().flatten().collect();
        concerned.into_iter().for_each(|id| self.floating_ip(id));
    }

    /// A port that a floating IP leads to, or that holds the address of one or of a gateway.
    pub(super) fn translated(&mut self, id: PortId) {
        let (mut floating_ips, mut routers) = (BTreeSet::new(), BTreeSet::new());
        for snapshot in [self.before, self.after] {
            floating_ips.extend(snapshot.floating_ips_of_port(id).map(|ip| ip.id));
            if let Some(port) = snapshot.port(&id) {
                floating_ips.extend(port.floating_ip());
                routers.extend(port.gateway_of());
            }
        }
        floating_ips.into_iter().for_each(|id| self.floating_ip(id));
        routers.into_iter().for_each(|id| self.gateway(id));
    }

    /// A router whose gateway is another one, or is served elsewhere.
    pub(super) fn gateway(&mut self, id: RouterId) {
        for snapshot in [self.before, self.after] {
            let Some(router) = snapshot.router(&id) else { continue };
            self.routes_of(router, snapshot);
            for ip in snapshot.floating_ips_of_router(id) {
                self.floating(Floating::of(ip, snapshot), snapshot);
            }
            self.regrouped.extend(snapshot.interfaces_of(id).map(|port| port.network));
            self.duties.extend(router.gateway.iter().flat_map(|gateway| gateway.hosts.iter().copied()));
        }
    }

    /// All routers whose gateway is on a network.
    pub(super) fn gateways_on(&mut self, network: NetworkId) {
        for router in self.routers_on(network) {
            self.gateway(router);
        }
    }

    /// What is served of all routers whose gateway is on a network, and their routes: the network takes larger packets than
    /// before, or smaller ones.
    pub(super) fn resized(&mut self, network: NetworkId) {
        for router in self.routers_on(network) {
            for snapshot in [self.before, self.after] {
                let Some(router) = snapshot.router(&router) else { continue };
                self.routes_of(router, snapshot);
                for ip in snapshot.floating_ips_of_router(router.id) {
                    self.floating(Floating::of(ip, snapshot), snapshot);
                }
            }
        }
    }

    /// The gateways that hosts may serve which other hosts may see now, or not any more.
    pub(super) fn gateways_of_hosts<'a>(&mut self, hosts: impl Iterator<Item = &'a HostIndex>) {
        let both = [self.before, self.after];
        let served = hosts.flat_map(|host| both.map(|snapshot| snapshot.gateways_at(*host)));
        let routers: BTreeSet<RouterId> = served.flatten().map(|router| router.id).collect();
        routers.into_iter().for_each(|id| self.gateway(id));
    }

    /// The routes of all routers whose gateway is on a network.
    pub(super) fn routes_to(&mut self, network: NetworkId) {
        for router in self.routers_on(network) {
            for snapshot in [self.before, self.after] {
                let key = snapshot.router(&router).map(|router| router.key);
                self.impact.owners.extend(key.map(Owner::Router));
            }
        }
    }

    fn routers_on(&self, network: NetworkId) -> BTreeSet<RouterId> {
        let both = [self.before, self.after].into_iter();
        both.flat_map(|snapshot| snapshot.gateways_on(network)).map(|router| router.id).collect()
    }

    /// A host that came or went, or reaches other physical networks than before.
    pub(super) fn ways_outside(&mut self, host: HostIndex) {
        let (mut floating_ips, mut routers) = (BTreeSet::new(), BTreeSet::new());
        for snapshot in [self.before, self.after] {
            let networks = snapshot.networks_at(host);
            let ports = networks.flat_map(|network| snapshot.local_ports_at(network.id, host));
            let ips = ports.flat_map(|port| snapshot.floating_ips_of_port(port.id));
            floating_ips.extend(ips.map(|ip| ip.id));
            routers.extend(snapshot.gateways_at(host).map(|router| router.id));
        }
        floating_ips.into_iter().for_each(|id| self.floating_ip(id));
        routers.into_iter().for_each(|id| self.gateway(id));
        self.remapped.insert(host);
    }
}
