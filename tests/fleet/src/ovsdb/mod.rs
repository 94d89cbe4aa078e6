//! The database of one simulated host: an OVSDB server as a state machine over bytes, with what ovs-vswitchd does to it.

use std::net::IpAddr;

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
    /// `ovs-vsctl add-port br-int NAME -- set Interface NAME external_ids:iface-id=ID`.
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

/// The database of one host.
#[derive(Debug)]
pub struct Database {
    input: Vec<u8>,
}

impl Database {
    /// A database as `ovs-vsctl init` and the operator's join command leave it: no bridge yet.
    pub fn new(_identity: &HostIdentity, _template: &Template) -> Database {
        Database { input: Vec::new() }
    }

    /// Takes bytes of the stream, in any pieces; appends answers and updates to `out`.
    pub fn handle(&mut self, input: &[u8], _out: &mut Vec<u8>) -> Vec<Effect> {
        self.input.clear();
        self.input.extend_from_slice(&input[..0]);
        Vec::new()
    }

    /// A local writer changes rows; updates for whoever monitors them are appended to `out`.
    pub fn local(&mut self, _change: LocalChange, _out: &mut Vec<u8>) -> Vec<Effect> {
        Vec::new()
    }

    /// The connection has ended: monitors, locks and half a message are forgotten, rows are kept.
    pub fn disconnected(&mut self) {
        self.input = Vec::new();
    }

    /// The switch has restarted: every interface keeps its row; effects tell bridges and ports as at first.
    pub fn effects_of_restart(&self) -> Vec<Effect> {
        Vec::new()
    }

    /// Bytes that the rows take on the heap.
    pub fn resident_bytes(&self) -> usize {
        self.input.capacity()
    }
}
