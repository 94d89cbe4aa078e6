//! What a commit changes: records put and keys deleted.

use std::sync::Arc;

use crate::{
    AddressGroup, AddressGroupId, AddressScope, AddressScopeId, AppCredential, AppCredentialId, Assignment,
    Binding, FloatingIp, FloatingIpId, Host, HostId, Network, NetworkId, PhysicalNetwork, PhysnetKey, Policy,
    PolicyKey, Port, PortForwarding, PortForwardingId, PortId, QosPolicy, QosPolicyId, Quota, RbacPolicy,
    RbacPolicyId, Router, RouterId, SecurityGroup, SecurityGroupId, SecurityRule, SecurityRuleId,
    SegmentRange, SegmentRangeId, Subnet, SubnetId, SubnetPool, SubnetPoolId, Tenant, TenantId, Token,
    TokenId, Trunk, TrunkId, User, UserId,
};

/// The next numbers to hand out. They only grow (and wrap), so that a number is not reused while a switch that was
/// away may still have flows or tunnels of its former owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counters {
    /// Where the search for a free VNI starts.
    pub next_vni: u32,
    /// Where the search for a free port key starts.
    pub next_port_key: u32,
    /// Where the search for a free host index starts.
    pub next_host_index: u32,
    /// Where the search for a free router key starts.
    pub next_router_key: u32,
    /// Where the search for a free policy key starts.
    pub next_policy_key: u32,
    /// Where the search for a free rule key starts.
    pub next_rule_key: u32,
    /// Where the search for a free physical network's key starts.
    pub next_physnet_key: u32,
    /// Where the search for a free gateway's zone starts.
    pub next_gateway_zone: u32,
}

impl Default for Counters {
    fn default() -> Self {
        Counters {
            next_vni: 1,
            next_port_key: 1,
            next_host_index: 1,
            next_router_key: 1,
            next_policy_key: 1,
            next_rule_key: 1,
            next_physnet_key: 1,
            next_gateway_zone: 1,
        }
    }
}

/// One stored object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record {
    /// A tenant.
    Tenant(Arc<Tenant>),
    /// An API token.
    Token(Arc<Token>),
    /// A user.
    User(Arc<User>),
    /// The roles of a user for a tenant.
    Assignment(Arc<Assignment>),
    /// An application credential.
    AppCredential(Arc<AppCredential>),
    /// A physical network.
    PhysicalNetwork(Arc<PhysicalNetwork>),
    /// A network.
    Network(Arc<Network>),
    /// A subnet.
    Subnet(Arc<Subnet>),
    /// A port.
    Port(Arc<Port>),
    /// A router.
    Router(Arc<Router>),
    /// A floating IP.
    FloatingIp(Arc<FloatingIp>),
    /// A port forwarding.
    PortForwarding(Arc<PortForwarding>),
    /// The limits of a tenant.
    Quota(Arc<Quota>),
    /// A trunk.
    Trunk(Arc<Trunk>),
    /// A QoS policy with its rules.
    QosPolicy(Arc<QosPolicy>),
    /// A host.
    Host(Arc<Host>),
    /// A host's claim to a port.
    Binding(Arc<Binding>),
    /// A security group.
    SecurityGroup(Arc<SecurityGroup>),
    /// A rule of a security group.
    SecurityRule(Arc<SecurityRule>),
    /// An address group.
    AddressGroup(Arc<AddressGroup>),
    /// A set of security groups that ports wear.
    Policy(Arc<Policy>),
    /// An address scope.
    AddressScope(Arc<AddressScope>),
    /// A subnet pool.
    SubnetPool(Arc<SubnetPool>),
    /// An RBAC policy.
    RbacPolicy(Arc<RbacPolicy>),
    /// A range of VNIs.
    SegmentRange(Arc<SegmentRange>),
    /// The allocation counters (there is one such record).
    Counters(Counters),
}

