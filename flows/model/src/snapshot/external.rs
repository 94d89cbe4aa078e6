//! Gateways, floating IPs and port forwardings in the state, with the indexes between them, ports, routers and hosts.

use std::collections::BTreeSet;
use std::sync::Arc;

use uuid::Uuid;

use super::{Map, Snapshot, owned_by};
use crate::change::Record;
use crate::{
    FloatingIp, FloatingIpId, GatewayZone, HostIndex, Network, NetworkId, PortForwarding, PortForwardingId,
    PortId, Router, RouterId, TenantId, Vni,
};

/// Floating IPs and port forwardings, and what is derived from them and from the gateways of routers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct External {
    floating_ips: Map<FloatingIpId, Arc<FloatingIp>>,
    forwardings: Map<PortForwardingId, Arc<PortForwarding>>,
    // Indexes.
    networks: Map<NetworkId, ()>,
    by_tenant: Map<(TenantId, FloatingIpId), ()>,
    by_network: Map<(NetworkId, FloatingIpId), ()>,
    by_target: Map<(PortId, FloatingIpId), ()>,
    by_router: Map<(RouterId, FloatingIpId), ()>,
    forwardings_by_floating_ip: Map<(FloatingIpId, PortForwardingId), ()>,
    forwardings_by_target: Map<(PortId, PortForwardingId), FloatingIpId>,
    forwardings_by_router: Map<(RouterId, PortForwardingId), FloatingIpId>,
    gateways_by_network: Map<(NetworkId, RouterId), ()>,
    gateways_by_host: Map<(HostIndex, RouterId), ()>,
    /// How many gateways have a host at the front of their list.
    leading: Map<HostIndex, u32>,
    by_transit: Map<Vni, RouterId>,
    by_zone: Map<GatewayZone, RouterId>,
}

/// Making it.
impl External {
    /// What follows from these records.
    pub(super) fn of<'a>(
        networks: impl Iterator<Item = &'a Arc<Network>>,
        routers: impl Iterator<Item = &'a Arc<Router>>,
        floating_ips: Map<FloatingIpId, Arc<FloatingIp>>,
        forwardings: Map<PortForwardingId, Arc<PortForwarding>>,
    ) -> External {
        let mut external = External::default();
        networks.for_each(|network| external.put_network(network));
        routers.for_each(|router| external.put_gateway(router));
        floating_ips.values().for_each(|floating_ip| external.put_floating_ip(floating_ip));
        forwardings.values().for_each(|forwarding| external.put_forwarding(forwarding));
        external
    }

    pub(super) fn records(&self) -> impl Iterator<Item = Record> {
        let floating_ips = self.floating_ips.values().cloned().map(Record::FloatingIp);
        floating_ips.chain(self.forwardings.values().cloned().map(Record::PortForwarding))
    }

    pub(super) fn put_network(&mut self, network: &Network) {
        if network.external {
            self.networks.insert(network.id, ());
        }
    }

    pub(super) fn remove_network(&mut self, network: &Network) {
        self.networks.remove(&network.id);
    }

    pub(super) fn put_gateway(&mut self, router: &Router) {
        let Some(gateway) = &router.gateway else { return };
        self.gateways_by_network.insert((gateway.network, router.id), ());
        self.by_transit.insert(gateway.transit, router.id);
        self.by_zone.insert(gateway.zone, router.id);
        for host in &gateway.hosts {
            self.gateways_by_host.insert((*host, router.id), ());
        }
        if let Some(first) = gateway.hosts.first() {
            let count = self.leading.get(first).copied().unwrap_or(0);
            self.leading.insert(*first, count + 1);
        }
    }

    pub(super) fn remove_gateway(&mut self, router: &Router) {
        let Some(gateway) = &router.gateway else { return };
        self.gateways_by_network.remove(&(gateway.network, router.id));
        self.by_transit.remove(&gateway.transit);
        self.by_zone.remove(&gateway.zone);
        for host in &gateway.hosts {
            self.gateways_by_host.remove(&(*host, router.id));
        }
        if let Some(first) = gateway.hosts.first() {
            match self.leading.get(first).copied() {
                Some(count) if count > 1 => self.leading.insert(*first, count - 1),
                _ => self.leading.remove(first),
            }
        }
    }

    pub(super) fn put_floating_ip(&mut self, floating_ip: &Arc<FloatingIp>) {
        let id = floating_ip.id;
        self.by_tenant.insert((floating_ip.tenant.clone(), id), ());
        self.by_network.insert((floating_ip.network, id), ());
        if let Some(target) = &floating_ip.target {
            self.by_target.insert((target.port, id), ());
            self.by_router.insert((target.router, id), ());
        }
        self.floating_ips.insert(id, floating_ip.clone());
    }

    pub(super) fn remove_floating_ip(&mut self, floating_ip: &FloatingIp) {
        let id = floating_ip.id;
        self.by_tenant.remove(&(floating_ip.tenant.clone(), id));
        self.by_network.remove(&(floating_ip.network, id));
        if let Some(target) = &floating_ip.target {
            self.by_target.remove(&(target.port, id));
            self.by_router.remove(&(target.router, id));
        }
        self.floating_ips.remove(&id);
    }

    pub(super) fn put_forwarding(&mut self, forwarding: &Arc<PortForwarding>) {
        let (id, floating_ip) = (forwarding.id, forwarding.floating_ip);
        self.forwardings_by_floating_ip.insert((floating_ip, id), ());
        self.forwardings_by_target.insert((forwarding.port, id), floating_ip);
        self.forwardings_by_router.insert((forwarding.router, id), floating_ip);
        self.forwardings.insert(id, forwarding.clone());
    }

    pub(super) fn remove_forwarding(&mut self, forwarding: &PortForwarding) {
        let id = forwarding.id;
        self.forwardings_by_floating_ip.remove(&(forwarding.floating_ip, id));
        self.forwardings_by_target.remove(&(forwarding.port, id));
        self.forwardings_by_router.remove(&(forwarding.router, id));
        self.forwardings.remove(&id);
    }
}

