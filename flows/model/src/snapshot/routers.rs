//! Routers, their interfaces, and the realms that they make of networks.
//!
//! A **realm** is what routers join: networks that can be reached from each other, and the routers between them. A
//! network without a router's interface is in no realm and costs nothing here; for its callers it is a realm of its own.

use std::collections::BTreeSet;
use std::sync::Arc;

use uuid::Uuid;

use super::{Map, Snapshot, owned_by};
use crate::{Gateway, Network, NetworkId, Port, PortId, Router, RouterId, RouterKey, TenantId};

/// Routers by key, and what follows from the ports that are their interfaces.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Routing {
    routers: Map<RouterId, Arc<Router>>,
    by_key: Map<RouterKey, RouterId>,
    by_tenant: Map<(TenantId, RouterId), ()>,
    /// Interfaces by router, with their network.
    of_router: Map<(RouterId, PortId), NetworkId>,
    /// Interfaces by network, with their router.
    in_network: Map<(NetworkId, PortId), RouterId>,
    /// The realm of every network with an interface, named after its first network.
    realms: Map<NetworkId, NetworkId>,
    /// The same from the other side.
    by_realm: Map<(NetworkId, NetworkId), ()>,
}

/// Making it.
impl Routing {
    /// What follows from these routers and ports.
    pub(super) fn of<'a>(
        routers: Map<RouterId, Arc<Router>>,
        ports: impl Iterator<Item = &'a Port>,
    ) -> Routing {
        let mut routing = Routing::default();
        for router in routers.values() {
            routing.by_key.insert(router.key, router.id);
            routing.by_tenant.insert((router.tenant.clone(), router.id), ());
        }
        routing.routers = routers;
        for (port, router) in ports.filter_map(|port| Some((port, port.router()?))) {
            routing.of_router.insert((router, port.id), port.network);
            routing.in_network.insert((port.network, port.id), router);
        }
        let networks: BTreeSet<NetworkId> = routing.of_router.values().copied().collect();
        routing.regroup(networks);
        routing
    }

    pub(super) fn put(&mut self, router: &Arc<Router>) {
        self.by_key.insert(router.key, router.id);
        self.by_tenant.insert((router.tenant.clone(), router.id), ());
        self.routers.insert(router.id, router.clone());
    }

    pub(super) fn remove(&mut self, router: &Router) {
        self.by_key.remove(&router.key);
        self.by_tenant.remove(&(router.tenant.clone(), router.id));
        self.routers.remove(&router.id);
    }

    /// Adds an interface, and brings the realms around it up to date.
    pub(super) fn join(&mut self, port: &Port, router: RouterId) {
        self.of_router.insert((router, port.id), port.network);
        self.in_network.insert((port.network, port.id), router);
        self.regroup(BTreeSet::from([port.network]));
    }

    /// Takes an interface away, and brings the realm that it was in up to date.
    pub(super) fn part(&mut self, port: &Port, router: RouterId) {
        let realm: BTreeSet<NetworkId> = self.networks_with(port.network).collect();
        self.of_router.remove(&(router, port.id));
        self.in_network.remove(&(port.network, port.id));
        self.regroup(realm);
    }

    /// Finds out anew which realms these networks are in; what is reached from them is looked at, and nothing else.
    fn regroup(&mut self, networks: BTreeSet<NetworkId>) {
        let mut left = networks;
        while let Some(start) = left.first().copied() {
            let reached = self.reached_from(start);
            let realm = reached.first().copied().filter(|_| self.has_interface(start));
            for network in reached {
                left.remove(&network);
                self.assign(network, realm);
            }
        }
    }

    fn assign(&mut self, network: NetworkId, realm: Option<NetworkId>) {
        let before = self.realms.get(&network).copied();
        if before == realm {
            return;
        }
        if let Some(before) = before {
            self.realms.remove(&network);
            self.by_realm.remove(&(before, network));
        }
        if let Some(realm) = realm {
            self.realms.insert(network, realm);
            self.by_realm.insert((realm, network), ());
        }
    }

    /// The network, and all that routers lead to from it.
    fn reached_from(&self, start: NetworkId) -> BTreeSet<NetworkId> {
        let (mut networks, mut routers) = (BTreeSet::from([start]), BTreeSet::new());
        let mut next = vec![start];
        while let Some(network) = next.pop() {
            for (_, router) in self.interfaces_in(network) {
                if !routers.insert(router) {
                    continue;
                }
                let beyond = self.interfaces_of(router).map(|(_, network)| network);
                next.extend(beyond.filter(|network| networks.insert(*network)));
            }
        }
        networks
    }
}

