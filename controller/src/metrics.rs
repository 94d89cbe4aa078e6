//! Counters and gauges in Prometheus' text form.

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use weft_distributor::Work;
use weft_openflow::message::MessageKind;

use crate::desk::Desk;
use crate::status::Board;

/// Everything that is counted. Clones share the counts.
#[derive(Debug, Clone)]
pub struct Metrics {
    registry: Arc<Registry>,
    /// Messages that switches refused.
    pub refused: Counter,
    /// Connections accepted from hosts' OVSDB servers.
    pub ovsdb_sessions: Counter,
    /// Rows of hosts' databases that came or changed.
    pub ovsdb_rows: Counter,
    /// Tunnels of hosts that were compared with what is wanted.
    pub ovsdb_tunnels: Counter,
    /// Transactions sent to hosts' OVSDB servers.
    pub ovsdb_transactions: Counter,
    /// Connections accepted from integration bridges.
    pub openflow_sessions: Counter,
    /// Requests answered by the API.
    pub api_requests: Counter,
    /// Messages of switches that could not be read.
    pub unreadable: Counter,
    /// Messages from switches that nobody asked for and that were too many to look at.
    pub notices_dropped: Counter,
    /// How often a switch told that somebody else changed its tables.
    pub suspicions: Counter,
    notices: Family<NoticeLabels, Counter>,
    questions: Family<QuestionLabels, Counter>,
    dns: Family<DnsLabels, Counter>,
    owners_compiled: Counter,
    messages_encoded: Counter,
    parcels_queued: Counter,
    read_backs: Counter,
    bytes_encoded: Counter,
    hosts_visited: Counter,
    self_checks: Counter,
    self_checks_failed: Counter,
    audit_seconds: Counter<f64, AtomicU64>,
    last: Arc<Mutex<Work>>,
    ports: Gauge,
    networks: Gauge,
    hosts: Gauge,
    hosts_connected: Gauge,
    hosts_owing: Gauge,
    revision: Gauge,
    distributed: Gauge,
    drift_repaired: Gauge,
    flow_messages: Gauge,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("weft");
        let registry = &mut registry;
        let metrics = Metrics {
            registry: Arc::default(),
            refused: counter(registry, "switch_refusals", "Messages that switches refused"),
            ovsdb_sessions: counter(registry, "ovsdb_sessions", "OVSDB connections accepted from hosts"),
            ovsdb_rows: counter(registry, "ovsdb_rows", "Rows of hosts' databases that came or changed"),
            ovsdb_tunnels: counter(
                registry,
                "ovsdb_tunnels",
                "Tunnels of hosts that were compared with what is wanted",
            ),
            ovsdb_transactions: counter(registry, "ovsdb_transactions", "Transactions sent to hosts"),
            openflow_sessions: counter(
                registry,
                "openflow_sessions",
                "OpenFlow connections accepted from hosts",
            ),
            api_requests: counter(registry, "api_requests", "Requests answered by the API"),
            unreadable: counter(registry, "switch_unreadable", "Messages of switches that could not be read"),
            notices_dropped: counter(registry, "switch_notices_dropped", "Unasked messages dropped unread"),
            suspicions: counter(registry, "suspicions", "Reports of changes by others"),
            notices: Family::default(),
            questions: Family::default(),
            dns: Family::default(),
            owners_compiled: counter(registry, "owners_compiled", "Owners compiled"),
            messages_encoded: counter(
                registry,
                "messages_encoded",
                "Flow and group messages encoded, once each",
            ),
            parcels_queued: counter(registry, "parcels_queued", "Bundles queued for switches"),
            read_backs: counter(registry, "read_backs", "Switch tables read back and compared"),
            bytes_encoded: counter(registry, "bytes_encoded", "Bytes of flow and group messages encoded"),
            hosts_visited: counter(registry, "hosts_visited", "Times that a host was looked at for a change"),
            self_checks: counter(
                registry,
                "self_checks",
                "Scopes compiled from scratch to check what is kept",
            ),
            self_checks_failed: counter(
                registry,
                "self_checks_failed",
                "Self-checks that found a difference",
            ),
            audit_seconds: audit_seconds(registry),
            last: Arc::default(),
            ports: gauge(registry, "ports", "Ports"),
            networks: gauge(registry, "networks", "Networks"),
            hosts: gauge(registry, "hosts", "Known hosts"),
            hosts_connected: gauge(registry, "hosts_connected", "Hosts with an OpenFlow session"),
            hosts_owing: gauge(registry, "hosts_owing", "Hosts that have not confirmed everything"),
            revision: gauge(registry, "revision", "Last committed revision"),
            distributed: gauge(registry, "revision_distributed", "Last revision handed to switches"),
            drift_repaired: gauge(registry, "drift_repaired", "Flows and groups put right by audits"),
            flow_messages: gauge(
                registry,
                "flow_messages_sent",
                "Flow and group messages sent to connected hosts",
            ),
        };
        let help = "Messages from switches that nobody asked for, by kind";
        registry.register("switch_notices", help, metrics.notices.clone());
        let help = "Packets that ports asked the network with (DHCP, router solicitations, DNS), by outcome";
        registry.register("packet_questions", help, metrics.questions.clone());
        registry.register("dns_questions", "Questions to resolvers, by outcome", metrics.dns.clone());
        Metrics { registry: Arc::new(std::mem::take(registry)), ..metrics }
    }
}

