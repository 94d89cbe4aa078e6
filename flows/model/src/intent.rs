//! Every write as a pure plan: what is wanted, by whom, and what it changes or why it is refused.
//!
//! The one writer of the controller plans each request on a working snapshot and commits the changes; nothing else
//! decides names, numbers or addresses. Planning is all or nothing, and a refused request leaves no trace.

mod address_groups;
mod addresses;
pub mod desired;
mod draft;
mod external_request;
mod floating_ips;
mod gateway_hosts;
mod gateways;
mod hosts;
mod identity_request;
mod limits;
mod networks;
mod policies;
mod pool_rejected;
mod pool_request;
mod pools;
mod port_forwardings;
mod ports;
mod qos;
mod qos_request;
mod quotas;
mod rejected;
mod request;
mod routers;
mod security;
mod security_request;
mod segment_ranges;
mod sessions;
mod sharing;
mod subnets;
mod tenants;
mod trunk_request;
mod trunks;
mod users;

pub use external_request::{
    AskedTarget, FloatingIpPatch, NewFloatingIp, NewGateway, NewPortForwarding, PortForwardingPatch,
};
pub use identity_request::{NewAppCredential, NewUser, PasswordChange, UserPatch};
pub use pool_rejected::{PoolRejected, RangeRejected, RbacRejected};
pub use pool_request::{
    AddressScopePatch, AskedPart, AskedPool, AskedPrefix, NewAddressScope, NewRbacPolicy, NewSegmentRange,
    NewSubnetPool, SegmentRangeChange, SegmentRangePatch, SubnetPoolPatch,
};
pub use qos_request::{NewQosPolicy, QosFault, QosPolicyPatch, QosRuleChange};
pub use rejected::{Fault, Rejected};
pub use request::{
    AskedIp, BelowUse, HostReport, Labels, LabelsPatch, NetworkPatch, NewInterface, NewNetwork, NewPort,
    NewRouter, NewSegment, NewSubnet, NewTenant, NewToken, OldInterface, PortPatch, QuotaPatch,
    ReportedInterface, RouterPatch, RoutesPatch, SubnetPatch, TenantPatch,
};
pub use security_request::{
    AddressGroupPatch, NewAddressGroup, NewSecurityGroup, NewSecurityRule, PortGroups, SecurityGroupPatch,
};
pub use trunk_request::{NewTrunk, Subport, TrunkFault, TrunkPatch};

use crate::{
    AddressGroupId, AddressScopeId, AppCredentialId, Audience, Change, Encap, FloatingIpId, HostId, Key,
    NetworkId, PortForwardingId, PortId, QosPolicyId, RbacPolicyId, Role, RouterId, SecurityGroupId,
    SecurityRuleId, Snapshot, SubnetId, SubnetPoolId, TenantId, Timestamp, TokenId, TrunkId, UserId,
};
use draft::Draft;

/// In whose name a request is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actor {
    /// The operator, or the controller itself: sees and writes everything.
    Admin,
    /// A tenant: sees and writes what is its own; the rest does not exist for it.
    Tenant(TenantId),
    /// A tenant's reader: every write is refused.
    ReadOnly(TenantId),
    /// A user in matters of its own: its password, its credentials, its tokens. It owns nothing that tenants own.
    User(UserId),
}

/// What planning needs to know besides the snapshot, because the pure world reads no clock and no configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Context {
    /// The time that goes into the objects' stamps.
    pub now: Timestamp,
    /// What the operator configured.
    pub settings: Settings,
}

/// What the operator configured about networks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// The largest IP packet that the hosts can send each other, in bytes. [`Encap::overhead`] counts an IPv4 underlay:
    /// over IPv6 this has to be set 20 lower than what the links carry.
    pub underlay_mtu: u16,
    /// The encapsulation of networks that ask for none.
    pub default_encap: Encap,
}

impl Default for Settings {
    fn default() -> Self {
        Settings { underlay_mtu: 1500, default_encap: Encap::Vxlan }
    }
}

