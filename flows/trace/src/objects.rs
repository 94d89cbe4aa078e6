//! The objects behind flows, in the words of those who made them: ports, networks, routers, rules, groups, hosts.

use weft_compiler::Owner;
use weft_compiler::pipeline::{EGRESS_RULES, INGRESS_RULES};
use weft_compiler::registers::RULE;
use weft_model::{Host, NetworkId, PortId, Remote, RuleKey, SecurityGroup, Service, Snapshot, TenantId};
use weft_openflow::{Action, FieldId};

use crate::switch::Entry;

/// Something that a tenant made, or a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// What it is: `port`, `network`, `router`, `gateway`, `floating ip`, `rule`, `host`.
    pub kind: &'static str,
    /// Its id.
    pub id: String,
    /// Its name; may be empty.
    pub name: String,
    /// Whose it is; none for what only administrators see.
    pub tenant: Option<TenantId>,
}

/// What an owner is in the words of those who made it.
pub fn object_of(owner: Owner, snapshot: &Snapshot) -> Option<Object> {
    match owner {
        Owner::Network(vni) | Owner::Flood(vni, _) | Owner::LocalFlood(_, vni) => {
            network(snapshot.network_by_vni(vni)?.id, snapshot)
        }
        Owner::Port(_, key) | Owner::LocalPort(_, key) | Owner::Interface(_, key) => {
            port(snapshot.port_by_key(key)?.id, snapshot)
        }
        Owner::Router(key) => {
            let router = snapshot.router_by_key(key)?;
            let (id, name) = (router.id.to_string(), router.stamp.name.clone());
            Some(Object { kind: "router", id, name, tenant: Some(router.tenant.clone()) })
        }
        Owner::Gateway(_, key) => {
            let router = snapshot.router_by_key(key)?;
            let (id, name) = (router.id.to_string(), router.stamp.name.clone());
            Some(Object { kind: "gateway", id, name, tenant: Some(router.tenant.clone()) })
        }
        Owner::Floating(_, key) => {
            let ip = snapshot.floating_ip(&snapshot.port_by_key(key)?.floating_ip()?)?;
            let (id, name) = (ip.id.to_string(), ip.address.to_string());
            Some(Object { kind: "floating ip", id, name, tenant: Some(ip.tenant.clone()) })
        }
        Owner::Policy(key) => {
            // The groups are what their tenant knows; a policy of none has no name.
            let groups: Vec<_> =
                snapshot.policy(key)?.groups.iter().filter_map(|id| snapshot.security_group(id)).collect();
            let join = |text: fn(&SecurityGroup) -> String| {
                groups.iter().map(|group| text(group)).collect::<Vec<_>>().join(",")
            };
            let (id, name) = (join(|group| group.id.to_string()), join(|group| group.stamp.name.clone()));
            let tenant = groups.first().map(|group| group.tenant.clone());
            Some(Object { kind: "security groups", id, name, tenant })
        }
        Owner::HostBase(host) => Some(host_object(snapshot.host_by_index(host)?)),
    }
}

/// What a flow exists for: the rule that it is of, else its owner.
pub(crate) fn object_behind(entry: &Entry, snapshot: &Snapshot) -> Option<Object> {
    rule_of(entry).and_then(|key| rule(key, snapshot)).or_else(|| object_of(entry.owner?, snapshot))
}

/// The rule that a flow lets pass for, or whose connections it lets answer.
fn rule_of(entry: &Entry) -> Option<RuleKey> {
    if entry.flow.table != EGRESS_RULES.number && entry.flow.table != INGRESS_RULES.number {
        return None;
    }
    let set = entry.actions().find_map(|action| match action {
        Action::SetField(field) if field.id() == RULE.field() => field.value(),
        _ => None,
    });
    let label = || entry.matching.get(FieldId::nxm1(108))?.value();
    RuleKey::new(u32::try_from(set.or_else(label)? & 0xffff_ffff).ok()?)
}

/// A rule, called by what it says.
fn rule(key: RuleKey, snapshot: &Snapshot) -> Option<Object> {
    let rule = snapshot.rule_by_key(key)?;
    let group = snapshot.security_group(&rule.group)?;
    let service = match rule.service {
        Service::Any => "any".to_owned(),
        Service::Protocol(protocol) => protocol_name(protocol),
        Service::Ports { protocol, first, last } if first == last => {
            format!("{} {first}", protocol_name(protocol))
        }
        Service::Ports { protocol, first, last } => format!("{} {first}-{last}", protocol_name(protocol)),
        Service::Icmp { kind, code: None } => format!("icmp type {kind}"),
        Service::Icmp { kind, code: Some(code) } => format!("icmp type {kind} code {code}"),
    };
    let remote = match rule.remote {
        Remote::Any => String::new(),
        Remote::Prefix(prefix) => format!(" {prefix}"),
        Remote::Group(id) => {
            snapshot.security_group(&id).map_or_else(String::new, |g| format!(" group {}", g.stamp.name))
        }
        Remote::Addresses(id) => {
            snapshot.address_group(&id).map_or_else(String::new, |g| format!(" addresses {}", g.stamp.name))
        }
    };
    let name = format!("{} {} {service}{remote} of group {}", rule.direction, rule.family, group.stamp.name);
    let tenant = Some(group.tenant.clone());
    Some(Object { kind: "rule", id: rule.id.to_string(), name, tenant })
}

fn protocol_name(protocol: u8) -> String {
    match protocol {
        1 | 58 => "icmp".to_owned(),
        6 => "tcp".to_owned(),
        17 => "udp".to_owned(),
        132 => "sctp".to_owned(),
        other => format!("protocol {other}"),
    }
}

fn network(id: NetworkId, snapshot: &Snapshot) -> Option<Object> {
    let network = snapshot.network(&id)?;
    let (id, name) = (id.to_string(), network.stamp.name.clone());
    Some(Object { kind: "network", id, name, tenant: Some(network.tenant.clone()) })
}

pub(crate) fn port(id: PortId, snapshot: &Snapshot) -> Option<Object> {
    let port = snapshot.port(&id)?;
    let (id, name) = (id.to_string(), port.stamp.name.clone());
    Some(Object { kind: "port", id, name, tenant: Some(port.tenant.clone()) })
}

fn host_object(host: &Host) -> Object {
    Object { kind: "host", id: host.id.to_string(), name: host.hostname.clone(), tenant: None }
}
