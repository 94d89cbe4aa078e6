//! The tables and columns of the Open_vSwitch database that a simulated host has, and the schema text that says so.
//!
//! Tables that a controller of tunnels and flows never sees (mirrors, QoS, sFlow and the like) are left out, with the
//! columns that point at them; for the rest, names and types are those of Open vSwitch 3.1.

use std::sync::OnceLock;

use serde_json::{Map, Value, json};

/// The version of the schema whose tables these are.
pub(super) const VERSION: &str = "8.3.1";
/// The name of the database.
pub(super) const DATABASE: &str = "Open_vSwitch";
/// Stands for the pseudo-column `_uuid` where a column is named.
pub(super) const UUID: u8 = 254;
/// Stands for the pseudo-column `_version`.
pub(super) const VERSION_COLUMN: u8 = 255;
/// A set or map without an upper bound.
const UNLIMITED: u32 = u32::MAX;

/// A table. In the order of their names, which is the order of updates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Table {
    Bridge,
    Controller,
    Interface,
    Manager,
    OpenVSwitch,
    Port,
}

/// What an atom may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Base {
    Text,
    /// Text that is one of these.
    Words(&'static [&'static str]),
    Integer,
    /// An integer from here to there, both included.
    Range(i64, i64),
    Boolean,
    /// The id of any row.
    Uuid,
    /// The id of a row of this table, which must be there.
    Row(Table),
}

/// A column: a set of up to `max` atoms, or a map when there is a `value`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Column {
    pub(super) name: &'static str,
    pub(super) key: Base,
    pub(super) value: Option<Base>,
    pub(super) min: u32,
    pub(super) max: u32,
    pub(super) is_mutable: bool,
    pub(super) is_ephemeral: bool,
}

impl Column {
    const fn new(name: &'static str, key: Base, min: u32, max: u32) -> Column {
        Column { name, key, value: None, min, max, is_mutable: true, is_ephemeral: false }
    }

    const fn fixed(mut self) -> Column {
        self.is_mutable = false;
        self
    }

    const fn ephemeral(mut self) -> Column {
        self.is_ephemeral = true;
        self
    }

    const fn at_least_one(mut self) -> Column {
        self.min = 1;
        self
    }

    /// Whether it holds one atom at most, so that changes show it as a whole.
    pub(super) fn is_single(&self) -> bool {
        self.max == 1
    }

    /// Whether it is exactly one atom.
    pub(super) fn is_scalar(&self) -> bool {
        self.min == 1 && self.max == 1 && self.value.is_none()
    }
}

const fn one(name: &'static str, key: Base) -> Column {
    Column::new(name, key, 1, 1)
}

const fn maybe(name: &'static str, key: Base) -> Column {
    Column::new(name, key, 0, 1)
}

const fn set(name: &'static str, key: Base) -> Column {
    Column::new(name, key, 0, UNLIMITED)
}

const fn vlans(name: &'static str) -> Column {
    Column::new(name, VLAN, 0, 4096)
}

const fn map(name: &'static str) -> Column {
    let mut column = set(name, Base::Text);
    column.value = Some(Base::Text);
    column
}

const fn counters(name: &'static str) -> Column {
    let mut column = map(name).ephemeral();
    column.value = Some(Base::Integer);
    column
}

use Base::{Boolean, Integer, Range, Row, Text, Words};

const VLAN: Base = Range(0, 4095);
const UP_DOWN: Base = Words(&["up", "down"]);
const BAND: Base = Words(&["in-band", "out-of-band"]);
const VERSIONS: Base =
    Words(&["OpenFlow10", "OpenFlow11", "OpenFlow12", "OpenFlow13", "OpenFlow14", "OpenFlow15"]);
const VLAN_MODES: Base = Words(&["trunk", "access", "native-tagged", "native-untagged", "dot1q-tunnel"]);

const BRIDGE: &[Column] = &[
    set("controller", Row(Table::Controller)),
    maybe("datapath_id", Text).ephemeral(),
    one("datapath_type", Text),
    one("datapath_version", Text),
    map("external_ids"),
    maybe("fail_mode", Words(&["standalone", "secure"])),
    vlans("flood_vlans"),
    one("mcast_snooping_enable", Boolean),
    one("name", Text).fixed(),
    map("other_config"),
    set("ports", Row(Table::Port)),
    set("protocols", VERSIONS),
    one("rstp_enable", Boolean),
    map("rstp_status").ephemeral(),
    map("status").ephemeral(),
    one("stp_enable", Boolean),
];

