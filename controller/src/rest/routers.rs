//! `/v2.0/routers`.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::Path;
use axum::http::StatusCode;
use ipnet::IpNet;
use serde_json::{Map, Value, json};
use uuid::Uuid;
use weft_api as api;
use weft_model::intent::{
    AskedIp, Intent, LabelsPatch, NewGateway, NewInterface, NewRouter, OldInterface, RouterPatch, RoutesPatch,
};
use weft_model::{
    FixedIp, Gateway, Key, NetworkId, NextHop, Port, PortId, Revision, Route, Router, RouterId, Snapshot,
    SubnetId, TenantId,
};

use crate::clock;

use super::call::{Body, Call, Reply, View};
use super::caller::Caller;
use super::failure::Failure;
use super::fields::Fields;
use super::kind::{self, Candidates, Kind, Writable};
use super::labels::{read_labels, read_labels_patch, read_owner};
use super::query::ListQuery;
use super::{page, scope};

/// Routers as a kind of object.
pub(super) struct Routers;

impl Kind for Routers {
    const ONE: &'static str = "router";
    const MANY: &'static str = "routers";
    const LABEL: &'static str = "Router";
    type Object = Router;
    type Row = api::Router;

    fn id(router: &Router) -> String {
        router.id.to_string()
    }

    fn name(router: &Router) -> &str {
        &router.stamp.name
    }

    fn owner(router: &Router) -> Option<&TenantId> {
        Some(&router.tenant)
    }

    fn find<'a>(snapshot: &'a Snapshot, id: &str) -> Option<&'a Arc<Router>> {
        snapshot.router(&RouterId(scope::uuid(id)?))
    }

    fn candidates<'a>(view: &'a View, query: &ListQuery) -> Candidates<'a, Router> {
        if let Some(ids) = scope::ids(query) {
            return Box::new(ids.into_iter().filter_map(|id| view.snapshot.router(&RouterId(id))));
        }
        match scope::tenant(view, query) {
            Some(tenant) => {
                let ids: Vec<RouterId> = view.snapshot.routers_of_tenant(&tenant).map(|r| r.id).collect();
                Box::new(ids.into_iter().filter_map(|id| view.snapshot.router(&id)))
            }
            None => Box::new(view.snapshot.routers()),
        }
    }

    fn row(view: &View, router: &Router) -> api::Router {
        let stamp = &router.stamp;
        let is_admin = view.caller.is_admin();
        api::Router {
            id: router.id.to_string(),
            name: stamp.name.clone(),
            tenant_id: router.tenant.to_string(),
            project_id: router.tenant.to_string(),
            admin_state_up: router.admin_up,
            status: "ACTIVE".into(),
            description: stamp.description.clone(),
            routes: rows(&router.routes),
            external_gateway_info: router.gateway.as_ref().map(|gateway| gateway_row(view, gateway)),
            weft_gateway_hosts: is_admin.then(|| gateway_hosts(view, router)),
            distributed: is_admin.then_some(true),
            ha: is_admin.then_some(false),
            tags: stamp.tags.iter().cloned().collect(),
            created_at: clock::text(stamp.created),
            updated_at: clock::text(stamp.updated),
            revision_number: stamp.number,
            ..api::Router::default()
        }
    }

    fn full() -> api::Router {
        api::Router {
            distributed: Some(true),
            ha: Some(false),
            weft_gateway_hosts: Some(Vec::new()),
            ..api::Router::default()
        }
    }
}

impl Writable for Routers {
    fn read_new(fields: &mut Fields, _: &Caller) -> Option<Intent> {
        let defaults = NewRouter::new(RouterId(Uuid::new_v4()));
        let new = NewRouter {
            tenant: read_owner(fields),
            labels: read_labels(fields),
            admin_up: fields.flag("admin_state_up").unwrap_or(defaults.admin_up),
            gateway: read_gateway(fields, defaults.id).flatten(),
            ..defaults
        };
        read_harmless(fields);
        Some(Intent::CreateRouter(new))
    }

    fn read_patch(fields: &mut Fields, router: &Router, if_number: Option<u64>) -> Intent {
        let patch = RouterPatch {
            if_number,
            labels: read_labels_patch(fields),
            admin_up: fields.flag("admin_state_up"),
            routes: read_routes(fields).map(RoutesPatch::Set),
            gateway: read_gateway(fields, router.id),
        };
        read_harmless(fields);
        Intent::UpdateRouter(router.id, patch)
    }

    fn deletion(router: &Router, if_number: Option<u64>) -> Intent {
        Intent::DeleteRouter(router.id, if_number)
    }

    fn touched(key: &Key) -> Option<String> {
        match key {
            Key::Router(id) => Some(id.to_string()),
            _ => None,
        }
    }
}

