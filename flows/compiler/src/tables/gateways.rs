//! Tables gateway to inward: how routers reach the outside, and what a host that serves a gateway does.
//!
//! What every host knows (the router's part): which destinations are outside, the transit to the host that serves the
//! gateway, and who is next out there. What only that host knows: the translation, and the gateway's own addresses.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use weft_model::{HostIndex, Mtu, NextHop, Port, Snapshot, Subnet};
use weft_openflow::action::{Ct, CtFlags, CtZone, Nat, NatFlags, Subfield};
use weft_openflow::{Action, OxmField, TableId, oxm};

use crate::failover::Standing;
use crate::fields::Fields;
use crate::gateways::{Floating, Outside};
use crate::pipeline::{
    CLASSIFY, DELIVER, EGRESS_GATE, EXTERNAL, EXTERNAL_KNOWN, GATEWAY, GATEWAY_KNOWN, INWARD, L2_LOCAL,
    L2_REMOTE, NEIGHBOUR, OUTSIDE, OUTSIDE_ROUTE, ROUTE, ROUTER_LOCAL, Table,
};
use crate::reasons::Reason;
use crate::registers::{
    FLAGS, FROM_OUTSIDE, FROM_TUNNEL, FROM_UPLINK, HOME, NETWORK, NEXT_HOP, ROUTED, ROUTER, SOURCE_POLICY,
    ZONE,
};
use crate::sheet::{Sheet, Then};
use crate::tables::routers::{self, priority, within};
use crate::tables::security::{INVALID, NEW, TRACKED, state};
use crate::tables::served::{Present, present};
use crate::tables::sizes::check_size;
use crate::tables::{
    PROTO_ICMP, PROTO_ICMPV6, copy, failover, ipv4, ipv4_of, ipv6, ipv6_of, neighbours, outside_errors,
    router_answers,
};

/// What makes no sense to the connection tracker.
const SENSELESS: u16 = 300;
/// Connections of what is served here.
pub(super) const KNOWN: u16 = 200;
/// What is only for one floating IP.
pub(super) const ONE: u16 = 110;
/// What is for the gateway.
pub(super) const ALL: u16 = 100;
/// What nothing else is for.
const REST: u16 = 50;
/// Frames for what is served here, in l2_local; as for ports.
pub(super) const HERE: u16 = 200;

/// What is the same on every host.
pub(crate) fn host(sheet: &mut Sheet) {
    let again = Fields::new().with(FLAGS.has(FROM_OUTSIDE));
    sheet.flow(&GATEWAY, SENSELESS, again, Then::drop(Reason::Reflected));
    sheet.flow(&GATEWAY, REST, ipv4(), look_up(&GATEWAY_KNOWN));
    sheet.flow(&GATEWAY, REST, ipv6(), Then::new().goto(&OUTSIDE));
    for table in [&GATEWAY_KNOWN, &EXTERNAL_KNOWN] {
        let invalid = Fields::new().with(state(TRACKED | INVALID, TRACKED | INVALID));
        sheet.flow(table, SENSELESS, invalid, Then::drop(Reason::InvalidConnection));
    }
    // It is a packet of the router's from here on, like one that another router has forwarded.
    let flags = oxm::reg_masked(
        FLAGS.number,
        ROUTED | FROM_OUTSIDE,
        ROUTED | FROM_OUTSIDE | FROM_TUNNEL | FROM_UPLINK,
    );
    sheet.flow(&INWARD, ALL, Fields::new().with(HOME.is(0)), Then::new().set(flags).goto(&ROUTER_LOCAL));
}

/// What every host knows of a router's way out, besides its routes.
pub(crate) fn router(sheet: &mut Sheet, outside: &Outside<'_>, snapshot: &Snapshot) {
    let Outside { router, gateway, port, .. } = *outside;
    let transit = Fields::new().with(NETWORK.is(gateway.transit.get()));
    let servers: Vec<HostIndex> = outside.servers(snapshot).collect();
    let to_gateway = failover::outward(sheet, outside, &servers);
    sheet.flow(&L2_REMOTE, ALL, transit, to_gateway);
    let of_router = |family: Fields| family.with(ROUTER.is(router.key.get()));
    if gateway.snat {
        for address in ipv4_of(port) {
            sheet.flow(
                &OUTSIDE,
                ALL,
                of_router(ipv4()).with(oxm::ipv4_src(address)),
                leave_as(outside, port),
            );
        }
    } else {
        sheet.flow(&OUTSIDE, REST, of_router(ipv4()), leave_as(outside, port));
    }
    sheet.flow(&OUTSIDE, REST, of_router(ipv6()), leave_as(outside, port));
}

