//! Security in the state: groups, rules, address groups and policies, with the indexes between them and ports.

use std::collections::BTreeSet;
use std::sync::Arc;

use ipnet::IpNet;
use uuid::Uuid;

use super::{Map, Snapshot, owned_by};
use crate::change::{Key, Record};
use crate::{
    AddressGroup, AddressGroupId, Direction, GroupRole, HostIndex, NetworkId, Policy, PolicyKey, Port,
    PortId, Remote, RuleKey, SecurityGroup, SecurityGroupId, SecurityRule, SecurityRuleId, TenantId,
};

/// The records of security and what is derived from them and from the policies of ports.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Security {
    groups: Map<SecurityGroupId, Arc<SecurityGroup>>,
    rules: Map<SecurityRuleId, Arc<SecurityRule>>,
    address_groups: Map<AddressGroupId, Arc<AddressGroup>>,
    policies: Map<PolicyKey, Arc<Policy>>,
    // Indexes.
    groups_by_tenant: Map<(TenantId, SecurityGroupId), ()>,
    address_groups_by_tenant: Map<(TenantId, AddressGroupId), ()>,
    default_groups: Map<TenantId, SecurityGroupId>,
    rules_by_group: Map<(SecurityGroupId, SecurityRuleId), ()>,
    rules_by_key: Map<RuleKey, SecurityRuleId>,
    rules_by_remote: Map<(SecurityGroupId, Direction, SecurityRuleId), ()>,
    rules_by_addresses: Map<(AddressGroupId, SecurityRuleId), ()>,
    policies_by_set: Map<BTreeSet<SecurityGroupId>, PolicyKey>,
    policies_by_group: Map<(SecurityGroupId, PolicyKey), ()>,
    ports_by_policy: Map<(PolicyKey, PortId), ()>,
    /// Ports in force on a host that is known, per policy: what decides who needs a policy.
    bound_by_policy: Map<(PolicyKey, HostIndex, PortId), ()>,
    /// The same, seen from the host.
    policies_by_host: Map<(HostIndex, PolicyKey, PortId), ()>,
    /// Who may send from which addresses besides its own, per network.
    ports_by_pair: Map<(NetworkId, IpNet, PortId), ()>,
}

/// Keeping it up to date.
impl Security {
    pub(super) fn records(&self) -> impl Iterator<Item = Record> {
        let groups = self.groups.values().cloned().map(Record::SecurityGroup);
        groups
            .chain(self.rules.values().cloned().map(Record::SecurityRule))
            .chain(self.address_groups.values().cloned().map(Record::AddressGroup))
            .chain(self.policies.values().cloned().map(Record::Policy))
    }

    pub(super) fn record(&self, key: &Key) -> Option<Record> {
        Some(match key {
            Key::SecurityGroup(id) => Record::SecurityGroup(self.groups.get(id)?.clone()),
            Key::SecurityRule(id) => Record::SecurityRule(self.rules.get(id)?.clone()),
            Key::AddressGroup(id) => Record::AddressGroup(self.address_groups.get(id)?.clone()),
            Key::Policy(key) => Record::Policy(self.policies.get(key)?.clone()),
            _ => return None,
        })
    }

    /// Takes in a record; one that is none of security's changes nothing.
    pub(super) fn put(&mut self, record: &Record) {
        match record {
            Record::SecurityGroup(r) => {
                self.groups_by_tenant.insert((r.tenant.clone(), r.id), ());
                if r.role == GroupRole::Default {
                    self.default_groups.insert(r.tenant.clone(), r.id);
                }
                self.groups.insert(r.id, r.clone());
            }
            Record::SecurityRule(r) => {
                self.rules_by_group.insert((r.group, r.id), ());
                self.rules_by_key.insert(r.key, r.id);
                match r.remote {
                    Remote::Group(group) => self.rules_by_remote.insert((group, r.direction, r.id), ()),
                    Remote::Addresses(group) => self.rules_by_addresses.insert((group, r.id), ()),
                    Remote::Any | Remote::Prefix(_) => {}
                }
                self.rules.insert(r.id, r.clone());
            }
            Record::AddressGroup(r) => {
                self.address_groups_by_tenant.insert((r.tenant.clone(), r.id), ());
                self.address_groups.insert(r.id, r.clone());
            }
            Record::Policy(r) => {
                self.policies_by_set.insert(r.groups.clone(), r.key);
                for group in &r.groups {
                    self.policies_by_group.insert((*group, r.key), ());
                }
                self.policies.insert(r.key, r.clone());
            }
            _ => {}
        }
    }

