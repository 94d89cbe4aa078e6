//! The nouns of desired state, valid by construction, and the snapshot that holds them.
//!
//! This crate is the bottom of the pure world: no I/O, no clock, no randomness, no hash order.
//! Everything else reads a [`Snapshot`]; only [`Snapshot::apply`] makes a new one from [`Change`]s.

mod address;
pub mod binding;
pub mod change;
pub mod dhcp;
pub mod gateway;
pub mod host;
pub mod ids;
pub mod intent;
pub mod mac;
pub mod names;
pub mod network;
mod ordered;
pub mod pool;
pub mod port;
pub mod qos;
pub mod quota;
pub mod router;
pub mod security;
pub mod sharing;
pub mod snapshot;
pub mod stamp;
pub mod subnet;
pub mod tenant;
pub mod trunk;
pub mod user;

pub use binding::{Behind, Binding};
pub use change::{Change, Counters, Key, Record};
pub use dhcp::{DhcpFamily, DhcpOption};
pub use gateway::{
    FLOATING_IP, FloatingIp, FloatingTarget, GATEWAY_HOSTS, Gateway, PortForwarding, PortRange,
    ROUTER_GATEWAY, Transport,
};
pub use host::{BridgeMappings, EncapIps, Host};
pub use ids::{
    AddressGroupId, AddressScopeId, AppCredentialId, FloatingIpId, GatewayZone, HostId, HostIndex, NetworkId,
    OfPort, PhysnetKey, PolicyKey, PortForwardingId, PortId, PortKey, QosPolicyId, QosRuleId, RbacPolicyId,
    Revision, RouterId, RouterKey, RuleKey, SecurityGroupId, SecurityRuleId, SegmentRangeId, SubnetId,
    SubnetPoolId, TenantId, TokenId, TrunkId, UserId, VlanId, Vni,
};
pub use mac::MacAddr;
pub use network::{Encap, Mtu, Network, PhysicalNetwork, Segment, SegmentRange};
pub use pool::{AddressScope, SubnetPool, family_of};
pub use port::{FixedIp, Port, PortSecurity};
pub use qos::{Dscp, Kbps, QosPolicy, QosRule, QosRuleKind, RateLimit};
pub use quota::{Quota, QuotaKind};
pub use router::{NextHop, ROUTER_INTERFACE, Route, Router};
pub use security::{
    AddressGroup, AllowedPair, Direction, Family, GroupRole, Policy, Remote, SecurityGroup, SecurityRule,
    Service, Tracking,
};
pub use sharing::{Access, Audience, RbacPolicy, SharedKind, SharedObject};
pub use snapshot::{AddressCount, Named, Snapshot};
pub use stamp::{Stamp, Timestamp};
pub use subnet::{AddressRange, HostRoute, Ipv6Mode, Subnet};
pub use tenant::{Session, Tenant, Token, TokenRole};
pub use trunk::Trunk;
pub use user::{AppCredential, Assignment, CredentialReach, CredentialSecret, PasswordHash, Role, User};
