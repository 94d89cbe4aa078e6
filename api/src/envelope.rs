//! Envelopes: the outermost object of every body, with one member named after the resource.

use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

use crate::discovery::Link;
use crate::{
    AddressGroup, AddressScope, BandwidthLimitRule, DscpMarkingRule, FloatingIp, Host, Network,
    NetworkSegmentRange, Port, PortForwarding, QosPolicy, QosRuleType, RbacPolicy, Router, SecurityGroup,
    SecurityGroupRule, Subnet, SubnetPool, Tenant, Token, Trace, Trunk,
};

macro_rules! envelopes {
    ($($one:ident($field:ident), $many:ident($fields:ident), $of:ty, $links:literal;)*) => {$(
        /// One of them, in its envelope.
        #[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
        pub struct $one {
            /// The one.
            pub $field: $of,
        }

        /// Many of them, in their envelope.
        #[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
        pub struct $many {
            /// All of them, or one page.
            pub $fields: Vec<$of>,
            /// Where the next and the previous page are, for a list asked for with `limit`.
            #[serde(rename = $links, default, skip_serializing_if = "Vec::is_empty")]
            pub links: Vec<Link>,
        }
    )*};
}

envelopes! {
    NetworkEnvelope(network), NetworkList(networks), Network, "networks_links";
    SubnetEnvelope(subnet), SubnetList(subnets), Subnet, "subnets_links";
    PortEnvelope(port), PortList(ports), Port, "ports_links";
    RouterEnvelope(router), RouterList(routers), Router, "routers_links";
    FloatingIpEnvelope(floatingip), FloatingIpList(floatingips), FloatingIp, "floatingips_links";
    PortForwardingEnvelope(port_forwarding), PortForwardingList(port_forwardings), PortForwarding,
        "port_forwardings_links";
    SecurityGroupEnvelope(security_group), SecurityGroupList(security_groups), SecurityGroup, "security_groups_links";
    SecurityGroupRuleEnvelope(security_group_rule), SecurityGroupRuleList(security_group_rules), SecurityGroupRule,
        "security_group_rules_links";
    AddressGroupEnvelope(address_group), AddressGroupList(address_groups), AddressGroup, "address_groups_links";
    TrunkEnvelope(trunk), TrunkList(trunks), Trunk, "trunks_links";
    QosPolicyEnvelope(policy), QosPolicyList(policies), QosPolicy, "policies_links";
    BandwidthLimitRuleEnvelope(bandwidth_limit_rule), BandwidthLimitRuleList(bandwidth_limit_rules),
        BandwidthLimitRule, "bandwidth_limit_rules_links";
    DscpMarkingRuleEnvelope(dscp_marking_rule), DscpMarkingRuleList(dscp_marking_rules), DscpMarkingRule,
        "dscp_marking_rules_links";
    QosRuleTypeEnvelope(rule_type), QosRuleTypeList(rule_types), QosRuleType, "rule_types_links";
    AddressScopeEnvelope(address_scope), AddressScopeList(address_scopes), AddressScope, "address_scopes_links";
    SubnetPoolEnvelope(subnetpool), SubnetPoolList(subnetpools), SubnetPool, "subnetpools_links";
    NetworkSegmentRangeEnvelope(network_segment_range), NetworkSegmentRangeList(network_segment_ranges),
        NetworkSegmentRange, "network_segment_ranges_links";
    RbacPolicyEnvelope(rbac_policy), RbacPolicyList(rbac_policies), RbacPolicy, "rbac_policies_links";
    TenantEnvelope(tenant), TenantList(tenants), Tenant, "tenants_links";
    HostEnvelope(host), HostList(hosts), Host, "hosts_links";
}

/// The minimum bandwidth rules of a policy: none, as they would not hold here.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct MinimumBandwidthRuleList {
    /// Always empty.
    pub minimum_bandwidth_rules: Vec<crate::qos::MinimumBandwidthRuleAsked>,
}

/// A token in its envelope. The answer to a creation is a bare [`Token`] with the secret instead.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct TokenEnvelope {
    /// The token.
    pub token: Token,
}

/// The tokens of a tenant, without their secrets.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct TokenList {
    /// All of them.
    pub tokens: Vec<Token>,
}

/// A trace in its envelope.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct TraceEnvelope {
    /// The trace.
    pub trace: Trace,
}

/// The tags of an object.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct TagList {
    /// All of them.
    pub tags: Vec<String>,
}

/// Reads a field that may be absent (`None`), null (`Some(None)`) or there.
pub(crate) fn nullable<'de, T, D>(deserializer: D) -> Result<Option<Option<T>>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    Option::deserialize(deserializer).map(Some)
}
