//! The database of one simulated host: an OVSDB server as a state machine over bytes, with what ovs-vswitchd does to it.

mod columns;
mod commit;
mod condition;
mod daemon;
mod draft;
mod framing;
mod interface;
mod local;
mod monitor;
mod mutation;
mod operation;
mod pass;
mod refusal;
mod row;
mod schema;
mod session;
mod store;
mod value;
mod words;

#[cfg(test)]
mod tests;

use std::net::IpAddr;

use columns::{DATAPATH_TYPES, DB_VERSION, IFACE_TYPES, OVS_VERSION, ROOT_EXTERNAL_IDS};
use commit::{Change, Commit};
use daemon::{Daemon, Writer};
use draft::Draft;
use framing::Message;
use row::{Ids, Row};
use schema::Table;
use session::Session;
use store::Store;
use value::{Atom, Datum};

/// Who a simulated host is: what its operator has written before it joined.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostIdentity {
    /// Its number in the fleet, from 0: ids of rows may be derived from it.
    pub number: u32,
    /// `external_ids:system-id`.
    pub system_id: String,
    /// `external_ids:hostname`.
    pub hostname: String,
    /// `external_ids:weft-encap-ip`.
    pub encap_ip: IpAddr,
}

/// What all hosts of a fleet have in common; rows that nobody has changed are read from here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    /// `Open_vSwitch.ovs_version`.
    pub ovs_version: String,
    /// `external_ids:weft-datapath-type`, also the only entry of `datapath_types` that matters.
    pub datapath_type: String,
}

impl Default for Template {
    fn default() -> Template {
        Template { ovs_version: "3.1.0".into(), datapath_type: "netdev".into() }
    }
}

/// Something that happened in the database that the rest of the host must know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// A bridge exists now, or its controller, datapath id or back-off has changed.
    BridgeController {
        /// The bridge's name.
        bridge: String,
        /// The target of its controller, such as `tcp:192.0.2.1:6653`; none when it has no controller (any more).
        target: Option<String>,
        /// `Bridge.datapath_id`.
        datapath_id: u64,
        /// `Controller.max_backoff` in milliseconds; 8,000 when it is not set.
        max_backoff: u32,
    },
    /// An interface has got its number.
    PortAdded {
        /// The bridge's name.
        bridge: String,
        /// Its number.
        ofport: u32,
        /// Its name.
        name: String,
    },
    /// An interface has gone.
    PortRemoved {
        /// The bridge's name.
        bridge: String,
        /// The number it had.
        ofport: u32,
        /// The name it had.
        name: String,
    },
    /// A bridge has gone, its flows with it. Its ports are not told one by one.
    BridgeRemoved {
        /// The bridge's name.
        bridge: String,
    },
}

/// What a local writer (an operator with `ovs-vsctl`) does to the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LocalChange {
    /// `ovs-vsctl add-br NAME -- set Bridge NAME datapath_type=TYPE external_ids:KEY=VALUE...`.
    AddBridge {
        /// The bridge's name.
        bridge: String,
        /// Its datapath type.
        datapath_type: String,
        /// Its external ids.
        external_ids: Vec<(String, String)>,
    },
    /// `ovs-vsctl add-port br-int NAME -- set Interface NAME external_ids:iface-id=ID`. The device is there. Before there
    /// is a `br-int`, the change waits for it, as container plumbing tries again until it succeeds.
    PlugInterface {
        /// The interface's name.
        name: String,
        /// The tenant's port.
        iface_id: String,
    },
    /// `ovs-vsctl del-port NAME`, of a workload or of a tunnel.
    Unplug {
        /// The interface's name.
        name: String,
    },
    /// `ovs-vsctl set Interface NAME options:KEY=VALUE`.
    SetOption {
        /// The interface's name.
        name: String,
        /// The key.
        key: String,
        /// The new value.
        value: String,
    },
    /// `ovs-vsctl del-br NAME`.
    RemoveBridge {
        /// The bridge's name.
        bridge: String,
    },
}

/// What ovs-vswitchd 3.1 can make with the userspace datapath.
const INTERFACE_KINDS: [&str; 16] = [
    "afxdp",
    "afxdp-nonpmd",
    "bareudp",
    "erspan",
    "geneve",
    "gre",
    "gtpu",
    "internal",
    "ip6erspan",
    "ip6gre",
    "lisp",
    "patch",
    "stt",
    "system",
    "tap",
    "vxlan",
];

/// The database of one host: an OVSDB server with one client, and the ovs-vswitchd behind it. No socket, no clock.
///
/// Every transaction is told to monitors, then answered; what ovs-vswitchd makes of it follows in one further update.
#[derive(Debug)]
pub struct Database {
    store: Store,
    daemon: Daemon,
    session: Session,
    is_closed: bool,
    datapath_type: Box<str>,
    /// Workloads that wait for `br-int`.
    waiting: Vec<LocalChange>,
}

impl Database {
    /// A database as `ovs-vsctl init` and the operator's join command leave it: no bridge yet.
    pub fn new(identity: &HostIdentity, template: &Template) -> Database {
        let ids = Ids::new(identity.number);
        let mut store = Store::new(ids);
        let mut draft = Draft::new(&store);
        let place = (Table::OpenVSwitch, draft.fresh());
        draft.insert(place, root_row(identity, template));
        let commit = Commit::of(draft).expect("one row that points at nothing breaks no rule");
        commit.apply(&mut store);
        Database {
            store,
            daemon: Daemon::default(),
            session: Session::default(),
            is_closed: false,
            datapath_type: template.datapath_type.as_str().into(),
            waiting: Vec::new(),
        }
    }

