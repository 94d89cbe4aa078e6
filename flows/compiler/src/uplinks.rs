//! Uplinks: how a host reaches the physical networks on which there are networks that it needs.
//!
//! An uplink is a pair of patch ports between the integration bridge and the bridge that the host's owner mapped to the
//! physical network. Its end in the integration bridge has the same number on every host, so that flows can name it.

use std::collections::BTreeMap;

use weft_model::{Host, HostIndex, MacAddr, Network, PhysnetKey, RouterKey, Snapshot};

use crate::gateways::{entries, externals};
use crate::realms::one_each;

/// Where the numbers of uplinks begin, above those of all tunnels; the physical network's key is added.
pub const UPLINK_BASE: u16 = 65_100;

/// The OpenFlow port number of the uplink to a physical network: the same on every switch.
pub fn uplink_ofport(physnet: PhysnetKey) -> u16 {
    UPLINK_BASE + u16::from(physnet.get())
}

/// The physical network whose uplink has this number, if it is one of an uplink.
pub fn uplink_at(ofport: u32) -> Option<PhysnetKey> {
    PhysnetKey::new(ofport.checked_sub(u32::from(UPLINK_BASE))?)
}

/// One end of an uplink.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum UplinkEnd {
    /// In the integration bridge: `wp-N`.
    Inner(PhysnetKey),
    /// In the bridge that is mapped to the physical network: `wu-N`.
    Outer(PhysnetKey),
}

impl UplinkEnd {
    /// The name of its interface.
    pub fn name(self) -> String {
        match self {
            UplinkEnd::Inner(physnet) => format!("wp-{physnet}"),
            UplinkEnd::Outer(physnet) => format!("wu-{physnet}"),
        }
    }

    /// The end that has this interface name, if one can have it.
    pub fn of_name(name: &str) -> Option<UplinkEnd> {
        let physnet = |digits: &str| {
            let is_plain = digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.starts_with('0');
            digits.parse().ok().filter(|_| is_plain).and_then(PhysnetKey::new)
        };
        let inner = name.strip_prefix("wp-").and_then(physnet).map(UplinkEnd::Inner);
        inner.or_else(|| name.strip_prefix("wu-").and_then(physnet).map(UplinkEnd::Outer))
    }

    /// The end that it is patched to.
    pub fn peer(self) -> UplinkEnd {
        match self {
            UplinkEnd::Inner(physnet) => UplinkEnd::Outer(physnet),
            UplinkEnd::Outer(physnet) => UplinkEnd::Inner(physnet),
        }
    }

    /// Where it leads.
    pub fn physnet(self) -> PhysnetKey {
        match self {
            UplinkEnd::Inner(physnet) | UplinkEnd::Outer(physnet) => physnet,
        }
    }
}

/// The uplinks that a host needs, each with the bridge that it leads to: none where the host's owner has mapped none,
/// so that the networks there cannot be reached from this host.
pub fn uplinks(host: HostIndex, snapshot: &Snapshot) -> BTreeMap<PhysnetKey, Option<String>> {
    let record = snapshot.host_by_index(host).filter(|_| snapshot.has_segments());
    let Some(record) = record else { return BTreeMap::new() };
    let realms = one_each(entries(host, snapshot), snapshot);
    let joined = realms.iter().flat_map(|id| snapshot.realm(*id)).map(AsRef::as_ref);
    let routers = realms.iter().flat_map(|id| snapshot.routers_in_realm(*id));
    let routers = routers.chain(snapshot.gateways_at(host));
    // To an external network only those have an uplink that can have one: others need none.
    let outside = externals(host, routers.map(AsRef::as_ref), snapshot);
    let segments = joined.chain(outside).filter_map(|network| network.segment);
    segments.map(|segment| (segment.physnet, bridge(segment.physnet, record, snapshot))).collect()
}

fn bridge(physnet: PhysnetKey, host: &Host, snapshot: &Snapshot) -> Option<String> {
    snapshot.bridge_to(physnet, host).map(str::to_owned)
}

/// The number of the port by which a network's packets leave for a host, if that can be reached.
pub(crate) fn way_out(network: &Network, host: HostIndex) -> Option<u16> {
    match network.segment {
        Some(segment) => Some(uplink_ofport(segment.physnet)),
        None => crate::tunnels::tunnel_ofport(network.encap, host),
    }
}

