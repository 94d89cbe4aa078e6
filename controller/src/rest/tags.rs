//! `/v2.0/{collection}/{id}/tags`: the tags of networks, subnets, subnet pools, ports, routers, floating IPs, security groups and address
//! groups.

use std::collections::BTreeSet;

use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use weft_api as api;
use weft_model::intent::Intent;
use weft_model::{Key, Revision, Stamp};

use super::address_groups::{self, AddressGroups};
use super::call::{Body, Call, Reply, View};
use super::failure::Failure;
use super::fields::Fields;
use super::floating_ips::{self, FloatingIps};
use super::kind::visible;
use super::labels::read_tags;
use super::networks::{self, Networks};
use super::ports::{self, Ports};
use super::qos_policies::{self, QosPolicies};
use super::routers::{self, Routers};
use super::security_groups::{self, SecurityGroups};
use super::subnet_pools::{self, SubnetPools};
use super::subnets::{self, Subnets};
use super::trunks::{self, Trunks};

/// How often a change of one tag is tried again because the object changed in between.
const TRIES: usize = 8;

/// An object that has tags.
struct Tagged<'a> {
    view: &'a View,
    stamp: &'a Stamp,
    key: Key,
}

impl<'a> Tagged<'a> {
    fn find(view: &'a View, collection: &str, id: &str) -> Result<Tagged<'a>, Failure> {
        let found = match collection {
            "networks" => visible::<Networks>(view, id).map(|n| (&n.stamp, Key::Network(n.id))),
            "subnets" => visible::<Subnets>(view, id).map(|s| (&s.stamp, Key::Subnet(s.id))),
            "subnetpools" => visible::<SubnetPools>(view, id).map(|p| (&p.stamp, Key::SubnetPool(p.id))),
            "ports" => visible::<Ports>(view, id).map(|p| (&p.stamp, Key::Port(p.id))),
            "routers" => visible::<Routers>(view, id).map(|r| (&r.stamp, Key::Router(r.id))),
            "floatingips" => visible::<FloatingIps>(view, id).map(|f| (&f.stamp, Key::FloatingIp(f.id))),
            "security-groups" => {
                visible::<SecurityGroups>(view, id).map(|g| (&g.stamp, Key::SecurityGroup(g.id)))
            }
            "address-groups" => {
                visible::<AddressGroups>(view, id).map(|g| (&g.stamp, Key::AddressGroup(g.id)))
            }
            "trunks" => visible::<Trunks>(view, id).map(|t| (&t.stamp, Key::Trunk(t.id))),
            "policies" => visible::<QosPolicies>(view, id).map(|p| (&p.stamp, Key::QosPolicy(p.id))),
            _ => return Err(Failure::of_status(StatusCode::NOT_FOUND)),
        };
        let (stamp, key) = found.ok_or_else(|| Failure::not_found(label(collection), id))?;
        Ok(Tagged { view, stamp, key })
    }

    fn tags(&self) -> BTreeSet<String> {
        self.stamp.tags.clone()
    }

    fn retag(&self, tags: BTreeSet<String>, if_number: Option<u64>) -> Option<Intent> {
        let snapshot = &self.view.snapshot;
        match &self.key {
            Key::Network(id) => snapshot.network(id).map(|n| networks::retag(n, tags, if_number)),
            Key::Subnet(id) => snapshot.subnet(id).map(|s| subnets::retag(s, tags, if_number)),
            Key::Router(id) => snapshot.router(id).map(|r| routers::retag(r, tags, if_number)),
            Key::FloatingIp(id) => snapshot.floating_ip(id).map(|f| floating_ips::retag(f, tags, if_number)),
            Key::SecurityGroup(id) => {
                snapshot.security_group(id).map(|g| security_groups::retag(g, tags, if_number))
            }
            Key::AddressGroup(id) => {
                snapshot.address_group(id).map(|g| address_groups::retag(g, tags, if_number))
            }
            Key::Trunk(id) => snapshot.trunk(id).map(|t| trunks::retag(t, tags, if_number)),
            Key::QosPolicy(id) => snapshot.qos_policy(id).map(|p| qos_policies::retag(p, tags, if_number)),
            Key::SubnetPool(id) => snapshot.subnet_pool(id).map(|p| subnet_pools::retag(p, tags, if_number)),
            Key::Port(id) => snapshot.port(id).map(|p| ports::retag(p, tags, if_number)),
            _ => None,
        }
    }
}

fn label(collection: &str) -> &'static str {
    match collection {
        "networks" => "Network",
        "subnets" => "Subnet",
        "subnetpools" => "Subnet pool",
        "routers" => "Router",
        "floatingips" => "Floating IP",
        "security-groups" => "Security group",
        "address-groups" => "Address group",
        "trunks" => "Trunk",
        "policies" => "QoS policy",
        _ => "Port",
    }
}

/// Replaces an object's tags by what `change` makes of them. The write is conditional, so that two callers who each add
/// one do not lose the other's.
async fn change(
    mut call: Call,
    (collection, id): (&str, &str),
    change: impl Fn(BTreeSet<String>) -> Result<BTreeSet<String>, Failure>,
) -> Result<(Revision, BTreeSet<String>), Failure> {
    call.caller().may_write("update_tags")?;
    let asked = call.if_number;
    for attempt in 1.. {
        let tagged = Tagged::find(&call.view, collection, id)?;
        let tags = change(tagged.tags())?;
        let number = asked.or(Some(tagged.stamp.number));
        let intent =
            tagged.retag(tags.clone(), number).ok_or_else(|| Failure::not_found(label(collection), id))?;
        match call.write(vec![intent]).await {
            Ok((committed, _)) => return Ok((committed.revision, tags)),
            Err(failure)
                if failure.status == StatusCode::PRECONDITION_FAILED
                    && asked.is_none()
                    && attempt < TRIES =>
            {
                call.refresh();
            }
            Err(failure) => return Err(failure),
        }
    }
    unreachable!("the last try returns")
}