/// The second halves of an index's keys whose first half is `of`, in order.
fn under<O: Ord + Copy, I: Ord + Copy, V>(
    index: &Map<(O, I), V>,
    of: O,
    first: I,
) -> impl Iterator<Item = (I, &V)> {
    let entries = index.starting_at(&(of, first));
    entries.take_while(move |((o, _), _)| *o == of).map(|((_, id), value)| (*id, value))
}

/// Floating IPs.
impl Snapshot {
    /// A floating IP by id.
    pub fn floating_ip(&self, id: &FloatingIpId) -> Option<&Arc<FloatingIp>> {
        self.external.floating_ips.get(id)
    }

    /// All floating IPs, by id.
    pub fn floating_ips(&self) -> impl Iterator<Item = &Arc<FloatingIp>> {
        self.external.floating_ips.values()
    }

    /// The floating IPs of a tenant, by id.
    pub fn floating_ips_of_tenant(&self, tenant: &TenantId) -> impl Iterator<Item = &Arc<FloatingIp>> {
        let first = (tenant.clone(), FloatingIpId(Uuid::nil()));
        owned_by(self.external.by_tenant.starting_at(&first), tenant).filter_map(|id| self.floating_ip(id))
    }

    /// The floating IPs of an external network, by id.
    pub fn floating_ips_on(&self, network: NetworkId) -> impl Iterator<Item = &Arc<FloatingIp>> {
        let ids = under(&self.external.by_network, network, FloatingIpId(Uuid::nil()));
        ids.filter_map(|(id, ())| self.floating_ip(&id))
    }

    /// The floating IPs that stand for an address of a port or forward ports to it, by id.
    pub fn floating_ips_of_port(&self, port: PortId) -> impl Iterator<Item = &Arc<FloatingIp>> {
        let targets = under(&self.external.by_target, port, FloatingIpId(Uuid::nil())).map(|(id, ())| id);
        let first = PortForwardingId(Uuid::nil());
        let forwarded = under(&self.external.forwardings_by_target, port, first).map(|(_, id)| *id);
        self.floating_ips_each(targets.chain(forwarded))
    }

    /// The floating IPs that lead through a router, by id.
    pub fn floating_ips_of_router(&self, router: RouterId) -> impl Iterator<Item = &Arc<FloatingIp>> {
        let targets = under(&self.external.by_router, router, FloatingIpId(Uuid::nil())).map(|(id, ())| id);
        let first = PortForwardingId(Uuid::nil());
        let forwarded = under(&self.external.forwardings_by_router, router, first).map(|(_, id)| *id);
        self.floating_ips_each(targets.chain(forwarded))
    }

    fn floating_ips_each(
        &self,
        ids: impl Iterator<Item = FloatingIpId>,
    ) -> impl Iterator<Item = &Arc<FloatingIp>> {
        let once: BTreeSet<FloatingIpId> = ids.collect();
        once.into_iter().filter_map(|id| self.floating_ip(&id))
    }
}

