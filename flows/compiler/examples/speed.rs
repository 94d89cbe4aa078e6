//! How long compiling, encoding and reading back take per flow: `speed [PORTS] [ROUNDS]`, in a release build.
//!
//! Times are CPU times of the one thread that works, so that a busy machine does not count.
//!
//! Networks of 20 ports, 100 ports a host, placed as a scheduler would: a network's ports on hosts next to each other.

use std::sync::Arc;
use std::time::Instant;

use uuid::Uuid;
use weft_compiler::{
    Compiled, Mod, Owner, Scope, Tallies, compile, compile_scope, diff, encode_full, impact, owners,
    subscriptions, tally_scope,
};
use weft_model::{
    Binding, Change, Encap, EncapIps, FixedIp, Host, HostIndex, Key, MacAddr, Mtu, Network, NetworkId,
    OfPort, Port, PortId, PortKey, PortSecurity, Record, Revision, Snapshot, Stamp, SubnetId, Timestamp, Vni,
};
use weft_openflow::message::multipart::{FlowDesc, FlowEntries, Reply};
use weft_openflow::message::{BundleWriter, FlowStats, MultipartReply};
use weft_openflow::{
    BundleId, Cookie, FieldId, FlowFlags, Instruction, Match, OxmField, Reader, TableId, Writer, Xid,
};

const PORTS_PER_NETWORK: u32 = 20;
const PORTS_PER_HOST: u32 = 100;

fn main() {
    let ports = std::env::args().nth(1).and_then(|word| word.parse().ok()).unwrap_or(100_000);
    let begun = Instant::now();
    let snapshot = world(ports);
    println!(
        "{ports} ports, {} hosts: built in {:.2} s",
        snapshot.hosts().count(),
        begun.elapsed().as_secs_f64()
    );
    let networks: Vec<Scope> = snapshot.networks().map(|network| Scope::Network(network.vni)).collect();
    let hosts: Vec<Scope> = snapshot.hosts().map(|host| Scope::Host(host.index)).collect();
    let rounds = std::env::args().nth(2).and_then(|word| word.parse().ok()).unwrap_or(1);
    for _ in 0..rounds {
        for (name, scopes) in [("network-wide", &networks), ("host-local", &hosts)] {
            measure(name, scopes, &snapshot);
        }
    }
    changes(&snapshot);
}

/// Per flow: compiling scope by scope as a cold start does, and encoding what was compiled.
fn measure(name: &str, scopes: &[Scope], snapshot: &Snapshot) {
    let (mut flows, mut bytes, mut owner_count) = (0, 0, 0);
    let (mut compiling, mut encoding, mut dropping, mut tallying, mut singly) = (0.0, 0.0, 0.0, 0.0, 0.0);
    let mut clock = cpu_seconds();
    let mut lap = |sum: &mut f64| {
        let now = cpu_seconds();
        *sum += now - clock;
        clock = now;
    };
    let mut shown = Vec::new();
    // The clock costs a system call, so it is asked once for many scopes.
    for (at, scopes) in scopes.chunks(50).enumerate() {
        let mut compiled: Vec<Vec<Compiled>> = Vec::new();
        for scope in scopes {
            let mut all = Vec::new();
            compile_scope(*scope, snapshot, |_, wanted| all.push(wanted));
            compiled.push(all);
        }
        lap(&mut compiling);
        for all in &compiled {
            let place = BundleWriter::atomic(BundleId(1));
            let mods = encode_full(all);
            let mut writer = Writer::with_capacity(mods.iter().map(Mod::len_in_bundle).sum());
            for (xid, change) in (1..).zip(&mods) {
                change.write(place, Xid(xid), &mut writer);
            }
            bytes += writer.len();
            std::hint::black_box(writer.into_bytes());
        }
        lap(&mut encoding);
        let compiled: Vec<Compiled> = compiled.into_iter().flatten().collect();
        flows += compiled.iter().map(|wanted| wanted.flows.len()).sum::<usize>();
        owner_count += compiled.len();
        if at < 4 {
            shown.extend(compiled.iter().map(shown_as));
        }
        lap(&mut 0.0);
        drop(compiled);
        lap(&mut dropping);
        for scope in scopes {
            tally_scope(*scope, snapshot, |_, tally| {
                std::hint::black_box(tally);
            });
        }
        lap(&mut tallying);
    }
    // What a change costs: owners one by one.
    let some: Vec<Owner> = scopes.iter().take(200).flat_map(|scope| owners(*scope, snapshot)).collect();
    lap(&mut 0.0);
    let single: usize = some.iter().map(|owner| compile(*owner, snapshot).flows.len()).sum();
    lap(&mut singly);
    let per_flow = |seconds: f64| seconds * 1e9 / flows as f64;
    println!(
        "{name}: {flows} flows of {owner_count} owners, {:.1} bytes a flow",
        bytes as f64 / flows as f64
    );
    println!("  compile     {:6.0} ns per flow, digest included", per_flow(compiling));
    println!("  encode      {:6.0} ns per flow", per_flow(encoding));
    println!("  drop        {:6.0} ns per flow", per_flow(dropping));
    println!("  total       {:6.0} ns per flow", per_flow(compiling + encoding + dropping));
    println!("  tally       {:6.0} ns per flow", per_flow(tallying));
    println!("  one by one  {:6.0} ns per flow compiled", singly * 1e9 / single as f64);
    take(&shown);
}