/// Shows an object's tags.
#[utoipa::path(get, path = "/v2.0/{collection}/{id}/tags", tag = "tags", operation_id = "list_tags",
    params(("collection" = String, Path, description = "networks, subnets, subnetpools, ports, routers, floatingips, security-groups, address-groups, trunks or policies"),
        ("id" = String, Path, description = "The object's UUID")),
    responses((status = 200, body = api::TagList), (status = "default", body = api::NeutronError)))]
pub(super) async fn list(call: Call, Path(of): Path<(String, String)>) -> Result<Reply, Failure> {
    let tags = Tagged::find(&call.view, &of.0, &of.1)?.tags();
    let revision = call.view.snapshot.revision();
    Ok(Reply::ok(revision, api::TagList { tags: tags.into_iter().collect() }))
}

/// Replaces an object's tags.
#[utoipa::path(put, path = "/v2.0/{collection}/{id}/tags", tag = "tags", operation_id = "replace_tags",
    params(("collection" = String, Path, description = "networks, subnets, subnetpools, ports, routers, floatingips, security-groups, address-groups, trunks or policies"),
        ("id" = String, Path, description = "The object's UUID")),
    request_body = api::TagList,
    responses((status = 200, body = api::TagList), (status = "default", body = api::NeutronError)))]
pub(super) async fn replace(
    call: Call,
    Path(of): Path<(String, String)>,
    Body(body): Body,
) -> Result<Reply, Failure> {
    let mut fields = Fields::new("", body);
    let wanted = read_tags(&mut fields);
    let (mut faults, unknown) = fields.settle(|_| false);
    faults.extend(unknown);
    if !faults.is_empty() {
        return Err(Failure::invalid(faults));
    }
    let wanted = wanted.ok_or_else(|| Failure::malformed("Unable to find 'tags' in request body"))?;
    let (revision, tags) = change(call, (&of.0, &of.1), |_| Ok(wanted.clone())).await?;
    Ok(Reply::ok(revision, api::TagList { tags: tags.into_iter().collect() }))
}

/// Removes all of an object's tags.
#[utoipa::path(delete, path = "/v2.0/{collection}/{id}/tags", tag = "tags", operation_id = "delete_tags",
    params(("collection" = String, Path, description = "networks, subnets, subnetpools, ports, routers, floatingips, security-groups, address-groups, trunks or policies"),
        ("id" = String, Path, description = "The object's UUID")),
    responses((status = 204), (status = "default", body = api::NeutronError)))]
pub(super) async fn clear(call: Call, Path(of): Path<(String, String)>) -> Result<Reply, Failure> {
    let (revision, _) = change(call, (&of.0, &of.1), |_| Ok(BTreeSet::new())).await?;
    Ok(Reply::nothing(revision))
}

/// Says whether an object has a tag.
#[utoipa::path(get, path = "/v2.0/{collection}/{id}/tags/{tag}", tag = "tags", operation_id = "show_tag",
    params(("collection" = String, Path, description = "networks, subnets, subnetpools, ports, routers, floatingips, security-groups, address-groups, trunks or policies"),
        ("id" = String, Path, description = "The object's UUID"), ("tag" = String, Path, description = "The tag")),
    responses((status = 204), (status = "default", body = api::NeutronError)))]
pub(super) async fn show(call: Call, Path(of): Path<(String, String, String)>) -> Result<Reply, Failure> {
    let tags = Tagged::find(&call.view, &of.0, &of.1)?.tags();
    if !tags.contains(&of.2) {
        return Err(Failure::not_found("Tag", &of.2));
    }
    Ok(Reply::nothing(call.view.snapshot.revision()))
}

/// Adds a tag to an object.
#[utoipa::path(put, path = "/v2.0/{collection}/{id}/tags/{tag}", tag = "tags", operation_id = "add_tag",
    params(("collection" = String, Path, description = "networks, subnets, subnetpools, ports, routers, floatingips, security-groups, address-groups, trunks or policies"),
        ("id" = String, Path, description = "The object's UUID"), ("tag" = String, Path, description = "The tag")),
    responses((status = 201), (status = "default", body = api::NeutronError)))]
pub(super) async fn add(call: Call, Path(of): Path<(String, String, String)>) -> Result<Response, Failure> {
    let with = |mut tags: BTreeSet<String>| {
        tags.insert(of.2.clone());
        Ok(tags)
    };
    let (revision, _) = change(call, (&of.0, &of.1), with).await?;
    let mut response = Reply::nothing(revision).into_response();
    *response.status_mut() = StatusCode::CREATED;
    Ok(response)
}

/// Removes a tag from an object.
#[utoipa::path(delete, path = "/v2.0/{collection}/{id}/tags/{tag}", tag = "tags", operation_id = "delete_tag",
    params(("collection" = String, Path, description = "networks, subnets, subnetpools, ports, routers, floatingips, security-groups, address-groups, trunks or policies"),
        ("id" = String, Path, description = "The object's UUID"), ("tag" = String, Path, description = "The tag")),
    responses((status = 204), (status = "default", body = api::NeutronError)))]
pub(super) async fn remove(call: Call, Path(of): Path<(String, String, String)>) -> Result<Reply, Failure> {
    let without = |mut tags: BTreeSet<String>| {
        if tags.remove(&of.2) { Ok(tags) } else { Err(Failure::not_found("Tag", &of.2)) }
    };
    let (revision, _) = change(call, (&of.0, &of.1), without).await?;
    Ok(Reply::nothing(revision))
}