fn counter(registry: &mut Registry, name: &str, help: &str) -> Counter {
    let counter = Counter::default();
    registry.register(name, help, counter.clone());
    counter
}

fn audit_seconds(registry: &mut Registry) -> Counter<f64, AtomicU64> {
    let counter = Counter::default();
    registry.register("audit_seconds", "Time that audits took of the engine's core", counter.clone());
    counter
}

fn gauge(registry: &mut Registry, name: &str, help: &str) -> Gauge {
    let gauge = Gauge::default();
    registry.register(name, help, gauge.clone());
    gauge
}

/// The kind of an OpenFlow message.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct NoticeLabels {
    kind: String,
}

/// What became of a packet that a switch sent up.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct QuestionLabels {
    outcome: Outcome,
}

/// What became of a question to a resolver.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DnsLabels {
    outcome: DnsOutcome,
}

/// What became of a question to a resolver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelValue)]
pub enum DnsOutcome {
    /// It was answered from the model.
    Known,
    /// Another server answered it.
    Forwarded,
    /// Nobody may be asked, or it is no question that is answered.
    Refused,
    /// No other server answered it.
    Failed,
    /// There were too many.
    Dropped,
}

/// What became of a packet that a switch sent up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelValue)]
pub enum Outcome {
    /// It was answered.
    Answered,
    /// It asks for no answer.
    Silent,
    /// It, or its userdata, cannot be read.
    Unreadable,
    /// There were too many.
    Dropped,
}

impl Metrics {
    /// Counts a packet that a switch sent up.
    pub fn question(&self, outcome: Outcome) {
        self.questions.get_or_create(&QuestionLabels { outcome }).inc();
    }

    /// Counts a question to a resolver.
    pub fn dns(&self, outcome: DnsOutcome) {
        self.dns.get_or_create(&DnsLabels { outcome }).inc();
    }

    /// Counts a message that nobody asked for.
    pub fn notice(&self, kind: MessageKind) {
        self.notices.get_or_create(&NoticeLabels { kind: format!("{kind:?}") }).inc();
    }

    /// Adds the time that an audit took.
    pub fn audited(&self, time: Duration) {
        self.audit_seconds.inc_by(time.as_secs_f64());
    }

    /// Adds what the distributor has done since it was last asked.
    pub fn take_work(&self, work: Work) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        self.owners_compiled.inc_by(work.owners_compiled - last.owners_compiled);
        self.messages_encoded.inc_by(work.messages_encoded - last.messages_encoded);
        self.parcels_queued.inc_by(work.parcels_queued - last.parcels_queued);
        self.read_backs.inc_by(work.read_backs - last.read_backs);
        self.bytes_encoded.inc_by(work.bytes_encoded - last.bytes_encoded);
        self.hosts_visited.inc_by(work.hosts_visited - last.hosts_visited);
        self.self_checks.inc_by(work.self_checks - last.self_checks);
        self.self_checks_failed.inc_by(work.self_checks_failed - last.self_checks_failed);
        *last = work;
    }

    /// The whole page, with gauges read at this moment.
    pub fn page(&self, desk: &Desk, board: &Board) -> String {
        let (snapshot, fleet) = (desk.snapshot(), board.fleet());
        let whole = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
        let wide = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
        self.ports.set(whole(snapshot.port_count()));
        self.networks.set(whole(snapshot.networks().count()));
        self.hosts.set(whole(fleet.hosts.size()));
        self.hosts_connected.set(whole(fleet.hosts.values().filter(|host| host.openflow_connected).count()));
        self.hosts_owing.set(whole(fleet.owing()));
        self.revision.set(wide(snapshot.revision().0));
        self.distributed.set(wide(fleet.distributed.0));
        self.drift_repaired.set(wide(fleet.hosts.values().map(|host| host.drift_repaired).sum()));
        self.flow_messages.set(wide(fleet.messages_sent()));
        let mut page = String::new();
        encode(&mut page, &self.registry).expect("writing to a String does not fail");
        page
    }
}