fn gateway_row(view: &View, gateway: &Gateway) -> api::ExternalGateway {
    let port = view.snapshot.port(&gateway.port);
    let ip =
        |ip: &FixedIp| api::FixedIp { subnet_id: ip.subnet.to_string(), ip_address: ip.address.to_string() };
    api::ExternalGateway {
        network_id: gateway.network.to_string(),
        enable_snat: gateway.snat,
        external_fixed_ips: port.into_iter().flat_map(|port| &port.fixed_ips).map(ip).collect(),
        qos_policy_id: None,
    }
}

fn gateway_hosts(view: &View, router: &Router) -> Vec<String> {
    let hosts = router.gateway.iter().flat_map(|gateway| &gateway.hosts);
    hosts.filter_map(|host| Some(view.snapshot.host_by_index(*host)?.id.to_string())).collect()
}

/// The gateway asked for: nothing when it is not mentioned, `Some(None)` for null and `{}`.
fn read_gateway(fields: &mut Fields, router: RouterId) -> Option<Option<NewGateway>> {
    let asked = fields.object(GATEWAY, |gateway| {
        let network = gateway.parsed_or_null::<Uuid>("network_id", "must be the UUID of a network").flatten();
        let snat = gateway.flag("enable_snat");
        let fixed_ips = gateway.objects("external_fixed_ips", read_fixed_ip);
        gateway.only("qos_policy_id", &[]);
        let (snat_set, ips_set) = (snat.is_some(), fixed_ips.is_some());
        let Some(network) = network else {
            if snat_set || ips_set {
                gateway.fault("network_id", "is missing");
            }
            return None;
        };
        let mac_seed = mac_seed(router, network);
        let port = PortId(Uuid::new_v4());
        Some(NewGateway { snat, fixed_ips, ..NewGateway::new(NetworkId(network), port, mac_seed) })
    });
    Some(asked?.flatten())
}

/// Where the search for the MAC of a router's port begins. An interface or gateway that goes and comes back has its old
/// one: workloads remember it for the better part of a minute, physical machines for longer.
pub(super) fn mac_seed(router: RouterId, place: Uuid) -> u32 {
    Uuid::from_u128(router.0.as_u128() ^ place.as_u128()).as_fields().0
}

fn read_fixed_ip(fields: &mut Fields) -> Option<AskedIp> {
    let subnet = fields.parsed_or_null::<Uuid>("subnet_id", "must be the UUID of a subnet").flatten();
    let address = fields.parsed_or_null::<IpAddr>("ip_address", "must be an IP address").flatten();
    Some(AskedIp { subnet: subnet.map(SubnetId), address })
}

const GATEWAY: &str = "external_gateway_info";

/// The word of a route that drops.
const BLACKHOLE: &str = "blackhole";

fn rows(routes: &[Route]) -> Vec<api::HostRoute> {
    let row = |route: &Route| api::HostRoute {
        destination: route.destination.to_string(),
        nexthop: match route.next_hop {
            NextHop::Via(via) => via.to_string(),
            NextHop::Blackhole => BLACKHOLE.to_owned(),
        },
    };
    routes.iter().map(row).collect()
}

pub(super) fn read_routes(fields: &mut Fields) -> Option<Vec<Route>> {
    fields.objects("routes", |route| {
        let destination = route.required::<IpNet>("destination", "must be a prefix like 192.0.2.0/24");
        let next_hop = match route.text("nexthop") {
            Some(word) if word == BLACKHOLE => Some(NextHop::Blackhole),
            Some(text) => text.parse::<IpAddr>().ok().map(NextHop::Via),
            None => None,
        };
        if next_hop.is_none() {
            route.fault("nexthop", "must be an IP address or the word blackhole");
        }
        Some(Route { destination: destination?, next_hop: next_hop? })
    })
}

fn read_harmless(fields: &mut Fields) {
    fields.only("external_gateways", &[json!([])]);
    fields.only("distributed", &[json!(true)]);
    fields.only("ha", &[json!(false)]);
    fields.only("flavor_id", &[]);
    fields.only("availability_zone_hints", &[json!([])]);
    fields.only("enable_ndp_proxy", &[json!(false)]);
    fields.only("enable_default_route_bfd", &[json!(false)]);
    fields.only("enable_default_route_ecmp", &[json!(false), json!(true)]);
}

/// The whole new set of tags.
pub(super) fn retag(router: &Router, tags: BTreeSet<String>, if_number: Option<u64>) -> Intent {
    let labels = LabelsPatch { tags: Some(tags), ..LabelsPatch::default() };
    Intent::UpdateRouter(router.id, RouterPatch { if_number, labels, ..RouterPatch::default() })
}

