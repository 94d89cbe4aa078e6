//! From what a tenant's objects are to be to the intents that make them so: the pure half of `weft apply`.
//!
//! Every wanted object says all of itself: what it does not mention has its default. One whose id the state knows is
//! brought to that, any other is made. What is not wanted is deleted only on demand, and only if it carries the tag of the
//! same file. Nothing is decided here that the planner decides: the intents pass it like those of anybody, and one that
//! changes nothing leaves no trace.

mod removal;

use std::collections::BTreeSet;

use ipnet::IpNet;
use uuid::Uuid;

use super::subnets::default_gateway;
use super::{
    AskedPart, AskedPrefix, FloatingIpPatch, Intent, Labels, LabelsPatch, NetworkPatch, NewFloatingIp,
    NewInterface, NewNetwork, NewPort, NewRouter, NewSecurityGroup, NewSecurityRule, NewSubnet, PortGroups,
    PortPatch, RouterPatch, RoutesPatch, SecurityGroupPatch, Settings, SubnetPatch,
};
use crate::address::{usable, without};
use crate::network::TAG_LEN;
use crate::{
    DhcpFamily, DhcpOption, Direction, Family, GroupRole, Key, Network, PortId, PortSecurity, Remote, Route,
    RouterId, SecurityGroupId, SecurityRule, Service, Snapshot, Stamp, Subnet, SubnetId, TenantId,
};
use removal::Removal;

/// What a tenant's objects are to be, by one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Desired {
    /// Whose they are.
    pub tenant: TenantId,
    /// The tag that objects carry which were made for this file, and only for it.
    pub tag: String,
    /// Networks.
    pub networks: Vec<NewNetwork>,
    /// Subnets, of these networks or others.
    pub subnets: Vec<NewSubnet>,
    /// Security groups with their rules.
    pub groups: Vec<DesiredGroup>,
    /// Routers with their interfaces and routes.
    pub routers: Vec<DesiredRouter>,
    /// Ports.
    pub ports: Vec<NewPort>,
    /// Floating IPs.
    pub floating_ips: Vec<NewFloatingIp>,
}

/// A security group with all its rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DesiredGroup {
    /// The group.
    pub group: NewSecurityGroup,
    /// Its rules, besides the two first ones.
    pub rules: Vec<NewSecurityRule>,
    /// Whether it keeps the two rules that it is made with: everything may leave.
    pub egress: FirstRules,
}

/// What becomes of the two rules that every group is made with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FirstRules {
    /// They stay.
    Kept,
    /// They are like any other: there if wanted.
    Dropped,
}

/// A router with all that it joins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DesiredRouter {
    /// The router and its gateway.
    pub router: NewRouter,
    /// The subnets that it has the gateway's address in, each with the id of the port to make and where the search for
    /// its MAC starts.
    pub interfaces: Vec<(SubnetId, PortId, u32)>,
    /// Its static routes.
    pub routes: Vec<Route>,
}

/// Whether what is there and not wanted any more goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prune {
    /// It stays.
    No,
    /// It goes, if it carries the file's tag or belongs to what does.
    Yes,
}

/// An intent, and the wanted object that it is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// What to do.
    pub intent: Intent,
    /// The id of the wanted object, or of the one that goes.
    pub about: Uuid,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// In an order in which all of it can be done.
    pub steps: Vec<Step>,
    /// What is not wanted any more and stays: what [`Prune::Yes`] would delete.
    pub left: Vec<Key>,
}

/// Something that cannot become what is wanted of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unchangeable {
    /// The object.
    pub about: Uuid,
    /// The attribute, in the words of the API.
    pub field: &'static str,
    /// What it is now.
    pub is: String,
}

/// What has to be done so that the state has what is wanted.
///
/// # Errors
/// Everything that is there under a wanted id and cannot be changed into what is wanted.
pub fn difference(
    state: &Snapshot,
    desired: &Desired,
    prune: Prune,
    settings: &Settings,
) -> Result<Difference, Vec<Unchangeable>> {
    let stuck = unchangeable(state, desired);
    if !stuck.is_empty() {
        return Err(stuck);
    }
    let mut work = Work { state, desired, settings, steps: Vec::new() };
    let removal = Removal::of(state, desired);
    let left = match prune {
        Prune::No => removal.keys(),
        Prune::Yes => Vec::new(),
    };
    let removal = if prune == Prune::Yes { removal } else { Removal::default() };
    work.detach();
    removal.first(&mut work);
    work.networks();
    work.subnets();
    work.groups();
    work.routers();
    work.ports();
    removal.last(&mut work);
    work.floating_ips();
    Ok(Difference { steps: work.steps, left })
}

