//! Table classify: which network and which port a packet comes from.

use weft_model::{Network, PortSecurity, Segment};
use weft_openflow::{Action, PortNo, oxm};

use crate::fields::Fields;
use crate::pipeline::{CLASSIFY, L2_LOCAL, PORT_SECURITY, UPLINK_IN};
use crate::reasons::Reason;
use crate::registers::{FLAGS, FROM_TUNNEL, FROM_UPLINK, NETWORK, SOURCE, SOURCE_POLICY, ZONE};
use crate::sheet::{Sheet, Then};
use crate::tables::Local;
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

/// What comes in by the port's interface.
pub(crate) fn local_port(sheet: &mut Sheet, local: &Local<'_>) {
    let interface = Fields::new().with(oxm::in_port(PortNo(u32::from(local.ofport.get()))));
    if !local.is_up() {
        let reason = if local.network.admin_up { Reason::PortDown } else { Reason::NetworkDown };
        sheet.flow(&CLASSIFY, 200, interface, Then::drop(reason));
        return;
    }
    let mut registers =
        Then::new().set(NETWORK.is(local.network.vni.get())).set(SOURCE.is(local.port.key.get()));
    if let Some(policy) = local.port.policy {
        registers = registers.set(SOURCE_POLICY.is(policy.get())).set(ZONE.is(u32::from(local.ofport.get())));
    }
    sheet.flow(&CLASSIFY, 200, interface.with(oxm::vlan_none()), registers.goto(&PORT_SECURITY));
    sheet.flow(&CLASSIFY, 150, interface, tagged(local));
}

/// Inside a tag are the tenant's own networks, of which nothing is known: nothing is checked, answered or routed there,
/// so only ports of which nothing is checked may send it.
fn tagged(local: &Local<'_>) -> Then {
    if !local.network.vlan_transparent || local.port.security == PortSecurity::Enforced {
        return Then::drop(Reason::VlanTagged);
    }
    let network = Then::new().set(NETWORK.is(local.network.vni.get()));
    network.set(SOURCE.is(local.port.key.get())).goto(&L2_LOCAL)
}

/// Interfaces without a port; the table's miss is left for tunnels.
pub(crate) fn host(sheet: &mut Sheet) {
    sheet.flow(&CLASSIFY, 10, Fields::new().with(oxm::tun_id(0)), Then::drop(Reason::UnknownPort));
}
