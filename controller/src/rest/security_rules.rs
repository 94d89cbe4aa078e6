//! `/v2.0/security-group-rules`.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::Path;
use ipnet::IpNet;
use serde_json::json;
use uuid::Uuid;
use weft_api as api;
use weft_model::intent::{Intent, NewSecurityRule};
use weft_model::{
    AddressGroupId, Direction, Family, GroupRole, Key, Remote, SecurityGroupId, SecurityRule, SecurityRuleId,
    Service, SharedKind, Snapshot, TenantId,
};

use crate::clock;

use super::call::{Body, Call, Reply, View};
use super::caller::Caller;
use super::failure::Failure;
use super::fields::Fields;
use super::kind::{self, Candidates, Kind, Writable};
use super::query::ListQuery;
use super::{page, scope};

/// Rules of security groups as a kind of object.
pub(super) struct SecurityRules;

impl Kind for SecurityRules {
    const ONE: &'static str = "security_group_rule";
    const MANY: &'static str = "security_group_rules";
    const LABEL: &'static str = "Security group rule";
    type Object = SecurityRule;
    type Row = api::SecurityGroupRule;

    fn id(rule: &SecurityRule) -> String {
        rule.id.to_string()
    }

    fn name(_: &SecurityRule) -> &str {
        ""
    }

    fn owner(rule: &SecurityRule) -> Option<&TenantId> {
        Some(&rule.tenant)
    }

    fn is_shared(view: &View, rule: &SecurityRule) -> bool {
        view.is_shared(rule.group)
    }

    fn find<'a>(snapshot: &'a Snapshot, id: &str) -> Option<&'a Arc<SecurityRule>> {
        snapshot.security_rule(&SecurityRuleId(scope::uuid(id)?))
    }

    fn candidates<'a>(view: &'a View, query: &ListQuery) -> Candidates<'a, SecurityRule> {
        let snapshot = &view.snapshot;
        if let Some(ids) = scope::ids(query) {
            let find = |id| snapshot.security_rule(&SecurityRuleId(id));
            return Box::new(ids.into_iter().filter_map(find));
        }
        if let Some(group) = query.single("security_group_id").and_then(scope::uuid) {
            return Box::new(snapshot.rules_of(SecurityGroupId(group)));
        }
        match scope::tenant(view, query) {
            Some(tenant) => {
                let own = snapshot.security_groups_of_tenant(&tenant).map(|group| group.id);
                let shared = view.shared(SharedKind::SecurityGroup).into_iter().map(SecurityGroupId);
                let rules = own.chain(shared).flat_map(|group| snapshot.rules_of(group));
                let ids: BTreeSet<SecurityRuleId> = rules.map(|rule| rule.id).collect();
                Box::new(ids.into_iter().filter_map(|id| snapshot.security_rule(&id)))
            }
            None => Box::new(snapshot.security_rules()),
        }
    }

    fn row(view: &View, rule: &SecurityRule) -> api::SecurityGroupRule {
        let (protocol, min, max) = shown(rule);
        let prefix = match rule.remote {
            Remote::Prefix(prefix) => Some(prefix.to_string()),
            _ => None,
        };
        let role = view.snapshot.security_group(&rule.group).map(|group| group.role);
        api::SecurityGroupRule {
            id: rule.id.to_string(),
            tenant_id: rule.tenant.to_string(),
            project_id: rule.tenant.to_string(),
            security_group_id: rule.group.to_string(),
            ethertype: rule.family.to_string(),
            direction: rule.direction.to_string(),
            protocol,
            port_range_min: min,
            port_range_max: max,
            remote_ip_prefix: prefix.clone(),
            normalized_cidr: prefix,
            remote_group_id: match rule.remote {
                Remote::Group(group) => Some(group.to_string()),
                _ => None,
            },
            remote_address_group_id: match rule.remote {
                Remote::Addresses(group) => Some(group.to_string()),
                _ => None,
            },
            belongs_to_default_sg: role == Some(GroupRole::Default),
            description: rule.stamp.description.clone(),
            tags: Vec::new(),
            created_at: clock::text(rule.stamp.created),
            updated_at: clock::text(rule.stamp.updated),
            revision_number: rule.stamp.number,
        }
    }
}

impl Writable for SecurityRules {
    fn read_new(fields: &mut Fields, _: &Caller) -> Option<Intent> {
        let group = fields.required::<Uuid>("security_group_id", "must be the UUID of a security group");
        let direction = read_direction(fields);
        let family = read_family(fields);
        let service = read_service(fields, family.unwrap_or(Family::V4));
        let remote = read_remote(fields);
        let description = fields.text_or_null("description").flatten().unwrap_or_default();
        // Whose it is follows from the group.
        fields.text_or_null("project_id");
        fields.text_or_null("tenant_id");
        fields.only("tags", &[json!([])]);
        let id = SecurityRuleId(Uuid::new_v4());
        let new = NewSecurityRule::new(id, SecurityGroupId(group?), direction?, family?);
        let (service, remote) = (service?, remote?);
        Some(Intent::CreateSecurityRule(NewSecurityRule { service, remote, description, ..new }))
    }

