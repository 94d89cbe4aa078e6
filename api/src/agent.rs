//! Hosts as OpenStack clients know them, as `/v2.0/agents` shows them; all that is known is under `/v1/hosts`.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A host that joined. Nothing of ours runs there; the words are those that OpenStack clients have for it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Agent {
    /// Its `external_ids:system-id`.
    pub id: String,
    /// Always `Open vSwitch agent`.
    pub agent_type: String,
    /// Always `ovs-vswitchd`: what does the work.
    pub binary: String,
    /// Always `N/A`.
    pub topic: String,
    /// Its host name, or its id when it says none.
    pub host: String,
    /// Always true.
    pub admin_state_up: bool,
    /// When it joined, RFC 3339 in UTC.
    pub created_at: String,
    /// When it joined, RFC 3339 in UTC.
    pub started_at: String,
    /// When it was last heard of, as far as that is kept: now while it is connected, else when it joined.
    pub heartbeat_timestamp: String,
    /// Always null.
    pub description: Option<String>,
    /// Always null.
    pub resources_synced: Option<bool>,
    /// Always null.
    pub availability_zone: Option<String>,
    /// Whether both its sessions stand: that of its database and that of its switch.
    pub alive: bool,
    /// How it is set up.
    pub configurations: AgentConfigurations,
}

/// How a host is set up.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct AgentConfigurations {
    /// By which bridges it reaches physical networks.
    pub bridge_mappings: std::collections::BTreeMap<String, String>,
    /// The encapsulations that its tunnels may have.
    pub tunnel_types: Vec<String>,
    /// Where its tunnels end.
    pub tunneling_ip: String,
    /// How many ports of workloads are on it.
    pub devices: usize,
    /// The datapath type of its integration bridge.
    pub datapath_type: String,
    /// The version of its Open vSwitch.
    pub ovs_version: String,
    /// Always true: no question for an address is flooded.
    pub arp_responder_enabled: bool,
    /// Always true: hosts know where addresses are.
    pub l2_population: bool,
    /// Always true: every host routes for itself.
    pub enable_distributed_routing: bool,
}

/// An agent in its envelope.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct AgentEnvelope {
    /// The one.
    pub agent: Agent,
}

/// Agents in their envelope.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct AgentList {
    /// All of them, or one page.
    pub agents: Vec<Agent>,
}
