//! What is not wanted any more: found by the file's tag, and taken away in an order in which nothing is in use.

use std::collections::BTreeSet;

use super::super::{Intent, OldInterface, RouterPatch, RoutesPatch};
use super::{Desired, DesiredGroup, DesiredRouter, FirstRules, Work, first_rule, is_same, subnets_of};
use crate::{
    Family, FloatingIpId, GroupRole, Key, NetworkId, PortId, RouterId, SecurityGroupId, SecurityRuleId,
    Snapshot, Stamp, SubnetId,
};

/// What goes, or would go.
#[derive(Debug, Default)]
pub(super) struct Removal {
    floating_ips: Vec<FloatingIpId>,
    ports: Vec<PortId>,
    /// Interfaces of routers that stay, and of those that go.
    interfaces: Vec<(RouterId, PortId)>,
    routers: Vec<RouterId>,
    /// Rules of groups that stay.
    rules: Vec<(SecurityGroupId, SecurityRuleId)>,
    groups: Vec<SecurityGroupId>,
    subnets: Vec<SubnetId>,
    /// Subnets that something wanted still has an address of before it is changed.
    late_subnets: Vec<SubnetId>,
    networks: Vec<NetworkId>,
    late_networks: Vec<NetworkId>,
}

impl Removal {
    /// Everything that carries the file's tag and is not wanted, with all that belongs to it.
    pub(super) fn of(state: &Snapshot, desired: &Desired) -> Removal {
        let tenant = &desired.tenant;
        let is_ours = |stamp: &Stamp| stamp.tags.contains(&desired.tag);
        let mut removal = Removal::default();
        let wanted: BTreeSet<_> = desired.floating_ips.iter().map(|new| new.id).collect();
        let ours = state.floating_ips_of_tenant(tenant).filter(|had| is_ours(&had.stamp));
        removal.floating_ips = ours.map(|had| had.id).filter(|id| !wanted.contains(id)).collect();
        let wanted: BTreeSet<_> = desired.ports.iter().map(|new| new.id).collect();
        let ours = state.ports_of_tenant(tenant).filter(|had| is_ours(&had.stamp) && !had.is_virtual());
        removal.ports = ours.map(|had| had.id).filter(|id| !wanted.contains(id)).collect();
        removal.find_routers(state, desired, is_ours);
        removal.find_groups(state, desired, is_ours);
        removal.find_networks(state, desired, is_ours);
        removal
    }

    fn find_routers(&mut self, state: &Snapshot, desired: &Desired, is_ours: impl Fn(&Stamp) -> bool) {
        for had in state.routers_of_tenant(&desired.tenant).filter(|had| is_ours(&had.stamp)) {
            let wanted = desired.routers.iter().find(|wanted| wanted.router.id == had.id);
            let joins = wanted.map(|DesiredRouter { interfaces, .. }| {
                interfaces.iter().map(|(subnet, ..)| *subnet).collect::<BTreeSet<_>>()
            });
            let joins = joins.unwrap_or_default();
            let unwanted = state
                .interfaces_of(had.id)
                .filter(|port| !port.fixed_ips.iter().any(|ip| joins.contains(&ip.subnet)));
            self.interfaces.extend(unwanted.map(|port| (had.id, port.id)));
            if wanted.is_none() {
                self.routers.push(had.id);
            }
        }
    }

    fn find_groups(&mut self, state: &Snapshot, desired: &Desired, is_ours: impl Fn(&Stamp) -> bool) {
        for had in state.security_groups_of_tenant(&desired.tenant) {
            if had.role == GroupRole::Default || !is_ours(&had.stamp) {
                continue;
            }
            let Some(DesiredGroup { group, rules, egress }) =
                desired.groups.iter().find(|wanted| wanted.group.id == had.id)
            else {
                self.groups.push(had.id);
                continue;
            };
            let first = [Family::V4, Family::V6].map(|family| first_rule(group, family));
            let kept = first.iter().filter(|_| *egress == FirstRules::Kept);
            let wanted: Vec<_> = rules.iter().chain(kept).collect();
            let unwanted = state.rules_of(had.id).filter(|rule| !wanted.iter().any(|new| is_same(rule, new)));
            self.rules.extend(unwanted.map(|rule| (had.id, rule.id)));
        }
    }