    fn read_patch(fields: &mut Fields, rule: &SecurityRule, _: Option<u64>) -> Intent {
        fields.fault("security_group_rule", "cannot be changed; delete it and make another");
        Intent::DeleteSecurityRule(rule.id)
    }

    fn deletion(rule: &SecurityRule, _: Option<u64>) -> Intent {
        Intent::DeleteSecurityRule(rule.id)
    }

    fn touched(key: &Key) -> Option<String> {
        match key {
            Key::SecurityRule(id) => Some(id.to_string()),
            _ => None,
        }
    }
}

/// Protocols that have names in the Networking API; of several names for one number the first is shown.
const PROTOCOLS: [(&str, u8); 25] = [
    ("icmp", 1),
    ("igmp", 2),
    ("ipip", 4),
    ("tcp", 6),
    ("egp", 8),
    ("udp", 17),
    ("dccp", 33),
    ("ipv6-encap", 41),
    ("ipv6-route", 43),
    ("ipv6-frag", 44),
    ("rsvp", 46),
    ("gre", 47),
    ("esp", 50),
    ("ah", 51),
    ("ipv6-icmp", 58),
    ("icmpv6", 58),
    ("ipv6-nonxt", 59),
    ("ipv6-opts", 60),
    ("ospf", 89),
    ("pgm", 113),
    ("vrrp", 112),
    ("sctp", 132),
    ("udplite", 136),
    ("any", 0),
    ("", 0),
];

/// Protocol, and what stands in the two fields for ports.
fn shown(rule: &SecurityRule) -> (Option<String>, Option<u16>, Option<u16>) {
    let named = |number: u8| {
        let name = PROTOCOLS.iter().find(|(_, known)| *known == number && number != 0);
        Some(name.map_or_else(|| number.to_string(), |(name, _)| (*name).to_owned()))
    };
    match rule.service {
        Service::Any => (None, None, None),
        Service::Protocol(number) => (named(number), None, None),
        Service::Ports { protocol, first, last } => (named(protocol), Some(first), Some(last)),
        Service::Icmp { kind, code } => {
            (named(Service::icmp(rule.family)), Some(kind.into()), code.map(u16::from))
        }
    }
}

fn read_direction(fields: &mut Fields) -> Option<Direction> {
    match fields.text("direction")?.as_str() {
        "ingress" => Some(Direction::Ingress),
        "egress" => Some(Direction::Egress),
        _ => {
            fields.fault("direction", "must be ingress or egress");
            None
        }
    }
}

fn read_family(fields: &mut Fields) -> Option<Family> {
    match fields.text_or_null("ethertype").flatten() {
        None => Some(Family::V4),
        Some(text) if text.eq_ignore_ascii_case("ipv4") => Some(Family::V4),
        Some(text) if text.eq_ignore_ascii_case("ipv6") => Some(Family::V6),
        Some(_) => {
            fields.fault("ethertype", "must be IPv4 or IPv6");
            None
        }
    }
}

/// The protocol with its ports, or its type and code. `None` when a fault was noted.
fn read_service(fields: &mut Fields, family: Family) -> Option<Service> {
    let (min, max) = (fields.number("port_range_min"), fields.number("port_range_max"));
    let protocol = read_protocol(fields, family)?;
    if let Some(icmp) = protocol.filter(|protocol| *protocol == Service::icmp(family)) {
        let small = |fields: &mut Fields, name, value: Option<u32>| match value.map(u8::try_from) {
            None => Some(None),
            Some(Ok(value)) => Some(Some(value)),
            Some(Err(_)) => {
                fields.fault(name, "must be 0 to 255 for an ICMP type or code");
                None
            }
        };
        let kind = small(fields, "port_range_min", min)?;
        let code = small(fields, "port_range_max", max)?;
        return match (kind, code) {
            (Some(kind), code) => Some(Service::Icmp { kind, code }),
            (None, None) => Some(Service::Protocol(icmp)),
            (None, Some(_)) => {
                fields.fault("port_range_min", "must name the ICMP type that the code is of");
                None
            }
        };
    }
    let port = |value: u32| u16::try_from(value).ok();
    match (protocol, min, max) {
        (None, None, None) => Some(Service::Any),
        (Some(protocol), None, None) => Some(Service::Protocol(protocol)),
        (Some(protocol), Some(min), Some(max)) => match (port(min), port(max)) {
            (Some(first), Some(last)) => Some(Service::Ports { protocol, first, last }),
            _ => {
                fields.fault("port_range_max", "must be 0 to 65535");
                None
            }
        },
        (None, ..) => {
            fields.fault("protocol", "must be given with port_range_min and port_range_max");
            None
        }
        _ => {
            fields.fault("port_range_min", "and port_range_max must be given together");
            None
        }
    }
}

