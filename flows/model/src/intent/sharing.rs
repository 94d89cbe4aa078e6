//! Planning who may use what is another's: RBAC policies, and the flags of objects that stand for some.

use std::sync::Arc;

use super::draft::{Draft, forbidden};
use super::{Actor, NewPort, NewRbacPolicy, PoolRejected, PortPatch, RbacRejected, Rejected};
use crate::{
    Access, AddressGroupId, AddressScopeId, Audience, Direction, FixedIp, Key, Network, NetworkId, Port,
    PortSecurity, RbacPolicy, RbacPolicyId, Record, SecurityGroupId, SharedKind, SharedObject, Subnet,
    SubnetId, SubnetPoolId, TenantId,
};

/// RBAC policies.
impl Draft<'_> {
    pub(super) fn create_rbac_policy(&mut self, new: &NewRbacPolicy) -> Result<Key, Rejected> {
        if self.state.rbac_policy(&new.id).is_some() {
            return Err(Rejected::AlreadyExists { what: "RBAC policy", id: new.id.to_string() });
        }
        let owner = self.owner_of_shared(new.object)?;
        self.check_audience(&new.audience, "create_rbac_policy")?;
        if new.access == Access::External {
            self.admin_only("rule:create_rbac_policy:access_as_external")?;
            self.open_outside(NetworkId(new.object.id))?;
        }
        self.check_is_news(new.object, new.access, &new.audience)?;
        let (object, access, audience) = (new.object, new.access, new.audience.clone());
        let policy = RbacPolicy { id: new.id, tenant: owner, object, access, audience };
        Ok(self.put(Record::RbacPolicy(Arc::new(policy))))
    }

    pub(super) fn update_rbac_policy(
        &mut self,
        id: RbacPolicyId,
        audience: Option<&Audience>,
    ) -> Result<Key, Rejected> {
        let before = self.rbac_policy(id)?;
        let Some(audience) = audience.filter(|audience| **audience != before.audience) else {
            return Ok(Key::RbacPolicy(id));
        };
        self.check_audience(audience, "update_rbac_policy")?;
        self.check_is_news(before.object, before.access, audience)?;
        self.check_not_needed(&before, Some(audience))?;
        let after = RbacPolicy { audience: audience.clone(), ..RbacPolicy::clone(&before) };
        Ok(self.put(Record::RbacPolicy(Arc::new(after))))
    }

    /// A network that nobody is let out by any more is none that leads outside.
    pub(super) fn delete_rbac_policy(&mut self, id: RbacPolicyId) -> Result<Key, Rejected> {
        let policy = self.rbac_policy(id)?;
        if policy.access == Access::External {
            self.admin_only("rule:delete_rbac_policy:access_as_external")?;
        }
        self.check_not_needed(&policy, None)?;
        let key = self.delete(Key::RbacPolicy(id));
        let network = NetworkId(policy.object.id);
        if policy.access == Access::External && !self.state.has_external_policy(network) {
            self.set_external(network, false)?;
        }
        Ok(key)
    }

    fn rbac_policy(&self, id: RbacPolicyId) -> Result<Arc<RbacPolicy>, Rejected> {
        let found = self.state.rbac_policy(&id).filter(|policy| self.sees(&policy.tenant));
        Ok(found.cloned().ok_or(RbacRejected::NotFound(id))?)
    }

    fn check_audience(&self, audience: &Audience, verb: &str) -> Result<(), Rejected> {
        match audience {
            Audience::Everybody => self.admin_only(&format!("rule:{verb}:target_tenant")),
            Audience::Tenant(_) => Ok(()),
        }
    }

    fn check_is_news(
        &self,
        object: SharedObject,
        access: Access,
        audience: &Audience,
    ) -> Result<(), Rejected> {
        match self.state.rbac_policy_of(object, access, audience) {
            Some(same) => Err(RbacRejected::Exists(same.id).into()),
            None => Ok(()),
        }
    }

    /// Whose an object is that the actor may share.
    fn owner_of_shared(&self, object: SharedObject) -> Result<TenantId, Rejected> {
        let id = object.id;
        Ok(match object.kind {
            SharedKind::Network => self.network(NetworkId(id))?.tenant.clone(),
            SharedKind::SecurityGroup => self.security_group(SecurityGroupId(id))?.tenant.clone(),
            SharedKind::AddressGroup => self.address_group(AddressGroupId(id))?.tenant.clone(),
            SharedKind::SubnetPool => self.subnet_pool(SubnetPoolId(id))?.tenant.clone(),
            SharedKind::AddressScope => self.address_scope(AddressScopeId(id))?.tenant.clone(),
        })
    }

    /// Makes a network external because a policy says so.
    fn open_outside(&mut self, network: NetworkId) -> Result<(), Rejected> {
        let record = self.network(network)?;
        if record.external && !self.state.has_external_policy(network) {
            // It was made when every external network was everybody's, and stays so.
            self.share(network.into(), Access::External, &record.tenant);
        }
        self.set_external(network, true)
    }

    fn set_external(&mut self, network: NetworkId, external: bool) -> Result<(), Rejected> {
        let before = self.network(network)?;
        if before.external == external {
            return Ok(());
        }
        let mut after = Network { external, ..Network::clone(&before) };
        self.check_external(&before, &after)?;
        self.restamp(&mut after.stamp);
        self.put(Record::Network(Arc::new(after)));
        Ok(())
    }
}