/// The prefix that a subnet is to have; one that a pool chose stays.
fn wanted_cidr(new: &NewSubnet, had: &Subnet) -> IpNet {
    match new.prefix {
        AskedPrefix::Own(cidr) | AskedPrefix::Cut { part: AskedPart::This(cidr), .. } => cidr,
        AskedPrefix::Cut { part: AskedPart::Lowest(_), .. } => had.cidr,
    }
}

fn unchangeable(state: &Snapshot, desired: &Desired) -> Vec<Unchangeable> {
    let mut stuck = Vec::new();
    let mut check = |about: Uuid, field, is: String, wanted: String| {
        if is != wanted {
            stuck.push(Unchangeable { about, field, is });
        }
    };
    for new in &desired.networks {
        let Some(had) = state.network(&new.id) else { continue };
        check(
            new.id.0,
            "vlan_transparent",
            had.vlan_transparent.to_string(),
            new.vlan_transparent.to_string(),
        );
    }
    for new in &desired.subnets {
        let Some(had) = state.subnet(&new.id) else { continue };
        check(new.id.0, "cidr", had.cidr.to_string(), wanted_cidr(new, had).to_string());
        let word = |mode: &Option<String>| mode.clone().unwrap_or_default();
        check(new.id.0, "ipv6_ra_mode", word(&had.ipv6_ra_mode), word(&new.ipv6_ra_mode));
        check(new.id.0, "ipv6_address_mode", word(&had.ipv6_address_mode), word(&new.ipv6_address_mode));
    }
    for new in &desired.ports {
        let Some(had) = state.port(&new.id) else { continue };
        check(new.id.0, "network", had.network.to_string(), new.network.to_string());
    }
    for new in &desired.floating_ips {
        let Some(had) = state.floating_ip(&new.id) else { continue };
        check(new.id.0, "network", had.network.to_string(), new.network.to_string());
    }
    stuck
}

/// What is being put together.
struct Work<'a> {
    state: &'a Snapshot,
    desired: &'a Desired,
    settings: &'a Settings,
    steps: Vec<Step>,
}

