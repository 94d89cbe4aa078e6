//! Actions and instructions as `ovs-ofctl` prints them.

use super::match_out::Plain;
use super::names::{self, BUNDLE, HASH_FIELDS, HELPERS, MULTIPATH, REASONS, word};
use super::subfields::WireName;
use super::values::{Dotted, Hex, HexBytes};
use crate::action::{
    Action, Bundle, Controller2, CopyField, Ct, CtFlags, CtZone, Encap, Multipath, Nat, NatFlags,
    REASON_ACTION, Resubmit, Sample, SampleForm, SampleId, Subfield, Tuple, WHOLE_PACKET,
};
use crate::ids::{PortNo, TableId};
use crate::instruction::Instruction;
use crate::oxm::table;
use std::fmt::{self, Display, Formatter};

/// Actions with commas between; `drop` when there is none.
pub struct ActionList<'a>(pub &'a [Action]);

/// Instructions as a flow's `actions=`: those to apply stand without a word of their own.
pub struct InstructionList<'a>(pub &'a [Instruction]);

impl Display for ActionList<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() { f.write_str("drop") } else { write!(f, "{}", Commas(self.0)) }
    }
}

impl Display for InstructionList<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let empty = |i: &Instruction| matches!(i, Instruction::ApplyActions(actions) if actions.is_empty());
        let shown: Vec<&Instruction> = self.0.iter().filter(|i| !empty(i)).collect();
        if shown.is_empty() { f.write_str("drop") } else { write!(f, "{}", Commas(&shown)) }
    }
}

/// Things with commas between.
struct Commas<'a, T>(&'a [T]);

impl<T: Display> Display for Commas<'_, T> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for (i, item) in self.0.iter().enumerate() {
            write!(f, "{}{item}", if i > 0 { "," } else { "" })?;
        }
        Ok(())
    }
}

impl Display for Instruction {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Instruction::GotoTable(table) => write!(f, "goto_table:{table}"),
            Instruction::WriteMetadata { metadata, mask } => write_metadata(f, *metadata, *mask),
            Instruction::WriteActions(actions) => write!(f, "write_actions({})", ActionList(actions)),
            Instruction::ApplyActions(actions) => write!(f, "{}", ActionList(actions)),
            Instruction::ClearActions => f.write_str("clear_actions"),
            Instruction::Meter(meter) => write!(f, "meter:{meter}"),
            Instruction::StatTrigger { flags, thresholds } => {
                write!(f, "stat_trigger({flags:#x},{})", Dotted(thresholds))
            }
            Instruction::Raw(raw) => write!(f, "<instruction {}:{}>", raw.kind, Dotted(&raw.body)),
        }
    }
}

fn write_metadata(f: &mut Formatter<'_>, metadata: u64, mask: u64) -> fmt::Result {
    write!(f, "write_metadata:{}", Hex(metadata.into()))?;
    if mask == u64::MAX { Ok(()) } else { write!(f, "/{}", Hex(mask.into())) }
}

impl Display for Action {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Action::Output { port, max_len } => output(f, *port, *max_len),
            Action::CopyTtlOut => f.write_str("copy_ttl_out"),
            Action::CopyTtlIn => f.write_str("copy_ttl_in"),
            Action::SetMplsTtl(ttl) => write!(f, "set_mpls_ttl({ttl})"),
            Action::DecMplsTtl => f.write_str("dec_mpls_ttl"),
            Action::PushVlan(ethertype) => write!(f, "push_vlan:0x{ethertype:04x}"),
            Action::PopVlan => f.write_str("pop_vlan"),
            Action::PushMpls(ethertype) => write!(f, "push_mpls:0x{ethertype:04x}"),
            Action::PopMpls(ethertype) => write!(f, "pop_mpls:0x{ethertype:04x}"),
            Action::SetQueue(queue) => write!(f, "set_queue:{queue}"),
            Action::Group(group) => write!(f, "group:{group}"),
            Action::SetNwTtl(ttl) => write!(f, "mod_nw_ttl:{ttl}"),
            Action::DecNwTtl => f.write_str("dec_ttl"),
            Action::SetField(field) => {
                let name = table::spec(field.id()).map(|spec| spec.name());
                let name = name.unwrap_or_else(|| WireName(field.header()).to_string());
                write!(f, "set_field:{}->{name}", Plain(field))
            }
            Action::PushPbb(ethertype) => write!(f, "push_pbb:0x{ethertype:04x}"),
            Action::PopPbb => f.write_str("pop_pbb"),
            Action::CopyField(copy) => copy_field(f, copy),
            Action::Meter(meter) => write!(f, "meter:{meter}"),
            Action::Raw(raw) => write!(f, "<action {:#x}:{}>", raw.kind, Dotted(&raw.body)),
            _ => nicira(f, self),
        }
    }
}

