//! What senders outside are told of packets that a router cannot hand on.
//!
//! Of what is not translated, by the router like any other sender. Of what is, before it is translated: an error must quote
//! the packet as its sender knows it.

use std::net::{IpAddr, Ipv4Addr};

use weft_answers::Trouble;
use weft_model::{Mtu, Port};
use weft_openflow::oxm;

use crate::gateways::Outside;
use crate::pipeline::EXTERNAL;
use crate::reasons::Reason;
use crate::registers::{FLAGS, ROUTER, TOO_BIG};
use crate::sheet::Sheet;
use crate::tables::ipv4;
use crate::tables::router_answers::{self, Telling, told, told_too_big};
use crate::tables::routers::Interface;
use crate::tables::sizes::Sizes;

/// What has been forwarded too often, in table external.
const EXPIRED: u16 = 300;
/// What is too large for where it goes, in table external.
const TOO_LARGE: u16 = 290;

/// What every host knows: what the router says of packets that nobody translates.
pub(crate) fn router(sheet: &mut Sheet, outside: &Outside<'_>, sizes: &Sizes, telling: &mut Telling) {
    let Outside { router, gateway, network, port } = *outside;
    if !network.admin_up || !port.admin_up {
        return;
    }
    let mut told = Port::clone(port);
    told.fixed_ips.retain(|ip| ip.address.is_ipv6() || !gateway.snat);
    router_answers::errors(sheet, &Interface { network, port: &told, router }, sizes, telling);
}

/// What the host says that translates what comes for an address: `limit` is how large that may be, if it may be too large.
pub(super) fn translated(sheet: &mut Sheet, outside: &Outside<'_>, address: Ipv4Addr, limit: Option<Mtu>) {
    let key = outside.router.key;
    let own = IpAddr::V4(outside.address().unwrap_or(address));
    let to_it = ipv4().with(ROUTER.is(key.get())).with(oxm::ipv4_dst(address));
    let expired = told(key, own, Trouble::TimeExceeded, Reason::TtlExpired);
    sheet.flow(&EXTERNAL, EXPIRED, to_it.with(oxm::ip_ttl(1)), expired);
    if let Some(mtu) = limit {
        let large = to_it.with(FLAGS.has(TOO_BIG));
        sheet.flow(&EXTERNAL, TOO_LARGE, large, told_too_big(key, own, mtu));
    }
}