impl Work<'_> {
    fn step(&mut self, about: Uuid, intent: Intent) {
        self.steps.push(Step { intent, about });
    }

    /// What a new object is called: the file's tag says for whom it was made.
    fn labels(&self, labels: &Labels) -> Labels {
        let mut labels = labels.clone();
        labels.tags.insert(self.desired.tag.clone());
        labels
    }

    /// What an object is to be called. One that was there before keeps what others have tagged it with, and is never
    /// tagged for the file, so that it is never deleted for it either.
    fn relabelled(&self, had: &Stamp, labels: &Labels) -> LabelsPatch {
        let mut tags = labels.tags.clone();
        if had.tags.contains(&self.desired.tag) {
            tags.insert(self.desired.tag.clone());
        } else {
            tags.extend(had.tags.iter().cloned());
        }
        let Labels { name, description, .. } = labels.clone();
        LabelsPatch { name: Some(name), description: Some(description), tags: Some(tags) }
    }

    /// Floating IPs that are to stand for something else let go first, so that two can change places.
    fn detach(&mut self) {
        for new in &self.desired.floating_ips {
            let Some(target) = self.state.floating_ip(&new.id).and_then(|had| had.target) else { continue };
            let stays = new.target.is_some_and(|asked| {
                asked.port == target.port && asked.address.is_none_or(|address| address == target.address)
            });
            if !stays {
                let patch = FloatingIpPatch { target: Some(None), ..FloatingIpPatch::default() };
                self.step(new.id.0, Intent::UpdateFloatingIp(new.id, patch));
            }
        }
    }

    fn networks(&mut self) {
        for new in &self.desired.networks {
            let intent = match self.state.network(&new.id) {
                None => Intent::CreateNetwork(NewNetwork { labels: self.labels(&new.labels), ..new.clone() }),
                Some(had) => Intent::UpdateNetwork(
                    new.id,
                    NetworkPatch {
                        if_number: Some(had.stamp.number),
                        labels: self.relabelled(&had.stamp, &new.labels),
                        mtu: Some(new.mtu.unwrap_or_else(|| largest_mtu(had, self.settings))),
                        admin_up: Some(new.admin_up),
                        port_security_default: Some(new.port_security_default),
                        dns_domain: Some(new.dns_domain.clone()),
                        external: Some(new.external),
                        qos_policy: new.qos_policy,
                        // With whom an operator shares it is not the tenant's to take back.
                        shared: new.shared.then_some(true),
                    },
                ),
            };
            self.step(new.id.0, intent);
        }
    }

    fn subnets(&mut self) {
        for new in &self.desired.subnets {
            let intent = match self.state.subnet(&new.id) {
                None => Intent::CreateSubnet(NewSubnet { labels: self.labels(&new.labels), ..new.clone() }),
                Some(had) => {
                    let cidr = wanted_cidr(new, had);
                    let gateway = new.gateway.unwrap_or_else(|| default_gateway(cidr));
                    let pools = new.pools.clone().unwrap_or_else(|| without(usable(cidr), gateway));
                    Intent::UpdateSubnet(
                        new.id,
                        SubnetPatch {
                            if_number: Some(had.stamp.number),
                            labels: self.relabelled(&had.stamp, &new.labels),
                            gateway: Some(gateway),
                            pools: Some(pools),
                            dhcp: Some(new.dhcp),
                            dns_servers: Some(new.dns_servers.clone()),
                            host_routes: Some(new.host_routes.clone()),
                        },
                    )
                }
            };
            self.step(new.id.0, intent);
        }
    }

    /// All groups before all rules, because a rule may name any of them.
    fn groups(&mut self) {
        for DesiredGroup { group: new, egress, .. } in &self.desired.groups {
            match self.state.security_group(&new.id) {
                None => {
                    let labels = self.labels(&new.labels);
                    let made = NewSecurityGroup { labels, ..new.clone() };
                    self.step(new.id.0, Intent::CreateSecurityGroup(made));
                    if *egress == FirstRules::Dropped {
                        for rule in new.rule_ids {
                            self.step(new.id.0, Intent::DeleteSecurityRule(rule));
                        }
                    }
                }
                // What every tenant has stays what it is, only rules come and go.
                Some(had) if had.role == GroupRole::Default => {}
                Some(had) => {
                    let patch = SecurityGroupPatch {
                        if_number: Some(had.stamp.number),
                        labels: self.relabelled(&had.stamp, &new.labels),
                        tracking: Some(new.tracking),
                    };
                    self.step(new.id.0, Intent::UpdateSecurityGroup(new.id, patch));
                }
            }
        }
        for DesiredGroup { group, rules, egress } in &self.desired.groups {
            let had: Vec<_> = self.state.rules_of(group.id).collect();
            let is_new = self.state.security_group(&group.id).is_none();
            let first = [Family::V4, Family::V6].map(|family| first_rule(group, family));
            // The two first rules come back when they were dropped before.
            let back = first.iter().filter(|_| *egress == FirstRules::Kept && !is_new);
            for rule in rules.iter().chain(back) {
                let is_there = had.iter().any(|had| is_same(had, rule));
                let is_first = is_new && *egress == FirstRules::Kept && first.iter().any(|f| alike(f, rule));
                if !is_there && !is_first {
                    self.step(group.id.0, Intent::CreateSecurityRule(rule.clone()));
                }
            }
        }
    }

    fn routers(&mut self) {
        for DesiredRouter { router: new, interfaces, routes } in &self.desired.routers {
            let had = self.state.router(&new.id);
            let joined = subnets_of(self.state, new.id);
            let intent = match had {
                None => Intent::CreateRouter(NewRouter { labels: self.labels(&new.labels), ..new.clone() }),
                Some(had) => Intent::UpdateRouter(
                    new.id,
                    RouterPatch {
                        labels: self.relabelled(&had.stamp, &new.labels),
                        admin_up: Some(new.admin_up),
                        gateway: Some(new.gateway.clone()),
                        ..RouterPatch::default()
                    },
                ),
            };
            self.step(new.id.0, intent);
            for (subnet, port, mac_seed) in interfaces {
                if !joined.contains(subnet) {
                    let (subnet, port, mac_seed) = (*subnet, *port, *mac_seed);
                    let new_one = NewInterface::OfSubnet { subnet, port, mac_seed };
                    self.step(new.id.0, Intent::AddInterface(new.id, new_one));
                }
            }
            if had.is_some() || !routes.is_empty() {
                let routes = Some(RoutesPatch::Set(routes.clone()));
                let patch = RouterPatch { routes, ..RouterPatch::default() };
                self.step(new.id.0, Intent::UpdateRouter(new.id, patch));
            }
        }
    }

    fn ports(&mut self) {
        for new in &self.desired.ports {
            let Some(had) = self.state.port(&new.id) else {
                let made = NewPort { labels: self.labels(&new.labels), ..new.clone() };
                self.step(new.id.0, Intent::CreatePort(made));
                continue;
            };
            let security = new.security.unwrap_or_else(|| self.default_security(new));
            let patch = PortPatch {
                if_number: Some(had.stamp.number),
                labels: self.relabelled(&had.stamp, &new.labels),
                mac: new.mac,
                fixed_ips: new.fixed_ips.clone(),
                admin_up: Some(new.admin_up),
                security: Some(security),
                groups: self.groups_of(new, security),
                allowed_pairs: Some(new.allowed_pairs.clone()),
                dhcp_options: chosen(&had.dhcp_options, &new.dhcp_options),
                device_id: Some(new.device_id.clone()).filter(|id| !id.is_empty()),
                device_owner: Some(new.device_owner.clone()).filter(|owner| !owner.is_empty()),
                requested_host: new.requested_host.clone().map(Some),
                dns_name: Some(new.dns_name.clone()),
                // One that a file says nothing of may be an operator's.
                qos_policy: new.qos_policy.map(Some),
            };
            self.step(new.id.0, Intent::UpdatePort(new.id, patch));
        }
    }

    fn default_security(&self, port: &NewPort) -> PortSecurity {
        let wanted = self.desired.networks.iter().find(|network| network.id == port.network);
        let wanted = wanted.map(|network| network.port_security_default);
        let had = self.state.network(&port.network).map(|network| network.port_security_default);
        if wanted.or(had).unwrap_or(true) { PortSecurity::Enforced } else { PortSecurity::Off }
    }

    fn groups_of(&self, port: &NewPort, security: PortSecurity) -> Option<BTreeSet<SecurityGroupId>> {
        match (&port.groups, security) {
            (PortGroups::These(groups), _) => Some(groups.clone()),
            (_, PortSecurity::Off) => Some(BTreeSet::new()),
            (PortGroups::Default, _) => {
                self.state.default_group(&self.desired.tenant).map(|group| BTreeSet::from([group.id]))
            }
            (PortGroups::Unfiltered, _) => None,
        }
    }

    fn floating_ips(&mut self) {
        for new in &self.desired.floating_ips {
            let intent = match self.state.floating_ip(&new.id) {
                None => Intent::CreateFloatingIp(NewFloatingIp {
                    labels: self.labels(&new.labels),
                    ..new.clone()
                }),
                Some(had) => {
                    let labels = LabelsPatch { name: None, ..self.relabelled(&had.stamp, &new.labels) };
                    let patch = FloatingIpPatch { if_number: None, labels, target: Some(new.target) };
                    Intent::UpdateFloatingIp(new.id, patch)
                }
            };
            self.step(new.id.0, intent);
        }
    }
}