/// One write that somebody wants. Ids are drawn by the shell, because the pure world has no randomness.
///
/// The number that stands with the deletions is the [`crate::Stamp::number`] that the object must still have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Intent {
    /// Make a tenant (admin only).
    CreateTenant(NewTenant),
    /// Change a tenant (admin only).
    UpdateTenant(TenantId, TenantPatch),
    /// Remove a tenant that owns no networks, subnets, ports or routers, and its tokens (admin only).
    DeleteTenant(TenantId, Option<u64>),
    /// Set limits of a tenant (admin only).
    SetQuota(TenantId, QuotaPatch),
    /// Take all limits from a tenant (admin only).
    ResetQuota(TenantId),
    /// Make an API token (admin only). One for somebody who logs in clears away some that are over, and the user's oldest when
    /// it has too many.
    CreateToken(NewToken),
    /// Revoke an API token (admin, or the user who got it by logging in).
    DeleteToken(TokenId),
    /// Make a user (admin only).
    CreateUser(NewUser),
    /// Change a user (admin only).
    UpdateUser(UserId, UserPatch),
    /// Change a user's password (admin, or the user itself); its tokens end.
    ChangePassword(UserId, PasswordChange),
    /// Remove a user with its roles, credentials and tokens (admin only).
    DeleteUser(UserId),
    /// Give a user a role for a tenant (admin only).
    Assign(UserId, TenantId, Role),
    /// Take a user's role for a tenant (admin only).
    Unassign(UserId, TenantId, Role),
    /// Make an application credential (admin, or the user itself).
    CreateAppCredential(NewAppCredential),
    /// Remove an application credential and the tokens it was shown for (admin, or the user itself).
    DeleteAppCredential(AppCredentialId),
    /// Make a network.
    CreateNetwork(NewNetwork),
    /// Change a network.
    UpdateNetwork(NetworkId, NetworkPatch),
    /// Remove a network without ports, and its subnets.
    DeleteNetwork(NetworkId, Option<u64>),
    /// Make a subnet.
    CreateSubnet(NewSubnet),
    /// Change a subnet.
    UpdateSubnet(SubnetId, SubnetPatch),
    /// Remove a subnet of which no port has an address.
    DeleteSubnet(SubnetId, Option<u64>),
    /// Make a port.
    CreatePort(NewPort),
    /// Change a port.
    UpdatePort(PortId, PortPatch),
    /// Remove a port; claims to it stay until their hosts take them back.
    DeletePort(PortId, Option<u64>),
    /// Make a router.
    CreateRouter(NewRouter),
    /// Change a router.
    UpdateRouter(RouterId, RouterPatch),
    /// Remove a router without interfaces.
    DeleteRouter(RouterId, Option<u64>),
    /// Give a router an interface; what is touched is the interface's port.
    AddInterface(RouterId, NewInterface),
    /// Take an interface from a router and delete its port, which is what is touched.
    RemoveInterface(RouterId, OldInterface),
    /// Make a floating IP, and the port on the external network that holds it.
    CreateFloatingIp(NewFloatingIp),
    /// Change a floating IP, or what it stands for.
    UpdateFloatingIp(FloatingIpId, FloatingIpPatch),
    /// Remove a floating IP, its port forwardings and its port.
    DeleteFloatingIp(FloatingIpId, Option<u64>),
    /// Make a port forwarding of a floating IP.
    CreatePortForwarding(NewPortForwarding),
    /// Change a port forwarding of a floating IP.
    UpdatePortForwarding(FloatingIpId, PortForwardingId, PortForwardingPatch),
    /// Remove a port forwarding of a floating IP.
    DeletePortForwarding(FloatingIpId, PortForwardingId),
    /// Make a security group with its two first rules: everything may leave.
    CreateSecurityGroup(NewSecurityGroup),
    /// Make the tenant's default group unless it is there.
    EnsureDefaultGroup(TenantId),
    /// Change a security group.
    UpdateSecurityGroup(SecurityGroupId, SecurityGroupPatch),
    /// Remove a security group that no port wears, its rules, and the rules that name it.
    DeleteSecurityGroup(SecurityGroupId, Option<u64>),
    /// Make a rule of a security group.
    CreateSecurityRule(NewSecurityRule),
    /// Remove a rule of a security group, and the connections that it allowed.
    DeleteSecurityRule(SecurityRuleId),
    /// Make an address group.
    CreateAddressGroup(NewAddressGroup),
    /// Change an address group.
    UpdateAddressGroup(AddressGroupId, AddressGroupPatch),
    /// Remove an address group that no rule names.
    DeleteAddressGroup(AddressGroupId, Option<u64>),
    /// Make a trunk.
    CreateTrunk(NewTrunk),
    /// Change a trunk.
    UpdateTrunk(TrunkId, TrunkPatch),
    /// Remove a trunk; its ports stay.
    DeleteTrunk(TrunkId, Option<u64>),
    /// Put ports behind tags of a trunk.
    AddSubports(TrunkId, Vec<Subport>, Option<u64>),
    /// Take ports from a trunk.
    RemoveSubports(TrunkId, Vec<PortId>, Option<u64>),
    /// Make a QoS policy.
    CreateQosPolicy(NewQosPolicy),
    /// Change a QoS policy.
    UpdateQosPolicy(QosPolicyId, QosPolicyPatch),
    /// Remove a QoS policy that nobody wears, and its rules.
    DeleteQosPolicy(QosPolicyId, Option<u64>),
    /// Make, change or remove a rule of a QoS policy; what is touched is the policy.
    ChangeQosRule(QosPolicyId, QosRuleChange),
    /// Make an address scope.
    CreateAddressScope(NewAddressScope),
    /// Change an address scope.
    UpdateAddressScope(AddressScopeId, AddressScopePatch),
    /// Remove an address scope that no pool is in.
    DeleteAddressScope(AddressScopeId, Option<u64>),
    /// Make a subnet pool.
    CreateSubnetPool(NewSubnetPool),
    /// Change a subnet pool.
    UpdateSubnetPool(SubnetPoolId, SubnetPoolPatch),
    /// Remove a subnet pool that no subnet is cut from.
    DeleteSubnetPool(SubnetPoolId, Option<u64>),
    /// Make an RBAC policy.
    CreateRbacPolicy(NewRbacPolicy),
    /// Change to whom an RBAC policy speaks.
    UpdateRbacPolicy(RbacPolicyId, Option<Audience>),
    /// Remove an RBAC policy that nobody needs.
    DeleteRbacPolicy(RbacPolicyId),
    /// Make or change a range of VNIs, or remove one of which no network has any (admin only).
    ChangeSegmentRange(SegmentRangeChange),
    /// Take in what a host's OVSDB shows (admin only).
    ReportHost(HostReport),
    /// Take in what changed on a host since it was reported: the same as reporting it with these interfaces added or
    /// replaced and without those, at the cost of what changed (admin only).
    ReportInterfaces {
        /// A host that is known.
        host: HostId,
        /// The interfaces that claim ports now, one for each port.
        plugged: Vec<ReportedInterface>,
        /// The ports that no interface claims any more.
        unplugged: Vec<PortId>,
    },
    /// Forget a host and its claims (admin only).
    DeleteHost(HostId),
}

