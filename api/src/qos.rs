//! QoS policies and their rules, as `/v2.0/qos` shows and takes them.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// How much ports may send and get, and which mark their packets leave with.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct QosPolicy {
    /// Its UUID.
    pub id: String,
    /// What the tenant calls it; need not be unique.
    pub name: String,
    /// Whose it is, by the older name of the field.
    pub tenant_id: String,
    /// Whose it is.
    pub project_id: String,
    /// Free text.
    pub description: String,
    /// Whether every tenant may use it.
    pub shared: bool,
    /// Whether new networks of its tenant wear it when they do not say.
    pub is_default: bool,
    /// Its rules.
    pub rules: Vec<QosRule>,
    /// Labels for filtering.
    pub tags: Vec<String>,
    /// When it was created, RFC 3339 in UTC.
    pub created_at: String,
    /// When it was last changed, RFC 3339 in UTC.
    pub updated_at: String,
    /// Grows by one with every change of the policy or its rules.
    pub revision_number: u64,
}

/// A rule as its policy shows it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct QosRule {
    /// Its UUID.
    pub id: String,
    /// `bandwidth_limit` or `dscp_marking`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The policy.
    pub qos_policy_id: String,
    /// See [`BandwidthLimitRule::max_kbps`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_kbps: Option<u32>,
    /// See [`BandwidthLimitRule::max_burst_kbps`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_burst_kbps: Option<u32>,
    /// See [`BandwidthLimitRule::direction`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub direction: Option<String>,
    /// See [`DscpMarkingRule::dscp_mark`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dscp_mark: Option<u8>,
}

/// A QoS policy to create.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct QosPolicyCreate {
    /// At most 255 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// At most 255 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Whose it is to be; an administrator must name one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project_id: Option<String>,
    /// Default false; administrators only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shared: Option<bool>,
    /// Default false; at most one policy of a tenant is the default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_default: Option<bool>,
}

/// Changes to a QoS policy; its rules have addresses of their own.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct QosPolicyUpdate {
    /// See [`QosPolicyCreate::name`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// See [`QosPolicyCreate::description`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// See [`QosPolicyCreate::shared`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shared: Option<bool>,
    /// See [`QosPolicyCreate::is_default`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_default: Option<bool>,
}

/// No more than this, in one direction.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct BandwidthLimitRule {
    /// Its UUID.
    pub id: String,
    /// Thousands of bits a second, 1 to 2147483647.
    pub max_kbps: u32,
    /// How many thousands of bits at once; 0 leaves it to Weft.
    pub max_burst_kbps: u32,
    /// `egress` for what the workload sends, `ingress` for what it gets.
    pub direction: String,
}

/// A limit to create or change; what is absent stays, or takes its default.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct BandwidthLimitRuleAsked {
    /// See [`BandwidthLimitRule::max_kbps`]; needed for a new rule.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_kbps: Option<u32>,
    /// See [`BandwidthLimitRule::max_burst_kbps`]; default 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_burst_kbps: Option<u32>,
    /// See [`BandwidthLimitRule::direction`]; default `egress`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub direction: Option<String>,
}

/// What the workload sends carries this mark.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct DscpMarkingRule {
    /// Its UUID.
    pub id: String,
    /// A differentiated services code point that has a name: 0, 8, 10, ... 46, 48, 56.
    pub dscp_mark: u8,
}

/// A mark to create or change.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct DscpMarkingRuleAsked {
    /// See [`DscpMarkingRule::dscp_mark`]; needed for a new rule.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dscp_mark: Option<u8>,
}

/// A bandwidth that would be kept free: refused, see the description of the route.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct MinimumBandwidthRuleAsked {
    /// Thousands of bits a second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_kbps: Option<u32>,
    /// `egress` or `ingress`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub direction: Option<String>,
}

/// A kind of rule that works here.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct QosRuleType {
    /// `bandwidth_limit` or `dscp_marking`.
    #[serde(rename = "type")]
    pub kind: String,
    /// What makes it work; shown with one type to administrators only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drivers: Option<Vec<QosDriver>>,
}

/// What makes a kind of rule work.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct QosDriver {
    /// Always `openvswitch`.
    pub name: String,
    /// What a rule may say.
    pub supported_parameters: Vec<QosParameter>,
}

/// What a rule may say.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct QosParameter {
    /// Which field of the rule.
    pub parameter_name: String,
    /// `range` or `choices`.
    pub parameter_type: String,
    /// The first and last of a range, or all choices.
    pub parameter_values: Value,
}