/// What makes one list of DHCP options out of another.
fn chosen(had: &[DhcpOption], wanted: &[DhcpOption]) -> Vec<(DhcpFamily, String, Option<DhcpOption>)> {
    let name = |option: &DhcpOption| (option.family(), option.name().to_owned());
    let gone = had.iter().filter(|had| !wanted.iter().any(|new| name(new) == name(had)));
    let new = wanted.iter().filter(|new| !had.contains(new));
    let gone = gone.map(|option| (option.family(), option.name().to_owned(), None));
    gone.chain(new.map(|option| (option.family(), option.name().to_owned(), Some(option.clone())))).collect()
}

/// What a network's workloads may send at most when nobody says.
fn largest_mtu(network: &Network, settings: &Settings) -> u32 {
    let tag = if network.vlan_transparent && network.segment.is_none() { TAG_LEN } else { 0 };
    let overhead = if network.segment.is_some() { 0 } else { network.encap.overhead() + tag };
    u32::from(settings.underlay_mtu.saturating_sub(overhead).max(super::networks::MTU_MIN))
}

/// One of the two rules that a group is made with.
fn first_rule(group: &NewSecurityGroup, family: Family) -> NewSecurityRule {
    let id = group.rule_ids[usize::from(family == Family::V6)];
    NewSecurityRule::new(id, group.id, Direction::Egress, family)
}

/// True if a rule that is there says what a wanted one says.
fn is_same(had: &SecurityRule, wanted: &NewSecurityRule) -> bool {
    meaning((had.direction, had.family, had.service, had.remote))
        == meaning((wanted.direction, wanted.family, wanted.service, wanted.remote))
}

fn alike(a: &NewSecurityRule, b: &NewSecurityRule) -> bool {
    (a.direction, a.family, a.service, a.remote) == (b.direction, b.family, b.service, b.remote)
}

fn meaning(rule: (Direction, Family, Service, Remote)) -> (Direction, Family, Service, Remote) {
    let (direction, family, service, remote) = rule;
    (direction, family, service, super::security::trunc(remote))
}

/// The subnets that a router has an interface in.
fn subnets_of(state: &Snapshot, router: RouterId) -> BTreeSet<SubnetId> {
    state.interfaces_of(router).flat_map(|port| &port.fixed_ips).map(|ip| ip.subnet).collect()
}
