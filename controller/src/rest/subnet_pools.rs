//! `/v2.0/subnetpools`.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::Path;
use ipnet::IpNet;
use serde_json::json;
use uuid::Uuid;
use weft_api as api;
use weft_model::intent::{Intent, LabelsPatch, NewSubnetPool, SubnetPoolPatch};
use weft_model::{AddressScopeId, Family, Key, SharedKind, Snapshot, SubnetPool, SubnetPoolId, TenantId};

use super::call::{Body, Call, Reply, View};
use super::caller::Caller;
use super::failure::Failure;
use super::fields::Fields;
use super::kind::{self, Candidates, Kind, Writable};
use super::labels::{read_labels, read_labels_patch, read_owner};
use super::query::ListQuery;
use super::{page, scope};
use crate::clock;

/// Subnet pools as a kind of object.
pub(super) struct SubnetPools;

impl Kind for SubnetPools {
    const ONE: &'static str = "subnetpool";
    const MANY: &'static str = "subnetpools";
    const LABEL: &'static str = "Subnet pool";
    type Object = SubnetPool;
    type Row = api::SubnetPool;

    fn id(pool: &SubnetPool) -> String {
        pool.id.to_string()
    }

    fn name(pool: &SubnetPool) -> &str {
        &pool.stamp.name
    }

    fn owner(pool: &SubnetPool) -> Option<&TenantId> {
        Some(&pool.tenant)
    }

    fn is_shared(view: &View, pool: &SubnetPool) -> bool {
        view.is_shared(pool.id)
    }

    fn find<'a>(snapshot: &'a Snapshot, id: &str) -> Option<&'a Arc<SubnetPool>> {
        snapshot.subnet_pool(&SubnetPoolId(scope::uuid(id)?))
    }

    fn candidates<'a>(view: &'a View, query: &ListQuery) -> Candidates<'a, SubnetPool> {
        if let Some(ids) = scope::ids(query) {
            return Box::new(ids.into_iter().filter_map(|id| view.snapshot.subnet_pool(&SubnetPoolId(id))));
        }
        match scope::tenant(view, query) {
            Some(tenant) => {
                let own = view.snapshot.subnet_pools_of_tenant(&tenant).map(|pool| pool.id);
                let shared = view.shared(SharedKind::SubnetPool).into_iter().map(SubnetPoolId);
                let ids: BTreeSet<SubnetPoolId> = own.chain(shared).collect();
                Box::new(ids.into_iter().filter_map(|id| view.snapshot.subnet_pool(&id)))
            }
            None => Box::new(view.snapshot.subnet_pools()),
        }
    }

    fn row(view: &View, pool: &SubnetPool) -> api::SubnetPool {
        let stamp = &pool.stamp;
        api::SubnetPool {
            id: pool.id.to_string(),
            name: stamp.name.clone(),
            tenant_id: pool.tenant.to_string(),
            project_id: pool.tenant.to_string(),
            prefixes: pool.prefixes.iter().map(ToString::to_string).collect(),
            ip_version: if pool.family() == Family::V4 { 4 } else { 6 },
            default_prefixlen: pool.default_prefixlen.to_string(),
            min_prefixlen: pool.min_prefixlen.to_string(),
            max_prefixlen: pool.max_prefixlen.to_string(),
            default_quota: pool.default_quota,
            address_scope_id: pool.scope.map(|scope| scope.to_string()),
            is_default: pool.is_default,
            shared: view.is_shared(pool.id),
            description: stamp.description.clone(),
            tags: stamp.tags.iter().cloned().collect(),
            created_at: clock::text(stamp.created),
            updated_at: clock::text(stamp.updated),
            revision_number: stamp.number,
        }
    }
}

const PREFIX: &str = "must be a prefix like 192.0.2.0/24";
const SCOPE: &str = "must be the UUID of an address scope";

impl Writable for SubnetPools {
    fn read_new(fields: &mut Fields, _: &Caller) -> Option<Intent> {
        let tenant = read_owner(fields);
        let labels = read_labels(fields);
        if !fields.has("prefixes") {
            fields.fault("prefixes", "is missing");
        }
        let prefixes = fields.parsed_list::<IpNet>("prefixes", PREFIX);
        let default_prefixlen = read_length(fields, "default_prefixlen");
        let min_prefixlen = read_length(fields, "min_prefixlen");
        let max_prefixlen = read_length(fields, "max_prefixlen");
        let default_quota = fields.number("default_quota");
        let is_default = fields.flag("is_default").unwrap_or(false);
        let shared = fields.flag("shared").unwrap_or(false);
        let scope = fields.parsed_or_null::<Uuid>("address_scope_id", SCOPE).flatten();
        let new = NewSubnetPool::new(SubnetPoolId(Uuid::new_v4()), prefixes?);
        Some(Intent::CreateSubnetPool(NewSubnetPool {
            tenant,
            labels,
            default_prefixlen,
            min_prefixlen,
            max_prefixlen,
            default_quota,
            is_default,
            shared,
            scope: scope.map(AddressScopeId),
            ..new
        }))
    }

