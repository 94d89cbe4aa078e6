//! Group numbers: groups carry no cookie, so their number says whose they are.

use weft_model::{HostIndex, Network, NetworkId, Snapshot, Vni};

/// How many member hosts share one flood group.
const HOSTS_PER_SHARD: u16 = 256;
/// Marks the groups that flood among the ports of one host; above every shard number (14999 / 256 = 58).
const LOCAL: u32 = 0x40;
/// Marks the groups by which gateways fail over, above all of these.
const FAILOVER: u32 = 0x80;

/// How many groups the ports of a network on one host are spread over when one message cannot describe them all.
pub const LOCAL_SHARDS: u8 = 64;
/// How many ports of a network on one host share one group before they are spread.
pub const PORTS_PER_GROUP: usize = 1_000;

/// What a group is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum GroupUse {
    /// Flooding to the member hosts of one shard.
    Flood {
        /// The network.
        vni: Vni,
        /// Which hosts: those whose index divided by 256 is this.
        shard: u8,
    },
    /// Flooding among a network's ports on the switch itself.
    LocalFlood {
        /// The network.
        vni: Vni,
        /// Which ports: those whose key modulo [`LOCAL_SHARDS`] is this; 0 when one group holds them all.
        shard: u8,
    },
    /// What leaves a router on its way to the first of its gateway's hosts that is alive.
    Outward {
        /// The network in which it travels there.
        transit: Vni,
    },
    /// The same on one of these hosts: to one that comes before it, or into the gateway here.
    Handover {
        /// The network in which it travels.
        transit: Vni,
    },
    /// What only the first of the gateway's hosts that is alive does.
    Active {
        /// The network in which others send to the gateway.
        transit: Vni,
    },
}

/// The shard that a member host belongs to; a network's flooding takes one group per shard that has members, so that
/// a group description always fits one message.
pub fn shard(host: HostIndex) -> u8 {
    u8::try_from(host.get() / HOSTS_PER_SHARD).expect("an index is below 15,000")
}

/// The smallest index of a shard's hosts; `None` beyond the last shard.
fn first_of(shard: u8) -> Option<HostIndex> {
    HostIndex::new((u32::from(shard) * u32::from(HOSTS_PER_SHARD)).max(1))
}

/// The member hosts of a network that belong to a shard, in order; walks no others.
pub(crate) fn members_of(
    shard: u8,
    network: NetworkId,
    snapshot: &Snapshot,
) -> impl Iterator<Item = HostIndex> {
    let members = first_of(shard).into_iter().flat_map(move |first| snapshot.members_from(network, first));
    members.take_while(move |host| self::shard(*host) == shard)
}

/// The shards in which a network has a member host, in order; looks once at each.
pub(crate) fn shards_of(network: NetworkId, snapshot: &Snapshot) -> impl Iterator<Item = u8> {
    let mut next = Some(HostIndex::MIN);
    std::iter::from_fn(move || {
        let shard = shard(snapshot.members_from(network, next?).next()?);
        next = shard.checked_add(1).and_then(first_of);
        Some(shard)
    })
}

/// The shards to which a network's hosts flood: none where the physical network does that.
pub(crate) fn flood_shards(network: &Network, snapshot: &Snapshot) -> impl Iterator<Item = u8> {
    let tunnelled = network.tunnel().map(|_| shards_of(network.id, snapshot));
    tunnelled.into_iter().flatten()
}

impl GroupUse {
    /// The group's number: the shard (from 0x40 on for local groups, from 0x80 on what gateways fail over by) in the upper 8
    /// bits, the VNI in the lower 24.
    pub fn id(self) -> u32 {
        match self {
            GroupUse::Flood { vni, shard } => u32::from(shard) << 24 | vni.get(),
            GroupUse::LocalFlood { vni, shard } => (LOCAL + u32::from(shard)) << 24 | vni.get(),
            GroupUse::Outward { transit } => FAILOVER << 24 | transit.get(),
            GroupUse::Handover { transit } => (FAILOVER + 1) << 24 | transit.get(),
            GroupUse::Active { transit } => (FAILOVER + 2) << 24 | transit.get(),
        }
    }

    /// What the group with that number is for; `None` for a number that Weft does not use.
    pub fn describe(id: u32) -> Option<GroupUse> {
        let vni = Vni::new(id & 0x00ff_ffff)?;
        match id >> 24 {
            high if (LOCAL..LOCAL + u32::from(LOCAL_SHARDS)).contains(&high) => {
                Some(GroupUse::LocalFlood { vni, shard: u8::try_from(high - LOCAL).ok()? })
            }
            high if high <= u32::from(HostIndex::MAX.get() / HOSTS_PER_SHARD) => {
                Some(GroupUse::Flood { vni, shard: u8::try_from(high).ok()? })
            }
            0x80 => Some(GroupUse::Outward { transit: vni }),
            0x81 => Some(GroupUse::Handover { transit: vni }),
            0x82 => Some(GroupUse::Active { transit: vni }),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_lead_back_to_their_use() {
        let vni = Vni::MAX;
        for group in [
            GroupUse::Flood { vni, shard: 0 },
            GroupUse::Flood { vni, shard: shard(HostIndex::MAX) },
            GroupUse::LocalFlood { vni, shard: 0 },
            GroupUse::LocalFlood { vni, shard: LOCAL_SHARDS - 1 },
            GroupUse::Outward { transit: vni },
            GroupUse::Handover { transit: vni },
            GroupUse::Active { transit: vni },
        ] {
            assert_eq!(GroupUse::describe(group.id()), Some(group));
        }
        for foreign in [0, 59 << 24 | 1, 0x8000_0000, 0x8300_0001, 0x4000_0000, u32::MAX] {
            assert_eq!(GroupUse::describe(foreign), None, "{foreign:#x}");
        }
    }
}