/// The router that a caller may change.
fn writable<'a>(call: &'a Call, id: &str, verb: &str) -> Result<&'a Arc<Router>, Failure> {
    call.caller().may_write(verb)?;
    kind::visible::<Routers>(&call.view, id).ok_or_else(|| Failure::not_found(Routers::LABEL, id))
}

/// What a body without an envelope says, or what is wrong with it.
fn read<T>(body: Map<String, Value>, read: impl FnOnce(&mut Fields) -> T) -> Result<T, Failure> {
    let mut fields = Fields::new("", body);
    let found = read(&mut fields);
    let (mut faults, unknown) = fields.settle(|_| false);
    faults.extend(unknown);
    if faults.is_empty() { Ok(found) } else { Err(Failure::invalid(faults)) }
}

/// The subnet and the port that an interface is asked for by.
fn read_asked(body: Map<String, Value>) -> Result<(Option<SubnetId>, Option<PortId>), Failure> {
    read(body, |fields| {
        let subnet = fields.parsed_or_null::<Uuid>("subnet_id", "must be the UUID of a subnet").flatten();
        let port = fields.parsed_or_null::<Uuid>("port_id", "must be the UUID of a port").flatten();
        (subnet.map(SubnetId), port.map(PortId))
    })
}

fn bad_request(reason: &str) -> Failure {
    Failure::new(StatusCode::BAD_REQUEST, "BadRequest", format!("Bad router request: {reason}."))
}

/// What is told about an interface that was added or removed.
fn interface(revision: Revision, router: &Router, port: &Port) -> Reply {
    let subnets: Vec<String> = port.fixed_ips.iter().map(|ip| ip.subnet.to_string()).collect();
    let row = api::RouterInterface {
        id: router.id.to_string(),
        tenant_id: router.tenant.to_string(),
        project_id: router.tenant.to_string(),
        port_id: port.id.to_string(),
        network_id: port.network.to_string(),
        subnet_id: subnets.first().cloned().unwrap_or_default(),
        subnet_ids: subnets,
    };
    Reply::ok(revision, row)
}

/// Lists routers.
#[utoipa::path(get, path = "/v2.0/routers", tag = "routers", operation_id = "list_routers",
    params(super::document::ListParameters),
    responses((status = 200, body = api::RouterList), (status = "default", body = api::NeutronError)))]
pub(super) async fn list(call: Call) -> Result<Reply, Failure> {
    page::list::<Routers>(call).await
}

/// Creates a router, or many, all or none of them, in the envelope `{"routers": [...]}`.
#[utoipa::path(post, path = "/v2.0/routers", tag = "routers", operation_id = "create_router",
    request_body = super::document::NewRouterBody,
    responses((status = 201, body = api::RouterEnvelope), (status = "default", body = api::NeutronError)))]
pub(super) async fn create(call: Call, body: Body) -> Result<Reply, Failure> {
    kind::create::<Routers>(call, body).await
}

/// Shows a router.
#[utoipa::path(get, path = "/v2.0/routers/{id}", tag = "routers", operation_id = "show_router",
    params(("id" = String, Path, description = "Its UUID")),
    responses((status = 200, body = api::RouterEnvelope), (status = "default", body = api::NeutronError)))]
pub(super) async fn show(call: Call, Path(id): Path<String>) -> Result<Reply, Failure> {
    kind::show::<Routers>(&call, &id)
}

/// Changes a router. `If-Match: revision_number=N` makes it conditional.
#[utoipa::path(put, path = "/v2.0/routers/{id}", tag = "routers", operation_id = "update_router",
    params(("id" = String, Path, description = "Its UUID")), request_body = super::document::RouterBody,
    responses((status = 200, body = api::RouterEnvelope), (status = "default", body = api::NeutronError)))]
pub(super) async fn update(call: Call, Path(id): Path<String>, body: Body) -> Result<Reply, Failure> {
    kind::update::<Routers>(call, &id, body).await
}

/// Deletes a router without interfaces.
#[utoipa::path(delete, path = "/v2.0/routers/{id}", tag = "routers", operation_id = "delete_router",
    params(("id" = String, Path, description = "Its UUID")),
    responses((status = 204), (status = "default", body = api::NeutronError)))]
pub(super) async fn delete(call: Call, Path(id): Path<String>) -> Result<Reply, Failure> {
    kind::delete::<Routers>(call, &id).await
}

/// Gives a router an interface: the gateway's address of a subnet, or a port that nobody uses.
#[utoipa::path(put, path = "/v2.0/routers/{id}/add_router_interface", tag = "routers",
    operation_id = "add_router_interface", params(("id" = String, Path, description = "The router's UUID")),
    request_body = api::InterfaceAsked,
    responses((status = 200, body = api::RouterInterface), (status = "default", body = api::NeutronError)))]
