//! Table classify: which network and which port a packet comes from.

use weft_model::{Direction, Network, PolicyKey, PortSecurity, Segment};
use weft_openflow::{Action, PortNo, oxm};

use crate::fields::Fields;
use crate::pipeline::{CLASSIFY, L2_LOCAL, PORT_SECURITY, UPLINK_IN};
use crate::reasons::Reason;
use crate::registers::{FLAGS, FROM_TUNNEL, FROM_UPLINK, NETWORK, SOURCE, SOURCE_POLICY, ZONE};
use crate::sheet::{Sheet, Then};
use crate::tables::{ETH_IPV4, ETH_IPV6, ETH_SERVICE_VLAN, ETH_VLAN, Local, Share, qos};
use crate::uplinks::uplink_ofport;

/// What comes out of any tunnel carries nothing but the VNI. Local interfaces have no tunnel id and no network has
/// VNI 0, so this is the same on every host, whichever tunnels it has.
pub(crate) fn network(sheet: &mut Sheet, network: &Network) {
    if let Some(segment) = network.segment {
        return uplink(sheet, network, segment);
    }
    let from_tunnel = Fields::new().with(oxm::tun_id(u64::from(network.vni.get())));
    let then = if network.admin_up {
        Then::new().set(NETWORK.is(network.vni.get())).set(FLAGS.has(FROM_TUNNEL)).goto(&L2_LOCAL)
    } else {
        Then::drop(Reason::NetworkDown)
    };
    sheet.flow(&CLASSIFY, 100, from_tunnel, then);
}

/// What comes in by an uplink under the network's tag, or without one. Nothing is there for any other tag, so only VLANs
/// in use pass.
fn uplink(sheet: &mut Sheet, network: &Network, segment: Segment) {
    let from_uplink = Fields::new().with(oxm::in_port(PortNo(uplink_ofport(segment.physnet).into())));
    let tag = segment.vlan.map_or_else(oxm::vlan_none, |vlan| oxm::vlan_vid(vlan.get()));
    let bare = if segment.vlan.is_some() { Then::new().act(Action::PopVlan) } else { Then::new() };
    let then = if network.admin_up {
        let flags = FLAGS.has(FROM_TUNNEL | FROM_UPLINK);
        bare.set(NETWORK.is(network.vni.get())).set(flags).goto(&UPLINK_IN)
    } else {
        Then::drop(Reason::NetworkDown)
    };
    sheet.flow(&CLASSIFY, 100, from_uplink.with(tag), then);
}

/// What comes in by the port's interface: of a trunk, under the port's tag.
pub(crate) fn local_port(sheet: &mut Sheet, local: &Local<'_>) {
    let interface = Fields::new().with(oxm::in_port(PortNo(u32::from(local.ofport.get()))));
    let Some(Share::Subport(vlan)) = local.share else { return own_interface(sheet, local, interface) };
    let framed = interface.with(oxm::vlan_vid(vlan.get()));
    if let Some(reason) = down(local) {
        return sheet.flow(&CLASSIFY, 250, framed, Then::drop(reason));
    }
    // Within the tag there is no other: it would be one to who gets the frame without this one.
    for inner in [ETH_VLAN, ETH_SERVICE_VLAN] {
        sheet.flow(&CLASSIFY, 260, framed.with(oxm::eth_type(inner)), Then::drop(Reason::VlanTagged));
    }
    known(sheet, local, (250, framed), &|| qos::limited(local, Direction::Egress).act(Action::PopVlan));
}

/// A port with an interface of its own, or a trunk's parent.
fn own_interface(sheet: &mut Sheet, local: &Local<'_>, interface: Fields) {
    if let Some(reason) = down(local) {
        return sheet.flow(&CLASSIFY, 200, interface, Then::drop(reason));
    }
    let bare = interface.with(oxm::vlan_none());
    known(sheet, local, (200, bare), &|| qos::limited(local, Direction::Egress));
    sheet.flow(&CLASSIFY, 150, interface, tagged(local));
}

fn down(local: &Local<'_>) -> Option<Reason> {
    let reason = if local.network.admin_up { Reason::PortDown } else { Reason::NetworkDown };
    (!local.is_up()).then_some(reason)
}

/// What is known to be the port's, once that was done with it that comes first.
fn known(sheet: &mut Sheet, local: &Local<'_>, (priority, frames): (u16, Fields), first: &dyn Fn() -> Then) {
    let send = |then: Then| {
        let then = then.set(NETWORK.is(local.network.vni.get())).set(SOURCE.is(local.port.key.get()));
        let filtered = |policy: PolicyKey| (SOURCE_POLICY.is(policy.get()), ZONE.is(local.zone()));
        let then = match local.port.policy.map(filtered) {
            Some((policy, zone)) => then.set(policy).set(zone),
            None => then,
        };
        then.goto(&PORT_SECURITY)
    };
    sheet.flow(&CLASSIFY, priority, frames, send(first()));
    let Some(mark) = qos::mark(local) else { return };
    for family in [ETH_IPV4, ETH_IPV6] {
        let marked = send(first().set(mark.clone()));
        sheet.flow(&CLASSIFY, priority + 5, frames.with(oxm::eth_type(family)), marked);
    }
}

/// Inside a tag are the tenant's own networks, of which nothing is known: nothing is checked, answered or routed there,
/// so only ports of which nothing is checked may send it. A trunk's tags are its subports'.
fn tagged(local: &Local<'_>) -> Then {
    let is_open = local.network.vlan_transparent && local.port.security == PortSecurity::Off;
    if !is_open || local.share.is_some() {
        return Then::drop(Reason::VlanTagged);
    }
    let network = Then::new().set(NETWORK.is(local.network.vni.get()));
    network.set(SOURCE.is(local.port.key.get())).goto(&L2_LOCAL)
}

/// Interfaces without a port; the table's miss is left for tunnels.
pub(crate) fn host(sheet: &mut Sheet) {
    sheet.flow(&CLASSIFY, 10, Fields::new().with(oxm::tun_id(0)), Then::drop(Reason::UnknownPort));
}
