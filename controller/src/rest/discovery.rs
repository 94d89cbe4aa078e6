//! What there is: versions, collections and extensions of the OpenStack Networking API, and the OpenAPI document.

use axum::Json;
use axum::extract::Path;
use axum::http::HeaderMap;
use axum::response::IntoResponse;
use weft_api::discovery::{
    AvailabilityZoneList, Extension, ExtensionEnvelope, ExtensionList, Link, Resource, ResourceList, Version,
    VersionList,
};

use super::call::{Call, Reply};
use super::failure::Failure;
use super::frame::origin;

/// The collections under `/v2.0`, each with the word for one of them.
const COLLECTIONS: &[(&str, &str)] = &[
    ("network", "networks"),
    ("subnet", "subnets"),
    ("port", "ports"),
    ("router", "routers"),
    ("floatingip", "floatingips"),
    ("quota", "quotas"),
    ("security_group", "security-groups"),
    ("security_group_rule", "security-group-rules"),
    ("address_group", "address-groups"),
    ("trunk", "trunks"),
    ("subnetpool", "subnetpools"),
    ("address_scope", "address-scopes"),
    ("rbac_policy", "rbac-policies"),
    ("network_ip_availability", "network-ip-availabilities"),
    ("agent", "agents"),
    ("network_segment_range", "network_segment_ranges"),
];

/// The extensions that work here: alias, name, what it adds. Clients look for an alias before they use what it stands for.
const EXTENSIONS: &[(&str, &str, &str)] = &[
    ("address-group", "Address group", "Named sets of addresses for rules"),
    ("address-scope", "Address scope", "Spaces of addresses in which no two subnet pools meet"),
    ("agent", "agent", "Hosts, in the words of agents"),
    ("allowed-address-pairs", "Allowed Address Pairs", "Ports may send from further addresses"),
    ("availability_zone", "Availability Zone", "The list of zones, of which there are none"),
    ("binding", "Port Binding", "Expose port bindings of a virtual port to external application"),
    ("default-subnetpools", "Default Subnetpools", "Subnet pools that are meant by those who name none"),
    ("dns-integration", "DNS Integration", "Provides names for the addresses of ports"),
    ("dvr", "Distributed Virtual Router", "Every host routes for itself"),
    ("empty-string-filtering", "Empty String Filtering Extension", "An empty value finds what is not set"),
    (
        "expose-port-forwarding-in-fip",
        "Port forwardings of floating IPs",
        "Floating IPs show their port forwardings",
    ),
    ("ext-gw-mode", "Neutron L3 Configurable external gateway mode", "Gateways with and without SNAT"),
    ("external-net", "Neutron external network", "Networks that lead outside"),
    ("extraroute", "Neutron Extra Route", "Static routes of routers"),
    (
        "extraroute-atomic",
        "Atomically add/remove extra routes",
        "Static routes are added and removed one by one",
    ),
    ("filter-validation", "Filter parameters validation", "Refuses filters that no attribute answers to"),
    ("fip-port-details", "Floating IP Port Details", "Floating IPs show the ports behind them"),
    (
        "floating-ip-port-forwarding",
        "Floating IP Port Forwarding",
        "Ports of one address lead to several ports",
    ),
    ("floating-ip-port-forwarding-port-ranges", "Ranges of forwarded ports", "Many ports in one forwarding"),
    ("ip-substring-filtering", "IP address substring filtering", "Finds ports by a part of their address"),
    ("net-mtu", "Network MTU", "Provides MTU attribute for a network resource"),
    (
        "net-mtu-writable",
        "Network MTU (writable)",
        "Provides a writable MTU attribute for a network resource",
    ),
    ("network-ip-availability", "Network IP Availability", "How many addresses networks have left"),
    (
        "network-ip-availability-details",
        "Network IP availability details",
        "The same, with and without allocation pools",
    ),
    ("network-segment-range", "Network Segment Range", "Which VNIs networks get"),
    ("pagination", "Pagination support", "Lists in pages"),
    ("port-mac-address-regenerate", "Port MAC addresses", "A port's MAC address can be changed"),
    ("port-security", "Port Security", "Provides port security"),
    ("project-id", "project_id field enabled", "Every tenant_id is a project_id as well"),
    ("provider", "Provider Network", "Expose how a virtual network is carried, to administrators"),
    ("quota-check-limit", "Quota check limit", "Limits below what is in use can be refused"),
    ("quota_details", "Quota details", "How much tenants have of what they may have"),
    ("quotas", "Quota management", "How much tenants may have"),
    ("qos", "Quality of Service", "Policies of how much ports may send and get"),
    (
        "qos-bw-limit-direction",
        "Direction for QoS bandwidth limit rule",
        "Limits of what ports send, and get",
    ),
    ("qos-default", "QoS default policy", "The policy that new networks of a tenant wear"),
    ("qos-port-network-policy", "QoS port network policy", "Ports show the policy of their network"),
    ("qos-rule-type-details", "Details of QoS rule types", "What rules may say, to administrators"),
    ("rbac-address-group", "Add address_group type to RBAC", "Address groups can be shared"),
    ("rbac-address-scope", "Address Scope RBAC", "Address scopes can be shared"),
    ("rbac-policies", "RBAC Policies", "Networks can be shared with chosen tenants"),
    ("rbac-security-groups", "Add security_group type to network RBAC", "Security groups can be shared"),
    ("rbac-subnetpool", "Subnetpool RBAC", "Subnet pools can be shared"),
    ("revision-if-match", "If-Match constraints based on revision_number", "Conditional changes"),
    ("router", "Neutron L3 Router", "Routers between the networks of a tenant"),
    ("security-group", "security-group", "Groups of rules about what ports may send and receive"),
    ("security-groups-normalized-cidr", "Normalized CIDR", "Prefixes of rules without host bits"),
    (
        "security-groups-remote-address-group",
        "Remote address group id field for security group rules",
        "Rules that name address groups",
    ),
    ("sorting", "Sorting support", "Lists in any order"),
    ("standard-attr-description", "standard-attr-description", "Descriptions on every resource"),
    ("standard-attr-revisions", "Resource revision numbers", "Revision numbers on every resource"),
    ("standard-attr-tag", "Tag support for resources with standard attribute", "Tags on every resource"),
    ("standard-attr-timestamp", "Resource timestamps", "Times of creation and change on every resource"),
    ("stateful-security-group", "Stateful security group", "Groups with and without connections"),
    (
        "subnet-external-network",
        "Subnet belongs to an external network",
        "Subnets say whether they lead outside",
    ),
    ("subnet_allocation_pools", "Subnet allocation pools", "Allocation pools can be chosen and changed"),
    ("tag-ports-during-bulk-creation", "Tag Ports During Bulk Creation", "Ports can be created with tags"),
    ("trunk", "Trunk", "Ports behind tags of another port"),
    ("trunk-details", "Trunk port details", "Parents of trunks show their subports"),
    ("weft", "Weft", "Hosts, applied revisions and more under /v1"),
    ("vlan-transparent", "Vlantransparent", "Tenants' own VLAN tags pass networks in tunnels"),
];