pub(super) async fn add_interface(
    call: Call,
    Path(id): Path<String>,
    Body(body): Body,
) -> Result<Reply, Failure> {
    let router = writable(&call, &id, "add_router_interface")?;
    let new = match read_asked(body)? {
        (Some(_), Some(_)) => return Err(bad_request("Cannot specify both subnet-id and port-id")),
        (None, None) => return Err(bad_request("Either subnet_id or port_id must be specified")),
        (None, Some(port)) => NewInterface::Port(port),
        (Some(subnet), None) => {
            let mac_seed = mac_seed(router.id, subnet.0);
            NewInterface::OfSubnet { subnet, port: PortId(Uuid::new_v4()), mac_seed }
        }
    };
    let (committed, view) = call.write(vec![Intent::AddInterface(router.id, new)]).await?;
    let port = committed.touched.iter().find_map(|key| match key {
        Key::Port(id) => view.snapshot.port(id),
        _ => None,
    });
    // Somebody else may have deleted it in the same commit.
    let port = port.ok_or_else(|| Failure::not_found("Port", "just created"))?;
    Ok(interface(committed.revision, router, port))
}

/// Takes an interface from a router and deletes its port.
#[utoipa::path(put, path = "/v2.0/routers/{id}/remove_router_interface", tag = "routers",
    operation_id = "remove_router_interface", params(("id" = String, Path, description = "The router's UUID")),
    request_body = api::InterfaceAsked,
    responses((status = 200, body = api::RouterInterface), (status = "default", body = api::NeutronError)))]
pub(super) async fn remove_interface(
    mut call: Call,
    Path(id): Path<String>,
    Body(body): Body,
) -> Result<Reply, Failure> {
    call.refresh();
    let router = writable(&call, &id, "remove_router_interface")?;
    let (subnet, port) = read_asked(body)?;
    if subnet.is_none() && port.is_none() {
        return Err(bad_request("Either subnet_id or port_id must be specified"));
    }
    let old = OldInterface { subnet, port };
    let (committed, _) = call.write(vec![Intent::RemoveInterface(router.id, old)]).await?;
    let port = committed.touched.iter().find_map(|key| match key {
        Key::Port(id) => call.view.snapshot.port(id),
        _ => None,
    });
    let port = port.ok_or_else(|| Failure::not_found("Port", "just deleted"))?;
    Ok(interface(committed.revision, router, port))
}

async fn change_routes(
    call: Call,
    id: &str,
    mut body: Map<String, Value>,
    change: impl FnOnce(Vec<Route>) -> RoutesPatch,
) -> Result<Reply, Failure> {
    let router = writable(&call, id, "update_router")?;
    let Some(Value::Object(values)) = body.shift_remove(Routers::ONE) else {
        return Err(Failure::malformed("Unable to find 'router' in request body"));
    };
    let routes = read(values, read_routes)?.unwrap_or_default();
    let patch =
        RouterPatch { if_number: call.if_number, routes: Some(change(routes)), ..RouterPatch::default() };
    let (committed, view) = call.write(vec![Intent::UpdateRouter(router.id, patch)]).await?;
    let router = view.snapshot.router(&router.id).ok_or_else(|| Failure::not_found(Routers::LABEL, id))?;
    let router = Routers::row(&view, router);
    Ok(Reply::ok(committed.revision, api::RouterEnvelope { router }))
}

/// Adds static routes to those that a router has.
#[utoipa::path(put, path = "/v2.0/routers/{id}/add_extraroutes", tag = "routers", operation_id = "add_extraroutes",
    params(("id" = String, Path, description = "The router's UUID")),
    request_body = super::document::RouterRoutesBody,
    responses((status = 200, body = api::RouterEnvelope), (status = "default", body = api::NeutronError)))]
pub(super) async fn add_routes(
    call: Call,
    Path(id): Path<String>,
    Body(body): Body,
) -> Result<Reply, Failure> {
    change_routes(call, &id, body, RoutesPatch::Add).await
}

/// Removes static routes from those that a router has.
#[utoipa::path(put, path = "/v2.0/routers/{id}/remove_extraroutes", tag = "routers",
    operation_id = "remove_extraroutes", params(("id" = String, Path, description = "The router's UUID")),
    request_body = super::document::RouterRoutesBody,
    responses((status = 200, body = api::RouterEnvelope), (status = "default", body = api::NeutronError)))]
pub(super) async fn remove_routes(
    call: Call,
    Path(id): Path<String>,
    Body(body): Body,
) -> Result<Reply, Failure> {
    change_routes(call, &id, body, RoutesPatch::Remove).await
}