fn nicira(f: &mut Formatter<'_>, action: &Action) -> fmt::Result {
    match action {
        Action::Resubmit(resubmit) => write_resubmit(f, resubmit),
        Action::SetTunnel(id) => write!(f, "set_tunnel:{}", Hex((*id).into())),
        Action::SetTunnel64(id) => write!(f, "set_tunnel64:{}", Hex((*id).into())),
        Action::PopQueue => f.write_str("pop_queue"),
        Action::Note(note) => write!(f, "note:{}", Dotted(note)),
        Action::Multipath(multipath) => write_multipath(f, multipath),
        Action::Bundle(bundle) => write_bundle(f, bundle),
        Action::OutputReg { src, .. } => write!(f, "output:{src}"),
        Action::Learn(learn) => write!(f, "{learn}"),
        Action::Exit => f.write_str("exit"),
        Action::DecTtlCntIds(ids) => write!(f, "dec_ttl({})", Commas(ids)),
        Action::FinTimeout { idle, hard } => {
            let mut list = Vec::new();
            list.extend((*idle > 0).then(|| format!("idle_timeout={idle}")));
            list.extend((*hard > 0).then(|| format!("hard_timeout={hard}")));
            write!(f, "fin_timeout({})", Commas(&list))
        }
        Action::Controller(controller) => {
            let (max_len, controller_id, reason) =
                (controller.max_len, controller.controller_id, controller.reason);
            write_controller(f, &Controller2 { max_len, controller_id, reason, ..Controller2::default() })
        }
        Action::Controller2(controller) => write_controller(f, controller),
        Action::WriteMetadata { metadata, mask } => write_metadata(f, *metadata, *mask),
        Action::StackPush(subfield) => write!(f, "push:{subfield}"),
        Action::StackPop(subfield) => write!(f, "pop:{subfield}"),
        Action::Sample(sample) => write_sample(f, sample),
        Action::Conjunction { id, clause, clauses } => {
            write!(f, "conjunction({id},{}/{clauses})", u16::from(*clause) + 1)
        }
        Action::Ct(ct) => write_ct(f, ct),
        Action::Nat(nat) => write_nat(f, nat),
        Action::OutputTrunc { port, max_len } => write!(f, "output(port={port},max_len={max_len})"),
        Action::Clone(actions) => write!(f, "clone({})", ActionList(actions)),
        Action::CtClear => f.write_str("ct_clear"),
        Action::Encap(encap) => write_encap(f, encap),
        Action::Decap(NEXT_PROTOCOL) => f.write_str("decap()"),
        Action::Decap(kind) => {
            write!(f, "decap(packet_type(ns={},type={}))", kind >> 16, Hex(u128::from(kind & 0xffff)))
        }
        Action::DecNshTtl => f.write_str("dec_nsh_ttl"),
        Action::CheckPktLarger { length, dst, offset } => {
            write!(f, "check_pkt_larger({length})->{}", Subfield { field: *dst, offset: *offset, n_bits: 1 })
        }
        Action::DeleteField(field) => match table::spec(field.id) {
            Some(spec) => write!(f, "delete_field:{}", spec.name()),
            None => write!(f, "delete_field:{}", WireName(*field)),
        },
        // The standard actions are printed before this is asked.
        _ => Ok(()),
    }
}

/// The packet type that asks for whatever the header itself says comes next.
pub(super) const NEXT_PROTOCOL: u32 = 0xfffe;

fn output(f: &mut Formatter<'_>, port: PortNo, max_len: u16) -> fmt::Result {
    match port {
        PortNo::CONTROLLER => write!(f, "CONTROLLER:{max_len}"),
        PortNo(0..=0xffff_feff) => write!(f, "output:{port}"),
        _ => write!(f, "{port}"),
    }
}

