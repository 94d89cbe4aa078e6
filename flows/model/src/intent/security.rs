//! Planning security groups and their rules.

use std::sync::Arc;

use ipnet::IpNet;

use super::draft::{Draft, expect_number, forbidden, relabel, set};
use super::limits::Faults;
use super::{Labels, NewSecurityGroup, NewSecurityRule, Rejected, SecurityGroupPatch};
use crate::{
    Direction, Family, GroupRole, Key, Record, Remote, RuleKey, SecurityGroup, SecurityGroupId, SecurityRule,
    SecurityRuleId, Service, TenantId, Tracking,
};

/// Most rules of one group.
const RULES: usize = 1000;

impl Draft<'_> {
    pub(super) fn create_security_group(&mut self, new: &NewSecurityGroup) -> Result<Key, Rejected> {
        if self.state.security_group(&new.id).is_some() {
            return Err(Rejected::AlreadyExists { what: "security group", id: new.id.to_string() });
        }
        let owner = self.owner_of_new(new.tenant.as_ref(), None)?;
        let mut faults = Faults::default();
        let stamp = self.stamp(&new.labels);
        faults.check_stamp(&stamp);
        if stamp.name.eq_ignore_ascii_case(DEFAULT) {
            faults.add("name", "must not be \"default\", which is the group that every tenant has");
        }
        if owner.is_none() {
            faults.add("project_id", "must name the tenant that the group is for");
        }
        faults.settle()?;
        let tenant = owner.expect("a group for nobody was a fault");
        self.ensure_default_group(&tenant)?;
        let role = GroupRole::Named;
        let group = SecurityGroup { id: new.id, tenant, stamp, tracking: new.tracking, role };
        let key = self.put(Record::SecurityGroup(Arc::new(group)));
        for (family, id) in [Family::V4, Family::V6].into_iter().zip(new.rule_ids) {
            self.create_security_rule(&NewSecurityRule::new(id, new.id, Direction::Egress, family))?;
        }
        Ok(key)
    }

    pub(super) fn update_security_group(
        &mut self,
        id: SecurityGroupId,
        patch: &SecurityGroupPatch,
    ) -> Result<Key, Rejected> {
        let before = self.security_group(id)?;
        expect_number(&before.stamp, patch.if_number)?;
        let mut after = SecurityGroup::clone(&before);
        relabel(&mut after.stamp, &patch.labels);
        set(&mut after.tracking, patch.tracking);
        let mut faults = Faults::default();
        faults.check_stamp(&after.stamp);
        let is_default = |group: &SecurityGroup| group.stamp.name.eq_ignore_ascii_case(DEFAULT);
        if is_default(&before) != is_default(&after) {
            faults
                .add("name", "must stay \"default\" for the default group, and be something else for others");
        }
        faults.settle()?;
        if after == *before {
            return Ok(Key::SecurityGroup(id));
        }
        if after.tracking != before.tracking && self.state.policies_with(id).next().is_some() {
            return Err(Rejected::SecurityGroupInUse(id));
        }
        self.restamp(&mut after.stamp);
        Ok(self.put(Record::SecurityGroup(Arc::new(after))))
    }

    /// Takes the group's rules along, and the rules of other groups that name it.
    pub(super) fn delete_security_group(
        &mut self,
        id: SecurityGroupId,
        number: Option<u64>,
    ) -> Result<Key, Rejected> {
        let group = self.security_group(id)?;
        expect_number(&group.stamp, number)?;
        if group.role == GroupRole::Default && !self.is_admin() {
            return Err(Rejected::DefaultGroupStays(id));
        }
        if self.state.policies_with(id).next().is_some() {
            return Err(Rejected::SecurityGroupInUse(id));
        }
        Ok(self.drop_security_group(id))
    }

    /// Removes a group that no port wears.
    pub(super) fn drop_security_group(&mut self, id: SecurityGroupId) -> Key {
        let mut rules: Vec<SecurityRuleId> = self.state.rules_of(id).map(|rule| rule.id).collect();
        for direction in [Direction::Ingress, Direction::Egress] {
            rules.extend(self.state.rules_with_remote(id, direction).map(|rule| rule.id));
        }
        for rule in rules {
            self.delete(Key::SecurityRule(rule));
        }
        self.forget_policies(id.into(), None);
        self.delete(Key::SecurityGroup(id))
    }

    pub(super) fn create_security_rule(&mut self, new: &NewSecurityRule) -> Result<Key, Rejected> {
        if self.state.security_rule(&new.id).is_some() {
            return Err(Rejected::AlreadyExists { what: "security group rule", id: new.id.to_string() });
        }
        let group = self.security_group(new.group)?;
        // A group of another tenant that is not shared does not exist for this one, whoever asks: its members would show.
        let is_known = |owner: &TenantId, object| {
            *owner == group.tenant || self.state.is_shared_with(object, &group.tenant)
        };
        match new.remote {
            Remote::Group(remote) => {
                let known = self.state.security_group(&remote);
                known
                    .filter(|other| is_known(&other.tenant, remote.into()))
                    .ok_or(Rejected::SecurityGroupNotFound(remote))?;
            }
            Remote::Addresses(remote) => {
                let known = self.state.address_group(&remote);
                known
                    .filter(|other| is_known(&other.tenant, remote.into()))
                    .ok_or(Rejected::AddressGroupNotFound(remote))?;
            }
            Remote::Any | Remote::Prefix(_) => {}
        }
        let labels = Labels { description: new.description.clone(), ..Labels::default() };
        let mut rule = SecurityRule {
            id: new.id,
            group: new.group,
            tenant: group.tenant.clone(),
            key: RuleKey::new(1).expect("not 0"),
            stamp: self.stamp(&labels),
            direction: new.direction,
            family: new.family,
            service: new.service,
            remote: trunc(new.remote),
        };
        let mut faults = Faults::default();
        check_rule(&mut faults, &rule);
        faults.settle()?;
        let mut count = 0;
        for other in self.state.rules_of(new.group) {
            let means = |r: &SecurityRule| (r.direction, r.family, r.service, r.remote);
            if means(other) == means(&rule) {
                return Err(Rejected::SecurityRuleExists(other.id));
            }
            count += 1;
        }
        if count >= RULES {
            return Err(Rejected::TooManyRules { group: new.group, most: RULES });
        }
        rule.key = self.next_rule_key()?;
        self.touch_group(&group);
        Ok(self.put(Record::SecurityRule(Arc::new(rule))))
    }

    pub(super) fn delete_security_rule(&mut self, id: SecurityRuleId) -> Result<Key, Rejected> {
        let missing = Rejected::SecurityRuleNotFound(id);
        let rule = self.state.security_rule(&id).cloned().ok_or(missing.clone())?;
        let group = self.security_group(rule.group).map_err(|_| missing)?;
        self.touch_group(&group);
        Ok(self.delete(Key::SecurityRule(id)))
    }

    /// A group's revision number counts the changes of its rules too.
    fn touch_group(&mut self, group: &SecurityGroup) {
        let Some(now) = self.state.security_group(&group.id).map(|group| SecurityGroup::clone(group)) else {
            return;
        };
        let mut after = now;
        self.restamp(&mut after.stamp);
        self.put(Record::SecurityGroup(Arc::new(after)));
    }

    /// Makes the default group of a tenant that the actor may make things for, unless it is there.
    pub(super) fn ensure_group_of(&mut self, tenant: &TenantId) -> Result<Key, Rejected> {
        let owner = self.owner_of_new(Some(tenant), None)?;
        let group = self.ensure_default_group(owner.as_ref().unwrap_or(tenant))?;
        Ok(Key::SecurityGroup(group))
    }

    /// Makes the group that a tenant's new ports wear when they name none, unless it is there: everything may leave, and
    /// its members reach each other.
    pub(super) fn ensure_default_group(&mut self, tenant: &TenantId) -> Result<SecurityGroupId, Rejected> {
        if let Some(group) = self.state.default_group(tenant) {
            return Ok(group.id);
        }
        if self.state.tenant(tenant).is_none() {
            return Err(Rejected::TenantNotFound(tenant.clone()));
        }
        let id =
            SecurityGroupId(derived(tenant, |id| self.state.security_group(&SecurityGroupId(id)).is_some()));
        let labels = Labels {
            name: DEFAULT.to_owned(),
            description: "Default security group".to_owned(),
            ..Labels::default()
        };
        let (tracking, role) = (Tracking::Stateful, GroupRole::Default);
        let stamp = self.stamp(&labels);
        let group = SecurityGroup { id, tenant: tenant.clone(), stamp, tracking, role };
        self.put(Record::SecurityGroup(Arc::new(group)));
        let wanted = [(Direction::Egress, Remote::Any), (Direction::Ingress, Remote::Group(id))];
        for (direction, remote) in wanted {
            for family in [Family::V4, Family::V6] {
                let rule = SecurityRuleId(derived(tenant, |rule| {
                    rule == id.0 || self.state.security_rule(&SecurityRuleId(rule)).is_some()
                }));
                let new = NewSecurityRule::new(rule, id, direction, family);
                self.create_security_rule(&NewSecurityRule { remote, ..new })?;
            }
        }
        Ok(id)
    }

    fn next_rule_key(&mut self) -> Result<RuleKey, Rejected> {
        let is_used = |n| RuleKey::new(n).is_none_or(|key| self.state.rule_by_key(key).is_some());
        let found = Self::next_free(self.state.counters().next_rule_key, u32::MAX, is_used);
        let (number, next) = found.ok_or(Rejected::RuleKeysExhausted)?;
        self.count(|counters| counters.next_rule_key = next);
        RuleKey::new(number).ok_or(Rejected::RuleKeysExhausted)
    }

    /// A security group that the actor may change.
    pub(super) fn security_group(&self, id: SecurityGroupId) -> Result<Arc<SecurityGroup>, Rejected> {
        let found = self.state.security_group(&id).filter(|group| self.may_use(&group.tenant, id.into()));
        let group = found.ok_or(Rejected::SecurityGroupNotFound(id))?;
        match self.sees(&group.tenant) {
            true => Ok(group.clone()),
            false => Err(forbidden("changing another tenant's security group")),
        }
    }
}

