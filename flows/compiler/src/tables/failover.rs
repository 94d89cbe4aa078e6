//! Fast-failover groups: the way to the first of a gateway's hosts that is alive, and what only that one does.
//!
//! Every host that sends to a gateway, and every one that may serve it, decides by itself, from the tunnels that it watches.
//! Where two see it differently for a moment, a packet that comes to a host which is not the first is handed to the one that
//! it takes for the first; it never goes back, because every step leads to a host that comes earlier in the list.

use weft_model::HostIndex;
use weft_openflow::{PortNo, oxm};

use crate::failover::Standing;
use crate::fields::Fields;
use crate::gateways::Outside;
use crate::group_id::GroupUse;
use crate::pipeline::{ACTIVE, FLOOD, GATEWAY, L2_LOCAL, STANDBY};
use crate::reasons::Reason;
use crate::registers::{FLAGS, FROM_UPLINK};
use crate::sheet::{Sheet, Then};
use crate::tables::GROUP_BIT;
use crate::tunnels::tunnel_ofport;

/// From anywhere to the gateway: to the first of its hosts that is alive. A list of one needs no group; whoever is not there
/// cannot be avoided.
pub(crate) fn outward(sheet: &mut Sheet, outside: &Outside<'_>, hosts: &[HostIndex]) -> Then {
    let (transit, encap) = (outside.gateway.transit, outside.gateway.encap);
    let tunnels: Vec<u16> = hosts.iter().filter_map(|host| tunnel_ofport(encap, *host)).collect();
    let to_gateway = Then::new().set(oxm::tun_id(u64::from(transit.get())));
    match tunnels[..] {
        [] => Then::drop(Reason::NoGateway),
        [only] => to_gateway.output(PortNo(only.into())),
        _ => {
            let group = GroupUse::Outward { transit };
            let buckets =
                tunnels.iter().map(|tunnel| (*tunnel, Then::new().output(PortNo((*tunnel).into()))));
            sheet.failover(group, buckets);
            to_gateway.group(group)
        }
    }
}

/// The groups of a host that serves a gateway and is not the first of its list: what travels to the gateway goes on to one
/// that comes before, or into the gateway here; what comes for it goes to table standby or active.
pub(crate) fn groups(sheet: &mut Sheet, standing: &Standing) {
    let Standing { transit, ref before, uplink } = *standing;
    if standing.leads() {
        return;
    }
    let onward = before.iter().map(|tunnel| {
        let transit = oxm::tun_id(u64::from(transit.get()));
        (*tunnel, Then::new().set(transit).output(PortNo((*tunnel).into())))
    });
    // The uplink keeps the last bucket alive: without it there is nothing to serve.
    let buckets: Vec<(u16, Then)> = onward.chain([(uplink, Then::new().resubmit(&GATEWAY))]).collect();
    sheet.failover(standing.handover(), buckets);
    let others = before.iter().map(|tunnel| (*tunnel, Then::new().resubmit(&STANDBY)));
    let buckets: Vec<(u16, Then)> = others.chain([(uplink, Then::new().resubmit(&ACTIVE))]).collect();
    sheet.failover(GroupUse::Active { transit }, buckets);
}

/// Writes a flow of l2_local that only the first host that is alive may use: as it is where that is always this one, else
/// behind the group.
pub(crate) fn guarded(
    sheet: &mut Sheet,
    standing: Option<&Standing>,
    (priority, matching): (u16, Fields),
    then: Then,
) {
    match standing.filter(|standing| !standing.leads()) {
        None => sheet.flow(&L2_LOCAL, priority, matching, then),
        Some(Standing { transit, .. }) => {
            let group = GroupUse::Active { transit: *transit };
            sheet.flow(&L2_LOCAL, priority, matching, Then::new().group(group));
            sheet.flow(&ACTIVE, priority, matching, then);
        }
    }
}

/// What a host does that is not the first: what others on it send goes on as if nothing were served here.
pub(crate) fn host(sheet: &mut Sheet) {
    let from_outside = Fields::new().with(FLAGS.has(FROM_UPLINK));
    sheet.flow(&STANDBY, 100, from_outside, Then::drop(Reason::Standby));
    let to_many = Fields::new().with(oxm::eth_dst_masked(GROUP_BIT, GROUP_BIT));
    sheet.flow(&STANDBY, 50, to_many, Then::new().goto(&FLOOD));
}