fn copy_field(f: &mut Formatter<'_>, copy: &CopyField) -> fmt::Result {
    let src = Subfield { field: copy.src, offset: copy.src_offset, n_bits: copy.n_bits };
    let dst = Subfield { field: copy.dst, offset: copy.dst_offset, n_bits: copy.n_bits };
    write!(f, "move:{src}->{dst}")
}

/// Where Open vSwitch's own text would lose something (it drops `ct` without a table, and prints a bare `resubmit(,)`
/// that nobody reads), ours keeps it.
fn write_resubmit(f: &mut Formatter<'_>, resubmit: &Resubmit) -> fmt::Result {
    let table = resubmit.table.filter(|&table| table != TableId::ALL);
    if table.is_none() && resubmit.tuple == Tuple::Packet {
        return write!(f, "resubmit:{}", resubmit.port);
    }
    f.write_str("resubmit(")?;
    if resubmit.port != PortNo::IN_PORT || table.is_none() {
        write!(f, "{}", resubmit.port)?;
    }
    f.write_str(",")?;
    if let Some(table) = table {
        write!(f, "{table}")?;
    }
    f.write_str(if resubmit.tuple == Tuple::Tracked { ",ct)" } else { ")" })
}

fn write_controller(f: &mut Formatter<'_>, c: &Controller2) -> fmt::Result {
    if *c == (Controller2 { max_len: c.max_len, ..Controller2::default() }) {
        return write!(f, "CONTROLLER:{}", c.max_len);
    }
    let mut list = Vec::new();
    if c.reason != REASON_ACTION {
        let reason = word(REASONS, c.reason.into());
        list.push(reason.map_or_else(|| format!("reason={}", c.reason), |word| format!("reason={word}")));
    }
    list.extend((c.max_len != WHOLE_PACKET).then(|| format!("max_len={}", c.max_len)));
    list.extend((c.controller_id != 0).then(|| format!("id={}", c.controller_id)));
    list.extend((!c.userdata.is_empty()).then(|| format!("userdata={}", Dotted(&c.userdata))));
    list.extend(c.pause.then(|| "pause".to_owned()));
    list.extend(c.meter.map(|meter| format!("meter_id={meter}")));
    write!(f, "controller({})", Commas(&list))
}

fn hash_fields(fields: u16) -> String {
    word(HASH_FIELDS, fields).map_or_else(|| fields.to_string(), str::to_owned)
}

