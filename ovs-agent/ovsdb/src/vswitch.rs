//! The tables of the Open_vSwitch database that we read and write (ovs-vswitchd.conf.db(5)).
//!
//! Statistics are left out on purpose: they change every few seconds on every interface of every host.

use std::collections::{BTreeMap, BTreeSet};

use crate::ovsdb_table;
use crate::table::Id;

/// The name of the database.
pub const DATABASE: &str = "Open_vSwitch";

/// A free-form dictionary, as `external_ids` and `other_config` are.
pub type Dictionary = BTreeMap<String, String>;

ovsdb_table! {
    /// The one row that stands for the host's whole configuration.
    pub struct OpenVSwitch in "Open_vSwitch" {
        /// The bridges.
        must bridges: BTreeSet<Id<Bridge>>,
        /// Who may manage this database.
        must manager_options: BTreeSet<Id<Manager>>,
        /// Free-form: `system-id` and what joining left here.
        must external_ids: Dictionary,
        /// Settings of the daemon.
        must other_config: Dictionary,
        /// Counted up by whoever changes something and wants to know when it is in force.
        must next_cfg: i64,
        /// The last value of `next_cfg` that the daemon has carried out.
        must cur_cfg: i64,
        /// The daemon's version.
        may ovs_version: Option<String>,
        /// The schema's version.
        may db_version: Option<String>,
        /// The operating system.
        may system_type: Option<String>,
        /// Its version.
        may system_version: Option<String>,
        /// The datapath types that this daemon supports.
        may datapath_types: BTreeSet<String>,
        /// The interface types that this daemon supports.
        may iface_types: BTreeSet<String>,
    }
}

ovsdb_table! {
    /// A bridge: one OpenFlow switch.
    pub struct Bridge in "Bridge" {
        /// Its name; never changes.
        must name: String,
        /// `system`, `netdev` or empty.
        must datapath_type: String,
        /// What the daemon chose, as 16 hex digits.
        must datapath_id: Option<String>,
        /// The ports.
        must ports: BTreeSet<Id<Port>>,
        /// The OpenFlow controllers.
        must controller: BTreeSet<Id<Controller>>,
        /// The OpenFlow versions allowed; none means the daemon's default.
        must protocols: BTreeSet<String>,
        /// `standalone` or `secure`; none means standalone.
        must fail_mode: Option<String>,
        /// Settings, among them `datapath-id` and `disable-in-band`.
        must other_config: Dictionary,
        /// Free-form.
        must external_ids: Dictionary,
        /// The mirrors.
        may mirrors: BTreeSet<Id<Mirror>>,
        /// The version of the datapath module.
        may datapath_version: String,
    }
}

ovsdb_table! {
    /// A port of a bridge; several interfaces make it a bond.
    pub struct Port in "Port" {
        /// Its name; never changes.
        must name: String,
        /// The interfaces, at least one.
        must interfaces: BTreeSet<Id<Interface>>,
        /// The VLAN of an access port.
        must tag: Option<i64>,
        /// The VLANs of a trunk.
        must trunks: BTreeSet<i64>,
        /// How VLANs are treated.
        may vlan_mode: Option<String>,
        /// The shaping of what leaves.
        may qos: Option<Id<Qos>>,
        /// Settings.
        must other_config: Dictionary,
        /// Free-form.
        must external_ids: Dictionary,
    }
}

ovsdb_table! {
    /// An interface: what packets go through.
    pub struct Interface in "Interface" {
        /// Its name; never changes.
        must name: String,
        /// `vxlan`, `internal`, `patch`...; empty for a device of the system.
        must kind as "type": String,
        /// Settings of its type, `remote_ip` and `key` among them.
        must options: Dictionary,
        /// Free-form: `iface-id` binds it to a port of ours.
        must external_ids: Dictionary,
        /// The OpenFlow port number; none until the daemon has configured it, -1 where it could not.
        must ofport: Option<i64>,
        /// The OpenFlow port number wished for.
        must ofport_request: Option<i64>,
        /// The MAC address in use.
        must mac_in_use: Option<String>,
        /// The MAC address wished for.
        must mac: Option<String>,
        /// `up` or `down`, as the administrator set it.
        must admin_state: Option<String>,
        /// `up` or `down`, as the link is.
        must link_state: Option<String>,
        /// The MTU in bytes.
        must mtu: Option<i64>,
        /// The MTU wished for, in bytes.
        may mtu_request: Option<i64>,
        /// The index of the network device.
        may ifindex: Option<i64>,
        /// Why it could not be configured.
        may error: Option<String>,
        /// Settings of bidirectional forwarding detection.
        must bfd: Dictionary,
        /// What bidirectional forwarding detection sees.
        must bfd_status: Dictionary,
        /// Settings.
        must other_config: Dictionary,
    }
}

ovsdb_table! {
    /// An OpenFlow controller of a bridge.
    pub struct Controller in "Controller" {
        /// `tcp:HOST:PORT`, `ssl:HOST:PORT`...
        must target: String,
        /// `in-band` or `out-of-band`.
        must connection_mode: Option<String>,
        /// The longest wait between attempts, in milliseconds.
        must max_backoff: Option<i64>,
        /// How long it may be quiet before a probe, in milliseconds; 0 is never.
        must inactivity_probe: Option<i64>,
        /// Whether it is connected; up to five seconds late.
        must is_connected: bool,
        /// `other`, `master` or `slave`.
        must role: Option<String>,
        /// What the connection is doing.
        must status: Dictionary,
        /// Settings.
        must other_config: Dictionary,
        /// Free-form.
        must external_ids: Dictionary,
    }
}

ovsdb_table! {
    /// Someone who may manage the database.
    pub struct Manager in "Manager" {
        /// `tcp:HOST:PORT`, `ptcp:PORT`...
        must target: String,
        /// How long it may be quiet before a probe, in milliseconds; 0 is never.
        must inactivity_probe: Option<i64>,
        /// The longest wait between attempts, in milliseconds.
        must max_backoff: Option<i64>,
        /// Whether it is connected.
        must is_connected: bool,
        /// What the connection is doing.
        must status: Dictionary,
        /// Settings.
        must other_config: Dictionary,
        /// Free-form.
        must external_ids: Dictionary,
    }
}

ovsdb_table! {
    /// A copy of chosen traffic to another port or VLAN.
    pub struct Mirror in "Mirror" {
        /// Its name.
        must name: String,
        /// Whether everything is copied.
        must select_all: bool,
        /// Ports whose arriving packets are copied.
        must select_src_port: BTreeSet<Id<Port>>,
        /// Ports whose leaving packets are copied.
        must select_dst_port: BTreeSet<Id<Port>>,
        /// Where copies go.
        must output_port: Option<Id<Port>>,
        /// The VLAN that copies go to.
        must output_vlan: Option<i64>,
        /// Free-form.
        must external_ids: Dictionary,
    }
}

ovsdb_table! {
    /// The shaping of what leaves a port.
    pub struct Qos in "QoS" {
        /// `linux-htb` and the like.
        must kind as "type": String,
        /// The queues by number.
        must queues: BTreeMap<i64, Id<Queue>>,
        /// Settings of its type.
        must other_config: Dictionary,
        /// Free-form.
        must external_ids: Dictionary,
    }
}

ovsdb_table! {
    /// One class of traffic of a [`Qos`].
    pub struct Queue in "Queue" {
        /// The DSCP value that its packets are marked with.
        must dscp: Option<i64>,
        /// Settings of its class.
        must other_config: Dictionary,
        /// Free-form.
        must external_ids: Dictionary,
    }
}
