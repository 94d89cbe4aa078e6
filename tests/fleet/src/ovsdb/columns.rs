//! The numbers of the columns that the host's own side reads and writes.

use super::schema::{Table, column};

pub(super) const NAME: u8 = column(Table::Interface, "name");
pub(super) const KIND: u8 = column(Table::Interface, "type");
pub(super) const OPTIONS: u8 = column(Table::Interface, "options");
pub(super) const OFPORT: u8 = column(Table::Interface, "ofport");
pub(super) const REQUEST: u8 = column(Table::Interface, "ofport_request");
pub(super) const ERROR: u8 = column(Table::Interface, "error");
pub(super) const MAC: u8 = column(Table::Interface, "mac");
pub(super) const MAC_IN_USE: u8 = column(Table::Interface, "mac_in_use");
pub(super) const ADMIN_STATE: u8 = column(Table::Interface, "admin_state");
pub(super) const LINK_STATE: u8 = column(Table::Interface, "link_state");
pub(super) const LINK_RESETS: u8 = column(Table::Interface, "link_resets");
pub(super) const IFINDEX: u8 = column(Table::Interface, "ifindex");
pub(super) const MTU: u8 = column(Table::Interface, "mtu");
pub(super) const INTERFACES: u8 = column(Table::Port, "interfaces");
pub(super) const PORTS: u8 = column(Table::Bridge, "ports");
pub(super) const BRIDGE_NAME: u8 = column(Table::Bridge, "name");
pub(super) const DATAPATH_TYPE: u8 = column(Table::Bridge, "datapath_type");
pub(super) const DATAPATH_ID: u8 = column(Table::Bridge, "datapath_id");
pub(super) const DATAPATH_VERSION: u8 = column(Table::Bridge, "datapath_version");
pub(super) const SETTINGS: u8 = column(Table::Bridge, "other_config");
pub(super) const BRIDGE_EXTERNAL_IDS: u8 = column(Table::Bridge, "external_ids");
pub(super) const CONTROLLER: u8 = column(Table::Bridge, "controller");
pub(super) const TARGET: u8 = column(Table::Controller, "target");
pub(super) const BACKOFF: u8 = column(Table::Controller, "max_backoff");
pub(super) const NEXT_CFG: u8 = column(Table::OpenVSwitch, "next_cfg");
pub(super) const CUR_CFG: u8 = column(Table::OpenVSwitch, "cur_cfg");
pub(super) const EXTERNAL_IDS: u8 = column(Table::Interface, "external_ids");
pub(super) const PORT_NAME: u8 = column(Table::Port, "name");
pub(super) const BRIDGES: u8 = column(Table::OpenVSwitch, "bridges");
pub(super) const ROOT_EXTERNAL_IDS: u8 = column(Table::OpenVSwitch, "external_ids");
pub(super) const DATAPATH_TYPES: u8 = column(Table::OpenVSwitch, "datapath_types");
pub(super) const IFACE_TYPES: u8 = column(Table::OpenVSwitch, "iface_types");
pub(super) const OVS_VERSION: u8 = column(Table::OpenVSwitch, "ovs_version");
pub(super) const DB_VERSION: u8 = column(Table::OpenVSwitch, "db_version");
