//! How large packets may be in the networks that a router is between, and outside of them.

use std::collections::BTreeMap;

use weft_model::{Mtu, Network};
use weft_openflow::Action;

use crate::gateways::Outside;
use crate::registers::{FLAGS, TOO_BIG_BIT};

/// What stands in front of a packet on its network, which a network's MTU leaves out and a switch counts.
const ETHERNET: u16 = 14;

/// The networks that a router is between, by how large their packets may be.
pub(crate) struct Sizes {
    inside: BTreeMap<u32, Mtu>,
    outside: Option<Beyond>,
}

/// The way to the outside.
struct Beyond {
    /// The network in which what leaves travels to the gateway.
    transit: u32,
    /// What may leave.
    out: Mtu,
    /// What may come in.
    inward: Mtu,
    /// Whether IPv4 is translated, so that what is too large is told before.
    snat: bool,
}

impl Sizes {
    pub fn of<'a>(networks: impl Iterator<Item = &'a Network>, outside: Option<&Outside<'_>>) -> Sizes {
        let (mut inside, mut carried) = (BTreeMap::new(), None);
        for network in networks {
            inside.insert(network.vni.get(), network.mtu);
            if outside.is_some_and(|outside| network.tunnel() == Some(outside.gateway.encap)) {
                carried = carried.max(Some(network.mtu));
            }
        }
        let outside = outside.map(|Outside { gateway, network, .. }| {
            // What surely fits into the tunnel to the gateway: as much as in the tunnels of the router's own networks, and
            // what the external network takes, less what a tunnel adds.
            let tunnelled = Mtu(network.mtu.0.saturating_sub(gateway.encap.overhead()));
            let out = network.mtu.min(carried.unwrap_or(tunnelled).max(tunnelled));
            Beyond { transit: gateway.transit.get(), out, inward: network.mtu, snat: gateway.snat }
        });
        Sizes { inside, outside }
    }

    /// Where less fits than this, and how much.
    pub fn below(&self, mtu: Mtu) -> impl Iterator<Item = (u32, Mtu)> {
        let inside = self.inside.iter().map(|(vni, size)| (*vni, *size));
        let outside = self.outside.iter().map(|beyond| (beyond.transit, beyond.out));
        inside.chain(outside).filter(move |(_, size)| *size < mtu)
    }

    /// True if an untranslated packet may come in that is larger than this.
    pub fn exceed(&self, mtu: Mtu, is_v4: bool) -> bool {
        let outside = self.outside.iter().filter(|beyond| !(is_v4 && beyond.snat));
        self.inside.values().copied().chain(outside.map(|beyond| beyond.inward)).any(|size| size > mtu)
    }

    /// How large what leaves to the outside may be, if there may be larger packets.
    pub fn limit_outside(&self) -> Option<Mtu> {
        let out = self.outside.as_ref()?.out;
        self.inside.values().any(|size| *size > out).then_some(out)
    }
}

/// Finds out whether the packet is too large for a network. A switch counts the Ethernet header (`dp_packet_get_send_len`,
/// and what the kernel's `execute_check_pkt_len` does), and no VLAN tag, as there is none on a packet in the pipeline.
/// It cannot see whether a packet may be fragmented, nor could it fragment one: the sender is always told, and from then on
/// does so itself.
pub(crate) fn check_size(mtu: Mtu) -> Action {
    Action::CheckPktLarger {
        length: mtu.0.saturating_add(ETHERNET),
        dst: FLAGS.is(0).header(),
        offset: TOO_BIG_BIT,
    }
}
