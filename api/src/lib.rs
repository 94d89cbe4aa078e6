//! The words that cross a process boundary: resource types, the problem body, discovery documents.
//!
//! Networks, subnets and ports have the shapes of the OpenStack Networking API v2.0 under `/v2.0`; what that API has no
//! word for lives under `/v1`; `/v3` is the Identity API, as far as its clients need it. Nothing here decides anything, and nothing of ours is imported.
//!
//! Bodies travel in envelopes: `{"network": {...}}` for one, `{"networks": [...]}` for many. Fields that a server of
//! another version does not send read as their defaults, and fields that we do not know are skipped.

pub mod agent;
pub mod audit;
pub mod availability;
pub mod discovery;
pub mod envelope;
pub mod event;
pub mod floating_ip;
pub mod host;
pub mod identity;
pub mod network;
pub mod plan;
pub mod pool;
pub mod port;
pub mod problem;
pub mod progress;
pub mod qos;
pub mod quota;
pub mod rbac;
pub mod router;
pub mod security;
pub mod segment_range;
pub mod subnet;
pub mod tenant;
pub mod token;
pub mod trace;
pub mod trunk;

pub use agent::{Agent, AgentConfigurations, AgentEnvelope, AgentList};
pub use audit::{AuditAuthor, AuditChange, AuditEntry, AuditPage};
pub use availability::{
    IpAvailabilityDetails, NetworkIpAvailability, NetworkIpAvailabilityEnvelope, NetworkIpAvailabilityList,
    SubnetIpAvailability,
};
pub use envelope::{
    AddressGroupEnvelope, AddressGroupList, AddressScopeEnvelope, AddressScopeList,
    BandwidthLimitRuleEnvelope, BandwidthLimitRuleList, DscpMarkingRuleEnvelope, DscpMarkingRuleList,
    FloatingIpEnvelope, FloatingIpList, HostEnvelope, HostList, MinimumBandwidthRuleList, NetworkEnvelope,
    NetworkList, NetworkSegmentRangeEnvelope, NetworkSegmentRangeList, PortEnvelope, PortForwardingEnvelope,
    PortForwardingList, PortList, QosPolicyEnvelope, QosPolicyList, QosRuleTypeEnvelope, QosRuleTypeList,
    RbacPolicyEnvelope, RbacPolicyList, RouterEnvelope, RouterList, SecurityGroupEnvelope, SecurityGroupList,
    SecurityGroupRuleEnvelope, SecurityGroupRuleList, SubnetEnvelope, SubnetList, SubnetPoolEnvelope,
    SubnetPoolList, TagList, TenantEnvelope, TenantList, TokenEnvelope, TokenList, TraceEnvelope,
    TrunkEnvelope, TrunkList,
};
pub use event::Event;
pub use floating_ip::{
    FloatingIp, FloatingIpCreate, FloatingIpUpdate, ForwardingOfFloatingIp, PortDetails, PortForwarding,
    PortForwardingCreate, PortForwardingUpdate,
};
pub use host::{Audit, Host, Tunnel};
pub use network::{Network, NetworkCreate, NetworkUpdate};
pub use plan::{ApplyAsked, LeftObject, Plan, PlanEnvelope, PlannedFlows, PlannedHost, PlannedObject};
pub use pool::{
    AddressScope, AddressScopeCreate, AddressScopeUpdate, SubnetPool, SubnetPoolCreate, SubnetPoolUpdate,
};
pub use port::{DnsAssignment, ExtraDhcpOpt, FixedIp, FixedIpAsked, Port, PortCreate, PortUpdate};
pub use problem::{FieldError, NeutronError, NeutronFault, Problem};
pub use progress::{Applied, Health, Whoami};
pub use qos::{
    BandwidthLimitRule, BandwidthLimitRuleAsked, DscpMarkingRule, DscpMarkingRuleAsked,
    MinimumBandwidthRuleAsked, QosDriver, QosParameter, QosPolicy, QosPolicyCreate, QosPolicyUpdate, QosRule,
    QosRuleType,
};
pub use quota::{
    Quota, QuotaDetail, QuotaDetailsEnvelope, QuotaEnvelope, QuotaList, QuotaOfTenant, QuotaUpdate,
};
pub use rbac::{RbacPolicy, RbacPolicyCreate, RbacPolicyUpdate};
pub use router::{
    ExternalGateway, GatewayAsked, InterfaceAsked, Router, RouterCreate, RouterInterface, RouterRoutes,
    RouterUpdate,
};
pub use security::{
    AddressGroup, AddressGroupAddresses, AddressGroupCreate, AddressGroupUpdate, AddressPair, SecurityGroup,
    SecurityGroupCreate, SecurityGroupRule, SecurityGroupRuleCreate, SecurityGroupUpdate,
};
pub use segment_range::{NetworkSegmentRange, NetworkSegmentRangeCreate, NetworkSegmentRangeUpdate};
pub use subnet::{AllocationPool, HostRoute, Subnet, SubnetCreate, SubnetUpdate};
pub use tenant::{Tenant, TenantCreate, TenantUpdate};
pub use token::{Token, TokenCreate};
pub use trace::{Trace, TraceAsked, TraceObject, TraceOutcome, TraceStep};
pub use trunk::{
    SubPort, SubPortDetails, SubPortRemoved, SubPorts, SubPortsRemoved, Trunk, TrunkCreate, TrunkDetails,
    TrunkUpdate,
};

/// The header on every successful answer: the store's revision that the answer reflects, or that a write made.
pub const REVISION_HEADER: &str = "weft-revision";
