//! Hosts' databases made by hand, for tests of what reads them.

use serde_json::{Value, json};
use uuid::Uuid;
use weft_ovsdb::vswitch::{Bridge, Controller, Dictionary, Interface, OpenVSwitch, Port};
use weft_ovsdb::{Id, Mirror, Record, Table};

use super::inventory::{BRIDGE, OURS, OWNER};
use super::plans::Plans;

/// The row with this number.
pub fn id<T>(n: u128) -> Id<T> {
    Id::new(Uuid::from_u128(n))
}

/// Our mark.
pub fn marks() -> Dictionary {
    Dictionary::from([(OWNER.to_owned(), OURS.to_owned())])
}

/// A mirror that monitors what the controller monitors, without rows.
pub fn empty() -> Mirror {
    Mirror::new(Plans::default().of(&schema().to_string()).unwrap())
}

/// The columns that the tables must have, with their types.
fn schema() -> Value {
    let text = || json!({"type": "string"});
    let maybe = |kind: &str| json!({"type": {"key": kind, "min": 0}});
    let many = |kind: &str| json!({"type": {"key": kind, "min": 0, "max": "unlimited"}});
    let map = || json!({"type": {"key": "string", "value": "string", "min": 0, "max": "unlimited"}});
    let (integer, boolean) = (|| json!({"type": "integer"}), || json!({"type": "boolean"}));
    json!({"name": "Open_vSwitch", "version": "8.3.1", "tables": {
        "Open_vSwitch": {"columns": {"bridges": many("uuid"), "manager_options": many("uuid"),
            "external_ids": map(), "other_config": map(), "next_cfg": integer(), "cur_cfg": integer(),
            "ovs_version": maybe("string"), "datapath_types": many("string")}},
        "Bridge": {"columns": {"name": text(), "datapath_type": text(), "datapath_id": maybe("string"),
            "ports": many("uuid"), "controller": many("uuid"), "protocols": many("string"),
            "fail_mode": maybe("string"), "other_config": map(), "external_ids": map()}},
        "Port": {"columns": {"name": text(), "interfaces": many("uuid"), "tag": maybe("integer"),
            "trunks": many("integer"), "other_config": map(), "external_ids": map()}},
        "Interface": {"columns": {"name": text(), "type": text(), "options": map(), "external_ids": map(),
            "ofport": maybe("integer"), "ofport_request": maybe("integer"), "error": maybe("string"),
            "mac_in_use": maybe("string"), "mac": maybe("string"), "admin_state": maybe("string"),
            "link_state": maybe("string"), "mtu": maybe("integer"), "bfd": map(), "bfd_status": map(),
            "other_config": map()}},
        "Controller": {"columns": {"target": text(), "connection_mode": maybe("string"),
            "max_backoff": maybe("integer"), "inactivity_probe": maybe("integer"), "is_connected": boolean(),
            "role": maybe("string"), "status": map(), "other_config": map(), "external_ids": map()}},
    }})
}

/// A host whose rows a test changes as an operator would.
pub struct Rows {
    /// What its database holds.
    pub mirror: Mirror,
    ports: Vec<Id<Port>>,
    controllers: Vec<Id<Controller>>,
}

/// Makes a record of a row as it is, for a test to change some of its columns.
fn bridge_record(row: Bridge) -> Record<Bridge> {
    Bridge::record()
        .set(Bridge::name(), row.name)
        .set(Bridge::datapath_type(), row.datapath_type)
        .set(Bridge::datapath_id(), row.datapath_id)
        .set(Bridge::ports(), row.ports)
        .set(Bridge::controller(), row.controller)
        .set(Bridge::protocols(), row.protocols)
        .set(Bridge::fail_mode(), row.fail_mode)
        .set(Bridge::other_config(), row.other_config)
        .set(Bridge::external_ids(), row.external_ids)
}

/// The root row's number, the integration bridge's, and that of another bridge.
pub const ROOT: u128 = 1;
pub const BR_INT: u128 = 2;
pub const BR_OTHER: u128 = 4;
/// What is added to a port's number for its interface's.
pub const INTERFACE: u128 = 1000;

impl Rows {
    /// A root row, an integration bridge of ours with its own port, and another bridge without any.
    pub fn new() -> Rows {
        let mut rows = Rows { mirror: empty(), ports: Vec::new(), controllers: Vec::new() };
        let settings = [("system-id", "h1"), ("weft-encap-ip", "192.0.2.1")];
        rows.root(|row| row.external_ids = settings.map(|(k, v)| (k.to_owned(), v.to_owned())).into());
        let blank = Bridge::record().set(Bridge::name(), BRIDGE).set(Bridge::external_ids(), marks());
        rows.mirror.put(id::<Bridge>(BR_INT), Some(blank));
        rows.mirror.put(id::<Bridge>(BR_OTHER), Some(Bridge::record().set(Bridge::name(), "br-ex")));
        rows.root(|row| row.bridges = [id(BR_INT), id(BR_OTHER)].into());
        rows.plug(10, BRIDGE, |row| row.external_ids = marks());
        rows
    }

