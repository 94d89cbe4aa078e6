//! A system of any size with switches that swallow bytes: what the cost of a change is measured on.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use uuid::Uuid;
use weft_compiler::Tallies;
use weft_distributor::{Answer, Depth, Distributor, Installed, ReadFrom, SessionId, Transmit, Tuning, Work};
use weft_model::{
    Binding, Change, Encap, EncapIps, FixedIp, Host, HostIndex, Key, MacAddr, Mtu, Network, NetworkId,
    OfPort, Port, PortId, PortKey, PortSecurity, Record, Revision, Snapshot, Stamp, SubnetId, Timestamp, Vni,
};
use weft_openflow::Xid;

const PORTS_PER_NETWORK: u32 = 20;
const PORTS_PER_HOST: u32 = 100;
/// The network that has one port on each of the first hosts.
pub const WIDE: u32 = 0;

/// How large the system is.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    /// Ports of other networks, spread over all hosts.
    pub ports: u32,
    /// Ports of the wide network: its port `n` is on host `n`.
    pub wide: u32,
}

impl Size {
    /// How many hosts there are.
    pub fn hosts(self) -> u32 {
        self.wide.max(self.ports.div_ceil(PORTS_PER_HOST)).max(1)
    }

    /// The number of a port that does not exist yet.
    pub fn fresh(self) -> u32 {
        self.ports + self.wide
    }
}

/// Ids spread as random ones are.
fn id(kind: u64, n: u32) -> Uuid {
    Uuid::from_u64_pair(u64::from(n).wrapping_mul(0x9e37_79b9_7f4a_7c15), kind << 32 | u64::from(n))
}

/// The number of a host in the distributor.
pub fn index(host: u32) -> HostIndex {
    HostIndex::new(host + 1).expect("in range")
}

fn host(n: u32) -> Host {
    Host {
        id: format!("host-{n:05}").parse().expect("well formed"),
        index: index(n),
        hostname: String::new(),
        encap_ips: EncapIps { v4: Some((0x0a00_0001 + n).into()), v6: None },
        ovs_version: String::new(),
        datapath_type: "system".into(),
        bridge_mappings: Default::default(),
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
        vlan_transparent: false,
        qos_policy: None,
        external: false,
        segment: None,
    }
}

/// A port of a network, up or down.
pub fn port(n: u32, network: u32, admin_up: bool) -> Record {
    let [b0, b1, b2, b3] = n.to_be_bytes();
    Record::Port(Arc::new(Port {
        id: PortId(id(3, n)),
        tenant: format!("t{}", network % 1000).parse().expect("well formed"),
        network: NetworkId(id(1, network)),
        key: PortKey::new(n + 1).expect("in range"),
        stamp: Stamp::default(),
        mac: MacAddr([0xfa, 0x16, b0, b1, b2, b3]),
        fixed_ips: vec![FixedIp { subnet: SubnetId(id(2, network)), address: [10, b1, b2, b3].into() }],
        admin_up,
        security: PortSecurity::Enforced,
        policy: None,
        allowed_pairs: Vec::new(),
        dhcp_options: Vec::new(),
        device_id: String::new(),
        device_owner: String::new(),
        requested_host: None,
        dns_name: String::new(),
        qos_policy: None,
    }))
}

/// A host's claim to a port.
pub fn binding(n: u32, at: u32) -> Record {
    Record::Binding(Arc::new(Binding {
        port: PortId(id(3, n)),
        host: format!("host-{at:05}").parse().expect("well formed"),
        interface: format!("tap{n}"),
        ofport: OfPort::new(i64::from(n % 30_000) + 1).expect("in range"),
        since: Revision(1),
        behind: None,
    }))
}

fn snapshot(size: Size) -> Snapshot {
    let networks = 1 + size.ports.div_ceil(PORTS_PER_NETWORK);
    let mut records: Vec<Record> = (0..size.hosts()).map(|n| Record::Host(Arc::new(host(n)))).collect();
    records.extend((0..networks).map(|n| Record::Network(Arc::new(network(n)))));
    for n in 0..size.ports {
        records.push(port(n, 1 + n / PORTS_PER_NETWORK, true));
        // A pod of 50 hosts takes turns, so that a network is on about 20 of them.
        let pod = n / (50 * PORTS_PER_HOST) * 50;
        records.push(binding(n, (pod + n % 50).min(size.hosts() - 1)));
    }
    for n in 0..size.wide {
        records.push(port(size.ports + n, WIDE, true));
        records.push(binding(size.ports + n, n));
    }
    Snapshot::from_records(Revision(1), records)
}

/// What a switch was sent.
#[derive(Debug, Clone, Default)]
pub struct Sent {
    /// Parcels.
    pub parcels: u64,
    /// The last one.
    pub last: Bytes,
}