/// The flags of objects that stand for policies.
impl Draft<'_> {
    /// Lets everybody use an object.
    pub(super) fn share(&mut self, object: SharedObject, access: Access, owner: &TenantId) {
        let audience = Audience::Everybody;
        if self.state.rbac_policy_of(object, access, &audience).is_none() {
            let (id, tenant) = (RbacPolicyId::of_flag(object, access), owner.clone());
            self.put(Record::RbacPolicy(Arc::new(RbacPolicy { id, tenant, object, access, audience })));
        }
    }

    /// Takes an object back from those who may use it because everybody may.
    pub(super) fn unshare(&mut self, object: SharedObject, access: Access) -> Result<(), Rejected> {
        let found = self.state.rbac_policy_of(object, access, &Audience::Everybody).cloned();
        let Some(policy) = found else { return Ok(()) };
        self.check_not_needed(&policy, None)?;
        self.delete(Key::RbacPolicy(policy.id));
        Ok(())
    }

    /// Forgets the policies of an object that goes, or those of one kind.
    pub(super) fn forget_policies(&mut self, object: SharedObject, only: Option<Access>) {
        let policies = self.state.rbac_policies_of(object);
        let gone: Vec<RbacPolicyId> = policies
            .filter(|policy| only.is_none_or(|access| access == policy.access))
            .map(|policy| policy.id)
            .collect();
        for policy in gone {
            self.delete(Key::RbacPolicy(policy));
        }
    }
}

/// Who needs a policy.
impl Draft<'_> {
    /// Refuses to take a policy from those who use what it lets them use, unless another policy does as well.
    fn check_not_needed(&self, policy: &RbacPolicy, instead: Option<&Audience>) -> Result<(), Rejected> {
        let (object, access) = (policy.object, policy.access);
        let concerns = |tenant: &TenantId| match &policy.audience {
            Audience::Everybody => true,
            Audience::Tenant(only) => only == tenant,
        };
        let stays = |tenant: &TenantId| {
            let others = [Audience::Everybody, Audience::Tenant(tenant.clone())];
            let is_there = |audience: &Audience| {
                *audience != policy.audience && self.state.rbac_policy_of(object, access, audience).is_some()
            };
            *tenant == policy.tenant
                || others.iter().any(|audience| is_there(audience) || Some(audience) == instead)
        };
        let mut users = self.users_of(object, access);
        match users.find(|(tenant, _)| concerns(tenant) && !stays(tenant)) {
            Some((_, user)) => Err(RbacRejected::InUse { object, user }.into()),
            None => Ok(()),
        }
    }

    /// Who uses an object: whose what is.
    fn users_of(
        &self,
        object: SharedObject,
        access: Access,
    ) -> Box<dyn Iterator<Item = (&TenantId, &'static str)> + '_> {
        let (state, id) = (&self.state, object.id);
        match (object.kind, access) {
            (SharedKind::Network, Access::External) => {
                let network = NetworkId(id);
                let routers = state.gateways_on(network).map(|r| (&r.tenant, "a router"));
                let floating = state.floating_ips_on(network);
                Box::new(routers.chain(floating.map(|f| (&f.tenant, "a floating IP"))))
            }
            (SharedKind::Network, Access::Shared) => {
                Box::new(state.ports_of(NetworkId(id)).map(|p| (&p.tenant, "a port")))
            }
            (SharedKind::SecurityGroup, _) => {
                let group = SecurityGroupId(id);
                let ports = state.policies_with(group).flat_map(|policy| state.ports_of_policy(policy.key));
                let ports = ports.map(|port| (&port.tenant, "a port"));
                let rules = [Direction::Ingress, Direction::Egress]
                    .into_iter()
                    .flat_map(move |direction| state.rules_with_remote(group, direction));
                Box::new(ports.chain(rules.map(|rule| (&rule.tenant, "a rule"))))
            }
            (SharedKind::AddressGroup, _) => {
                let rules = state.rules_with_addresses(AddressGroupId(id));
                Box::new(rules.map(|rule| (&rule.tenant, "a rule")))
            }
            (SharedKind::SubnetPool, _) => {
                let subnets = state.subnets_of_pool(SubnetPoolId(id));
                Box::new(subnets.map(|subnet| (&subnet.tenant, "a subnet")))
            }
            (SharedKind::AddressScope, _) => {
                let pools = state.subnet_pools_in(AddressScopeId(id));
                Box::new(pools.map(|pool| (&pool.tenant, "a subnet pool")))
            }
        }
    }
}