    /// Takes bytes of the stream, in any pieces; appends answers and updates to `out`. When what comes is not JSON-RPC,
    /// the server closes the connection: [`Database::is_closed`].
    pub fn handle(&mut self, input: &[u8], out: &mut Vec<u8>) -> Vec<Effect> {
        let mut effects = Vec::new();
        let mut rest = input;
        while !self.is_closed {
            let mut framing = std::mem::take(&mut self.session.framing);
            let handled = match framing.next(&mut rest) {
                Ok(Some(Message(bytes))) => self.session.handle(bytes, &mut self.store, out).map(Some),
                Ok(None) => Ok(None),
                Err(_) => Err(session::NotJsonRpc),
            };
            self.session.framing = framing;
            match handled {
                Ok(None) => break,
                Ok(Some(commit)) => {
                    if let Some(commit) = commit {
                        effects.extend(self.react(&commit.changes, Writer::Remote, out));
                        effects.extend(self.plug_waiting(out));
                    }
                }
                Err(session::NotJsonRpc) => self.is_closed = true,
            }
        }
        effects
    }

    /// A local writer changes rows; updates for whoever monitors them are appended to `out`. What `ovs-vsctl` would
    /// refuse changes nothing.
    pub fn local(&mut self, change: LocalChange, out: &mut Vec<u8>) -> Vec<Effect> {
        let mut draft = Draft::new(&self.store);
        if matches!(change, LocalChange::PlugInterface { .. }) && !local::has_bridge(&draft) {
            self.waiting.push(change);
            return Vec::new();
        }
        if let LocalChange::Unplug { name } = &change {
            let is_meant = |waits: &LocalChange| matches!(waits, LocalChange::PlugInterface { name: waiting, .. } if waiting == name);
            self.waiting.retain(|waits| !is_meant(waits));
        }
        local::write(&mut draft, &change);
        let mut effects = self.commit_local(Commit::of(draft).ok(), out);
        effects.extend(self.plug_waiting(out));
        effects
    }

    /// Appends the question by which the server finds out whether a quiet client is still there; the real one asks after
    /// five seconds, and hangs up after five more.
    pub fn probe(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(br#"{"id":"echo","method":"echo","params":[]}"#);
    }

    /// Whether the server has ended the session; it takes nothing until [`Database::disconnected`] is called.
    pub fn is_closed(&self) -> bool {
        self.is_closed
    }

    /// The connection has ended: monitors, locks and half a message are forgotten, rows are kept. A restart of the
    /// ovsdb-server is the same.
    pub fn disconnected(&mut self) {
        self.session = Session::default();
        self.is_closed = false;
    }

    /// The switch has restarted: every interface keeps its row; effects tell bridges and ports as at first.
    pub fn effects_of_restart(&self) -> Vec<Effect> {
        self.daemon.effects_of_restart(&Draft::new(&self.store))
    }

    /// Bytes that the rows, and what is kept of messages, take on the heap.
    pub fn resident_bytes(&self) -> usize {
        let waiting = self.waiting.capacity() * size_of::<LocalChange>() + 80 * self.waiting.len();
        self.store.resident_bytes()
            + self.daemon.resident_bytes()
            + self.session.resident_bytes()
            + self.datapath_type.len()
            + waiting
    }

    /// What ovs-vswitchd does about changes that have been made and told.
    fn react(&mut self, changes: &[Change], writer: Writer, out: &mut Vec<u8>) -> Vec<Effect> {
        let mut draft = Draft::new(&self.store);
        let effects = self.daemon.react(&mut draft, changes, writer, &self.datapath_type);
        if let Ok(commit) = Commit::of(draft) {
            self.session.tell(&commit.changes, self.store.ids(), out);
            commit.apply(&mut self.store);
        }
        effects
    }

    fn commit_local(&mut self, commit: Option<Commit>, out: &mut Vec<u8>) -> Vec<Effect> {
        let Some(commit) = commit else { return Vec::new() };
        self.session.tell(&commit.changes, self.store.ids(), out);
        commit.apply(&mut self.store);
        self.react(&commit.changes, Writer::Local, out)
    }

    /// All workloads that have waited for `br-int` come in one transaction.
    fn plug_waiting(&mut self, out: &mut Vec<u8>) -> Vec<Effect> {
        if self.waiting.is_empty() || !local::has_bridge(&Draft::new(&self.store)) {
            return Vec::new();
        }
        let mut draft = Draft::new(&self.store);
        let waiting = std::mem::take(&mut self.waiting);
        let workloads = waiting.iter().filter_map(|change| match change {
            LocalChange::PlugInterface { name, iface_id } => Some((name.as_str(), iface_id.as_str())),
            _ => None,
        });
        local::plug(&mut draft, workloads);
        let commit = Commit::of(draft).ok();
        self.commit_local(commit, out)
    }
}

fn root_row(identity: &HostIdentity, template: &Template) -> Row {
    let mut row = Row::new();
    let mut set = |column, datum| row.set(Table::OpenVSwitch, column, datum);
    let encap_ip = identity.encap_ip.to_string();
    let external_ids = [
        ("hostname", identity.hostname.as_str()),
        ("system-id", identity.system_id.as_str()),
        ("weft-datapath-type", template.datapath_type.as_str()),
        ("weft-encap-ip", encap_ip.as_str()),
    ];
    set(ROOT_EXTERNAL_IDS, Datum::dictionary(external_ids));
    set(OVS_VERSION, Datum::text(&template.ovs_version));
    set(DB_VERSION, Datum::text(schema::VERSION));
    set(DATAPATH_TYPES, Datum::text(&template.datapath_type));
    set(IFACE_TYPES, Datum::set_of(INTERFACE_KINDS.map(Atom::text).into()));
    row
}