/// A distributor with switches that have nothing, take everything and remember nothing.
pub struct World {
    pub snapshot: Snapshot,
    pub distributor: Distributor,
    pub sent: BTreeMap<HostIndex, Sent>,
    /// Switches that do not answer; their answers wait.
    pub stuck: BTreeMap<HostIndex, Vec<(SessionId, Answer)>>,
    answers: VecDeque<(HostIndex, SessionId, Answer)>,
    now: Instant,
}

impl World {
    /// A system whose switches are not connected.
    pub fn new(size: Size, tuning: Tuning) -> World {
        let snapshot = snapshot(size);
        let distributor = Distributor::new(snapshot.clone(), tuning);
        let (sent, stuck, answers) = Default::default();
        World { snapshot, distributor, sent, stuck, answers, now: Instant::now() }
    }

    /// A system whose switches have all they should have.
    pub fn settled(size: Size, tuning: Tuning) -> World {
        let mut world = World::new(size, tuning);
        world.connect_all(size);
        world.settle();
        world
    }

    /// Connects all switches.
    pub fn connect_all(&mut self, size: Size) {
        for n in 0..size.hosts() {
            self.distributor.handle_connected(index(n), SessionId(1));
        }
    }

    /// Commits records and tells the distributor.
    pub fn commit(&mut self, records: Vec<Record>) {
        let changes: Vec<Change> = records.into_iter().map(Change::Put).collect();
        self.apply(&changes);
    }

    /// Commits changes and tells the distributor.
    pub fn apply(&mut self, changes: &[Change]) {
        let touched: BTreeSet<Key> = changes.iter().map(Change::key).collect();
        self.snapshot.apply(Revision(self.snapshot.revision().0 + 1), changes);
        self.distributor.handle_commit(self.snapshot.clone(), &touched);
    }

    /// Works until nothing is left to do; returns what that took.
    pub fn settle(&mut self) -> Work {
        let before = self.distributor.work_done();
        loop {
            while let Some(transmit) = self.distributor.poll_transmit(self.now) {
                self.carry(transmit);
            }
            if self.distributor.work(self.now).is_some() {
                continue;
            }
            match self.answers.pop_front() {
                Some((host, session, answer)) => {
                    self.distributor.handle_answer(host, session, answer, self.now);
                }
                None => break,
            }
        }
        while self.distributor.poll_changed().is_some() {}
        since(before, self.distributor.work_done())
    }

    fn carry(&mut self, transmit: Transmit) {
        match transmit {
            Transmit::Read { host, session, read, depth } => {
                let installed = match depth {
                    Depth::Tallies => Installed::Tallies(Tallies::default()),
                    Depth::Tables => Installed::Tables { flows: Vec::new(), groups: Vec::new() },
                };
                self.distributor.handle_installed(
                    ReadFrom { host, session, read },
                    installed,
                    Duration::ZERO,
                );
            }
            Transmit::Send { host, session, parcels } => {
                for parcel in parcels {
                    let answer = Answer::Committed(commit_of(&parcel));
                    match self.stuck.get_mut(&host) {
                        Some(waiting) => waiting.push((session, answer)),
                        None => self.answers.push_back((host, session, answer)),
                    }
                    let sent = self.sent.entry(host).or_default();
                    sent.parcels += 1;
                    sent.last = parcel;
                }
            }
        }
    }

    /// A switch answers again.
    pub fn unstick(&mut self, host: HostIndex) {
        let waiting = self.stuck.remove(&host).unwrap_or_default();
        self.answers.extend(waiting.into_iter().map(|(session, answer)| (host, session, answer)));
    }

    /// How many parcels a switch was sent.
    pub fn parcels(&self, host: HostIndex) -> u64 {
        self.sent.get(&host).map_or(0, |sent| sent.parcels)
    }
}

/// The xid of a parcel's last message, its commit.
fn commit_of(parcel: &Bytes) -> Xid {
    let mut rest = &parcel[..];
    loop {
        let length = usize::from(u16::from_be_bytes([rest[2], rest[3]]));
        if length == rest.len() {
            return Xid(u32::from_be_bytes([rest[4], rest[5], rest[6], rest[7]]));
        }
        rest = &rest[length..];
    }
}

/// The difference of two counts.
fn since(before: Work, after: Work) -> Work {
    Work {
        owners_compiled: after.owners_compiled - before.owners_compiled,
        messages_encoded: after.messages_encoded - before.messages_encoded,
        bytes_encoded: after.bytes_encoded - before.bytes_encoded,
        parcels_queued: after.parcels_queued - before.parcels_queued,
        read_backs: after.read_backs - before.read_backs,
        hosts_visited: after.hosts_visited - before.hosts_visited,
        scopes_visited: after.scopes_visited - before.scopes_visited,
        self_checks: after.self_checks - before.self_checks,
        self_checks_failed: after.self_checks_failed - before.self_checks_failed,
    }
}
