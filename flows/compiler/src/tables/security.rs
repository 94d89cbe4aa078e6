//! What every host has of security groups, and what a port adds: its policy, its zone, who it is to others.

use std::collections::BTreeSet;
use std::net::IpAddr;

use ipnet::IpNet;
use weft_model::{Network, PolicyKey, Port, PortSecurity, Snapshot};
use weft_openflow::action::{CopyField, Ct, CtFlags, CtZone, Subfield};
use weft_openflow::{Action, OxmField, TableId, oxm};

use crate::fields::Fields;
use crate::pipeline::{
    DELIVER, EGRESS_COMMIT, EGRESS_GATE, EGRESS_PEER, EGRESS_REPLY, EGRESS_RULES, HOME_NETWORK,
    INGRESS_COMMIT, INGRESS_GATE, INGRESS_PEER, INGRESS_REPLY, INGRESS_RULES, L2_LOCAL, RECEIVE, Table,
};
use crate::reasons::Reason;
use crate::registers::{
    DESTINATION, DESTINATION_POLICY, HOME, NETWORK, RULE, Register, SOURCE, SOURCE_POLICY, ZONE,
};
use crate::sheet::{Sheet, Then};
use crate::tables::{Local, PROTO_UDP, Side, arp, copy, icmpv6, ipv4, ipv6, policy, prefix_field};

/// Bits of the connection tracker's state, as `ct_state` of ovs-fields(7) names them.
pub(crate) const NEW: u32 = 0x01;
pub(crate) const RELATED: u32 = 0x04;
pub(crate) const REPLY: u32 = 0x08;
pub(crate) const INVALID: u32 = 0x10;
pub(crate) const TRACKED: u32 = 0x20;

/// What passes whatever the policy says.
const ALWAYS: u16 = 300;
/// An address of a port's own, before prefixes that others may send from.
const OWN: u16 = 300;
/// The shortest prefix that another may send from; longer ones stand higher.
const PAIR: u16 = 100;

/// A packet in one of these states of the connection tracker.
pub(crate) fn state(bits: u32, mask: u32) -> OxmField {
    oxm::ct_state_masked(bits, mask)
}

/// Sends the packet through the connection tracker, in the zone of the port whose policy is asked, to a table.
pub(crate) fn track(table: &Table) -> Action {
    Action::Ct(Box::new(Ct { zone: zone(), table: Some(TableId(table.number)), ..Ct::default() }))
}

fn zone() -> CtZone {
    CtZone::Field(Subfield { field: ZONE.is(0).header(), offset: 0, n_bits: 16 })
}

/// Remembers the connection under the rule that allowed it, for the port that the rule is asked of.
fn commit(port: Register) -> Action {
    let whole = |field: OxmField| Subfield::whole(field.header());
    let label = Subfield { field: oxm::ct_label(0).header(), offset: 0, n_bits: 32 };
    let mark = CopyField::between(whole(port.is(0)), whole(oxm::ct_mark(0)));
    let rule = CopyField::between(whole(RULE.is(0)), label);
    let actions = vec![Action::CopyField(mark), Action::CopyField(rule)];
    Action::Ct(Box::new(Ct { flags: CtFlags::COMMIT, zone: zone(), actions, ..Ct::default() }))
}

/// What holds for every policy.
pub(crate) fn host(sheet: &mut Sheet) {
    for (gate, end, messages, dhcp) in [
        // Listener reports, solicitations of routers and neighbours, advertisements of the own addresses.
        (&EGRESS_GATE, &L2_LOCAL, [131, 132, 133, 135, 136, 143].as_slice(), [(68, 67), (546, 547)]),
        // Listener queries, advertisements of routers, neighbour discovery.
        (&INGRESS_GATE, &DELIVER, [130, 134, 135, 136].as_slice(), [(67, 68), (547, 546)]),
    ] {
        sheet.flow(gate, ALWAYS, arp(), Then::new().goto(end));
        for kind in messages {
            sheet.flow(gate, ALWAYS, icmpv6(*kind), Then::new().goto(end));
        }
        for (family, (from, to)) in [ipv4(), ipv6()].into_iter().zip(dhcp) {
            let dhcp = family.with(oxm::ip_proto(PROTO_UDP)).with(oxm::udp_src(from)).with(oxm::udp_dst(to));
            sheet.flow(gate, ALWAYS, dhcp, Then::new().goto(end));
        }
    }
    // What hosts tell routers goes to groups, and so to filtered ports as well; no tracker makes sense of it. Where none is
    // asked, the rules say.
    for kind in [131, 132, 133, 143] {
        let senseless = icmpv6(kind).with(state(TRACKED | INVALID, TRACKED | INVALID));
        sheet.flow(&INGRESS_RULES, 1001, senseless, Then::drop(Reason::ForRouters));
    }
    sheet.flow(&EGRESS_GATE, 10, Fields::new().with(SOURCE_POLICY.is(0)), Then::new().goto(&L2_LOCAL));
    for rules in [&EGRESS_RULES, &INGRESS_RULES] {
        let invalid = Fields::new().with(state(TRACKED | INVALID, TRACKED | INVALID));
        sheet.flow(rules, 1000, invalid, Then::drop(Reason::InvalidConnection));
    }
    for family in [ipv4, ipv6] {
        sheet.flow(&EGRESS_COMMIT, 100, family(), Then::new().act(commit(SOURCE)).goto(&L2_LOCAL));
        sheet.flow(&INGRESS_COMMIT, 100, family(), Then::new().act(commit(DESTINATION)).goto(&DELIVER));
    }
    sheet.flow(&HOME_NETWORK, 10, Fields::new(), Then::new().act(copy(NETWORK.is(0), HOME.is(0))));
}