/// What a request comes to.
#[derive(Debug, Clone)]
pub struct Plan {
    /// What to commit, one change per key; empty when everything was so already.
    pub changes: Vec<Change>,
    /// Per intent, the key it created, updated or deleted.
    pub touched: Vec<Key>,
    /// The state after it: at the next revision, or the state before when there is nothing to commit.
    pub snapshot: Snapshot,
}

/// Why a request is refused, and because of which of its intents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The position of the intent that cannot be done; 0 when none of them is looked at.
    pub position: usize,
    /// Why it cannot.
    pub rejected: Rejected,
}

/// Plans all `intents` on top of `snapshot`, or none of them: the first refusal refuses the whole request.
/// Later intents see what earlier ones did.
///
/// # Errors
/// The [`Rejected`] of the first intent that cannot be done.
pub fn plan(
    snapshot: &Snapshot,
    actor: &Actor,
    intents: &[Intent],
    context: &Context,
) -> Result<Plan, Rejected> {
    plan_each(snapshot, actor, intents, context).map_err(|refusal| refusal.rejected)
}

/// The same as [`plan`], but a refusal says which intent is at fault.
///
/// # Errors
/// The [`Refusal`] of the first intent that cannot be done.
pub fn plan_each(
    snapshot: &Snapshot,
    actor: &Actor,
    intents: &[Intent],
    context: &Context,
) -> Result<Plan, Refusal> {
    let refused = |position| move |rejected| Refusal { position, rejected };
    let mut draft = Draft::new(snapshot, actor, context).map_err(refused(0))?;
    let mut touched = Vec::with_capacity(intents.len());
    for (position, intent) in intents.iter().enumerate() {
        touched.push(draft.carry_out(intent).map_err(refused(position))?);
    }
    let (changes, snapshot) = draft.finish();
    Ok(Plan { changes, touched, snapshot })
}