    fn read_patch(fields: &mut Fields, pool: &SubnetPool, if_number: Option<u64>) -> Intent {
        let has_quota = fields.has("default_quota");
        let scope = fields.parsed_or_null::<Uuid>("address_scope_id", SCOPE);
        let quota = fields.number("default_quota");
        let patch = SubnetPoolPatch {
            if_number,
            labels: read_labels_patch(fields),
            prefixes: fields.parsed_list("prefixes", PREFIX),
            default_prefixlen: read_length(fields, "default_prefixlen"),
            min_prefixlen: read_length(fields, "min_prefixlen"),
            max_prefixlen: read_length(fields, "max_prefixlen"),
            default_quota: has_quota.then_some(quota),
            is_default: fields.flag("is_default"),
            scope: scope.map(|scope| scope.map(AddressScopeId)),
        };
        fields.only("ip_version", &[json!(if pool.family() == Family::V4 { 4 } else { 6 })]);
        Intent::UpdateSubnetPool(pool.id, patch)
    }

    fn deletion(pool: &SubnetPool, if_number: Option<u64>) -> Intent {
        Intent::DeleteSubnetPool(pool.id, if_number)
    }

    fn touched(key: &Key) -> Option<String> {
        match key {
            Key::SubnetPool(id) => Some(id.to_string()),
            _ => None,
        }
    }
}

/// The length of a prefix; one that no address has is refused with those that do not go together.
fn read_length(fields: &mut Fields, name: &str) -> Option<u8> {
    fields.number(name).map(|length| u8::try_from(length).unwrap_or(u8::MAX))
}

/// The whole new set of tags.
pub(super) fn retag(pool: &SubnetPool, tags: BTreeSet<String>, if_number: Option<u64>) -> Intent {
    let labels = LabelsPatch { tags: Some(tags), ..LabelsPatch::default() };
    Intent::UpdateSubnetPool(pool.id, SubnetPoolPatch { if_number, labels, ..SubnetPoolPatch::default() })
}

/// Lists subnet pools.
#[utoipa::path(get, path = "/v2.0/subnetpools", tag = "subnets", operation_id = "list_subnet_pools",
    params(super::document::ListParameters),
    responses((status = 200, body = api::SubnetPoolList), (status = "default", body = api::NeutronError)))]
pub(super) async fn list(call: Call) -> Result<Reply, Failure> {
    page::list::<SubnetPools>(call).await
}

/// Creates a subnet pool, or many, all or none of them, in the envelope `{"subnetpools": [...]}`.
#[utoipa::path(post, path = "/v2.0/subnetpools", tag = "subnets", operation_id = "create_subnet_pool",
    request_body = super::document::NewSubnetPoolBody,
    responses((status = 201, body = api::SubnetPoolEnvelope), (status = "default", body = api::NeutronError)))]
pub(super) async fn create(call: Call, body: Body) -> Result<Reply, Failure> {
    kind::create::<SubnetPools>(call, body).await
}

/// Shows a subnet pool.
#[utoipa::path(get, path = "/v2.0/subnetpools/{id}", tag = "subnets", operation_id = "show_subnet_pool",
    params(("id" = String, Path, description = "Its UUID")),
    responses((status = 200, body = api::SubnetPoolEnvelope), (status = "default", body = api::NeutronError)))]
pub(super) async fn show(call: Call, Path(id): Path<String>) -> Result<Reply, Failure> {
    kind::show::<SubnetPools>(&call, &id)
}

/// Changes a subnet pool. `If-Match: revision_number=N` makes it conditional.
#[utoipa::path(put, path = "/v2.0/subnetpools/{id}", tag = "subnets", operation_id = "update_subnet_pool",
    params(("id" = String, Path, description = "Its UUID")), request_body = super::document::SubnetPoolBody,
    responses((status = 200, body = api::SubnetPoolEnvelope), (status = "default", body = api::NeutronError)))]
pub(super) async fn update(call: Call, Path(id): Path<String>, body: Body) -> Result<Reply, Failure> {
    kind::update::<SubnetPools>(call, &id, body).await
}

/// Deletes a subnet pool that no subnet is cut from.
#[utoipa::path(delete, path = "/v2.0/subnetpools/{id}", tag = "subnets", operation_id = "delete_subnet_pool",
    params(("id" = String, Path, description = "Its UUID")),
    responses((status = 204), (status = "default", body = api::NeutronError)))]
pub(super) async fn delete(call: Call, Path(id): Path<String>) -> Result<Reply, Failure> {
    kind::delete::<SubnetPools>(call, &id).await
}
