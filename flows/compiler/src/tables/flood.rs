//! Tables flood and flood_local: broadcast and multicast, copied by the sender's host to member hosts only.

use std::collections::BTreeMap;

use weft_model::{HostIndex, Network, Port};
use weft_openflow::{Action, PortNo};

use crate::fields::Fields;
use crate::group_id::{GroupUse, LOCAL_SHARDS, PORTS_PER_GROUP};
use crate::pipeline::{FLOOD, FLOOD_LOCAL, RECEIVE};
use crate::registers::{DESTINATION, NETWORK};
use crate::sheet::{Sheet, Then};
use crate::tables::wrapped;
use crate::tunnels::tunnel_ofport;
use crate::uplinks::uplink_ofport;

/// A copy to every member host, in groups of limited size; then to the sender's own host.
///
/// A host that joins changes one bucket; this flow changes only with the first and last member of a shard.
pub(crate) fn network(sheet: &mut Sheet, network: &Network, shards: impl Iterator<Item = u8>) {
    let vni = network.vni;
    let mut then = wrapped(network);
    if let Some(segment) = network.segment {
        // One copy, which the physical network spreads; the copies for this host's own ports have no tag.
        then = then.output(PortNo(uplink_ofport(segment.physnet).into()));
        then = if segment.vlan.is_some() { then.act(Action::PopVlan) } else { then };
    }
    for shard in shards {
        then = then.group(GroupUse::Flood { vni, shard });
    }
    sheet.flow(&FLOOD, 100, Fields::new().with(NETWORK.is(vni.get())), then.goto(&FLOOD_LOCAL));
}

/// The copies to the member hosts of one shard.
pub(crate) fn shard(sheet: &mut Sheet, network: &Network, shard: u8, hosts: impl Iterator<Item = HostIndex>) {
    let group = GroupUse::Flood { vni: network.vni, shard };
    sheet.group(group, hosts.filter_map(|host| Some((u32::from(host.get()), to_host(network, host)?))));
}

fn to_host(network: &Network, host: HostIndex) -> Option<Then> {
    let tunnel = tunnel_ofport(network.encap, host)?;
    Some(Then::new().output(PortNo(u32::from(tunnel))))
}

/// A copy to every port of the network on this host that is up. The sender is among them: Open vSwitch never outputs
/// a packet to the port that it came in by.
pub(crate) fn local(sheet: &mut Sheet, network: &Network, ports: &[&Port]) {
    let spread = ports.len() > PORTS_PER_GROUP;
    let mut shards: BTreeMap<u8, Vec<&Port>> = BTreeMap::new();
    for port in ports {
        let shard = if spread { port.key.get() % u32::from(LOCAL_SHARDS) } else { 0 };
        shards.entry(u8::try_from(shard).expect("below 64")).or_default().push(port);
    }
    let mut then = Then::new();
    for (shard, ports) in shards {
        let group = GroupUse::LocalFlood { vni: network.vni, shard };
        sheet.group(group, ports.into_iter().map(|port| (port.key.get(), to_port(port))));
        then = then.group(group);
    }
    sheet.flow(&FLOOD_LOCAL, 100, Fields::new().with(NETWORK.is(network.vni.get())), then);
}

fn to_port(port: &Port) -> Then {
    Then::new().set(DESTINATION.is(port.key.get())).resubmit(&RECEIVE)
}