impl Draft<'_> {
    fn carry_out(&mut self, intent: &Intent) -> Result<Key, Rejected> {
        let touched = self.carry_out_unlimited(intent)?;
        // A tenant's default group comes by itself, whatever its quota.
        if !matches!(intent, Intent::EnsureDefaultGroup(_)) {
            self.within_quota(&touched)?;
        }
        Ok(touched)
    }

    fn carry_out_unlimited(&mut self, intent: &Intent) -> Result<Key, Rejected> {
        match intent {
            Intent::CreateTenant(new) => self.create_tenant(new),
            Intent::UpdateTenant(id, patch) => self.update_tenant(id, patch),
            Intent::DeleteTenant(id, number) => self.delete_tenant(id, *number),
            Intent::SetQuota(tenant, patch) => self.set_quota(tenant, patch),
            Intent::ResetQuota(tenant) => self.reset_quota(tenant),
            Intent::CreateToken(new) => self.create_token(new),
            Intent::DeleteToken(id) => self.delete_token(*id),
            Intent::CreateUser(new) => self.create_user(new),
            Intent::UpdateUser(id, patch) => self.update_user(id, patch),
            Intent::ChangePassword(id, change) => self.change_password(id, change),
            Intent::DeleteUser(id) => self.delete_user(id),
            Intent::Assign(user, tenant, role) => self.assign(user, tenant, *role),
            Intent::Unassign(user, tenant, role) => self.unassign(user, tenant, *role),
            Intent::CreateAppCredential(new) => self.create_app_credential(new),
            Intent::DeleteAppCredential(id) => self.delete_app_credential(*id),
            Intent::CreateNetwork(new) => self.create_network(new),
            Intent::UpdateNetwork(id, patch) => self.update_network(*id, patch),
            Intent::DeleteNetwork(id, number) => self.delete_network(*id, *number),
            Intent::CreateSubnet(new) => self.create_subnet(new),
            Intent::UpdateSubnet(id, patch) => self.update_subnet(*id, patch),
            Intent::DeleteSubnet(id, number) => self.delete_subnet(*id, *number),
            Intent::CreatePort(new) => self.create_port(new),
            Intent::UpdatePort(id, patch) => self.update_port(*id, patch),
            Intent::DeletePort(id, number) => self.delete_port(*id, *number),
            Intent::CreateRouter(new) => self.create_router(new),
            Intent::UpdateRouter(id, patch) => self.update_router(*id, patch),
            Intent::DeleteRouter(id, number) => self.delete_router(*id, *number),
            Intent::AddInterface(id, new) => self.add_interface(*id, new),
            Intent::RemoveInterface(id, old) => self.remove_interface(*id, old),
            Intent::CreateFloatingIp(new) => self.create_floating_ip(new),
            Intent::UpdateFloatingIp(id, patch) => self.update_floating_ip(*id, patch),
            Intent::DeleteFloatingIp(id, number) => self.delete_floating_ip(*id, *number),
            Intent::CreatePortForwarding(new) => self.create_port_forwarding(new),
            Intent::UpdatePortForwarding(of, id, patch) => self.update_port_forwarding((*of, *id), patch),
            Intent::DeletePortForwarding(of, id) => self.delete_port_forwarding(*of, *id),
            Intent::CreateSecurityGroup(new) => self.create_security_group(new),
            Intent::EnsureDefaultGroup(tenant) => self.ensure_group_of(tenant),
            Intent::UpdateSecurityGroup(id, patch) => self.update_security_group(*id, patch),
            Intent::DeleteSecurityGroup(id, number) => self.delete_security_group(*id, *number),
            Intent::CreateSecurityRule(new) => self.create_security_rule(new),
            Intent::DeleteSecurityRule(id) => self.delete_security_rule(*id),
            Intent::CreateAddressGroup(new) => self.create_address_group(new),
            Intent::UpdateAddressGroup(id, patch) => self.update_address_group(*id, patch),
            Intent::DeleteAddressGroup(id, number) => self.delete_address_group(*id, *number),
            Intent::CreateTrunk(new) => self.create_trunk(new),
            Intent::UpdateTrunk(id, patch) => self.update_trunk(*id, patch),
            Intent::DeleteTrunk(id, number) => self.delete_trunk(*id, *number),
            Intent::AddSubports(id, asked, number) => self.add_subports(*id, asked, *number),
            Intent::RemoveSubports(id, ports, number) => self.remove_subports(*id, ports, *number),
            Intent::CreateQosPolicy(new) => self.create_qos_policy(new),
            Intent::UpdateQosPolicy(id, patch) => self.update_qos_policy(*id, patch),
            Intent::DeleteQosPolicy(id, number) => self.delete_qos_policy(*id, *number),
            Intent::ChangeQosRule(id, change) => self.change_qos_rule(*id, *change),
            Intent::CreateAddressScope(new) => self.create_address_scope(new),
            Intent::UpdateAddressScope(id, patch) => self.update_address_scope(*id, patch),
            Intent::DeleteAddressScope(id, number) => self.delete_address_scope(*id, *number),
            Intent::CreateSubnetPool(new) => self.create_subnet_pool(new),
            Intent::UpdateSubnetPool(id, patch) => self.update_subnet_pool(*id, patch),
            Intent::DeleteSubnetPool(id, number) => self.delete_subnet_pool(*id, *number),
            Intent::CreateRbacPolicy(new) => self.create_rbac_policy(new),
            Intent::UpdateRbacPolicy(id, audience) => self.update_rbac_policy(*id, audience.as_ref()),
            Intent::DeleteRbacPolicy(id) => self.delete_rbac_policy(*id),
            Intent::ChangeSegmentRange(change) => self.change_segment_range(change),
            Intent::ReportHost(report) => self.report_host(report),
            Intent::ReportInterfaces { host, plugged: up, unplugged: down } => self.replug(host, up, down),
            Intent::DeleteHost(id) => self.delete_host(id),
        }
    }
}

#[cfg(test)]
mod tests;