const CONTROLLER: &[Column] = &[
    maybe("connection_mode", BAND),
    maybe("controller_burst_limit", Range(25, i64::MAX)),
    maybe("controller_queue_size", Range(1, 512)),
    maybe("controller_rate_limit", Range(100, i64::MAX)),
    maybe("enable_async_messages", Boolean),
    map("external_ids"),
    maybe("inactivity_probe", Integer),
    one("is_connected", Boolean).ephemeral(),
    maybe("local_gateway", Text),
    maybe("local_ip", Text),
    maybe("local_netmask", Text),
    maybe("max_backoff", Range(1000, i64::MAX)),
    map("other_config"),
    maybe("role", Words(&["other", "master", "slave"])).ephemeral(),
    map("status").ephemeral(),
    one("target", Text),
    maybe("type", Words(&["primary", "service"])),
];

const INTERFACE: &[Column] = &[
    maybe("admin_state", UP_DOWN).ephemeral(),
    map("bfd"),
    map("bfd_status").ephemeral(),
    maybe("cfm_fault", Boolean).ephemeral(),
    set("cfm_fault_status", Text).ephemeral(),
    maybe("cfm_flap_count", Integer),
    maybe("cfm_health", Range(0, 100)).ephemeral(),
    maybe("cfm_mpid", Integer),
    set("cfm_remote_mpids", Integer).ephemeral(),
    maybe("cfm_remote_opstate", UP_DOWN).ephemeral(),
    maybe("duplex", Words(&["half", "full"])).ephemeral(),
    maybe("error", Text),
    map("external_ids"),
    maybe("ifindex", Range(0, u32::MAX as i64)).ephemeral(),
    one("ingress_policing_burst", Range(0, i64::MAX)),
    one("ingress_policing_kpkts_burst", Range(0, i64::MAX)),
    one("ingress_policing_kpkts_rate", Range(0, i64::MAX)),
    one("ingress_policing_rate", Range(0, i64::MAX)),
    maybe("lacp_current", Boolean).ephemeral(),
    maybe("link_resets", Integer).ephemeral(),
    maybe("link_speed", Integer).ephemeral(),
    maybe("link_state", UP_DOWN).ephemeral(),
    map("lldp"),
    maybe("mac", Text),
    maybe("mac_in_use", Text).ephemeral(),
    maybe("mtu", Integer).ephemeral(),
    maybe("mtu_request", Range(1, i64::MAX)),
    one("name", Text).fixed(),
    maybe("ofport", Integer),
    maybe("ofport_request", Range(1, 65_279)),
    map("options"),
    map("other_config"),
    counters("statistics"),
    map("status").ephemeral(),
    one("type", Text),
];

const MANAGER: &[Column] = &[
    maybe("connection_mode", BAND),
    map("external_ids"),
    maybe("inactivity_probe", Integer),
    one("is_connected", Boolean).ephemeral(),
    maybe("max_backoff", Range(1000, i64::MAX)),
    map("other_config"),
    map("status").ephemeral(),
    one("target", Text),
];

const OPEN_VSWITCH: &[Column] = &[
    set("bridges", Row(Table::Bridge)),
    one("cur_cfg", Integer),
    set("datapath_types", Text),
    maybe("db_version", Text),
    one("dpdk_initialized", Boolean),
    maybe("dpdk_version", Text),
    map("external_ids"),
    set("iface_types", Text),
    set("manager_options", Row(Table::Manager)),
    one("next_cfg", Integer),
    map("other_config"),
    maybe("ovs_version", Text),
    map("statistics").ephemeral(),
    maybe("system_type", Text),
    maybe("system_version", Text),
];

const PORT: &[Column] = &[
    maybe("bond_active_slave", Text),
    one("bond_downdelay", Integer),
    one("bond_fake_iface", Boolean),
    maybe("bond_mode", Words(&["balance-tcp", "balance-slb", "active-backup"])),
    one("bond_updelay", Integer),
    vlans("cvlans"),
    map("external_ids"),
    one("fake_bridge", Boolean),
    set("interfaces", Row(Table::Interface)).at_least_one(),
    maybe("lacp", Words(&["active", "passive", "off"])),
    maybe("mac", Text),
    one("name", Text).fixed(),
    map("other_config"),
    one("protected", Boolean),
    counters("rstp_statistics"),
    map("rstp_status").ephemeral(),
    counters("statistics"),
    map("status").ephemeral(),
    maybe("tag", VLAN),
    vlans("trunks"),
    maybe("vlan_mode", VLAN_MODES),
];

/// The pseudo-column of a row's identity.
const IDENTITY: Column = one("_uuid", Base::Uuid);
/// The pseudo-column of a row's version.
const REVISION: Column = one("_version", Base::Uuid);

impl Table {
    /// All tables, in the order of their names.
    pub(super) const ALL: [Table; 6] =
        [Table::Bridge, Table::Controller, Table::Interface, Table::Manager, Table::OpenVSwitch, Table::Port];