/// Into the external network, from the MAC of one of its ports. The sender's groups mean nothing there. A packet may leave
/// by where it came in: one that is for another workload of the same host, say.
pub(super) fn leave_as(outside: &Outside<'_>, port: &Port) -> Then {
    Then::new()
        .set(NETWORK.is(outside.network.vni.get()))
        .set(SOURCE_POLICY.is(0))
        .set(oxm::eth_src(port.mac.0))
        .set(oxm::in_port_to_set(0))
        .goto(&OUTSIDE_ROUTE)
}

/// The destinations that are outside.
pub(crate) struct Routes<'a> {
    outside: &'a Outside<'a>,
    subnets: Vec<&'a Subnet>,
    /// How large packets may be, where larger ones may come.
    limit: Option<Mtu>,
}

impl<'a> Routes<'a> {
    pub fn of(outside: &'a Outside<'a>, limit: Option<Mtu>, snapshot: &'a Snapshot) -> Routes<'a> {
        Routes { outside, subnets: outside.subnets(snapshot).collect(), limit }
    }

    /// True if a next hop is outside.
    pub fn reaches(&self, hop: IpAddr) -> bool {
        self.subnets.iter().any(|subnet| subnet.cidr.contains(&hop))
    }

    /// To the gateway: on from here by the transit.
    pub fn leave(&self) -> Then {
        let Outside { gateway, network, port, .. } = *self.outside;
        if !network.admin_up {
            return Then::drop(Reason::NetworkDown);
        }
        if !port.admin_up {
            return Then::drop(Reason::PortDown);
        }
        // Who sent what is too large is told in the next table, before anything is translated.
        let (then, next) = match self.limit {
            Some(mtu) => (Then::new().act(check_size(mtu)).act(copy(NETWORK.is(0), HOME.is(0))), &NEIGHBOUR),
            None => (Then::new(), &EGRESS_GATE),
        };
        then.set(NETWORK.is(gateway.transit.get()))
            .set(FLAGS.has(ROUTED))
            .act(copy(oxm::eth_dst([0; 6]), oxm::eth_src([0; 6])))
            .set(oxm::eth_dst(port.mac.0))
            .act(Action::DecNwTtl)
            .goto(next)
    }

    /// What leads outside, besides static routes: the external subnets but for those that are inside as well, and all
    /// the rest unless a static route has it. Then, who is next out there.
    pub fn write(&self, sheet: &mut Sheet, inside: &[IpNet], snapshot: &Snapshot) {
        let router = self.outside.router;
        if self.limit.is_some() {
            let leaving = Fields::new().with(NETWORK.is(self.outside.gateway.transit.get()));
            sheet.flow(&NEIGHBOUR, ALL, leaving, Then::new().goto(&EGRESS_GATE));
        }
        let mut hops: BTreeMap<IpNet, IpAddr> = BTreeMap::new();
        for hop in self.outside.default_hops(snapshot) {
            let all =
                if hop.is_ipv4() { IpNet::V4(Default::default()) } else { IpNet::V6(Default::default()) };
            hops.insert(all, hop);
            if router.routes.iter().all(|route| route.destination.trunc() != all) {
                sheet.flow(&ROUTE, priority(all), within(router, all), self.leave());
            }
        }
        // Of several next hops out there the first one.
        for route in router.routes.iter().rev() {
            if let NextHop::Via(via) = route.next_hop
                && self.reaches(via)
            {
                hops.insert(route.destination.trunc(), via);
            }
        }
        let prefixes: BTreeSet<IpNet> = self.subnets.iter().map(|subnet| subnet.cidr.trunc()).collect();
        for prefix in prefixes {
            if !inside.contains(&prefix) {
                sheet.flow(&ROUTE, priority(prefix) + 1, within(router, prefix), self.leave());
            }
            let to_itself = if prefix.addr().is_ipv4() {
                copy(oxm::ipv4_dst(Ipv4Addr::UNSPECIFIED), NEXT_HOP.is(0))
            } else {
                copy(oxm::ipv6_dst(Ipv6Addr::UNSPECIFIED), oxm::xxreg(2, 0))
            };
            let then = Then::new().act(to_itself).goto(&NEIGHBOUR);
            sheet.flow(&OUTSIDE_ROUTE, priority(prefix) + 1, within(router, prefix), then);
        }
        for (prefix, hop) in hops {
            let hop = match hop {
                IpAddr::V4(hop) => NEXT_HOP.is(hop.into()),
                IpAddr::V6(hop) => oxm::xxreg(2, hop.into()),
            };
            let then = Then::new().set(hop).goto(&NEIGHBOUR);
            sheet.flow(&OUTSIDE_ROUTE, priority(prefix), within(router, prefix), then);
        }
    }
}

/// What the host that serves a gateway has besides: `floating` are the floating IPs that it serves for the router.
pub(crate) fn gateway(sheet: &mut Sheet, outside: &Outside<'_>, standing: &Standing, snapshot: &Snapshot) {
    let Outside { router, gateway, network, port } = *outside;
    let (key, zone) = (router.key.get(), gateway.zone.ct_zone());
    let transit = oxm::tun_id(u64::from(gateway.transit.get()));
    let arrived = Then::new().set(FLAGS.has(ROUTED)).set(ROUTER.is(key)).set(ZONE.is(zone.into()));
    if !network.admin_up || !port.admin_up {
        let reason = if network.admin_up { Reason::PortDown } else { Reason::NetworkDown };
        sheet.flow(&CLASSIFY, 100, Fields::new().with(transit), Then::drop(reason));
        return;
    }
    failover::groups(sheet, standing);
    let arrived = if standing.leads() { arrived.goto(&GATEWAY) } else { arrived.group(standing.handover()) };
    sheet.flow(&CLASSIFY, 100, Fields::new().with(transit), arrived);
    let from_here = Fields::new().with(NETWORK.is(gateway.transit.get()));
    let own = Then::new().set(ROUTER.is(key)).set(ZONE.is(zone.into()));
    let own = if standing.leads() { own.resubmit(&GATEWAY) } else { own.group(standing.handover()) };
    sheet.flow(&L2_LOCAL, HERE, from_here, own);
    // The smallest of the networks inside, as it is not known yet to which of them a packet goes.
    let inside = routers::legs(router, snapshot).filter_map(|leg| leg.mtu_v4()).min();
    let limit = inside.filter(|inside| gateway.snat && *inside < network.mtu);
    present(sheet, &Present { network, port, router: key, zone, standing: Some(standing), limit });
    if !gateway.snat {
        untranslated(sheet, outside, snapshot);
    }
    let of_zone = |fields: Fields| fields.with(ZONE.is(zone.into()));
    let mine = Mark { port: port.key.get(), label: 0 };
    known(sheet, zone, mine);
    if let Some(address) = outside.address().filter(|_| gateway.snat) {
        let nat = Nat { flags: NatFlags::SRC, ipv4_min: Some(address), ..Nat::default() };
        sheet.flow(&GATEWAY_KNOWN, ALL, of_zone(is_new()), commit(nat, mine, &OUTSIDE));
    } else {
        // Replies of what is forwarded to one port of a sender, and what it sends by itself.
        sheet.flow(&GATEWAY_KNOWN, ALL, of_zone(is_new()), Then::new().goto(&OUTSIDE));
    }
    for address in ipv4_of(port) {
        let to_it = ipv4().with(ROUTER.is(key)).with(oxm::ipv4_dst(address));
        sheet.flow(&EXTERNAL, ALL, to_it, look_up(&EXTERNAL_KNOWN));
        outside_errors::translated(sheet, outside, address, limit);
        // What asks the gateway itself goes no further, so it is neither too old nor too large.
        let is_echo = |fields: Fields| {
            fields.with(oxm::ip_proto(PROTO_ICMP)).with(oxm::icmpv4_type(router_answers::ECHO_V4.0))
        };
        sheet.flow(&EXTERNAL, SENSELESS + 10, is_echo(to_it), look_up(&EXTERNAL_KNOWN));
        let echo = is_echo(of_zone(is_new()).with(oxm::ipv4_dst(address)));
        for (flags, then) in replies(|| router_answers::echo_answer(address)) {
            sheet.flow(&EXTERNAL_KNOWN, KNOWN + 1, echo.with(flags), then);
        }
    }
    for address in ipv6_of(port) {
        let echo = ipv6().with(ROUTER.is(key)).with(oxm::ipv6_dst(address));
        let echo = echo.with(oxm::ip_proto(PROTO_ICMPV6)).with(oxm::icmpv6_type(router_answers::ECHO_V6.0));
        for (flags, then) in replies(|| router_answers::echo_answer_v6(address)) {
            sheet.flow(&EXTERNAL, ALL, echo.with(flags), then);
        }
    }
    sheet.flow(&EXTERNAL_KNOWN, REST, of_zone(is_new()), Then::drop(Reason::Unsolicited));
    let rest = |family: Fields| family.with(ROUTER.is(key));
    sheet.flow(&EXTERNAL, REST, rest(ipv6()), Then::new().goto(&INWARD));
    if !gateway.snat {
        sheet.flow(&EXTERNAL, REST, rest(ipv4()), Then::new().goto(&INWARD));
    }
}

/// How an answer leaves, by the flags of what it answers: back to where that came from; but what a router has forwarded came
/// by another way than the answer's.
fn replies(reply: impl Fn() -> Then) -> [(OxmField, Then); 3] {
    [
        (FLAGS.just(FROM_UPLINK, FROM_UPLINK | ROUTED), neighbours::back_out(reply())),
        (FLAGS.just(0, FROM_UPLINK | ROUTED), reply().goto(&DELIVER)),
        (FLAGS.has(ROUTED), reply().resubmit(&OUTSIDE)),
    ]
}

/// Who passes a gateway that does not translate, but for those who have something that is translated, and for what goes to
/// a floating IP of the same router: its answers must come back by the gateway, so they are asked for from there.
fn untranslated(sheet: &mut Sheet, outside: &Outside<'_>, snapshot: &Snapshot) {
    let of_router = || ipv4().with(ROUTER.is(outside.router.key.get()));
    sheet.flow(&GATEWAY, REST + 10, of_router(), Then::new().goto(&OUTSIDE));
    let zone = outside.gateway.zone.ct_zone();
    let mut sources: BTreeSet<Ipv4Addr> = BTreeSet::new();
    for ip in snapshot.floating_ips_of_router(outside.router.id) {
        let Some(floating) = Floating::of(ip, snapshot) else { continue };
        if let Some(own) = outside.address() {
            let mine = Mark { port: outside.port.key.get(), label: 0 };
            let nat = Nat { flags: NatFlags::SRC, ipv4_min: Some(own), ..Nat::default() };
            let to_it = |fields: Fields| fields.with(oxm::ipv4_dst(ip.address));
            sheet.flow(&GATEWAY, ALL, to_it(of_router()), look_up(&GATEWAY_KNOWN));
            let new = to_it(is_new().with(ZONE.is(zone.into())));
            sheet.flow(&GATEWAY_KNOWN, ALL + 5, new, commit(nat, mine, &OUTSIDE));
        }
        sources.extend(ip.target.map(|target| target.address));
        sources.extend(floating.forwardings(snapshot).map(|forwarding| forwarding.address));
    }
    for source in sources {
        sheet.flow(&GATEWAY, ALL, of_router().with(oxm::ipv4_src(source)), look_up(&GATEWAY_KNOWN));
    }
}

/// Whose a connection is: the port that holds the address that it is translated to, and for whom.
#[derive(Clone, Copy)]
pub(super) struct Mark {
    pub port: u32,
    pub label: u128,
}

/// What belongs to a connection goes on, in both directions.
pub(super) fn known(sheet: &mut Sheet, zone: u16, mark: Mark) {
    let mine = Fields::new().with(ZONE.is(zone.into())).with(state(TRACKED, TRACKED));
    let mine = mine.with(oxm::ct_mark(mark.port)).with(oxm::ct_label(mark.label));
    sheet.flow(&GATEWAY_KNOWN, KNOWN, mine, Then::new().goto(&OUTSIDE));
    sheet.flow(&EXTERNAL_KNOWN, KNOWN, mine, Then::new().goto(&INWARD));
}

/// IPv4 that begins a connection of which nothing is known.
pub(super) fn is_new() -> Fields {
    ipv4().with(state(TRACKED | NEW, TRACKED | NEW)).with(oxm::ct_mark(0))
}

fn zone() -> CtZone {
    CtZone::Field(Subfield { field: ZONE.is(0).header(), offset: 0, n_bits: 16 })
}

/// Through the connection tracker, which translates what belongs to a connection. What it said of the packet before is
/// forgotten: on its way to another address of the same host a packet may pass one zone twice, as two connections.
pub(super) fn look_up(table: &'static Table) -> Then {
    let actions = vec![Action::Nat(Nat::default())];
    let ct = Ct { zone: zone(), table: Some(TableId(table.number)), actions, ..Ct::default() };
    Then::new().act(Action::CtClear).act(Action::Ct(Box::new(ct)))
}

/// Translates, and remembers the connection.
pub(super) fn commit(nat: Nat, mark: Mark, table: &'static Table) -> Then {
    let mut actions = vec![Action::Nat(nat), Action::SetField(oxm::ct_mark(mark.port))];
    if mark.label != 0 {
        actions.push(Action::SetField(oxm::ct_label(mark.label)));
    }
    let table = Some(TableId(table.number));
    Then::new().act(Action::Ct(Box::new(Ct {
        flags: CtFlags::COMMIT,
        zone: zone(),
        table,
        actions,
        ..Ct::default()
    })))
}