fn algorithm(words: &[(u16, &'static str)], algorithm: u16) -> String {
    word(words, algorithm).map_or_else(|| algorithm.to_string(), str::to_owned)
}

fn write_multipath(f: &mut Formatter<'_>, m: &Multipath) -> fmt::Result {
    let (fields, chosen) = (hash_fields(m.fields), algorithm(MULTIPATH, m.algorithm));
    let links = u32::from(m.max_link) + 1;
    write!(f, "multipath({fields},{},{chosen},{links},{},{})", m.basis, m.arg, m.dst)
}

fn write_bundle(f: &mut Formatter<'_>, bundle: &Bundle) -> fmt::Result {
    let name = if bundle.dst.is_some() { "bundle_load" } else { "bundle" };
    let (fields, chosen) = (hash_fields(bundle.fields), algorithm(BUNDLE, bundle.algorithm));
    write!(f, "{name}({fields},{},{chosen},ofport,", bundle.basis)?;
    if let Some(dst) = bundle.dst {
        write!(f, "{dst},")?;
    }
    write!(f, "members:{})", Commas(&bundle.members))
}

fn write_sample(f: &mut Formatter<'_>, s: &Sample) -> fmt::Result {
    let id = |id: SampleId| match id {
        SampleId::Value(value) => value.to_string(),
        SampleId::Field(subfield) => subfield.to_string(),
    };
    write!(f, "sample(probability={},collector_set_id={}", s.probability, s.collector_set)?;
    write!(f, ",obs_domain_id={},obs_point_id={}", id(s.domain), id(s.point))?;
    if s.form >= SampleForm::Port && s.port != PortNo::ANY {
        write!(f, ",sampling_port={}", s.port)?;
    }
    f.write_str(match s.direction {
        1 => ",ingress)",
        2 => ",egress)",
        _ => ")",
    })
}

fn write_ct(f: &mut Formatter<'_>, ct: &Ct) -> fmt::Result {
    let mut list = Vec::new();
    list.extend(ct.flags.contains(CtFlags::COMMIT).then(|| "commit".to_owned()));
    list.extend(ct.flags.contains(CtFlags::FORCE).then(|| "force".to_owned()));
    list.extend(ct.table.map(|table| format!("table={table}")));
    match ct.zone {
        CtZone::Value(0) => {}
        CtZone::Value(zone) => list.push(format!("zone={zone}")),
        CtZone::Field(subfield) => list.push(format!("zone={subfield}")),
    }
    // A translation in front stands by itself; everything else is in `exec`.
    let (nat, others) = match ct.actions.split_first() {
        Some((nat @ Action::Nat(_), others)) => (Some(nat), others),
        _ => (None, ct.actions.as_slice()),
    };
    list.extend(nat.map(Action::to_string));
    list.extend((!others.is_empty()).then(|| format!("exec({})", ActionList(others))));
    if ct.alg != 0 {
        let helper = names::word(HELPERS, ct.alg);
        list.push(helper.map_or_else(|| format!("alg={}", ct.alg), |word| format!("alg={word}")));
    }
    write!(f, "ct({})", Commas(&list))
}

fn write_nat(f: &mut Formatter<'_>, nat: &Nat) -> fmt::Result {
    let side = if nat.flags.contains(NatFlags::SRC) { "src" } else { "dst" };
    if !nat.flags.intersects(NatFlags::SRC | NatFlags::DST) {
        return f.write_str("nat");
    }
    let mut range = String::new();
    // An address with a port after it needs brackets when it has colons of its own.
    let bracket = |address: std::net::Ipv6Addr| {
        if nat.port_min.is_some() { format!("[{address}]") } else { address.to_string() }
    };
    for (min, max) in [
        (nat.ipv4_min.map(|a| a.to_string()), nat.ipv4_max.map(|a| a.to_string())),
        (nat.ipv6_min.map(bracket), nat.ipv6_max.map(bracket)),
    ] {
        range.extend(min.clone());
        range.extend(max.filter(|max| min.as_ref() != Some(max)).map(|max| format!("-{max}")));
    }
    range.extend(nat.port_min.map(|port| format!(":{port}")));
    range.extend(nat.port_max.filter(|&max| nat.port_min != Some(max)).map(|port| format!("-{port}")));
    let mut list = vec![if range.is_empty() { side.to_owned() } else { format!("{side}={range}") }];
    for (flag, word) in NAT_FLAGS {
        list.extend(nat.flags.contains(*flag).then(|| (*word).to_owned()));
    }
    write!(f, "nat({})", Commas(&list))
}

/// Words for the ways to translate, in the order in which they are printed.
pub(super) const NAT_FLAGS: &[(NatFlags, &str)] = &[
    (NatFlags::PERSISTENT, "persistent"),
    (NatFlags::PROTO_HASH, "hash"),
    (NatFlags::PROTO_RANDOM, "random"),
];

/// Headers that can be put around a packet, by packet type.
pub(super) const HEADERS: &[(u32, &str)] =
    &[(0, "ethernet"), (0x1_894f, "nsh"), (0x1_8847, "mpls"), (0x1_8848, "mpls_mc")];

fn write_encap(f: &mut Formatter<'_>, encap: &Encap) -> fmt::Result {
    match HEADERS.iter().find(|(kind, _)| *kind == encap.packet_type) {
        Some((_, name)) => write!(f, "encap({name}")?,
        None => write!(f, "encap({:#x}", encap.packet_type)?,
    }
    let property = |p: &crate::action::EncapProperty| match (p.class, p.kind, &p.value[..]) {
        (4, 1, [kind, ..]) => format!("md_type={kind}"),
        (4, 2, [high, low, kind, length, data @ ..]) => {
            let data = &data[..data.len().min(usize::from(*length))];
            format!("tlv(0x{high:02x}{low:02x},{kind},{})", HexBytes(data))
        }
        _ => format!("<property {}:{}:{}>", p.class, p.kind, Dotted(&p.value)),
    };
    let list: Vec<String> = encap.properties.iter().map(property).collect();
    if list.is_empty() { f.write_str(")") } else { write!(f, "({}))", Commas(&list)) }
}
