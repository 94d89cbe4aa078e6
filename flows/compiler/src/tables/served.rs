//! An address of an external network on a host that serves it: its frames, who asks for it, how routers here find it.

use std::net::IpAddr;

use weft_model::{Mtu, Network, Port};
use weft_openflow::{PortNo, oxm};

use crate::failover::Standing;
use crate::fields::Fields;
use crate::pipeline::{DELIVER, EGRESS_GATE, EXTERNAL, HOME_PREFIX, L2_LOCAL, NEIGHBOUR};
use crate::reasons::Reason;
use crate::registers::{FLAGS, FROM_UPLINK, HOME, NETWORK, ROUTER, SENDER_TAG, ZONE};
use crate::sheet::{Sheet, Then};
use crate::tables::arp_nd::{self, ARP_REQUEST};
use crate::tables::gateways::{ALL, HERE};
use crate::tables::sizes::check_size;
use crate::tables::{
    SOLICITATION, arp, failover, icmpv6, ipv4_of, ipv6_of, neighbours, router_answers, routers, wrapped,
};

/// Questions for an address that is served here.
const ASKED: u16 = 300;

/// An address of an external network that is served on a host.
pub(super) struct Present<'a> {
    pub network: &'a Network,
    /// The port that has the addresses and the MAC.
    pub port: &'a Port,
    /// The router that what comes for it gets into.
    pub router: u32,
    pub zone: u16,
    /// How this host stands among those that serve it; `None` when it is the only one.
    pub standing: Option<&'a Standing>,
    /// How large packets that are translated may be, where larger ones may come.
    pub limit: Option<Mtu>,
}

/// Its frames, who asks for it, and how routers on the same host find it.
pub(super) fn present(sheet: &mut Sheet, present: &Present<'_>) {
    let Present { network, port, router, zone, standing, limit } = *present;
    let on_network = |fields: Fields| fields.with(NETWORK.is(network.vni.get()));
    // Does the sender pretend to be inside? Its address is looked up there.
    let inward = Then::new().set(ROUTER.is(router)).set(ZONE.is(zone.into())).set(HOME.is(0));
    let inward = inward.act(router_answers::keep_sender());
    let inward = match network.segment.and_then(|segment| segment.vlan) {
        Some(vlan) => inward.set(SENDER_TAG.is(u64::from(vlan.get()))),
        None => inward,
    };
    let inward = inward.resubmit(&HOME_PREFIX);
    let inward = limit.into_iter().fold(inward, |inward, mtu| inward.act(check_size(mtu)));
    let inward = inward.resubmit(&EXTERNAL);
    let to_it = on_network(Fields::new()).with(oxm::eth_dst(port.mac.0));
    failover::guarded(sheet, standing, (HERE, to_it), inward);
    for address in ipv4_of(port) {
        let asked = on_network(arp()).with(oxm::arp_op(ARP_REQUEST)).with(oxm::arp_tpa(address));
        answers(network, |(bits, mask), back| {
            let from = (mask != 0).then(|| oxm::reg_masked(FLAGS.number, bits, mask));
            let asked = from.into_iter().fold(asked, Fields::with);
            failover::guarded(sheet, standing, (ASKED, asked), back(arp_nd::arp_reply(port.mac, address)));
        });
    }
    for address in ipv6_of(port).into_iter().chain([port.mac.link_local()]) {
        let asked = on_network(icmpv6(SOLICITATION)).with(oxm::nd_target(address));
        // The answer is made from the question, so it needs room for an option; whoever looks for another with the same
        // address leaves none.
        let bare = asked.with(oxm::nd_sll([0; 6]));
        sheet.flow(&L2_LOCAL, ASKED + 1, bare, Then::drop(Reason::Unsolicited));
        let advertised = arp_nd::advertisement(port.mac, address, arp_nd::ROUTER_SOLICITED_OVERRIDE);
        failover::guarded(sheet, standing, (ASKED, asked), advertised);
    }
    neighbours::asking(sheet, network, port, router);
    let addresses = ipv4_of(port).into_iter().map(IpAddr::from);
    for address in addresses.chain(ipv6_of(port).into_iter().map(IpAddr::from)) {
        let found = Then::new().set(oxm::eth_dst(port.mac.0)).goto(&EGRESS_GATE);
        sheet.flow(&NEIGHBOUR, ALL, routers::next_hop_is(network, address), found);
    }
}

/// An answer goes back by where the question came from: under the network's tag if it came by an uplink. Writes as many
/// flows as that takes, each for the questions with these bits of the flags (value and mask).
fn answers(network: &Network, mut write: impl FnMut((u32, u32), &dyn Fn(Then) -> Then)) {
    if network.segment.is_none_or(|segment| segment.vlan.is_none()) {
        return write((0, 0), &|then| then.goto(&DELIVER));
    }
    write((FROM_UPLINK, FROM_UPLINK), &|then| then.then(wrapped(network)).output(PortNo::IN_PORT));
    write((0, FROM_UPLINK), &|then| then.goto(&DELIVER));
}