    /// Takes a record away with what was derived from it.
    pub(super) fn remove(&mut self, record: &Record) {
        match record {
            Record::SecurityGroup(r) => {
                self.groups_by_tenant.remove(&(r.tenant.clone(), r.id));
                if r.role == GroupRole::Default {
                    self.default_groups.remove(&r.tenant);
                }
                self.groups.remove(&r.id);
            }
            Record::SecurityRule(r) => {
                self.rules_by_group.remove(&(r.group, r.id));
                self.rules_by_key.remove(&r.key);
                match r.remote {
                    Remote::Group(group) => self.rules_by_remote.remove(&(group, r.direction, r.id)),
                    Remote::Addresses(group) => self.rules_by_addresses.remove(&(group, r.id)),
                    Remote::Any | Remote::Prefix(_) => {}
                }
                self.rules.remove(&r.id);
            }
            Record::AddressGroup(r) => {
                self.address_groups_by_tenant.remove(&(r.tenant.clone(), r.id));
                self.address_groups.remove(&r.id);
            }
            Record::Policy(r) => {
                self.policies_by_set.remove(&r.groups);
                for group in &r.groups {
                    self.policies_by_group.remove(&(*group, r.key));
                }
                self.policies.remove(&r.key);
            }
            _ => {}
        }
    }

    pub(super) fn put_port(&mut self, port: &Port) {
        if let Some(policy) = port.policy {
            self.ports_by_policy.insert((policy, port.id), ());
        }
        for pair in &port.allowed_pairs {
            self.ports_by_pair.insert((port.network, pair.prefix, port.id), ());
        }
    }

    pub(super) fn remove_port(&mut self, port: &Port) {
        if let Some(policy) = port.policy {
            self.ports_by_policy.remove(&(policy, port.id));
        }
        for pair in &port.allowed_pairs {
            self.ports_by_pair.remove(&(port.network, pair.prefix, port.id));
        }
    }

    pub(super) fn bind(&mut self, port: &Port, host: HostIndex) {
        if let Some(policy) = port.policy {
            self.bound_by_policy.insert((policy, host, port.id), ());
            self.policies_by_host.insert((host, policy, port.id), ());
        }
    }

    pub(super) fn unbind(&mut self, port: &Port, host: HostIndex) {
        if let Some(policy) = port.policy {
            self.bound_by_policy.remove(&(policy, host, port.id));
            self.policies_by_host.remove(&(host, policy, port.id));
        }
    }
}

/// Groups, rules, address groups.
impl Snapshot {
    /// A security group by id.
    pub fn security_group(&self, id: &SecurityGroupId) -> Option<&Arc<SecurityGroup>> {
        self.security.groups.get(id)
    }

    /// A security rule by id.
    pub fn security_rule(&self, id: &SecurityRuleId) -> Option<&Arc<SecurityRule>> {
        self.security.rules.get(id)
    }

    /// The security rule with that key.
    pub fn rule_by_key(&self, key: RuleKey) -> Option<&Arc<SecurityRule>> {
        self.security.rules.get(self.security.rules_by_key.get(&key)?)
    }

    /// An address group by id.
    pub fn address_group(&self, id: &AddressGroupId) -> Option<&Arc<AddressGroup>> {
        self.security.address_groups.get(id)
    }

    /// All security groups, by id.
    pub fn security_groups(&self) -> impl Iterator<Item = &Arc<SecurityGroup>> {
        self.security.groups.values()
    }

    /// All security rules, by id.
    pub fn security_rules(&self) -> impl Iterator<Item = &Arc<SecurityRule>> {
        self.security.rules.values()
    }

    /// All address groups, by id.
    pub fn address_groups(&self) -> impl Iterator<Item = &Arc<AddressGroup>> {
        self.security.address_groups.values()
    }

    /// The security groups of a tenant, by id.
    pub fn security_groups_of_tenant(&self, tenant: &TenantId) -> impl Iterator<Item = &Arc<SecurityGroup>> {
        let keys =
            self.security.groups_by_tenant.starting_at(&(tenant.clone(), SecurityGroupId(Uuid::nil())));
        owned_by(keys, tenant).filter_map(|id| self.security.groups.get(id))
    }

    /// The address groups of a tenant, by id.
    pub fn address_groups_of_tenant(&self, tenant: &TenantId) -> impl Iterator<Item = &Arc<AddressGroup>> {
        let first = (tenant.clone(), AddressGroupId(Uuid::nil()));
        let keys = self.security.address_groups_by_tenant.starting_at(&first);
        owned_by(keys, tenant).filter_map(|id| self.security.address_groups.get(id))
    }

    /// What a tenant's new ports wear when they name no groups.
    pub fn default_group(&self, tenant: &TenantId) -> Option<&Arc<SecurityGroup>> {
        self.security.groups.get(self.security.default_groups.get(tenant)?)
    }

    /// The rules of a group, by id.
    pub fn rules_of(&self, group: SecurityGroupId) -> impl Iterator<Item = &Arc<SecurityRule>> {
        let keys = self.security.rules_by_group.starting_at(&(group, SecurityRuleId(Uuid::nil())));
        keys.map(|(key, ())| key)
            .take_while(move |(g, _)| *g == group)
            .filter_map(|(_, rule)| self.security.rules.get(rule))
    }

