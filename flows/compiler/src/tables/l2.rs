//! Tables l2_local, l2_remote and deliver: from the destination address to an interface, a tunnel or an uplink.

use weft_model::{Direction, Network, Port};
use weft_openflow::{Action, PortNo, oxm};

use crate::fields::Fields;
use crate::pipeline::{DELIVER, FLOOD, FLOOD_LOCAL, L2_LOCAL, L2_REMOTE, RECEIVE};
use crate::reasons::Reason;
use crate::registers::{DESTINATION, FLAGS, FROM_TUNNEL, NETWORK, SOURCE};
use crate::sheet::{Sheet, Then};
use crate::tables::{ETH_SERVICE_VLAN, ETH_VLAN, GROUP_BIT, Local, Share, qos, wrapped};
use crate::uplinks::uplink_ofport;

/// The way to a port, which every member host knows. A port that is down gets a flow too, so that the drop is counted
/// on it and not taken for an unknown address.
pub(crate) fn port(sheet: &mut Sheet, network: &Network, port: &Port, way: PortNo) {
    let vni = network.vni.get();
    let to_port = Fields::new().with(NETWORK.is(vni)).with(oxm::eth_dst(port.mac.0));
    let then = if port.admin_up { wrapped(network).output(way) } else { Then::drop(Reason::PortDown) };
    sheet.flow(&L2_REMOTE, 100, to_port, then);
}

/// On a physical network there are receivers that only it knows.
pub(crate) fn network(sheet: &mut Sheet, network: &Network) {
    let Some(segment) = network.segment else { return };
    let unknown = Fields::new().with(NETWORK.is(network.vni.get()));
    let uplink = PortNo(uplink_ofport(segment.physnet).into());
    sheet.flow(&L2_REMOTE, 50, unknown, wrapped(network).output(uplink));
}

/// The last steps on the port's own host.
pub(crate) fn local_port(sheet: &mut Sheet, local: &Local<'_>) {
    let key = local.port.key.get();
    let to_port =
        Fields::new().with(NETWORK.is(local.network.vni.get())).with(oxm::eth_dst(local.port.mac.0));
    let next = if local.port.policy.is_some() { &RECEIVE } else { &DELIVER };
    sheet.flow(&L2_LOCAL, 200, to_port, Then::new().set(DESTINATION.is(key)).goto(next));
    deliver(sheet, local);
}

/// From the port's key to its interface.
fn deliver(sheet: &mut Sheet, local: &Local<'_>) {
    let key = local.port.key.get();
    let interface = PortNo(u32::from(local.ofport.get()));
    let to_port = Fields::new().with(DESTINATION.is(key));
    let limited = qos::limited(local, Direction::Ingress);
    let Some(share) = local.share else {
        return sheet.flow(&DELIVER, 100, to_port, limited.output(interface));
    };
    let tagged = |then: Then| match share {
        Share::Parent => then,
        Share::Subport(vlan) => then.act(Action::PushVlan(ETH_VLAN)).set(oxm::vlan_vid(vlan.get())),
    };
    // What others behind the same interface send leaves by where it came in, which Open vSwitch does only once it does
    // not know any more. The port's own copy of what it sends to many ends here.
    let forgetting = limited.set(oxm::in_port_to_set(0));
    sheet.flow(&DELIVER, 100, to_port, tagged(forgetting).output(interface));
    let own = to_port.with(SOURCE.is(key));
    sheet.flow(&DELIVER, 110, own, tagged(Then::new()).output(interface));
    match share {
        Share::Parent => {
            // Whoever's tag it is: here it would make the frame that of a subport.
            let any_tag = oxm::vlan_any();
            for inner in [any_tag, oxm::eth_type(ETH_VLAN), oxm::eth_type(ETH_SERVICE_VLAN)] {
                sheet.flow(&DELIVER, 120, to_port.with(inner), Then::drop(Reason::VlanTagged));
            }
        }
        Share::Subport(_) => {
            let answer = Fields::new().with(SOURCE.is(key)).with(DESTINATION.is(0));
            sheet.flow(&DELIVER, 100, answer, tagged(Then::new()).output(PortNo::IN_PORT));
        }
    }
}

/// Where flooding branches off, and the rule that nothing goes from tunnel to tunnel.
pub(crate) fn host(sheet: &mut Sheet) {
    let from_tunnel = Fields::new().with(FLAGS.has(FROM_TUNNEL));
    let to_many = |matching: Fields| matching.with(oxm::eth_dst_masked(GROUP_BIT, GROUP_BIT));
    sheet.flow(&L2_LOCAL, 110, to_many(from_tunnel), Then::new().goto(&FLOOD_LOCAL));
    sheet.flow(&L2_LOCAL, 100, to_many(Fields::new()), Then::new().goto(&FLOOD));
    sheet.flow(&L2_LOCAL, 50, from_tunnel, Then::drop(Reason::NotHere));
    let answer = Fields::new().with(DESTINATION.is(0));
    sheet.flow(&DELIVER, 50, answer, Then::new().output(PortNo::IN_PORT));
}