/// `Some(None)` for every protocol.
fn read_protocol(fields: &mut Fields, family: Family) -> Option<Option<u8>> {
    let Some(word) = fields.word("protocol") else { return Some(None) };
    let word = word.to_ascii_lowercase();
    let known = PROTOCOLS.iter().find(|(name, _)| *name == word).map(|(_, number)| *number);
    match known.or_else(|| word.parse().ok()) {
        Some(0) => Some(None),
        // What people mean by icmp in a rule for IPv6.
        Some(1) if family == Family::V6 => Some(Some(Service::icmp(family))),
        Some(number) => Some(Some(number)),
        None => {
            fields.fault("protocol", "must be a name like tcp or a number from 0 to 255");
            None
        }
    }
}

fn read_remote(fields: &mut Fields) -> Option<Remote> {
    let rule = "must be an address or a prefix like 192.0.2.0/24";
    let prefix = fields.parsed_or_null::<Prefix>("remote_ip_prefix", rule).flatten();
    let group =
        fields.parsed_or_null::<Uuid>("remote_group_id", "must be the UUID of a security group").flatten();
    let rule = "must be the UUID of an address group";
    let addresses = fields.parsed_or_null::<Uuid>("remote_address_group_id", rule).flatten();
    match (prefix, group, addresses) {
        (None, None, None) => Some(Remote::Any),
        (Some(Prefix(prefix)), None, None) => Some(Remote::Prefix(prefix)),
        (None, Some(group), None) => Some(Remote::Group(SecurityGroupId(group))),
        (None, None, Some(group)) => Some(Remote::Addresses(AddressGroupId(group))),
        _ => {
            fields.fault("remote_group_id", "cannot stand beside another remote");
            None
        }
    }
}

/// A prefix, or an address as a prefix of its own.
pub(super) struct Prefix(pub(super) IpNet);

impl std::str::FromStr for Prefix {
    type Err = ipnet::AddrParseError;

    fn from_str(text: &str) -> Result<Prefix, ipnet::AddrParseError> {
        match text.parse() {
            Ok(address) => Ok(Prefix(IpNet::new_assert(address, if address.is_ipv4() { 32 } else { 128 }))),
            Err(_) => text.parse().map(Prefix),
        }
    }
}

/// Lists rules of security groups.
#[utoipa::path(get, path = "/v2.0/security-group-rules", tag = "security groups",
    operation_id = "list_security_group_rules", params(super::document::ListParameters),
    responses((status = 200, body = api::SecurityGroupRuleList), (status = "default", body = api::NeutronError)))]
pub(super) async fn list(call: Call) -> Result<Reply, Failure> {
    page::list::<SecurityRules>(call).await
}

/// Creates a rule, or many, all or none of them, in the envelope `{"security_group_rules": [...]}`.
#[utoipa::path(post, path = "/v2.0/security-group-rules", tag = "security groups",
    operation_id = "create_security_group_rule", request_body = super::document::NewSecurityGroupRuleBody,
    responses((status = 201, body = api::SecurityGroupRuleEnvelope), (status = "default", body = api::NeutronError)))]
pub(super) async fn create(call: Call, body: Body) -> Result<Reply, Failure> {
    kind::create::<SecurityRules>(call, body).await
}

/// Shows a rule.
#[utoipa::path(get, path = "/v2.0/security-group-rules/{id}", tag = "security groups",
    operation_id = "show_security_group_rule", params(("id" = String, Path, description = "Its UUID")),
    responses((status = 200, body = api::SecurityGroupRuleEnvelope), (status = "default", body = api::NeutronError)))]
pub(super) async fn show(call: Call, Path(id): Path<String>) -> Result<Reply, Failure> {
    kind::show::<SecurityRules>(&call, &id)
}

/// Deletes a rule, which ends the connections that it allowed.
#[utoipa::path(delete, path = "/v2.0/security-group-rules/{id}", tag = "security groups",
    operation_id = "delete_security_group_rule", params(("id" = String, Path, description = "Its UUID")),
    responses((status = 204), (status = "default", body = api::NeutronError)))]
pub(super) async fn delete(call: Call, Path(id): Path<String>) -> Result<Reply, Failure> {
    kind::delete::<SecurityRules>(call, &id).await
}
