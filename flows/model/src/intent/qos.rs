//! Planning QoS policies, their rules, and who wears them.

use std::sync::Arc;

use super::draft::{Draft, expect_number, forbidden, relabel, set};
use super::limits::Faults;
use super::{NewQosPolicy, QosFault, QosPolicyPatch, QosRuleChange, Rejected};
use crate::{Key, QosPolicy, QosPolicyId, QosRule, Record, TenantId};

impl Draft<'_> {
    pub(super) fn create_qos_policy(&mut self, new: &NewQosPolicy) -> Result<Key, Rejected> {
        if self.state.qos_policy(&new.id).is_some() {
            return Err(Rejected::AlreadyExists { what: "QoS policy", id: new.id.to_string() });
        }
        let owner = self.owner_of_new(new.tenant.as_ref(), None)?;
        let stamp = self.stamp(&new.labels);
        let mut faults = Faults::default();
        faults.check_stamp(&stamp);
        if owner.is_none() {
            faults.add("project_id", "must name the tenant that the policy is for");
        }
        faults.settle()?;
        let tenant = owner.expect("a policy for nobody was a fault");
        let (shared, is_default) = (new.shared, new.is_default);
        let policy = QosPolicy { id: new.id, tenant, stamp, shared, is_default, rules: Vec::new() };
        self.check_qos(None, &policy)?;
        Ok(self.put(Record::QosPolicy(Arc::new(policy))))
    }

    pub(super) fn update_qos_policy(
        &mut self,
        id: QosPolicyId,
        patch: &QosPolicyPatch,
    ) -> Result<Key, Rejected> {
        let before = self.own_qos_policy(id)?;
        expect_number(&before.stamp, patch.if_number)?;
        let mut after = QosPolicy::clone(&before);
        relabel(&mut after.stamp, &patch.labels);
        set(&mut after.shared, patch.shared);
        set(&mut after.is_default, patch.is_default);
        let mut faults = Faults::default();
        faults.check_stamp(&after.stamp);
        faults.settle()?;
        self.check_qos(Some(&before), &after)?;
        if after == *before {
            return Ok(Key::QosPolicy(id));
        }
        self.restamp(&mut after.stamp);
        Ok(self.put(Record::QosPolicy(Arc::new(after))))
    }

    pub(super) fn delete_qos_policy(
        &mut self,
        id: QosPolicyId,
        number: Option<u64>,
    ) -> Result<Key, Rejected> {
        expect_number(&self.own_qos_policy(id)?.stamp, number)?;
        if let Some(network) = self.state.networks_with_qos(id).next() {
            return Err(QosFault::UsedByNetwork { policy: id, network }.into());
        }
        let worn = self.state.ports_with_qos(id).next();
        match worn {
            Some(port) => Err(QosFault::UsedByPort { policy: id, port }.into()),
            None => Ok(self.delete(Key::QosPolicy(id))),
        }
    }

    pub(super) fn change_qos_rule(
        &mut self,
        id: QosPolicyId,
        change: QosRuleChange,
    ) -> Result<Key, Rejected> {
        let before = self.own_qos_policy(id)?;
        let mut after = QosPolicy::clone(&before);
        let (QosRuleChange::Add(rule, _) | QosRuleChange::Set(rule, _) | QosRuleChange::Remove(rule)) =
            change;
        let place = after.rules.iter().position(|there| there.id == rule);
        let there = place.ok_or(QosFault::NoRule { policy: id, rule });
        match change {
            QosRuleChange::Add(rule, kind) => after.rules.push(QosRule { id: rule, kind }),
            QosRuleChange::Set(_, kind) => after.rules[there?].kind = kind,
            QosRuleChange::Remove(_) => drop(after.rules.remove(there?)),
        }
        after.rules.sort_unstable();
        for (at, one) in after.rules.iter().enumerate() {
            if let Some(other) = after.rules[at + 1..].iter().find(|other| other.kind.clashes(one.kind)) {
                let there = if one.id == rule { other.id } else { one.id };
                return Err(QosFault::Clash { policy: id, rule: there }.into());
            }
        }
        if after == *before {
            return Ok(Key::QosPolicy(id));
        }
        self.restamp(&mut after.stamp);
        Ok(self.put(Record::QosPolicy(Arc::new(after))))
    }

    /// What only an admin may do, and what a tenant may have once.
    fn check_qos(&self, before: Option<&QosPolicy>, after: &QosPolicy) -> Result<(), Rejected> {
        if after.shared != before.is_some_and(|before| before.shared) {
            self.admin_only("sharing a QoS policy")?;
        }
        let others = self.state.qos_policies_of_tenant(&after.tenant);
        let has_other = others.filter(|other| other.id != after.id).any(|other| other.is_default);
        if after.is_default && has_other {
            return Err(QosFault::DefaultExists(after.tenant.clone()).into());
        }
        Ok(())
    }

    /// The policy that a new network of a tenant wears when it does not say.
    pub(super) fn default_qos(&self, tenant: &TenantId) -> Option<QosPolicyId> {
        self.state.qos_policies_of_tenant(tenant).find(|policy| policy.is_default).map(|policy| policy.id)
    }

    /// Refuses a policy that the actor may not use, and to take off one that somebody else put on.
    pub(super) fn check_qos_worn(
        &self,
        before: Option<QosPolicyId>,
        after: Option<QosPolicyId>,
    ) -> Result<(), Rejected> {
        if before == after {
            return Ok(());
        }
        if let Some(id) = before.filter(|id| !self.may_use_qos(*id)) {
            return Err(QosFault::NotYours(id).into());
        }
        match after {
            Some(id) if !self.may_use_qos(id) => Err(QosFault::NotFound(id).into()),
            _ => Ok(()),
        }
    }

    fn may_use_qos(&self, id: QosPolicyId) -> bool {
        self.state.qos_policy(&id).is_some_and(|policy| policy.shared || self.sees(&policy.tenant))
    }

    /// A policy that the actor may change.
    fn own_qos_policy(&self, id: QosPolicyId) -> Result<Arc<QosPolicy>, Rejected> {
        match self.state.qos_policy(&id) {
            Some(policy) if self.sees(&policy.tenant) => Ok(policy.clone()),
            Some(policy) if policy.shared => Err(forbidden("changing another tenant's QoS policy")),
            _ => Err(QosFault::NotFound(id).into()),
        }
    }
}
