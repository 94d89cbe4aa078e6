//! Changes of what hosts have of routers' interfaces on physical networks: under which address they send there, and which
//! of them stands for the router.

use std::collections::{BTreeMap, BTreeSet};

use weft_model::{HostIndex, NetworkId, PhysnetKey, PortId, PortKey, Snapshot};

use super::Collector;
use crate::owner::Owner;
use crate::realms::one_each;
use crate::uplinks::stand_in;

impl Collector<'_> {
    /// An interface that changed is another one on every host of its realm.
    pub(super) fn interface_everywhere(&mut self, id: PortId) {
        for snapshot in [self.before, self.after] {
            let Some(port) = snapshot.port(&id).filter(|port| port.router().is_some()) else { continue };
            let Some(network) = snapshot.network(&port.network).filter(|n| n.segment.is_some()) else {
                continue;
            };
            let hosts = snapshot.realm_hosts(network.id).into_iter();
            self.impact.owners.extend(hosts.map(|host| Owner::Interface(host, port.key)));
        }
    }

    /// Everything on a physical network whose name, by which hosts are mapped to it, has changed.
    pub(super) fn interfaces_of_physnet(&mut self, physnet: PhysnetKey) {
        let mut interfaces: BTreeSet<PortId> = BTreeSet::new();
        for snapshot in [self.before, self.after] {
            let networks = snapshot.networks_of_physnet(physnet);
            interfaces
                .extend(networks.flat_map(|network| snapshot.interfaces_in(network.id)).map(|port| port.id));
        }
        interfaces.into_iter().for_each(|port| self.interface_everywhere(port));
    }

    /// A host that has ports of these networks now, or had, or has another way to physical networks: what it has of the
    /// interfaces in their realms, and who stands for each.
    pub(super) fn outside(&mut self, host: HostIndex, networks: &BTreeSet<NetworkId>) {
        let mut stands: BTreeMap<PortKey, [Option<HostIndex>; 2]> = BTreeMap::new();
        for (side, snapshot) in [self.before, self.after].into_iter().enumerate() {
            for (port, stand) in interfaces(networks, snapshot) {
                self.impact.owners.insert(Owner::Interface(host, port));
                stands.entry(port).or_default()[side] = stand;
            }
        }
        for (port, [before, after]) in stands {
            if before != after {
                let both = before.into_iter().chain(after);
                self.impact.owners.extend(both.map(|host| Owner::Interface(host, port)));
            }
        }
    }
}

/// The interfaces on physical networks in the realms of these networks, with the host that stands for each.
fn interfaces(networks: &BTreeSet<NetworkId>, snapshot: &Snapshot) -> Vec<(PortKey, Option<HostIndex>)> {
    if !snapshot.has_segments() {
        return Vec::new();
    }
    let realms = one_each(networks.iter().copied(), snapshot).into_iter();
    let outside = realms.flat_map(|id| snapshot.realm(id)).filter(|network| network.segment.is_some());
    let with_stand = outside.map(|network| (network, stand_in(network, snapshot)));
    let ports = with_stand
        .flat_map(|(network, stand)| snapshot.interfaces_in(network.id).map(move |port| (port.key, stand)));
    ports.collect()
}