/// What the default group is called.
const DEFAULT: &str = "default";

/// The first free id of those that a tenant's name gives: the pure world draws no random ones, and asking again for what
/// is there must not make another.
fn derived(tenant: &TenantId, is_taken: impl Fn(uuid::Uuid) -> bool) -> uuid::Uuid {
    let hash = |seed: u64| {
        tenant
            .as_str()
            .bytes()
            .fold(seed, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
    };
    let (high, low) = (hash(0xcbf2_9ce4_8422_2325), hash(0x6c62_272e_07bb_0142));
    let id = |step: u64| {
        // Version 8 is for ids made by a rule of one's own (RFC 9562 section 5.8).
        let mixed = low.wrapping_add(step.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let bits = u128::from(high) << 64 | u128::from(mixed);
        uuid::Builder::from_custom_bytes(bits.to_be_bytes()).into_uuid()
    };
    (0..).map(id).find(|id| !is_taken(*id)).expect("there are more ids than objects")
}

/// A prefix says the same with and without host bits.
/// A remote without host bits.
pub(super) fn trunc(remote: Remote) -> Remote {
    match remote {
        Remote::Prefix(prefix) => Remote::Prefix(prefix.trunc()),
        other => other,
    }
}

fn check_rule(faults: &mut Faults, rule: &SecurityRule) {
    faults.check_text("description", &rule.stamp.description);
    match rule.service {
        Service::Ports { protocol, first, last } => {
            if !Service::WITH_PORTS.contains(&protocol) {
                faults.add("port_range_min", "needs tcp, udp or sctp as protocol");
            }
            if first > last {
                faults.add("port_range_max", "must not be below port_range_min");
            }
        }
        Service::Protocol(other) if other == Service::icmp(opposite(rule.family)) => {
            faults.add("protocol", "must be of the rule's ethertype");
        }
        Service::Any | Service::Protocol(_) | Service::Icmp { .. } => {}
    }
    if let Remote::Prefix(prefix) = rule.remote
        && !matches!((prefix, rule.family), (IpNet::V4(_), Family::V4) | (IpNet::V6(_), Family::V6))
    {
        faults.add("remote_ip_prefix", "must be of the rule's ethertype");
    }
}

fn opposite(family: Family) -> Family {
    match family {
        Family::V4 => Family::V6,
        Family::V6 => Family::V4,
    }
}
