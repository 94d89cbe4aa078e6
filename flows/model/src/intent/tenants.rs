//! Planning tenants.

use std::sync::Arc;

use super::draft::{Draft, expect_number, relabel, set};
use super::limits::Faults;
use super::{NewTenant, Rejected, TenantPatch};
use crate::{GroupRole, Key, Record, SecurityGroup, Tenant, TenantId, Token, TokenId};

impl Draft<'_> {
    pub(super) fn create_tenant(&mut self, new: &NewTenant) -> Result<Key, Rejected> {
        self.admin_only("creating a tenant")?;
        if self.state.tenant(&new.id).is_some() {
            return Err(Rejected::AlreadyExists { what: "tenant", id: new.id.to_string() });
        }
        let tenant = Tenant { id: new.id.clone(), stamp: self.stamp(&new.labels), enabled: new.enabled };
        self.put_tenant(tenant)
    }

    pub(super) fn update_tenant(&mut self, id: &TenantId, patch: &TenantPatch) -> Result<Key, Rejected> {
        self.admin_only("changing a tenant")?;
        let before = self.tenant(id)?;
        expect_number(&before.stamp, patch.if_number)?;
        let mut after = Tenant::clone(&before);
        relabel(&mut after.stamp, &patch.labels);
        set(&mut after.enabled, patch.enabled);
        if after == *before {
            return Ok(Key::Tenant(id.clone()));
        }
        self.restamp(&mut after.stamp);
        let key = self.put_tenant(after)?;
        self.keep_an_administrator()?;
        Ok(key)
    }

    pub(super) fn delete_tenant(&mut self, id: &TenantId, number: Option<u64>) -> Result<Key, Rejected> {
        self.admin_only("deleting a tenant")?;
        expect_number(&self.tenant(id)?.stamp, number)?;
        let owns_network = self.state.networks_of_tenant(id).next().is_some();
        let owns_subnet = self.state.subnets_of_tenant(id).next().is_some();
        let owns_port = self.state.ports_of_tenant(id).next().is_some();
        let owns_router = self.state.routers_of_tenant(id).next().is_some();
        let is_named = |group: &&Arc<SecurityGroup>| group.role == GroupRole::Named;
        let owns_group = self.state.security_groups_of_tenant(id).any(|group| is_named(&group))
            || self.state.address_groups_of_tenant(id).next().is_some();
        let owns_floating_ip = self.state.floating_ips_of_tenant(id).next().is_some();
        let owns_more = self.state.trunks_of_tenant(id).next().is_some()
            || self.state.qos_policies_of_tenant(id).next().is_some()
            || self.state.subnet_pools_of_tenant(id).next().is_some()
            || self.state.address_scopes_of_tenant(id).next().is_some();
        if owns_more
            || owns_network
            || owns_subnet
            || owns_port
            || owns_router
            || owns_group
            || owns_floating_ip
        {
            return Err(Rejected::TenantInUse(id.clone()));
        }
        // A token must not outlive its tenant: the id might be given to somebody else.
        let speaks_for = |token: &&Arc<Token>| {
            let project = token.session.as_ref().and_then(|session| session.project.as_ref());
            token.role.tenant() == Some(id) || project == Some(id)
        };
        let tokens: Vec<TokenId> = self.state.tokens().filter(speaks_for).map(|token| token.id).collect();
        for token in tokens {
            self.delete(Key::Token(token));
        }
        self.drop_assignments_on(id);
        if let Some(group) = self.state.default_group(id).map(|group| group.id) {
            self.drop_security_group(group);
        }
        self.delete(Key::Quota(id.clone()));
        let policies: Vec<_> = self.state.rbac_policies_for(id).map(|policy| policy.id).collect();
        for policy in policies {
            self.delete(Key::RbacPolicy(policy));
        }
        let key = self.delete(Key::Tenant(id.clone()));
        self.keep_an_administrator()?;
        Ok(key)
    }

    fn tenant(&self, id: &TenantId) -> Result<Arc<Tenant>, Rejected> {
        self.state.tenant(id).cloned().ok_or_else(|| Rejected::TenantNotFound(id.clone()))
    }

    fn put_tenant(&mut self, tenant: Tenant) -> Result<Key, Rejected> {
        let mut faults = Faults::default();
        faults.check_stamp(&tenant.stamp);
        faults.settle()?;
        Ok(self.put(Record::Tenant(Arc::new(tenant))))
    }
}