    /// Changes the root row.
    pub fn root(&mut self, hand: impl FnOnce(&mut OpenVSwitch)) {
        let mut row = self.mirror.get(id(ROOT)).unwrap_or_else(OpenVSwitch::blank);
        hand(&mut row);
        let record = OpenVSwitch::record()
            .set(OpenVSwitch::bridges(), row.bridges)
            .set(OpenVSwitch::external_ids(), row.external_ids)
            .set(OpenVSwitch::ovs_version(), row.ovs_version)
            .set(OpenVSwitch::datapath_types(), row.datapath_types);
        self.mirror.put(id::<OpenVSwitch>(ROOT), Some(record));
    }

    /// Changes a bridge.
    pub fn bridge(&mut self, n: u128, hand: impl FnOnce(&mut Bridge)) {
        let Some(mut row) = self.mirror.get(id::<Bridge>(n)) else { return };
        hand(&mut row);
        self.mirror.put(id(n), Some(bridge_record(row)));
    }

    /// Changes an interface by the number of its port.
    pub fn interface(&mut self, n: u128, hand: impl FnOnce(&mut Interface)) {
        let Some(mut row) = self.mirror.get(id::<Interface>(n + INTERFACE)) else { return };
        hand(&mut row);
        let record = Interface::record()
            .set(Interface::name(), row.name)
            .set(Interface::kind(), row.kind)
            .set(Interface::options(), row.options)
            .set(Interface::external_ids(), row.external_ids)
            .set(Interface::ofport(), row.ofport)
            .set(Interface::ofport_request(), row.ofport_request)
            .set(Interface::error(), row.error)
            .set(Interface::bfd(), row.bfd)
            .set(Interface::bfd_status(), row.bfd_status);
        self.mirror.put(id::<Interface>(n + INTERFACE), Some(record));
    }

    /// Adds a port with an interface of its name to the integration bridge. What marks the interface marks the port.
    pub fn plug(&mut self, n: u128, name: &str, hand: impl FnOnce(&mut Interface)) {
        self.mirror
            .put(id::<Interface>(n + INTERFACE), Some(Interface::record().set(Interface::name(), name)));
        self.interface(n, hand);
        let external_ids = self.mirror.get(id::<Interface>(n + INTERFACE)).unwrap().external_ids;
        let record = Port::record()
            .set(Port::name(), name)
            .set(Port::interfaces(), [id::<Interface>(n + INTERFACE)])
            .set(Port::external_ids(), external_ids);
        self.mirror.put(id::<Port>(n), Some(record));
        self.ports.push(id(n));
        self.bridge(BR_INT, |bridge| {
            bridge.ports.insert(id(n));
        });
    }

    /// Takes a port away, and its interface.
    pub fn unplug(&mut self, n: u128) {
        for bridge in [BR_INT, BR_OTHER] {
            self.bridge(bridge, |bridge| {
                bridge.ports.remove(&id(n));
            });
        }
        self.mirror.put::<Port>(id(n), None);
        self.mirror.put::<Interface>(id(n + INTERFACE), None);
        self.ports.retain(|port| *port != id(n));
    }

    /// Moves a port to another bridge.
    pub fn move_to(&mut self, n: u128, to: u128) {
        for bridge in [BR_INT, BR_OTHER] {
            self.bridge(bridge, |bridge| {
                bridge.ports.remove(&id(n));
            });
        }
        self.bridge(to, |bridge| {
            bridge.ports.insert(id(n));
        });
    }

    /// Puts a controller of the integration bridge in place, or takes it away.
    pub fn controller(&mut self, n: u128, record: Option<Record<Controller>>) {
        let comes = record.is_some();
        self.mirror.put(id(n), record);
        self.controllers.retain(|other| *other != id(n));
        self.controllers.extend(comes.then(|| id(n)));
        let all = self.controllers.iter().copied().collect();
        self.bridge(BR_INT, |bridge| bridge.controller = all);
    }

    /// The numbers of the ports that there are.
    pub fn ports(&self) -> impl Iterator<Item = u128> {
        self.ports.iter().map(|port| port.uuid().as_u128())
    }
}

/// A row of defaults.
trait Blank: Table {
    fn blank() -> Self {
        Self::read(&std::collections::BTreeMap::<String, weft_ovsdb::Datum>::new())
    }
}

impl<T: Table> Blank for T {}