    pub(super) fn name(self) -> &'static str {
        match self {
            Table::Bridge => "Bridge",
            Table::Controller => "Controller",
            Table::Interface => "Interface",
            Table::Manager => "Manager",
            Table::OpenVSwitch => DATABASE,
            Table::Port => "Port",
        }
    }

    pub(super) fn named(name: &str) -> Option<Table> {
        Table::ALL.into_iter().find(|table| table.name() == name)
    }

    /// Its columns in the order of their names; a column's number is its position here.
    pub(super) const fn columns(self) -> &'static [Column] {
        match self {
            Table::Bridge => BRIDGE,
            Table::Controller => CONTROLLER,
            Table::Interface => INTERFACE,
            Table::Manager => MANAGER,
            Table::OpenVSwitch => OPEN_VSWITCH,
            Table::Port => PORT,
        }
    }

    pub(super) fn column(self, number: u8) -> &'static Column {
        match number {
            UUID => &IDENTITY,
            VERSION_COLUMN => &REVISION,
            _ => &self.columns()[usize::from(number)],
        }
    }

    /// The number of a column by name, pseudo-columns included.
    pub(super) fn column_named(self, name: &str) -> Option<u8> {
        match name {
            "_uuid" => Some(UUID),
            "_version" => Some(VERSION_COLUMN),
            _ => {
                let found = self.columns().binary_search_by(|column| column.name.cmp(name)).ok()?;
                u8::try_from(found).ok()
            }
        }
    }

    /// Whether rows stay without anything pointing at them.
    pub(super) fn is_root(self) -> bool {
        self == Table::OpenVSwitch
    }

    /// How many rows there may be.
    pub(super) fn max_rows(self) -> Option<usize> {
        (self == Table::OpenVSwitch).then_some(1)
    }

    /// The column in which no two rows may be alike.
    pub(super) const fn index(self) -> Option<u8> {
        match self {
            Table::Bridge | Table::Interface | Table::Port => Some(column(self, "name")),
            Table::Manager => Some(column(self, "target")),
            Table::Controller | Table::OpenVSwitch => None,
        }
    }
}

/// The number of a column that exists, at compile time.
pub(super) const fn column(table: Table, name: &str) -> u8 {
    let columns = table.columns();
    let mut at = 0;
    while at < columns.len() {
        if is_same(columns[at].name.as_bytes(), name.as_bytes()) {
            return at as u8;
        }
        at += 1;
    }
    panic!("there is no such column")
}

const fn is_same(one: &[u8], other: &[u8]) -> bool {
    let mut at = 0;
    while at < one.len() && at < other.len() && one[at] == other[at] {
        at += 1;
    }
    at == one.len() && at == other.len()
}

/// The schema as `get_schema` shows it.
pub(super) fn text() -> &'static str {
    static TEXT: OnceLock<String> = OnceLock::new();
    TEXT.get_or_init(|| {
        let tables: Map<String, Value> =
            Table::ALL.into_iter().map(|table| (table.name().to_owned(), describe(table))).collect();
        json!({"name": DATABASE, "version": VERSION, "tables": tables}).to_string()
    })
}

fn describe(table: Table) -> Value {
    let columns: Map<String, Value> =
        table.columns().iter().map(|column| (column.name.to_owned(), describe_column(column))).collect();
    let mut description = json!({"columns": columns});
    if table.is_root() {
        description["isRoot"] = json!(true);
    }
    if let Some(rows) = table.max_rows() {
        description["maxRows"] = json!(rows);
    }
    if let Some(index) = table.index() {
        description["indexes"] = json!([[table.column(index).name]]);
    }
    description
}

fn describe_column(column: &Column) -> Value {
    let mut kind = json!({"key": describe_base(column.key)});
    if let Some(value) = column.value {
        kind["value"] = describe_base(value);
    }
    if column.min != 1 {
        kind["min"] = json!(column.min);
    }
    match column.max {
        1 => {}
        UNLIMITED => kind["max"] = json!("unlimited"),
        max => kind["max"] = json!(max),
    }
    let mut description = json!({"type": kind});
    if !column.is_mutable {
        description["mutable"] = json!(false);
    }
    if column.is_ephemeral {
        description["ephemeral"] = json!(true);
    }
    description
}

fn describe_base(base: Base) -> Value {
    match base {
        Text => json!("string"),
        Words(words) => json!({"type": "string", "enum": ["set", words]}),
        Integer => json!("integer"),
        Range(least, i64::MAX) => json!({"type": "integer", "minInteger": least}),
        Range(least, most) => json!({"type": "integer", "minInteger": least, "maxInteger": most}),
        Boolean => json!("boolean"),
        Base::Uuid => json!("uuid"),
        Row(table) => json!({"type": "uuid", "refTable": table.name()}),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_in_the_order_of_their_names_and_few_enough_for_a_mask() {
        for table in Table::ALL {
            let names: Vec<&str> = table.columns().iter().map(|column| column.name).collect();
            assert!(names.is_sorted(), "{names:?}");
            assert!(names.len() <= 62, "{}", table.name());
        }
        assert!(Table::ALL.map(Table::name).is_sorted());
    }
}