/// The name of a stored object.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// A tenant.
    Tenant(TenantId),
    /// An API token.
    Token(TokenId),
    /// A user.
    User(UserId),
    /// The roles of a user for a tenant.
    Assignment(UserId, TenantId),
    /// An application credential.
    AppCredential(AppCredentialId),
    /// A physical network.
    PhysicalNetwork(PhysnetKey),
    /// A network.
    Network(NetworkId),
    /// A subnet.
    Subnet(SubnetId),
    /// A port.
    Port(PortId),
    /// A router.
    Router(RouterId),
    /// A floating IP.
    FloatingIp(FloatingIpId),
    /// A port forwarding.
    PortForwarding(PortForwardingId),
    /// The limits of a tenant.
    Quota(TenantId),
    /// A trunk.
    Trunk(TrunkId),
    /// A QoS policy with its rules.
    QosPolicy(QosPolicyId),
    /// A host.
    Host(HostId),
    /// A host's claim to a port.
    Binding(PortId, HostId),
    /// A security group.
    SecurityGroup(SecurityGroupId),
    /// A rule of a security group.
    SecurityRule(SecurityRuleId),
    /// An address group.
    AddressGroup(AddressGroupId),
    /// A set of security groups that ports wear.
    Policy(PolicyKey),
    /// An address scope.
    AddressScope(AddressScopeId),
    /// A subnet pool.
    SubnetPool(SubnetPoolId),
    /// An RBAC policy.
    RbacPolicy(RbacPolicyId),
    /// A range of VNIs.
    SegmentRange(SegmentRangeId),
    /// The allocation counters.
    Counters,
}

impl Record {
    /// The name under which the record is stored.
    pub fn key(&self) -> Key {
        match self {
            Record::Tenant(r) => Key::Tenant(r.id.clone()),
            Record::Token(r) => Key::Token(r.id),
            Record::User(r) => Key::User(r.id.clone()),
            Record::Assignment(r) => Key::Assignment(r.user.clone(), r.tenant.clone()),
            Record::AppCredential(r) => Key::AppCredential(r.id),
            Record::PhysicalNetwork(r) => Key::PhysicalNetwork(r.key),
            Record::Network(r) => Key::Network(r.id),
            Record::Subnet(r) => Key::Subnet(r.id),
            Record::Port(r) => Key::Port(r.id),
            Record::Router(r) => Key::Router(r.id),
            Record::FloatingIp(r) => Key::FloatingIp(r.id),
            Record::PortForwarding(r) => Key::PortForwarding(r.id),
            Record::Quota(r) => Key::Quota(r.tenant.clone()),
            Record::Trunk(r) => Key::Trunk(r.id),
            Record::QosPolicy(r) => Key::QosPolicy(r.id),
            Record::Host(r) => Key::Host(r.id.clone()),
            Record::Binding(r) => Key::Binding(r.port, r.host.clone()),
            Record::SecurityGroup(r) => Key::SecurityGroup(r.id),
            Record::SecurityRule(r) => Key::SecurityRule(r.id),
            Record::AddressGroup(r) => Key::AddressGroup(r.id),
            Record::Policy(r) => Key::Policy(r.key),
            Record::AddressScope(r) => Key::AddressScope(r.id),
            Record::SubnetPool(r) => Key::SubnetPool(r.id),
            Record::RbacPolicy(r) => Key::RbacPolicy(r.id),
            Record::SegmentRange(r) => Key::SegmentRange(r.id),
            Record::Counters(_) => Key::Counters,
        }
    }
}

/// One step of a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Create the record or replace the one with the same key.
    Put(Record),
    /// Remove the record; nothing happens when there is none.
    Delete(Key),
}

impl Change {
    /// The name of the record that the step touches.
    pub fn key(&self) -> Key {
        match self {
            Change::Put(record) => record.key(),
            Change::Delete(key) => key.clone(),
        }
    }
}