    fn find_networks(&mut self, state: &Snapshot, desired: &Desired, is_ours: impl Fn(&Stamp) -> bool) {
        let wanted: BTreeSet<_> = desired.networks.iter().map(|new| new.id).collect();
        let kept: BTreeSet<_> = desired.ports.iter().map(|new| new.id).collect();
        let is_busy = |subnet: SubnetId, network: NetworkId| {
            let mut ports = state.ports_of(network).filter(|port| kept.contains(&port.id));
            ports.any(|port| port.fixed_ips.iter().any(|ip| ip.subnet == subnet))
        };
        let subnets: BTreeSet<_> = desired.subnets.iter().map(|new| new.id).collect();
        for had in state.subnets_of_tenant(&desired.tenant).filter(|had| is_ours(&had.stamp)) {
            if subnets.contains(&had.id) {
                continue;
            }
            let list = if is_busy(had.id, had.network) { &mut self.late_subnets } else { &mut self.subnets };
            list.push(had.id);
        }
        for had in state.networks_of_tenant(&desired.tenant).filter(|had| is_ours(&had.stamp)) {
            if wanted.contains(&had.id) {
                continue;
            }
            let is_late = state.subnets_of(had.id).any(|subnet| self.late_subnets.contains(&subnet.id));
            let list = if is_late { &mut self.late_networks } else { &mut self.networks };
            list.push(had.id);
        }
    }

    /// The names of all of it.
    pub(super) fn keys(&self) -> Vec<Key> {
        let floating_ips = self.floating_ips.iter().map(|id| Key::FloatingIp(*id));
        let ports = self.ports.iter().chain(self.interfaces.iter().map(|(_, port)| port));
        let rules = self.rules.iter().map(|(_, rule)| Key::SecurityRule(*rule));
        floating_ips
            .chain(ports.map(|id| Key::Port(*id)))
            .chain(self.routers.iter().map(|id| Key::Router(*id)))
            .chain(rules)
            .chain(self.groups.iter().map(|id| Key::SecurityGroup(*id)))
            .chain(self.subnets.iter().chain(&self.late_subnets).map(|id| Key::Subnet(*id)))
            .chain(self.networks.iter().chain(&self.late_networks).map(|id| Key::Network(*id)))
            .collect()
    }

    /// What goes before anything is made, so that addresses and prefixes are free: whatever nothing wanted is in the way of.
    pub(super) fn first(&self, work: &mut Work<'_>) {
        for id in &self.floating_ips {
            work.step(id.0, Intent::DeleteFloatingIp(*id, None));
        }
        for id in &self.ports {
            work.step(id.0, Intent::DeletePort(*id, None));
        }
        let routers: BTreeSet<RouterId> = self.interfaces.iter().map(|(router, _)| *router).collect();
        for router in routers {
            // A route may lead through an interface that goes.
            let patch = RouterPatch { routes: Some(RoutesPatch::Set(Vec::new())), ..RouterPatch::default() };
            let has_routes = work.state.router(&router).is_some_and(|router| !router.routes.is_empty());
            if has_routes && !subnets_of(work.state, router).is_empty() {
                work.step(router.0, Intent::UpdateRouter(router, patch));
            }
        }
        for (router, port) in &self.interfaces {
            let old = OldInterface { subnet: None, port: Some(*port) };
            work.step(router.0, Intent::RemoveInterface(*router, old));
        }
        for id in &self.routers {
            work.step(id.0, Intent::DeleteRouter(*id, None));
        }
        for id in &self.subnets {
            work.step(id.0, Intent::DeleteSubnet(*id, None));
        }
        for id in &self.networks {
            work.step(id.0, Intent::DeleteNetwork(*id, None));
        }
    }

    /// What goes when nothing wanted uses it any more.
    pub(super) fn last(&self, work: &mut Work<'_>) {
        for (group, rule) in &self.rules {
            work.step(group.0, Intent::DeleteSecurityRule(*rule));
        }
        for id in &self.groups {
            work.step(id.0, Intent::DeleteSecurityGroup(*id, None));
        }
        for id in &self.late_subnets {
            work.step(id.0, Intent::DeleteSubnet(*id, None));
        }
        for id in &self.late_networks {
            work.step(id.0, Intent::DeleteNetwork(*id, None));
        }
    }
}
