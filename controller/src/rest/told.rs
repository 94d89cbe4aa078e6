//! Stored records as the API shows them: what events and plans tell of an object.

use serde_json::{Map, Value};
use weft_model::{PortForwarding, Record, TenantId};

use super::address_groups::AddressGroups;
use super::address_scopes::AddressScopes;
use super::call::View;
use super::floating_ips::FloatingIps;
use super::hosts::Hosts;
use super::kind::{Kind, members, shows};
use super::networks::Networks;
use super::port_forwardings;
use super::ports::Ports;
use super::qos_policies::QosPolicies;
use super::rbac_policies::RbacPolicies;
use super::routers::Routers;
use super::security_groups::SecurityGroups;
use super::security_rules::SecurityRules;
use super::segment_ranges::SegmentRanges;
use super::subnet_pools::SubnetPools;
use super::subnets::Subnets;
use super::tenants::Tenants;
use super::trunks::Trunks;

/// An object that the API shows.
#[derive(Debug, Clone)]
pub(super) struct Told {
    /// Which kind: the member of its envelope.
    pub(super) kind: &'static str,
    pub(super) id: String,
    /// Whose it is.
    pub(super) project: Option<TenantId>,
    /// How it is shown to the caller.
    pub(super) row: Map<String, Value>,
}

/// The kinds of objects that there are events of.
pub(super) const KINDS: [&str; 17] = [
    Networks::ONE,
    Subnets::ONE,
    Ports::ONE,
    Routers::ONE,
    FloatingIps::ONE,
    port_forwardings::ONE,
    SecurityGroups::ONE,
    SecurityRules::ONE,
    AddressGroups::ONE,
    Trunks::ONE,
    QosPolicies::ONE,
    SubnetPools::ONE,
    AddressScopes::ONE,
    RbacPolicies::ONE,
    SegmentRanges::ONE,
    Tenants::ONE,
    Hosts::ONE,
];

/// A record as the caller sees it; nothing when the caller may not, or when the API shows no such thing by itself. The
/// record need not be in the view's state any more: what else its row says comes from there.
pub(super) fn told(view: &View, record: &Record) -> Option<Told> {
    match record {
        Record::Network(network) => shown::<Networks>(view, network),
        Record::Subnet(subnet) => shown::<Subnets>(view, subnet),
        Record::Port(port) => shown::<Ports>(view, port),
        Record::Router(router) => shown::<Routers>(view, router),
        Record::FloatingIp(ip) => shown::<FloatingIps>(view, ip),
        Record::PortForwarding(forwarding) => forwarded(view, forwarding),
        Record::SecurityGroup(group) => shown::<SecurityGroups>(view, group),
        Record::SecurityRule(rule) => shown::<SecurityRules>(view, rule),
        Record::AddressGroup(group) => shown::<AddressGroups>(view, group),
        Record::Trunk(trunk) => shown::<Trunks>(view, trunk),
        Record::QosPolicy(policy) => shown::<QosPolicies>(view, policy),
        Record::SubnetPool(pool) => shown::<SubnetPools>(view, pool),
        Record::AddressScope(scope) => shown::<AddressScopes>(view, scope),
        Record::RbacPolicy(policy) => shown::<RbacPolicies>(view, policy),
        Record::SegmentRange(range) => shown::<SegmentRanges>(view, range),
        Record::Tenant(tenant) => shown::<Tenants>(view, tenant),
        Record::Host(host) => shown::<Hosts>(view, host),
        // Where a port is, is a part of how the port is shown.
        Record::Binding(binding) => shown::<Ports>(view, view.snapshot.port(&binding.port)?),
        Record::Counters(_) | Record::Policy(_) | Record::PhysicalNetwork(_) => None,
        Record::Token(_) | Record::Quota(_) => None,
        // Who may do what is told under /v3 only.
        Record::User(_) | Record::Assignment(_) | Record::AppCredential(_) => None,
    }
}

fn shown<K: Kind>(view: &View, object: &K::Object) -> Option<Told> {
    if !shows::<K>(view, object) {
        return None;
    }
    let (id, project) = (K::id(object), K::owner(object).cloned());
    Some(Told { kind: K::ONE, id, project, row: members(K::row(view, object)) })
}

/// A port forwarding belongs to whom its floating IP belongs, or the port that it leads to.
fn forwarded(view: &View, forwarding: &PortForwarding) -> Option<Told> {
    let of = view.snapshot.floating_ip(&forwarding.floating_ip).map(|ip| ip.tenant.clone());
    let project = of.or_else(|| view.snapshot.port(&forwarding.port).map(|port| port.tenant.clone()));
    let is_seen = project.as_ref().map_or(view.caller.is_admin(), |owner| view.caller.sees(owner));
    let row = is_seen.then(|| members(port_forwardings::row(forwarding)))?;
    Some(Told { kind: port_forwardings::ONE, id: forwarding.id.to_string(), project, row })
}
