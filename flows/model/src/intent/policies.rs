//! Planning which groups a port wears: sets of groups become policies, which exist as long as a port wears them.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::draft::Draft;
use super::limits::Faults;
use super::{NewPort, PortGroups, PortPatch, Rejected};
use crate::{AllowedPair, Key, Policy, PolicyKey, Port, PortSecurity, Record, SecurityGroupId, TenantId};

/// Most groups of one port.
const GROUPS: usize = 32;
/// Most allowed address pairs of one port.
const PAIRS: usize = 32;

impl Draft<'_> {
    /// The groups that a new port wears; `None` when it is not filtered.
    pub(super) fn groups_of_new(
        &mut self,
        new: &NewPort,
        port: &Port,
    ) -> Result<Option<BTreeSet<SecurityGroupId>>, Rejected> {
        if port.security == PortSecurity::Off {
            return match &new.groups {
                PortGroups::These(groups) if !groups.is_empty() => {
                    Err(Rejected::PortSecurityRequired(port.id))
                }
                _ => Ok(None),
            };
        }
        match &new.groups {
            PortGroups::Unfiltered => Ok(None),
            PortGroups::Default => self.default_groups(port),
            PortGroups::These(groups) => Ok(Some(self.checked_groups(&port.tenant, groups)?)),
        }
    }

    /// The groups that a port wears after an update; `None` when it is not filtered.
    pub(super) fn groups_after(
        &mut self,
        before: &Port,
        after: &Port,
        patch: &PortPatch,
    ) -> Result<Option<BTreeSet<SecurityGroupId>>, Rejected> {
        let worn = before.policy.and_then(|key| self.state.policy(key)).map(|policy| policy.groups.clone());
        let groups = match &patch.groups {
            Some(groups) => Some(self.checked_groups(&before.tenant, groups)?),
            None => worn,
        };
        if after.security == PortSecurity::Off {
            return match groups {
                Some(groups) if !groups.is_empty() && patch.groups.is_some() => {
                    Err(Rejected::PortSecurityRequired(after.id))
                }
                Some(groups) if !groups.is_empty() => Err(Rejected::PortHasSecurityGroups(after.id)),
                _ => Ok(None),
            };
        }
        if groups.is_none() && before.security == PortSecurity::Off {
            return self.default_groups(after);
        }
        Ok(groups)
    }

    /// What a port wears that names nothing. What belongs to the network itself (a router's interface) is not filtered.
    fn default_groups(&mut self, port: &Port) -> Result<Option<BTreeSet<SecurityGroupId>>, Rejected> {
        if port.device_owner.starts_with("network:") {
            return Ok(None);
        }
        Ok(Some(BTreeSet::from([self.ensure_default_group(&port.tenant)?])))
    }

    /// The groups, if the port's tenant has them all, or others share them with it.
    fn checked_groups(
        &self,
        tenant: &TenantId,
        groups: &BTreeSet<SecurityGroupId>,
    ) -> Result<BTreeSet<SecurityGroupId>, Rejected> {
        let mut faults = Faults::default();
        faults.check_count("security_groups", groups.len(), GROUPS);
        faults.settle()?;
        for id in groups {
            let group = self.state.security_group(id).ok_or(Rejected::SecurityGroupNotFound(*id))?;
            if group.tenant != *tenant && !self.state.is_shared_with((*id).into(), tenant) {
                return Err(Rejected::SecurityGroupNotFound(*id));
            }
        }
        Ok(groups.clone())
    }

    /// The policy of a set of groups, made when no port has worn it so far.
    pub(super) fn policy_for(
        &mut self,
        groups: Option<BTreeSet<SecurityGroupId>>,
    ) -> Result<Option<PolicyKey>, Rejected> {
        let Some(groups) = groups else { return Ok(None) };
        if let Some(policy) = self.state.policy_of_groups(&groups) {
            return Ok(Some(policy.key));
        }
        let is_used = |n| PolicyKey::new(n).is_none_or(|key| self.state.policy(key).is_some());
        let found = Self::next_free(self.state.counters().next_policy_key, PolicyKey::MAX, is_used);
        let (number, next) = found.ok_or(Rejected::PolicyKeysExhausted)?;
        self.count(|counters| counters.next_policy_key = next);
        let key = PolicyKey::new(number).ok_or(Rejected::PolicyKeysExhausted)?;
        self.put(Record::Policy(Arc::new(Policy { key, groups })));
        Ok(Some(key))
    }

    /// Forgets a policy that no port wears any more.
    pub(super) fn release(&mut self, policy: Option<PolicyKey>) {
        let Some(key) = policy else { return };
        if self.state.ports_of_policy(key).next().is_none() {
            self.delete(Key::Policy(key));
        }
    }

    /// The pairs without host bits, each once, in the order given.
    pub(super) fn checked_pairs(
        faults: &mut Faults,
        port: &Port,
        pairs: &[AllowedPair],
    ) -> Result<Vec<AllowedPair>, Rejected> {
        faults.check_count("allowed_address_pairs", pairs.len(), PAIRS);
        let mut checked: Vec<AllowedPair> = Vec::new();
        for (position, pair) in pairs.iter().take(PAIRS).enumerate() {
            let pair =
                AllowedPair { mac: pair.mac.filter(|mac| *mac != port.mac), prefix: pair.prefix.trunc() };
            if pair.mac.is_some_and(|mac| !mac.is_unicast()) {
                let path = format_args!("allowed_address_pairs.{position}.mac_address");
                faults.add(path, "must be a unicast address");
            }
            if pair.prefix.prefix_len() == 0 {
                let path = format_args!("allowed_address_pairs.{position}.ip_address");
                faults.add(path, "must not be every address; turn port security off for that");
            }
            if !checked.contains(&pair) {
                checked.push(pair);
            }
        }
        if !checked.is_empty() && port.security == PortSecurity::Off {
            return Err(Rejected::PortSecurityRequired(port.id));
        }
        Ok(checked)
    }
}