/// The host that stands for routers on a network of a physical one: it answers machines there, and takes in what they send.
/// Of the hosts that need the network and have a way there, the one with the lowest index.
pub fn stand_in(network: &Network, snapshot: &Snapshot) -> Option<HostIndex> {
    network.segment?;
    let carries = |host: &HostIndex| {
        snapshot.host_by_index(*host).is_some_and(|record| snapshot.carries(record, network))
    };
    let bound = snapshot.realm(network.id).filter_map(|joined| snapshot.members(joined.id).find(carries));
    let gateways = snapshot.gateways_in_realm(network.id);
    let serving = gateways.flat_map(|gateway| gateway.hosts.iter().copied().filter(carries));
    bound.chain(serving).min()
}

/// Under which Ethernet address a host sends what a router forwarded to a physical network, other than the host that stands
/// for the router there: the router's one address must not appear at several places of the operator's switches.
///
/// `0e`, which says that it is locally administered; 26 bits of the router's key; 14 bits of the host's index.
pub fn carrier_mac(router: RouterKey, host: HostIndex) -> MacAddr {
    let key = u64::from(router.get()) & ((1 << 26) - 1);
    mac_of(CARRIER << 40 | key << HOST_BITS | u64::from(host.get()))
}

/// The addresses of all hosts for a router ([`carrier_mac`]), as value and mask.
pub(crate) fn carrier_macs(router: RouterKey) -> (MacAddr, MacAddr) {
    let key = u64::from(router.get()) & ((1 << 26) - 1);
    let mask = (1 << 48) - (1 << HOST_BITS);
    (mac_of(CARRIER << 40 | key << HOST_BITS), mac_of(mask))
}

/// The addresses of a host for all routers ([`carrier_mac`]), as value and mask.
pub(crate) fn macs_of_carrier(host: HostIndex) -> (MacAddr, MacAddr) {
    let mask = 0xff << 40 | ((1 << HOST_BITS) - 1);
    (mac_of(CARRIER << 40 | u64::from(host.get())), mac_of(mask))
}

/// The first byte of a host's own address on physical networks.
const CARRIER: u64 = 0x0e;
/// Bits of a host index.
const HOST_BITS: u32 = 14;

fn mac_of(number: u64) -> MacAddr {
    let [_, _, mac @ ..] = number.to_be_bytes();
    MacAddr(mac)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_host_has_an_address_of_its_own_for_every_router() {
        let (low, high) = (RouterKey::new(1).expect("in range"), RouterKey::new(7 << 20).expect("in range"));
        let mut seen = std::collections::BTreeSet::new();
        for router in [low, high] {
            let (value, mask) = carrier_macs(router);
            for host in [HostIndex::new(1).expect("in range"), HostIndex::MAX] {
                let mac = carrier_mac(router, host);
                assert!(mac.is_unicast() && seen.insert(mac));
                let (own, own_mask) = macs_of_carrier(host);
                assert!((0..6).all(|at| mac.0[at] & own_mask.0[at] == own.0[at]));
                for at in 0..6 {
                    assert_eq!(mac.0[at] & mask.0[at], value.0[at]);
                }
            }
        }
        let first = carrier_mac(low, HostIndex::new(1).expect("in range"));
        assert_eq!(first.0, [0x0e, 0, 0, 0, 0x40, 1]);
    }

    #[test]
    fn numbers_and_names_lead_back() {
        for key in [1, 9, 178] {
            let physnet = PhysnetKey::new(key).expect("in range");
            assert_eq!(uplink_at(uplink_ofport(physnet).into()), Some(physnet));
            assert!(!crate::tunnels::is_tunnel_ofport(uplink_ofport(physnet).into()));
            assert!(uplink_ofport(physnet) <= 65_279, "the largest port number");
            for end in [UplinkEnd::Inner(physnet), UplinkEnd::Outer(physnet)] {
                assert_eq!(UplinkEnd::of_name(&end.name()), Some(end));
                assert_eq!((end.peer().peer(), end.peer().physnet()), (end, physnet));
            }
        }
        assert_eq!((uplink_at(65_100), uplink_at(65_279), uplink_at(7)), (None, None, None));
        for other in ["wp-", "wp-0", "wp-07", "wu-179", "wv-1", "wp1", "wp-+1", ""] {
            assert_eq!(UplinkEnd::of_name(other), None, "{other}");
        }
    }
}