/// Per flow: adding up what a switch shows.
fn take(shown: &[Vec<u8>]) {
    let mut tallies = Tallies::default();
    let begun = cpu_seconds();
    for entries in shown {
        for entry in FlowEntries::over(entries) {
            tallies.take(&entry.expect("own bytes")).expect("own bytes");
        }
    }
    let flows: u32 = tallies.subjects().map(|(_, tally)| tally.flows).sum();
    println!(
        "  read back   {:6.0} ns per flow ({flows} flows)",
        (cpu_seconds() - begun) * 1e9 / f64::from(flows)
    );
}

/// One owner's flows as Open vSwitch shows them: registers in pairs, fields in an order of its own.
fn shown_as(compiled: &Compiled) -> Vec<u8> {
    let desc = |flow: &weft_compiler::Flow| {
        let matching = Match::decode_fields(&mut Reader::new(&flow.match_bytes)).expect("own bytes");
        let instructions =
            Instruction::decode_list(&mut Reader::new(&flow.instructions), flow.instructions.len());
        FlowDesc {
            table: TableId(flow.table),
            priority: flow.priority,
            idle_timeout: 0,
            hard_timeout: 0,
            flags: FlowFlags::empty(),
            importance: 0,
            cookie: Cookie(flow.cookie),
            matching: matching.fields().iter().rev().map(paired).collect(),
            stats: FlowStats::default(),
            instructions: instructions.expect("own bytes"),
        }
    };
    let reply = Reply::FlowDesc(compiled.flows.iter().map(desc).collect());
    MultipartReply::from(&reply).body.to_vec()
}

fn paired(field: &OxmField) -> OxmField {
    let id = field.id();
    if id.class != FieldId::CLASS_NXM1 || id.number > 15 {
        return field.clone();
    }
    let shift = if id.number.is_multiple_of(2) { 32 } else { 0 };
    let (value, mask) = (field.value().expect("a number"), field.mask().unwrap_or(0xffff_ffff));
    OxmField::masked(FieldId::xreg(id.number / 2), 8, value << shift, mask << shift)
}

