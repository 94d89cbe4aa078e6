//! Physical networks, and which networks are where on them.

use std::sync::Arc;

use uuid::Uuid;

use super::{Map, Snapshot};
use crate::{
    Host, Network, NetworkId, PhysicalNetwork, PhysnetKey, Segment, SegmentRange, SegmentRangeId, Vni,
};

/// Physical networks by key and name, and the networks with a segment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Physical {
    physnets: Map<PhysnetKey, Arc<PhysicalNetwork>>,
    by_name: Map<String, PhysnetKey>,
    by_segment: Map<(Segment, NetworkId), ()>,
    /// Few: the operator makes them.
    ranges: Map<SegmentRangeId, Arc<SegmentRange>>,
}

impl Physical {
    /// What follows from these records.
    pub(super) fn of<'a>(
        physnets: impl Iterator<Item = &'a Arc<PhysicalNetwork>>,
        networks: impl Iterator<Item = &'a Arc<Network>>,
    ) -> Physical {
        let mut physical = Physical::default();
        physnets.for_each(|physnet| physical.put(physnet));
        networks.for_each(|network| physical.put_network(network));
        physical
    }

    pub(super) fn put(&mut self, physnet: &Arc<PhysicalNetwork>) {
        self.by_name.insert(physnet.name.clone(), physnet.key);
        self.physnets.insert(physnet.key, physnet.clone());
    }

    pub(super) fn remove(&mut self, physnet: &PhysicalNetwork) {
        self.by_name.remove(&physnet.name);
        self.physnets.remove(&physnet.key);
    }

    pub(super) fn put_range(&mut self, range: &Arc<SegmentRange>) {
        self.ranges.insert(range.id, range.clone());
    }

    pub(super) fn remove_range(&mut self, range: &SegmentRange) {
        self.ranges.remove(&range.id);
    }

    pub(super) fn put_network(&mut self, network: &Network) {
        if let Some(segment) = network.segment {
            self.by_segment.insert((segment, network.id), ());
        }
    }

    pub(super) fn remove_network(&mut self, network: &Network) {
        if let Some(segment) = network.segment {
            self.by_segment.remove(&(segment, network.id));
        }
    }
}

/// Physical networks and what is on them.
impl Snapshot {
    /// A physical network by key.
    pub fn physnet(&self, key: PhysnetKey) -> Option<&Arc<PhysicalNetwork>> {
        self.physical.physnets.get(&key)
    }

    /// A physical network by name.
    pub fn physnet_by_name(&self, name: &str) -> Option<&Arc<PhysicalNetwork>> {
        self.physnet(*self.physical.by_name.get(&name.to_owned())?)
    }

    /// All physical networks that a network is on, by key.
    pub fn physnets(&self) -> impl Iterator<Item = &Arc<PhysicalNetwork>> {
        self.physical.physnets.values()
    }

    /// The networks on a physical network, the flat one first, then by VLAN.
    pub fn networks_of_physnet(&self, physnet: PhysnetKey) -> impl Iterator<Item = &Arc<Network>> {
        let first = (Segment { physnet, vlan: None }, NetworkId(Uuid::nil()));
        let keys = self.physical.by_segment.starting_at(&first).map(|(key, ())| key);
        keys.take_while(move |(segment, _)| segment.physnet == physnet)
            .filter_map(|(_, network)| self.network(network))
    }

    /// A range of VNIs by id.
    pub fn segment_range(&self, id: &SegmentRangeId) -> Option<&Arc<SegmentRange>> {
        self.physical.ranges.get(id)
    }

    /// All ranges of VNIs that the operator made, by id.
    pub fn segment_ranges(&self) -> impl Iterator<Item = &Arc<SegmentRange>> {
        self.physical.ranges.values()
    }

    /// The networks with a VNI from `first` on, by VNI.
    pub fn networks_from_vni(&self, first: Vni) -> impl Iterator<Item = &Arc<Network>> {
        self.networks_by_vni.starting_at(&first).filter_map(|(_, id)| self.network(id))
    }

    /// True if any network is on a physical one.
    pub fn has_segments(&self) -> bool {
        self.physical.by_segment.iter().next().is_some()
    }

    /// The network that has this segment.
    pub fn network_by_segment(&self, segment: Segment) -> Option<&Arc<Network>> {
        let mut keys = self.physical.by_segment.starting_at(&(segment, NetworkId(Uuid::nil())));
        let (found, network) = keys.next()?.0;
        (*found == segment).then(|| self.network(network))?
    }

    /// The bridge by which a host reaches a physical network, if it has one for it.
    pub fn bridge_to<'a>(&self, physnet: PhysnetKey, host: &'a Host) -> Option<&'a str> {
        host.bridge_mappings.get(&self.physnet(physnet)?.name).map(String::as_str)
    }

    /// True if a host can carry a network: all can carry one that is tunnelled.
    pub fn carries(&self, host: &Host, network: &Network) -> bool {
        network.segment.is_none_or(|segment| self.bridge_to(segment.physnet, host).is_some())
    }
}