/// Port forwardings.
impl Snapshot {
    /// A port forwarding by id.
    pub fn port_forwarding(&self, id: &PortForwardingId) -> Option<&Arc<PortForwarding>> {
        self.external.forwardings.get(id)
    }

    /// All port forwardings, by id.
    pub fn port_forwardings(&self) -> impl Iterator<Item = &Arc<PortForwarding>> {
        self.external.forwardings.values()
    }

    /// The port forwardings of a floating IP, by id.
    pub fn port_forwardings_of(
        &self,
        floating_ip: FloatingIpId,
    ) -> impl Iterator<Item = &Arc<PortForwarding>> {
        let index = &self.external.forwardings_by_floating_ip;
        under(index, floating_ip, PortForwardingId(Uuid::nil()))
            .filter_map(|(id, ())| self.port_forwarding(&id))
    }

    /// The port forwardings that lead to a port, by id.
    pub fn port_forwardings_of_port(&self, port: PortId) -> impl Iterator<Item = &Arc<PortForwarding>> {
        let ids = under(&self.external.forwardings_by_target, port, PortForwardingId(Uuid::nil()));
        ids.filter_map(|(id, _)| self.port_forwarding(&id))
    }

    /// The port forwardings that lead through a router, by id.
    pub fn port_forwardings_of_router(&self, router: RouterId) -> impl Iterator<Item = &Arc<PortForwarding>> {
        let ids = under(&self.external.forwardings_by_router, router, PortForwardingId(Uuid::nil()));
        ids.filter_map(|(id, _)| self.port_forwarding(&id))
    }

    /// The router by which a floating IP leads to what it stands for or forwards to.
    pub fn router_of_floating_ip(&self, floating_ip: &FloatingIp) -> Option<&Arc<Router>> {
        let target = floating_ip.target.map(|target| target.router);
        let forwarded =
            || self.port_forwardings_of(floating_ip.id).next().map(|forwarding| forwarding.router);
        self.router(&target.or_else(forwarded)?)
    }
}

/// Gateways.
impl Snapshot {
    /// The external networks, by id.
    pub fn external_networks(&self) -> impl Iterator<Item = &Arc<Network>> {
        self.external.networks.iter().filter_map(|(id, ())| self.network(id))
    }

    /// The routers with a gateway on an external network, by id.
    pub fn gateways_on(&self, network: NetworkId) -> impl Iterator<Item = &Arc<Router>> {
        let ids = under(&self.external.gateways_by_network, network, RouterId(Uuid::nil()));
        ids.filter_map(|(id, ())| self.router(&id))
    }

    /// The routers whose gateway a host may serve, first or not, by id.
    pub fn gateways_at(&self, host: HostIndex) -> impl Iterator<Item = &Arc<Router>> {
        let ids = under(&self.external.gateways_by_host, host, RouterId(Uuid::nil()));
        ids.filter_map(|(id, ())| self.router(&id))
    }

    /// How many gateways prefer a host.
    pub fn gateways_led_by(&self, host: HostIndex) -> u32 {
        self.external.leading.get(&host).copied().unwrap_or(0)
    }

    /// The router whose transit has this VNI.
    pub fn router_of_transit(&self, transit: Vni) -> Option<&Arc<Router>> {
        self.router(self.external.by_transit.get(&transit)?)
    }

    /// The router whose gateway has this zone.
    pub fn router_of_zone(&self, zone: GatewayZone) -> Option<&Arc<Router>> {
        self.router(self.external.by_zone.get(&zone)?)
    }

    /// The hosts that need all of a network's realm: those on which a port of it is bound, and those that may serve the
    /// gateway of a router of it.
    pub fn realm_hosts(&self, network: NetworkId) -> BTreeSet<HostIndex> {
        let bound = self.realm(network).flat_map(|joined| self.members(joined.id));
        let gateways = self.gateways_in_realm(network);
        bound.chain(gateways.flat_map(|gateway| gateway.hosts.iter().copied())).collect()
    }

    /// True if the host is one of [`Snapshot::realm_hosts`].
    pub fn is_in_realm_at(&self, network: NetworkId, host: HostIndex) -> bool {
        if self.realm(network).any(|network| self.is_member_at(network.id, host)) {
            return true;
        }
        let mut gateways = self.gateways_at(host);
        gateways
            .any(|router| self.interfaces_of(router.id).any(|port| self.share_a_realm(port.network, network)))
    }
}