/// What a filtered port has on its own host besides its rules.
pub(crate) fn local_port(sheet: &mut Sheet, local: &Local<'_>, policy: PolicyKey) {
    let key = local.port.key.get();
    let filtered = Then::new().set(DESTINATION_POLICY.is(policy.get())).set(ZONE.is(local.zone()));
    sheet.flow(&RECEIVE, 100, Fields::new().with(DESTINATION.is(key)), filtered.goto(&INGRESS_GATE));
    let own = oxm::ct_mark(key);
    let sent = Fields::new().with(SOURCE.is(key)).with(own.clone());
    sheet.flow(&EGRESS_REPLY, 100, sent, Then::new().goto(&L2_LOCAL));
    sheet.flow(
        &INGRESS_REPLY,
        100,
        Fields::new().with(DESTINATION.is(key)).with(own),
        Then::new().goto(&DELIVER),
    );
}

/// Who a port is to the rules of others: which policy stands behind its addresses.
pub(crate) fn identity(sheet: &mut Sheet, network: &Network, port: &Port, snapshot: &Snapshot) {
    let Some(key) = port.policy else { return };
    let asked = snapshot.policy(key).is_some_and(|record| policy::is_asked_about(record, snapshot));
    for (priority, prefix) in identities(port, snapshot) {
        let family = || if prefix.addr().is_ipv4() { ipv4() } else { ipv6() };
        if let Some(source) = prefix_field(prefix, Side::Source) {
            let from = family().with(HOME.is(network.vni.get())).with(source);
            sheet.flow(&INGRESS_PEER, priority, from, Then::new().set(SOURCE_POLICY.is(key.get())));
        }
        if let Some(destination) = prefix_field(prefix, Side::Destination).filter(|_| asked) {
            let to = family().with(NETWORK.is(network.vni.get())).with(destination);
            sheet.flow(&EGRESS_PEER, priority, to, Then::new().set(DESTINATION_POLICY.is(key.get())));
        }
    }
}

/// The prefixes by which a port is known, with their priorities.
fn identities(port: &Port, snapshot: &Snapshot) -> BTreeSet<(u16, IpNet)> {
    let mut addresses: BTreeSet<IpAddr> = port.fixed_ips.iter().map(|ip| ip.address).collect();
    if port.security == PortSecurity::Enforced {
        addresses.insert(IpAddr::V6(port.mac.link_local()));
    }
    let own = addresses.into_iter().map(|address| (OWN, IpNet::from(address)));
    let prefixes: BTreeSet<IpNet> = port.allowed_pairs.iter().map(|pair| pair.prefix).collect();
    let shared = prefixes.into_iter().filter(|prefix| carries(port, *prefix, snapshot));
    own.chain(shared.map(|prefix| (PAIR + u16::from(prefix.prefix_len()), prefix))).collect()
}

/// Several ports may send from one prefix (a virtual address that moves), but it can stand for one policy only: that of the
/// port with the lowest key among those that are there.
fn carries(port: &Port, prefix: IpNet, snapshot: &Snapshot) -> bool {
    let here =
        |other: &&Port| other.policy.is_some() && other.admin_up && snapshot.bound_host(other.id).is_some();
    let sharing = snapshot.ports_with_pair(port.network, prefix).map(AsRef::as_ref);
    sharing.filter(here).map(|other| other.key).min() == Some(port.key)
}