/// What one change costs, whatever the size.
fn changes(snapshot: &Snapshot) {
    let claims: Vec<_> = snapshot.bindings().step_by(997).take(1000).cloned().collect();
    let (mut owners, begun) = (0, cpu_seconds());
    for claim in &claims {
        let mut after = snapshot.clone();
        let key = Key::Binding(claim.port, claim.host.clone());
        after.apply(Revision(u64::MAX), &[Change::Delete(key.clone())]);
        let impact = impact(snapshot, &after, &[key].into());
        owners += impact.owners.len();
        for owner in impact.owners {
            std::hint::black_box(diff(&compile(owner, snapshot), &compile(owner, &after)));
        }
        std::hint::black_box(&impact.links);
    }
    let each = (cpu_seconds() - begun) * 1e6 / claims.len() as f64;
    println!("a port that goes: {each:.1} us, {:.1} owners", owners as f64 / claims.len() as f64);
    let host = snapshot.hosts().next().expect("there are hosts").index;
    println!("scopes of a host: {}", subscriptions(host, snapshot).len());
}

/// CPU time of this thread so far.
fn cpu_seconds() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    text.split(' ').next().and_then(|nanos| nanos.parse::<f64>().ok()).unwrap_or_default() / 1e9
}

fn world(ports: u32) -> Snapshot {
    let networks = ports.div_ceil(PORTS_PER_NETWORK);
    let hosts = ports.div_ceil(PORTS_PER_HOST);
    let mut records: Vec<Record> = (0..hosts).map(|n| Record::Host(Arc::new(host(n)))).collect();
    records.extend((0..networks).map(|n| Record::Network(Arc::new(network(n)))));
    for n in 0..ports {
        records.push(Record::Port(Arc::new(port(n))));
        // A pod of 50 hosts takes turns, so that a network is on about 20 of them.
        let pod = n / (50 * PORTS_PER_HOST) * 50;
        let at = (pod + n % 50).min(hosts - 1);
        let ofport = OfPort::new(i64::from(n / 50 % 30_000) + 1).expect("in range");
        let claim = Binding {
            port: PortId(id(3, n)),
            host: format!("host-{at:05}").parse().expect("well formed"),
            interface: format!("tap{n}"),
            ofport,
            since: Revision(1),
        };
        records.push(Record::Binding(Arc::new(claim)));
    }
    Snapshot::from_records(Revision(1), records)
}

/// Ids spread as random ones are.
fn id(kind: u64, n: u32) -> Uuid {
    let spread = u64::from(n).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    Uuid::from_u64_pair(spread, kind << 32 | u64::from(n))
}

fn host(n: u32) -> Host {
    Host {
        id: format!("host-{n:05}").parse().expect("well formed"),
        index: HostIndex::new(n + 1).expect("in range"),
        hostname: String::new(),
        encap_ips: EncapIps { v4: Some((0x0a00_0001 + n).into()), v6: None },
        ovs_version: String::new(),
        datapath_type: "system".into(),
        joined: Timestamp(0),
    }
}

fn network(n: u32) -> Network {
    Network {
        id: NetworkId(id(1, n)),
        tenant: format!("t{}", n % 1000).parse().expect("well formed"),
        stamp: Stamp::default(),
        vni: Vni::new(n + 1).expect("in range"),
        encap: Encap::Vxlan,
        mtu: Mtu(1450),
        admin_up: true,
        port_security_default: true,
        dns_domain: String::new(),
    }
}

fn port(n: u32) -> Port {
    let (network, [_, b1, b2, b3]) = (n / PORTS_PER_NETWORK, n.to_be_bytes());
    Port {
        id: PortId(id(3, n)),
        tenant: format!("t{}", network % 1000).parse().expect("well formed"),
        network: NetworkId(id(1, network)),
        key: PortKey::new(n + 1).expect("in range"),
        stamp: Stamp::default(),
        mac: MacAddr([0xfa, 0x16, 0x3e, b1, b2, b3]),
        fixed_ips: vec![FixedIp {
            subnet: SubnetId(id(2, network)),
            address: [10, 0, 0, 10 + (n % 20) as u8].into(),
        }],
        admin_up: true,
        security: PortSecurity::Enforced,
        policy: None,
        allowed_pairs: Vec::new(),
        device_id: String::new(),
        device_owner: String::new(),
        requested_host: None,
        dns_name: String::new(),
    }
}