/// Reading it.
impl Routing {
    fn interfaces_in(&self, network: NetworkId) -> impl Iterator<Item = (PortId, RouterId)> {
        let entries = self.in_network.starting_at(&(network, PortId(Uuid::nil())));
        entries.take_while(move |((n, _), _)| *n == network).map(|((_, port), router)| (*port, *router))
    }

    fn interfaces_of(&self, router: RouterId) -> impl Iterator<Item = (PortId, NetworkId)> {
        let entries = self.of_router.starting_at(&(router, PortId(Uuid::nil())));
        entries.take_while(move |((r, _), _)| *r == router).map(|((_, port), network)| (*port, *network))
    }

    fn has_interface(&self, network: NetworkId) -> bool {
        self.interfaces_in(network).next().is_some()
    }

    /// The networks of a network's realm, itself among them.
    fn networks_with(&self, network: NetworkId) -> impl Iterator<Item = NetworkId> {
        let realm = self.realms.get(&network).copied();
        let alone = realm.is_none().then_some(network);
        let first = realm.map(|realm| (realm, NetworkId(Uuid::nil())));
        let keys = first.into_iter().flat_map(|first| self.by_realm.starting_at(&first));
        let together = keys.map(|(key, ())| *key).take_while(move |(r, _)| Some(*r) == realm);
        alone.into_iter().chain(together.map(|(_, network)| network))
    }
}

/// Routers and what they join.
impl Snapshot {
    /// A router by id.
    pub fn router(&self, id: &RouterId) -> Option<&Arc<Router>> {
        self.routing.routers.get(id)
    }

    /// All routers, by id.
    pub fn routers(&self) -> impl Iterator<Item = &Arc<Router>> {
        self.routing.routers.values()
    }

    /// The router with that key.
    pub fn router_by_key(&self, key: RouterKey) -> Option<&Arc<Router>> {
        self.router(self.routing.by_key.get(&key)?)
    }

    /// The routers of a tenant, by id.
    pub fn routers_of_tenant(&self, tenant: &TenantId) -> impl Iterator<Item = &Arc<Router>> {
        let keys = self.routing.by_tenant.starting_at(&(tenant.clone(), RouterId(Uuid::nil())));
        owned_by(keys, tenant).filter_map(|id| self.router(id))
    }

    /// The interfaces of a router, by port id.
    pub fn interfaces_of(&self, router: RouterId) -> impl Iterator<Item = &Arc<Port>> {
        self.routing.interfaces_of(router).filter_map(|(port, _)| self.port(&port))
    }

    /// The interfaces of routers in a network, by port id.
    pub fn interfaces_in(&self, network: NetworkId) -> impl Iterator<Item = &Arc<Port>> {
        self.routing.interfaces_in(network).filter_map(|(port, _)| self.port(&port))
    }

    /// True if a router has an interface in the network.
    pub fn is_routed(&self, network: NetworkId) -> bool {
        self.routing.has_interface(network)
    }

    /// The networks that routers join with a network, itself among them, by id; just itself where there is no router.
    pub fn realm(&self, network: NetworkId) -> impl Iterator<Item = &Arc<Network>> {
        self.realm_ids(network).filter_map(|id| self.network(&id))
    }

    /// The same by id, with those that interfaces are in and that are not there.
    pub fn realm_ids(&self, network: NetworkId) -> impl Iterator<Item = NetworkId> {
        self.routing.networks_with(network)
    }

    /// The routers of a network's realm.
    pub fn realm_routers(&self, network: NetworkId) -> BTreeSet<RouterId> {
        let networks = self.realm_ids(network);
        networks.flat_map(|network| self.routing.interfaces_in(network)).map(|(_, router)| router).collect()
    }

    /// The same routers themselves, as far as they are there.
    pub fn routers_in_realm(&self, network: NetworkId) -> impl Iterator<Item = &Arc<Router>> {
        self.realm_routers(network).into_iter().filter_map(|router| self.router(&router))
    }

    /// The gateways of these routers.
    pub fn gateways_in_realm(&self, network: NetworkId) -> impl Iterator<Item = &Gateway> {
        self.routers_in_realm(network).filter_map(|router| router.gateway.as_ref())
    }

    /// True if two networks are one, or can be reached from each other.
    pub fn share_a_realm(&self, one: NetworkId, other: NetworkId) -> bool {
        let realm = |network| self.routing.realms.get(&network);
        one == other || realm(one).is_some_and(|realm_of_one| realm(other) == Some(realm_of_one))
    }
}
