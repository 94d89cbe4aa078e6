//! Hosts and their tunnels, as `/v1/hosts` shows them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A machine with an Open vSwitch that joined.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Host {
    /// Its `external_ids:system-id`.
    pub id: String,
    /// Its `external_ids:hostname`.
    pub hostname: String,
    /// Its small number; tunnel ports towards it are pinned by it.
    pub index: u16,
    /// The addresses of its VTEP (`external_ids:weft-encap-ip`).
    pub encap_ips: Vec<String>,
    /// Which bridge leads to which physical network (`external_ids:weft-bridge-mappings`), as the controller last read it.
    pub bridge_mappings: std::collections::BTreeMap<String, String>,
    /// The version of its Open vSwitch.
    pub ovs_version: String,
    /// The datapath type of its integration bridge: `system` or `netdev`.
    pub datapath_type: String,
    /// When it first joined, RFC 3339 in UTC.
    pub joined_at: String,
    /// `UP` when both sessions are there and nothing is wrong, `DEGRADED` when something is, `DOWN` without a session.
    pub status: String,
    /// Its `ovsdb-server` has a session with the controller.
    pub ovsdb_connected: bool,
    /// Its integration bridge has a session with the controller.
    pub openflow_connected: bool,
    /// Every change up to this revision that concerns the host is in force on it.
    pub confirmed_revision: u64,
    /// How many flows it is meant to have.
    pub flows: usize,
    /// How many ports are bound on it.
    pub ports: usize,
    /// Its tunnels.
    pub tunnels: Vec<Tunnel>,
    /// What needs a person's attention.
    pub problems: Vec<String>,
    /// Flows and groups put right because they differed from what is wanted.
    pub drift_repaired: u64,
    /// What comparing its switch with what is wanted has shown.
    pub audit: Audit,
    /// Flow and group messages sent to it since the controller started.
    pub flow_messages_sent: u64,
}

/// What comparing a host's switch with what is wanted has shown since the controller started.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Audit {
    /// When it was last compared, RFC 3339 in UTC, or null.
    pub last: Option<String>,
    /// How often it was compared.
    pub audits: u64,
    /// Flows and groups put right because they differed from what is wanted.
    pub drift_repaired: u64,
    /// The first differences that the last comparison with any found, each in the words of `ovs-ofctl` and with its owner.
    pub last_difference: Vec<String>,
    /// How often what is kept up to date change by change was not what compiling from scratch gives.
    pub self_check_failed: u64,
    /// Its switch tells of changes that others make to its flows, so that they are put right at once.
    pub monitored: bool,
}

/// One tunnel port of a host.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Tunnel {
    /// The interface's name.
    pub name: String,
    /// `vxlan`, `geneve` or `gre`.
    pub encap: String,
    /// The host at the other end.
    pub peer: String,
    /// The address that it sends to.
    pub remote_ip: String,
    /// The number that Open vSwitch gave it, or null while it has none.
    pub ofport: Option<i64>,
    /// What Open vSwitch says is wrong with it, or null.
    pub error: Option<String>,
}
