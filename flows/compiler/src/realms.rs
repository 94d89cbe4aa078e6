//! What a host needs because of the realm of a network: scopes of the realm, tunnels to its other hosts.

use std::collections::BTreeSet;

use weft_model::{Encap, HostIndex, Network, NetworkId, Snapshot};

use crate::owner::Scope;

/// The scopes of the realms of these networks, each realm looked at once.
pub(crate) fn scopes(networks: impl Iterator<Item = NetworkId>, snapshot: &Snapshot) -> BTreeSet<Scope> {
    let mut scopes = BTreeSet::new();
    for network in one_each(networks, snapshot) {
        scopes.extend(snapshot.realm(network).map(|joined| Scope::Network(joined.vni)));
        let routers = snapshot.realm_routers(network);
        let routers = routers.iter().filter_map(|router| snapshot.router(router));
        scopes.extend(routers.map(|router| Scope::Router(router.key)));
    }
    scopes
}

/// Of these networks the first of every realm.
pub(crate) fn one_each(networks: impl Iterator<Item = NetworkId>, snapshot: &Snapshot) -> Vec<NetworkId> {
    let mut seen = BTreeSet::new();
    let mut is_new = |network: &NetworkId| {
        let is_new = seen.insert(*network);
        if is_new {
            seen.extend(snapshot.realm(*network).map(|joined| joined.id));
        }
        is_new
    };
    networks.filter(|network| is_new(network)).collect()
}

/// The tunnels that a host needs because of a network: to every host with a port of its realm, in the encapsulation of
/// every tunnelled network that either of them has a port of. None when the host has no port in the realm itself. A tunnel may come
/// twice.
pub(crate) fn ways(
    host: HostIndex,
    network: NetworkId,
    snapshot: &Snapshot,
    mut each: impl FnMut(HostIndex, Encap),
) {
    let networks: Vec<&Network> = snapshot.realm(network).map(AsRef::as_ref).collect();
    let has_port = |network: &&&Network| snapshot.is_member_at(network.id, host);
    let own: BTreeSet<Option<Encap>> =
        networks.iter().filter(has_port).map(|network| network.tunnel()).collect();
    if own.is_empty() {
        return;
    }
    for network in networks {
        let theirs = network.tunnel();
        for peer in snapshot.members(network.id).filter(|peer| *peer != host) {
            theirs.into_iter().for_each(|encap| each(peer, encap));
            own.iter().filter(|own| **own != theirs).flatten().for_each(|encap| each(peer, *encap));
        }
    }
}

/// True if [`ways`] gives this tunnel for any network of the host; looks at no third host.
pub(crate) fn has_way(host: HostIndex, peer: HostIndex, encap: Encap, snapshot: &Snapshot) -> bool {
    let leads = |from: HostIndex, to: HostIndex| {
        let mut networks = snapshot.networks_at(from).filter(|network| network.tunnel() == Some(encap));
        networks.any(|network| snapshot.is_in_realm_at(network.id, to))
    };
    host != peer && (leads(host, peer) || leads(peer, host))
}
