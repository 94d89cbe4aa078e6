//! What a host needs because of the realm of a network: scopes of the realm, tunnels to its other hosts.
//!
//! A host needs a realm that it has a port in, and one with a router whose gateway it may serve. It needs the external
//! networks that the routers of its realms lead to, where it has a way to them.

use std::collections::BTreeSet;
use std::sync::Arc;

use weft_model::{Encap, HostIndex, NetworkId, Router, Snapshot};

use crate::gateways;
use crate::owner::Scope;

/// The scopes that a host needs of the realms of these networks, each realm looked at once.
pub(crate) fn scopes(
    host: HostIndex,
    networks: impl Iterator<Item = NetworkId>,
    snapshot: &Snapshot,
) -> BTreeSet<Scope> {
    let mut scopes = BTreeSet::new();
    for network in one_each(networks, snapshot) {
        scopes.extend(snapshot.realm(network).map(|joined| Scope::Network(joined.vni)));
        let routers: Vec<&Router> = snapshot.routers_in_realm(network).map(AsRef::as_ref).collect();
        scopes.extend(routers.iter().map(|router| Scope::Router(router.key)));
        let externals = gateways::externals(host, routers.into_iter(), snapshot);
        scopes.extend(externals.map(|network| Scope::Network(network.vni)));
    }
    scopes
}

/// The scopes that a host needs of the routers whose gateway it may serve, whatever these join.
pub(crate) fn gateway_scopes(host: HostIndex, snapshot: &Snapshot) -> BTreeSet<Scope> {
    let routers = || snapshot.gateways_at(host).map(AsRef::as_ref);
    let externals = gateways::externals(host, routers(), snapshot).map(|network| Scope::Network(network.vni));
    routers().map(|router| Scope::Router(router.key)).chain(externals).collect()
}

/// Of these networks the first of every realm.
pub(crate) fn one_each(networks: impl Iterator<Item = NetworkId>, snapshot: &Snapshot) -> Vec<NetworkId> {
    let mut seen = BTreeSet::new();
    let mut is_new = |network: &NetworkId| {
        let is_new = seen.insert(*network);
        if is_new {
            seen.extend(snapshot.realm_ids(*network));
        }
        is_new
    };
    networks.filter(|network| is_new(network)).collect()
}

/// The tunnels that a host needs because of a network: to every host with a port of its realm or a gateway of it, in every
/// encapsulation that either of them has something in: the tunnelled networks of its ports, the transits of its gateways.
/// None when the host has nothing in the realm itself. A tunnel may come twice.
pub(crate) fn ways(
    host: HostIndex,
    network: NetworkId,
    snapshot: &Snapshot,
    mut each: impl FnMut(HostIndex, Encap),
) {
    let mut own: BTreeSet<Option<Encap>> = snapshot
        .realm(network)
        .filter(|network| snapshot.is_member_at(network.id, host))
        .map(|network| network.tunnel())
        .collect();
    let transits = || snapshot.gateways_in_realm(network);
    own.extend(transits().filter(|gateway| gateway.hosts.contains(&host)).map(|g| Some(g.encap)));
    if own.is_empty() {
        return;
    }
    let mut towards = |peer: HostIndex, theirs: Option<Encap>| {
        theirs.into_iter().for_each(|encap| each(peer, encap));
        own.iter().filter(|own| **own != theirs).flatten().for_each(|encap| each(peer, *encap));
    };
    for network in snapshot.realm(network) {
        let peers = snapshot.members(network.id).filter(|peer| *peer != host);
        peers.for_each(|peer| towards(peer, network.tunnel()));
    }
    for gateway in transits() {
        let peers = gateway.hosts.iter().filter(|peer| **peer != host);
        peers.for_each(|peer| towards(*peer, Some(gateway.encap)));
    }
}

/// True if [`ways`] gives this tunnel for any network of the host; looks at no third host.
pub(crate) fn has_way(host: HostIndex, peer: HostIndex, encap: Encap, snapshot: &Snapshot) -> bool {
    let leads = |from: HostIndex, to: HostIndex| {
        let mut networks = snapshot.networks_at(from).filter(|network| network.tunnel() == Some(encap));
        networks.any(|network| snapshot.is_in_realm_at(network.id, to)) || serves((from, encap), to, snapshot)
    };
    host != peer && (leads(host, peer) || leads(peer, host))
}

/// True if the one host may serve a gateway, in that encapsulation, of a realm that the other host needs.
pub(crate) fn serves((gateway, encap): (HostIndex, Encap), other: HostIndex, snapshot: &Snapshot) -> bool {
    let in_encap = |router: &&Arc<Router>| router.gateway.as_ref().is_some_and(|own| own.encap == encap);
    snapshot.gateways_at(gateway).filter(in_encap).any(|router| {
        // All interfaces of a router are in one realm.
        let mut interfaces = snapshot.interfaces_of(router.id);
        interfaces.next().is_some_and(|port| snapshot.is_in_realm_at(port.network, other))
    })
}
