//! Planning quotas, and holding creations against them.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::draft::Draft;
use super::limits::Faults;
use super::{BelowUse, QuotaPatch, Rejected};
use crate::snapshot::counted;
use crate::{Key, Quota, QuotaKind, Record, TenantId};

impl Draft<'_> {
    pub(super) fn set_quota(&mut self, tenant: &TenantId, patch: &QuotaPatch) -> Result<Key, Rejected> {
        self.admin_only("setting a quota")?;
        self.check_tenant(tenant)?;
        let before = self.state.quota(tenant).map(|quota| quota.limits.clone()).unwrap_or_default();
        let mut limits = before.clone();
        let mut faults = Faults::default();
        for (kind, limit) in &patch.limits {
            match limit {
                Some(limit) => {
                    let used = self.state.quota_used(tenant, *kind);
                    if patch.below_use == BelowUse::Refused && used > *limit {
                        faults.add(kind.name(), format_args!("must be at least {used}, which are in use"));
                    }
                    limits.insert(*kind, *limit);
                }
                None => drop(limits.remove(kind)),
            }
        }
        faults.settle()?;
        self.put_limits(tenant, limits)
    }

    pub(super) fn reset_quota(&mut self, tenant: &TenantId) -> Result<Key, Rejected> {
        self.admin_only("resetting a quota")?;
        self.check_tenant(tenant)?;
        self.put_limits(tenant, BTreeMap::new())
    }

    fn put_limits(&mut self, tenant: &TenantId, limits: BTreeMap<QuotaKind, u32>) -> Result<Key, Rejected> {
        let key = Key::Quota(tenant.clone());
        if limits.is_empty() {
            return Ok(self.delete(key));
        }
        Ok(self.put(Record::Quota(Arc::new(Quota { tenant: tenant.clone(), limits }))))
    }

    fn check_tenant(&self, tenant: &TenantId) -> Result<(), Rejected> {
        match self.state.tenant(tenant) {
            Some(_) => Ok(()),
            None => Err(Rejected::TenantNotFound(tenant.clone())),
        }
    }

    /// Refuses what made something of which the tenant has more than it may then; the draft is thrown away with it.
    pub(super) fn within_quota(&self, touched: &Key) -> Result<(), Rejected> {
        let Some(record) = self.state.record(touched) else { return Ok(()) };
        let Some((tenant, kind)) = counted(&record) else { return Ok(()) };
        match self.state.quota(tenant).and_then(|quota| quota.limits.get(&kind)) {
            Some(limit) if self.is_new(touched) && self.state.quota_used(tenant, kind) > *limit => {
                Err(Rejected::OverQuota { kind, limit: *limit })
            }
            _ => Ok(()),
        }
    }
}
