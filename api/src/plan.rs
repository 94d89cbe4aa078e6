//! What a write would do: the answer of a dry run.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// What a write would do to the newest state, had it been made.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Plan {
    /// The revision of the state that was planned on.
    pub revision: u64,
    /// The objects that would be created, changed or deleted, as far as the caller may see them; at most 1000.
    pub objects: Vec<PlannedObject>,
    /// How many there are.
    pub objects_total: u64,
    /// What would happen to the flows of switches; null when the change is too large to be counted beforehand.
    pub flows: Option<PlannedFlows>,
    /// Of a file that is applied: objects that were made for it, which it does not name any more, and which stay because
    /// `prune` was not asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub left: Vec<LeftObject>,
}

/// An object that a file does not name any more.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct LeftObject {
    /// The kind of object, as it stands in envelopes.
    pub kind: String,
    /// The object's id.
    pub id: String,
    /// Its name; may be empty.
    pub name: String,
}

/// What would happen to one object.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct PlannedObject {
    /// `created`, `updated` or `deleted`.
    pub verb: String,
    /// The kind of object, as it stands in envelopes.
    pub kind: String,
    /// The object's id.
    pub id: String,
    /// Whose it is; null for what belongs to no tenant.
    pub project_id: Option<String>,
    /// How the API shows it now; null for a new one.
    #[schema(value_type = Option<Object>)]
    pub before: Option<Value>,
    /// How the API would show it; null for one that would be deleted.
    #[schema(value_type = Option<Object>)]
    pub after: Option<Value>,
    /// Attributes of a new object that are drawn by chance: the real write draws others, unless the request says them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub drawn: Vec<String>,
}

/// What would happen to the flows of switches, added up.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct PlannedFlows {
    /// Flows where there was none.
    pub added: u64,
    /// Flows that would do something else.
    pub changed: u64,
    /// Flows that would go.
    pub removed: u64,
    /// On how many hosts.
    pub hosts_total: u64,
    /// Host by host, for administrators; at most 100, those with the most changes first.
    pub hosts: Vec<PlannedHost>,
}

/// What would happen to the flows of one host's switch.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct PlannedHost {
    /// The host's system-id.
    pub id: String,
    /// Its name.
    pub hostname: String,
    /// Flows where there was none.
    pub added: u64,
    /// Flows that would do something else.
    pub changed: u64,
    /// Flows that would go.
    pub removed: u64,
}

/// What a tenant's objects are to be. Every object is written in the words of `/v2.0`, but that objects name each other by
/// name (or id), that subnets stand in their network and rules in their group, and that what is not mentioned is at its
/// default. An object of the tenant that has the name already is brought to what is said of it, any other is made, with
/// the tag `weft-apply=NAME`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct ApplyAsked {
    /// What the file is called: 1 to 40 letters, digits, `-`, `_` and `.`. Objects are deleted only for the file that made
    /// them.
    pub name: String,
    /// The tenant, by id or name; for administrators, for whom there is no default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// Whether objects go that were made for the file and that it does not name any more.
    pub prune: bool,
    /// Networks, each with `subnets`.
    #[schema(value_type = Vec<Object>)]
    pub networks: Vec<Value>,
    /// Security groups, each with `rules` (`remote_group` and `remote_address_group` by name) and `default_egress`
    /// (whether everything may leave, true when absent).
    #[schema(value_type = Vec<Object>)]
    pub security_groups: Vec<Value>,
    /// Routers, each with `external_network`, `enable_snat`, `interfaces` (subnets, or `network/subnet`) and `routes`.
    #[schema(value_type = Vec<Object>)]
    pub routers: Vec<Value>,
    /// Ports, each with its `network`, `fixed_ips` (`subnet`, `ip_address`) and `security_groups`.
    #[schema(value_type = Vec<Object>)]
    pub ports: Vec<Value>,
    /// Floating IPs, each with a `name` of its own (kept in a tag), its `network`, and the `port` that it stands for.
    #[schema(value_type = Vec<Object>)]
    pub floating_ips: Vec<Value>,
}

/// The envelope of a plan.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct PlanEnvelope {
    /// The plan.
    pub plan: Plan,
}
