//! Floating IPs and their port forwardings, on the host that serves them.

use std::net::Ipv4Addr;

use weft_model::{HostIndex, PortForwarding, PortRange, Snapshot};
use weft_openflow::action::{Nat, NatFlags};
use weft_openflow::oxm;

use crate::failover::Standing;
use crate::gateways::{Floating, Seat};
use crate::pipeline::{EXTERNAL, EXTERNAL_KNOWN, GATEWAY, GATEWAY_KNOWN, INWARD, L2_LOCAL, OUTSIDE};
use crate::registers::{NETWORK, ROUTER, SOURCE, ZONE};
use crate::sheet::{Sheet, Then};
use crate::tables::gateways::{HERE, Mark, ONE, commit, is_new, known, leave_as, look_up};
use crate::tables::policy::{masks, port_field};
use crate::tables::served::{Present, present};
use crate::tables::{ipv4, outside_errors};

/// Everything of a floating IP on the host that serves it.
pub(crate) fn floating(sheet: &mut Sheet, host: HostIndex, floating: &Floating<'_>, snapshot: &Snapshot) {
    let Floating { ip, port, ref outside, .. } = *floating;
    let (router, zone) = (outside.router.key.get(), floating.zone());
    if !outside.network.admin_up || !port.admin_up {
        return;
    }
    let standing = match floating.seat {
        Seat::Own { .. } => None,
        Seat::Gateway => Standing::of(host, outside, snapshot),
    };
    let standing = standing.as_ref();
    let limit = floating.inner_mtu(snapshot).filter(|inner| *inner < outside.network.mtu);
    present(sheet, &Present { network: outside.network, port, router, zone, standing, limit });
    outside_errors::translated(sheet, outside, ip.address, limit);
    let of_router = || ipv4().with(ROUTER.is(router));
    sheet.flow(&EXTERNAL, ONE, of_router().with(oxm::ipv4_dst(ip.address)), look_up(&EXTERNAL_KNOWN));
    sheet.flow(&OUTSIDE, ONE, of_router().with(oxm::ipv4_src(ip.address)), leave_as(outside, port));
    if let Seat::Own { source, zone } = floating.seat
        && let Some(target) = ip.target
    {
        // Only of this workload, whoever else may use its address.
        let sent = ipv4().with(NETWORK.is(outside.gateway.transit.get())).with(SOURCE.is(source.get()));
        let own = Then::new().set(ROUTER.is(router)).set(ZONE.is(zone.into())).resubmit(&GATEWAY);
        sheet.flow(&L2_LOCAL, HERE + 10, sent.with(oxm::ipv4_src(target.address)), own);
    }
    let new = || is_new().with(ZONE.is(zone.into()));
    let to_it = || new().with(oxm::ipv4_dst(ip.address));
    if let Some(target) = ip.target {
        let workload = snapshot.port(&target.port).map_or(0, |workload| workload.key.get());
        let mark = Mark { port: port.key.get(), label: label(workload, target.address) };
        known(sheet, zone, mark);
        let out = new().with(oxm::ipv4_src(target.address));
        sheet.flow(&GATEWAY_KNOWN, ONE, out, commit(nat(NatFlags::SRC, ip.address), mark, &OUTSIDE));
        let inward = commit(nat(NatFlags::DST, target.address), mark, &INWARD);
        sheet.flow(&EXTERNAL_KNOWN, ONE, to_it(), inward);
    }
    for forwarding in floating.forwardings(snapshot) {
        let workload = snapshot.port(&forwarding.port).map_or(0, |workload| workload.key.get());
        let mark = Mark { port: port.key.get(), label: label_of(workload, forwarding) };
        known(sheet, zone, mark);
        let protocol = forwarding.protocol.number();
        for (value, mask, inside) in pieces(forwarding.external, forwarding.internal) {
            let asked = to_it().with(oxm::ip_proto(protocol)).with(port_field(protocol, value, mask));
            let nat = Nat { port_min: inside, ..nat(NatFlags::DST, forwarding.address) };
            sheet.flow(&EXTERNAL_KNOWN, ONE, asked, commit(nat, mark, &INWARD));
        }
    }
}

fn nat(flags: NatFlags, address: Ipv4Addr) -> Nat {
    Nat { flags, ipv4_min: Some(address), ..Nat::default() }
}

/// For whom a floating IP stands: with another workload or another address of it, what was is of no use any more.
fn label(workload: u32, address: Ipv4Addr) -> u128 {
    u128::from(workload) << 32 | u128::from(u32::from(address))
}

/// The same of a port forwarding, which begins at this port of this protocol.
fn label_of(workload: u32, forwarding: &PortForwarding) -> u128 {
    let (external, internal) = (u128::from(forwarding.external.first), u128::from(forwarding.internal.first));
    let ports = external | internal << 16 | u128::from(forwarding.protocol.number()) << 32;
    ports << 64 | label(workload, forwarding.address)
}

/// The ports of a range, as value and mask, with the port that each becomes: none where it stays what it is. A switch
/// cannot add, so a range that becomes another one takes a flow per port.
fn pieces(external: PortRange, internal: PortRange) -> Vec<(u16, u16, Option<u16>)> {
    if external.first == internal.first {
        return masks(external.first, external.last)
            .into_iter()
            .map(|(value, mask)| (value, mask, None))
            .collect();
    }
    let ports = (external.first..=external.last).zip(internal.first..=internal.last);
    ports.map(|(outside, inside)| (outside, u16::MAX, Some(inside))).collect()
}