/// When the list above last changed.
const UPDATED: &str = "2026-11-21T00:00:00-00:00";

/// Lists the versions of the API. No token needed.
#[utoipa::path(get, path = "/", tag = "discovery", operation_id = "list_versions", security(()),
    responses((status = 200, body = VersionList)))]
pub(super) async fn versions(headers: HeaderMap) -> impl IntoResponse {
    let link = Link { rel: "self".into(), href: format!("{}/v2.0/", origin(&headers)) };
    let version = Version { id: "v2.0".into(), status: "CURRENT".into(), links: vec![link] };
    Json(VersionList { versions: vec![version] })
}

/// Lists the collections under `/v2.0`. No token needed.
#[utoipa::path(get, path = "/v2.0", tag = "discovery", operation_id = "list_resources", security(()),
    responses((status = 200, body = ResourceList)))]
pub(super) async fn resources(headers: HeaderMap) -> impl IntoResponse {
    let origin = origin(&headers);
    let resource = |(name, collection): &(&str, &str)| Resource {
        name: (*name).to_owned(),
        collection: (*collection).to_owned(),
        links: vec![Link { rel: "self".into(), href: format!("{origin}/v2.0/{collection}") }],
    };
    Json(ResourceList { resources: COLLECTIONS.iter().map(resource).collect() })
}

/// Lists the extensions that work here.
#[utoipa::path(get, path = "/v2.0/extensions", tag = "discovery", operation_id = "list_extensions",
    responses((status = 200, body = ExtensionList), (status = "default", body = weft_api::NeutronError)))]
pub(super) async fn extensions(call: Call) -> Reply {
    let extensions = EXTENSIONS.iter().map(extension).collect();
    Reply::ok(call.view.snapshot.revision(), ExtensionList { extensions })
}

/// Shows an extension.
#[utoipa::path(get, path = "/v2.0/extensions/{alias}", tag = "discovery", operation_id = "show_extension",
    params(("alias" = String, Path, description = "The word that clients look for")),
    responses((status = 200, body = ExtensionEnvelope), (status = "default", body = weft_api::NeutronError)))]
pub(super) async fn show_extension(call: Call, Path(alias): Path<String>) -> Result<Reply, Failure> {
    let found = EXTENSIONS.iter().find(|(known, _, _)| *known == alias);
    let extension = found.map(extension).ok_or_else(|| Failure::not_found("Extension", &alias))?;
    Ok(Reply::ok(call.view.snapshot.revision(), ExtensionEnvelope { extension }))
}

/// Lists availability zones: there are none.
#[utoipa::path(get, path = "/v2.0/availability_zones", tag = "discovery", operation_id = "list_availability_zones",
    responses((status = 200, body = AvailabilityZoneList), (status = "default", body = weft_api::NeutronError)))]
pub(super) async fn availability_zones(call: Call) -> Reply {
    Reply::ok(call.view.snapshot.revision(), AvailabilityZoneList::default())
}

fn extension((alias, name, description): &(&str, &str, &str)) -> Extension {
    Extension {
        name: (*name).to_owned(),
        alias: (*alias).to_owned(),
        description: (*description).to_owned(),
        updated: UPDATED.into(),
        links: Vec::new(),
    }
}

/// This document. No token needed.
#[utoipa::path(get, path = "/openapi.json", tag = "discovery", operation_id = "openapi", security(()),
    responses((status = 200, body = Object)))]
pub(super) async fn openapi() -> impl IntoResponse {
    Json(super::openapi())
}
