//! RBAC policies in the state: by owner, by object, and by whom they speak to.

use std::sync::Arc;

use uuid::Uuid;

use super::{Map, Snapshot, owned_by};
use crate::{
    Access, Audience, Network, NetworkId, RbacPolicy, RbacPolicyId, SharedKind, SharedObject, TenantId,
};

/// The policies and their indexes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Sharing {
    policies: Map<RbacPolicyId, Arc<RbacPolicy>>,
    by_tenant: Map<(TenantId, RbacPolicyId), ()>,
    /// What decides whether a tenant may: two look-ups, however many policies there are.
    by_object: Map<(SharedObject, Access, Audience), RbacPolicyId>,
    /// What a tenant may use, kind by kind, for its lists.
    by_audience: Map<(Audience, SharedObject, Access), ()>,
}

impl Sharing {
    pub(super) fn put(&mut self, policy: &Arc<RbacPolicy>) {
        let (object, access, audience) = (policy.object, policy.access, &policy.audience);
        self.by_tenant.insert((policy.tenant.clone(), policy.id), ());
        self.by_object.insert((object, access, audience.clone()), policy.id);
        self.by_audience.insert((audience.clone(), object, access), ());
        self.policies.insert(policy.id, policy.clone());
    }

    pub(super) fn remove(&mut self, policy: &RbacPolicy) {
        let (object, access, audience) = (policy.object, policy.access, &policy.audience);
        self.by_tenant.remove(&(policy.tenant.clone(), policy.id));
        self.by_object.remove(&(object, access, audience.clone()));
        self.by_audience.remove(&(audience.clone(), object, access));
        self.policies.remove(&policy.id);
    }
}

/// RBAC policies.
impl Snapshot {
    /// An RBAC policy by id.
    pub fn rbac_policy(&self, id: &RbacPolicyId) -> Option<&Arc<RbacPolicy>> {
        self.sharing.policies.get(id)
    }

    /// All RBAC policies, by id.
    pub fn rbac_policies(&self) -> impl Iterator<Item = &Arc<RbacPolicy>> {
        self.sharing.policies.values()
    }

    /// The RBAC policies of a tenant, by id.
    pub fn rbac_policies_of_tenant(&self, tenant: &TenantId) -> impl Iterator<Item = &Arc<RbacPolicy>> {
        let keys = self.sharing.by_tenant.starting_at(&(tenant.clone(), RbacPolicyId(Uuid::nil())));
        owned_by(keys, tenant).filter_map(|id| self.rbac_policy(id))
    }

    /// The RBAC policies of an object, those for everybody first.
    pub fn rbac_policies_of(&self, object: SharedObject) -> impl Iterator<Item = &Arc<RbacPolicy>> {
        let first = (object, Access::Shared, Audience::Everybody);
        let entries = self.sharing.by_object.starting_at(&first);
        entries.take_while(move |((o, _, _), _)| *o == object).filter_map(|(_, id)| self.rbac_policy(id))
    }

    /// The RBAC policies that speak to one tenant alone, by object.
    pub fn rbac_policies_for(&self, tenant: &TenantId) -> impl Iterator<Item = &Arc<RbacPolicy>> {
        let audience = Audience::Tenant(tenant.clone());
        let first = SharedObject { kind: SharedKind::Network, id: Uuid::nil() };
        let keys = self.sharing.by_audience.starting_at(&(audience.clone(), first, Access::Shared));
        keys.map(|(key, ())| key)
            .take_while(move |(a, _, _)| *a == audience)
            .filter_map(|(audience, object, access)| self.rbac_policy_of(*object, *access, audience))
    }

    /// The RBAC policy that says this, if there is one.
    pub fn rbac_policy_of(
        &self,
        object: SharedObject,
        access: Access,
        audience: &Audience,
    ) -> Option<&Arc<RbacPolicy>> {
        self.rbac_policy(self.sharing.by_object.get(&(object, access, audience.clone()))?)
    }

    /// True if every tenant may use the object.
    pub fn is_shared(&self, object: SharedObject) -> bool {
        self.rbac_policy_of(object, Access::Shared, &Audience::Everybody).is_some()
    }

    /// True if a tenant that does not own the object may use it.
    pub fn is_shared_with(&self, object: SharedObject, tenant: &TenantId) -> bool {
        self.allows(object, Access::Shared, tenant)
    }

    /// The ids of the objects of a kind that a tenant may use or see although it does not own them; some may come twice.
    pub fn shared_with(&self, kind: SharedKind, tenant: &TenantId) -> impl Iterator<Item = Uuid> {
        let audiences = [Audience::Everybody, Audience::Tenant(tenant.clone())];
        audiences.into_iter().flat_map(move |audience| {
            let first = (audience.clone(), SharedObject { kind, id: Uuid::nil() }, Access::Shared);
            let keys = self.sharing.by_audience.starting_at(&first).map(|(key, ())| key);
            keys.take_while(move |(a, object, _)| *a == audience && object.kind == kind)
                .map(|(_, object, _)| object.id)
        })
    }

    /// True if a tenant may have gateways and floating IPs on a network. One that is external without any policy that says
    /// so was made when there were none, and is everybody's.
    pub fn is_external_for(&self, network: &Network, tenant: &TenantId) -> bool {
        let object = network.id.into();
        network.external
            && (self.allows(object, Access::External, tenant) || !self.has_external_policy(network.id))
    }

    /// True if a policy says who may have gateways on a network.
    pub fn has_external_policy(&self, network: NetworkId) -> bool {
        let object = network.into();
        let mut entries =
            self.sharing.by_object.starting_at(&(object, Access::External, Audience::Everybody));
        entries.next().is_some_and(|((o, access, _), _)| *o == object && *access == Access::External)
    }

    /// True if a tenant sees a network: its own, one that is shared with it, or one that leads outside for it.
    pub fn sees_network(&self, network: &Network, tenant: &TenantId) -> bool {
        network.tenant == *tenant
            || self.is_external_for(network, tenant)
            || self.is_shared_with(network.id.into(), tenant)
    }

    fn allows(&self, object: SharedObject, access: Access, tenant: &TenantId) -> bool {
        let by_object = &self.sharing.by_object;
        by_object.get(&(object, access, Audience::Everybody)).is_some()
            || by_object.get(&(object, access, Audience::Tenant(tenant.clone()))).is_some()
    }
}