/// What the actor may use.
impl Draft<'_> {
    /// True if the actor may use an object of that owner.
    pub(super) fn may_use(&self, owner: &TenantId, object: SharedObject) -> bool {
        self.sees(owner) || self.is_for_actor(|own| self.state.is_shared_with(object, own))
    }

    /// Whether something is for the tenant in whose name the request is made. All is for the operator, and nothing that tenants
    /// share is for a user who speaks for none.
    fn is_for_actor(&self, is_for: impl Fn(&TenantId) -> bool) -> bool {
        match self.actor() {
            Actor::Admin => true,
            Actor::Tenant(own) | Actor::ReadOnly(own) => is_for(own),
            Actor::User(_) => false,
        }
    }

    /// A network that the actor sees: its own, one that is shared with it, or one that leads outside for it.
    pub(super) fn seen_network(&self, id: NetworkId) -> Result<Arc<Network>, Rejected> {
        let sees = |network: &&Arc<Network>| self.is_for_actor(|own| self.state.sees_network(network, own));
        self.state.network(&id).filter(sees).cloned().ok_or(Rejected::NetworkNotFound(id))
    }

    /// A network that the actor may have ports on.
    pub(super) fn usable_network(&self, id: NetworkId) -> Result<Arc<Network>, Rejected> {
        let network = self.seen_network(id)?;
        match self.may_use(&network.tenant, id.into()) {
            true => Ok(network),
            false => Err(forbidden("changing another tenant's network")),
        }
    }

    /// True if the actor may have gateways and floating IPs on a network.
    pub(super) fn leads_outside(&self, network: &Network) -> bool {
        let for_own = |own: &TenantId| *own == network.tenant || self.state.is_external_for(network, own);
        network.external && self.is_for_actor(for_own)
    }

    /// A subnet that the actor sees: its own, or one of a network that is shared with it.
    pub(super) fn seen_subnet(&self, id: SubnetId) -> Result<Arc<Subnet>, Rejected> {
        let sees = |subnet: &&Arc<Subnet>| self.may_use(&subnet.tenant, subnet.network.into());
        self.state.subnet(&id).filter(sees).cloned().ok_or(Rejected::SubnetNotFound(id))
    }

    /// True for a tenant on another one's network.
    fn is_guest(&self, network: NetworkId) -> bool {
        self.state.network(&network).is_some_and(|network| !self.sees(&network.tenant))
    }

    /// A guest takes the addresses that it gets, and what it sends is checked.
    pub(super) fn check_guest(&self, new: &NewPort) -> Result<(), Rejected> {
        if !self.is_guest(new.network) {
            return Ok(());
        }
        let names_address = new.fixed_ips.iter().flatten().any(|asked| asked.address.is_some());
        let asked = [
            (new.mac.is_some(), "mac_address"),
            (names_address, "fixed_ips:ip_address"),
            (new.security == Some(PortSecurity::Off), "port_security_enabled"),
            (!new.allowed_pairs.is_empty(), "allowed_address_pairs"),
        ];
        refuse_guest("create_port", &asked)
    }

    /// The same for changes: what a guest has it may keep.
    pub(super) fn check_guest_change(&self, before: &Port, patch: &PortPatch) -> Result<(), Rejected> {
        if !self.is_guest(before.network) {
            return Ok(());
        }
        let has = |address| before.fixed_ips.iter().any(|ip: &FixedIp| ip.address == address);
        let mut addresses = patch.fixed_ips.iter().flatten().filter_map(|asked| asked.address);
        let pairs = patch.allowed_pairs.as_ref();
        let asked = [
            (patch.mac.is_some_and(|mac| mac != before.mac), "mac_address"),
            (addresses.any(|address| !has(address)), "fixed_ips:ip_address"),
            (patch.security.is_some_and(|security| security != before.security), "port_security_enabled"),
            (pairs.is_some_and(|pairs| *pairs != before.allowed_pairs), "allowed_address_pairs"),
        ];
        refuse_guest("update_port", &asked)
    }
}

fn refuse_guest(verb: &str, asked: &[(bool, &str)]) -> Result<(), Rejected> {
    match asked.iter().find(|(is_asked, _)| *is_asked) {
        Some((_, attribute)) => Err(forbidden(&format!("rule:{verb}:{attribute}"))),
        None => Ok(()),
    }
}

impl From<RbacRejected> for Rejected {
    fn from(rejected: RbacRejected) -> Rejected {
        Rejected::Rbac(rejected)
    }
}

impl From<PoolRejected> for Rejected {
    fn from(rejected: PoolRejected) -> Rejected {
        Rejected::Pool(rejected)
    }
}
