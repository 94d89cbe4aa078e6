//! What a change of groups, rules, address groups and policies concerns.
//!
//! Rules concern the policies that contain their group; who is a member of a group concerns only who it is to others: one
//! entry of the member's own. A policy that comes or goes concerns those that name a group of it.

use std::collections::BTreeSet;

use ipnet::IpNet;
use weft_model::{
    Direction, Key, NetworkId, PolicyKey, PortId, Remote, SecurityGroupId, SecurityRule, Snapshot,
};

use super::{Collector, PortView};
use crate::owner::{Owner, Scope};

impl Collector<'_> {
    pub(super) fn security(&mut self, key: &Key) {
        match key {
            Key::SecurityGroup(id) => {
                let face = |s: &Snapshot| s.security_group(id).map(|group| group.tracking);
                if face(self.before) != face(self.after) {
                    self.policies_with(*id);
                }
            }
            Key::SecurityRule(id) => {
                let (before, after) = (self.before.security_rule(id), self.after.security_rule(id));
                if before.map(|rule| face(rule)) == after.map(|rule| face(rule)) {
                    return;
                }
                for rule in before.into_iter().chain(after) {
                    self.policies_with(rule.group);
                    if let (Remote::Group(group), Direction::Egress) = (rule.remote, rule.direction) {
                        self.asked_about(group);
                    }
                }
            }
            Key::AddressGroup(id) => {
                let prefixes = |s: &Snapshot| s.address_group(id).map(|group| group.prefixes.clone());
                if prefixes(self.before) != prefixes(self.after) {
                    for snapshot in [self.before, self.after] {
                        let groups: BTreeSet<SecurityGroupId> =
                            snapshot.rules_with_addresses(*id).map(|rule| rule.group).collect();
                        groups.into_iter().for_each(|group| self.policies_with(group));
                    }
                }
            }
            Key::Policy(key) => self.policy(*key),
            _ => {}
        }
    }

    /// All policies that contain a group.
    fn policies_with(&mut self, group: SecurityGroupId) {
        for snapshot in [self.before, self.after] {
            let policies = snapshot.policies_with(group).map(|policy| Owner::Policy(policy.key));
            self.impact.owners.extend(policies);
        }
    }

    /// With the first rule that asks who gets something, and without the last one, the members of its group become known
    /// or unknown to the senders' hosts.
    fn asked_about(&mut self, group: SecurityGroupId) {
        let is_asked =
            |snapshot: &Snapshot| snapshot.rules_with_remote(group, Direction::Egress).next().is_some();
        if is_asked(self.before) == is_asked(self.after) {
            return;
        }
        for snapshot in [self.before, self.after] {
            for policy in snapshot.policies_with(group) {
                self.members_of(policy.key, snapshot);
            }
        }
    }

    /// The network-wide part of all ports that wear a policy.
    fn members_of(&mut self, policy: PolicyKey, snapshot: &Snapshot) {
        for (_, port) in snapshot.bound_ports_of_policy(policy) {
            let network = snapshot.network(&port.network);
            self.impact.owners.extend(network.map(|network| Owner::Port(network.vni, port.key)));
        }
    }

    /// A policy that came, went or became another set: itself, and all that name one of its groups.
    fn policy(&mut self, key: PolicyKey) {
        let (before, after) = (self.before.policy(key), self.after.policy(key));
        if before == after {
            return;
        }
        self.impact.owners.insert(Owner::Policy(key));
        let groups: BTreeSet<SecurityGroupId> =
            before.into_iter().chain(after).flat_map(|policy| policy.groups.iter().copied()).collect();
        for group in groups {
            for snapshot in [self.before, self.after] {
                for direction in [Direction::Ingress, Direction::Egress] {
                    let naming: BTreeSet<SecurityGroupId> =
                        snapshot.rules_with_remote(group, direction).map(|rule| rule.group).collect();
                    naming.into_iter().for_each(|group| self.policies_with(group));
                }
            }
        }
        for snapshot in [self.before, self.after] {
            self.members_of(key, snapshot);
            let hosts = snapshot.bound_ports_of_policy(key).map(|(host, _)| (key, host));
            self.wearers.extend(hosts);
        }
    }

    /// Ports that may send from the same prefix as a port that changed: another of them may stand for it now.
    pub(super) fn sharing_pairs(&mut self, before: Option<&PortView>, after: Option<&PortView>) {
        let prefixes = |view: Option<&PortView>| -> BTreeSet<(NetworkId, IpNet)> {
            let Some(view) = view else { return BTreeSet::new() };
            view.face.pairs.iter().map(|pair| (view.network, pair.prefix)).collect()
        };
        let mut shared = prefixes(before);
        shared.extend(prefixes(after));
        for (network, prefix) in shared {
            for snapshot in [self.before, self.after] {
                let Some(vni) = snapshot.network(&network).map(|network| network.vni) else { continue };
                let ports = snapshot.ports_with_pair(network, prefix).map(|port| Owner::Port(vni, port.key));
                self.impact.owners.extend(ports);
            }
        }
    }

    /// What a port wears, and where: whether or not its network is there.
    pub(super) fn wearing(&mut self, id: PortId) {
        for snapshot in [self.before, self.after] {
            let worn = snapshot.port(&id).and_then(|port| port.policy).zip(snapshot.bound_host(id));
            self.wearers.extend(worn.map(|(policy, host)| (policy, host.index)));
        }
    }

    /// A host on which a policy is worn now, or not any more.
    pub(super) fn worn(&mut self) {
        for (policy, host) in std::mem::take(&mut self.wearers) {
            let needs = |s: &Snapshot| s.policy(policy).is_some() && s.is_worn_at(policy, host);
            let (before, after) = (needs(self.before), needs(self.after));
            if before == after {
                continue;
            }
            self.impact.subscribers.insert(host);
            let scopes = if after { &mut self.impact.began } else { &mut self.impact.ended };
            scopes.insert((host, Scope::Policy(policy)));
        }
    }
}

/// All that flows know of a rule.
fn face(rule: &SecurityRule) -> impl PartialEq + use<> {
    (rule.group, rule.key, rule.direction, rule.family, rule.service, rule.remote)
}