    /// The rules of any group whose other side is the ports that wear `group`, by id.
    pub fn rules_with_remote(
        &self,
        group: SecurityGroupId,
        direction: Direction,
    ) -> impl Iterator<Item = &Arc<SecurityRule>> {
        let first = (group, direction, SecurityRuleId(Uuid::nil()));
        let keys = self.security.rules_by_remote.starting_at(&first).map(|(key, ())| key);
        keys.take_while(move |(g, d, _)| *g == group && *d == direction)
            .filter_map(|(_, _, rule)| self.security.rules.get(rule))
    }

    /// The rules of any group whose other side is an address group, by id.
    pub fn rules_with_addresses(&self, group: AddressGroupId) -> impl Iterator<Item = &Arc<SecurityRule>> {
        let keys = self.security.rules_by_addresses.starting_at(&(group, SecurityRuleId(Uuid::nil())));
        keys.map(|(key, ())| key)
            .take_while(move |(g, _)| *g == group)
            .filter_map(|(_, rule)| self.security.rules.get(rule))
    }
}

/// Policies, and who wears them.
impl Snapshot {
    /// A policy by key.
    pub fn policy(&self, key: PolicyKey) -> Option<&Arc<Policy>> {
        self.security.policies.get(&key)
    }

    /// All policies, by key.
    pub fn policies(&self) -> impl Iterator<Item = &Arc<Policy>> {
        self.security.policies.values()
    }

    /// The policy of a set of groups, if some port wears it.
    pub fn policy_of_groups(&self, groups: &BTreeSet<SecurityGroupId>) -> Option<&Arc<Policy>> {
        self.security.policies.get(self.security.policies_by_set.get(groups)?)
    }

    /// The policies that contain a group, by key.
    pub fn policies_with(&self, group: SecurityGroupId) -> impl Iterator<Item = &Arc<Policy>> {
        let first = (group, PolicyKey::new(1).expect("in range"));
        let keys = self.security.policies_by_group.starting_at(&first).map(|(key, ())| key);
        keys.take_while(move |(g, _)| *g == group)
            .filter_map(|(_, policy)| self.security.policies.get(policy))
    }

    /// The ports that wear a policy, by id.
    pub fn ports_of_policy(&self, policy: PolicyKey) -> impl Iterator<Item = &Arc<Port>> {
        let keys = self.security.ports_by_policy.starting_at(&(policy, PortId(Uuid::nil())));
        keys.map(|(key, ())| key)
            .take_while(move |(p, _)| *p == policy)
            .filter_map(|(_, port)| self.ports.get(port))
    }

    /// The ports that wear a policy and are bound on a host that is known, with its index, host by host.
    pub fn bound_ports_of_policy(&self, policy: PolicyKey) -> impl Iterator<Item = (HostIndex, &Arc<Port>)> {
        let first = (policy, HostIndex::MIN, PortId(Uuid::nil()));
        let keys = self.security.bound_by_policy.starting_at(&first).map(|(key, ())| key);
        keys.take_while(move |(p, _, _)| *p == policy)
            .filter_map(|(_, host, port)| Some((*host, self.ports.get(port)?)))
    }

    /// The policies that ports bound on a host wear, by key.
    pub fn policies_at(&self, host: HostIndex) -> impl Iterator<Item = PolicyKey> {
        let index = &self.security.policies_by_host;
        let first = (host, PolicyKey::new(1).expect("in range"), PortId(Uuid::nil()));
        let mut keys = index.starting_at(&first);
        std::iter::from_fn(move || {
            let (found, policy, _) = *keys.next()?.0;
            if found != host {
                return None;
            }
            keys = index.after(&(host, policy, PortId(Uuid::max())));
            Some(policy)
        })
    }

    /// True if a port that wears the policy is bound on the host.
    pub fn is_worn_at(&self, policy: PolicyKey, host: HostIndex) -> bool {
        let first = (policy, host, PortId(Uuid::nil()));
        let mut keys = self.security.bound_by_policy.starting_at(&first);
        keys.next().is_some_and(|((p, h, _), ())| *p == policy && *h == host)
    }

    /// The ports of a network that may send from a prefix besides their own addresses, by id.
    pub fn ports_with_pair(&self, network: NetworkId, prefix: IpNet) -> impl Iterator<Item = &Arc<Port>> {
        let keys = self.security.ports_by_pair.starting_at(&(network, prefix, PortId(Uuid::nil())));
        keys.map(|(key, ())| key)
            .take_while(move |(n, p, _)| *n == network && *p == prefix)
            .filter_map(|(_, _, port)| self.ports.get(port))
    }
}
