//! `/v2.0/address-scopes`.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::Path;
use serde_json::json;
use uuid::Uuid;
use weft_api as api;
use weft_model::intent::{AddressScopePatch, Intent, Labels, NewAddressScope};
use weft_model::{AddressScope, AddressScopeId, Family, Key, SharedKind, Snapshot, TenantId};

use super::call::{Body, Call, Reply, View};
use super::caller::Caller;
use super::failure::Failure;
use super::fields::Fields;
use super::kind::{self, Candidates, Kind, Writable};
use super::labels::{read_labels_patch, read_owner};
use super::query::ListQuery;
use super::{page, scope};
use crate::clock;

/// Address scopes as a kind of object.
pub(super) struct AddressScopes;

impl Kind for AddressScopes {
    const ONE: &'static str = "address_scope";
    const MANY: &'static str = "address_scopes";
    const LABEL: &'static str = "Address scope";
    type Object = AddressScope;
    type Row = api::AddressScope;

    fn id(scope: &AddressScope) -> String {
        scope.id.to_string()
    }

    fn name(scope: &AddressScope) -> &str {
        &scope.stamp.name
    }

    fn owner(scope: &AddressScope) -> Option<&TenantId> {
        Some(&scope.tenant)
    }

    fn is_shared(view: &View, scope: &AddressScope) -> bool {
        view.is_shared(scope.id)
    }

    fn find<'a>(snapshot: &'a Snapshot, id: &str) -> Option<&'a Arc<AddressScope>> {
        snapshot.address_scope(&AddressScopeId(scope::uuid(id)?))
    }

    fn candidates<'a>(view: &'a View, query: &ListQuery) -> Candidates<'a, AddressScope> {
        if let Some(ids) = scope::ids(query) {
            let find = |id| view.snapshot.address_scope(&AddressScopeId(id));
            return Box::new(ids.into_iter().filter_map(find));
        }
        match scope::tenant(view, query) {
            Some(tenant) => {
                let own = view.snapshot.address_scopes_of_tenant(&tenant).map(|scope| scope.id);
                let shared = view.shared(SharedKind::AddressScope).into_iter().map(AddressScopeId);
                let ids: BTreeSet<AddressScopeId> = own.chain(shared).collect();
                Box::new(ids.into_iter().filter_map(|id| view.snapshot.address_scope(&id)))
            }
            None => Box::new(view.snapshot.address_scopes()),
        }
    }

    fn row(view: &View, scope: &AddressScope) -> api::AddressScope {
        let stamp = &scope.stamp;
        api::AddressScope {
            id: scope.id.to_string(),
            name: stamp.name.clone(),
            tenant_id: scope.tenant.to_string(),
            project_id: scope.tenant.to_string(),
            ip_version: if scope.family == Family::V4 { 4 } else { 6 },
            shared: view.is_shared(scope.id),
            description: stamp.description.clone(),
            created_at: clock::text(stamp.created),
            updated_at: clock::text(stamp.updated),
            revision_number: stamp.number,
        }
    }
}

impl Writable for AddressScopes {
    fn read_new(fields: &mut Fields, _: &Caller) -> Option<Intent> {
        let tenant = read_owner(fields);
        let name = fields.text("name").unwrap_or_default();
        let description = fields.text("description").unwrap_or_default();
        let shared = fields.flag("shared").unwrap_or(false);
        let version = fields.number("ip_version");
        let family = match version {
            Some(4) => Family::V4,
            Some(6) => Family::V6,
            _ => {
                fields.fault("ip_version", "must be 4 or 6");
                return None;
            }
        };
        let labels = Labels { name, description, ..Labels::default() };
        let id = AddressScopeId(Uuid::new_v4());
        Some(Intent::CreateAddressScope(NewAddressScope { id, tenant, labels, family, shared }))
    }

    fn read_patch(fields: &mut Fields, scope: &AddressScope, if_number: Option<u64>) -> Intent {
        let (labels, shared) = (read_labels_patch(fields), fields.flag("shared"));
        fields.only("ip_version", &[json!(if scope.family == Family::V4 { 4 } else { 6 })]);
        Intent::UpdateAddressScope(scope.id, AddressScopePatch { if_number, labels, shared })
    }

    fn deletion(scope: &AddressScope, if_number: Option<u64>) -> Intent {
        Intent::DeleteAddressScope(scope.id, if_number)
    }

    fn touched(key: &Key) -> Option<String> {
        match key {
            Key::AddressScope(id) => Some(id.to_string()),
            _ => None,
        }
    }
}

/// Lists address scopes.
#[utoipa::path(get, path = "/v2.0/address-scopes", tag = "subnets", operation_id = "list_address_scopes",
    params(super::document::ListParameters),
    responses((status = 200, body = api::AddressScopeList), (status = "default", body = api::NeutronError)))]
pub(super) async fn list(call: Call) -> Result<Reply, Failure> {
    page::list::<AddressScopes>(call).await
}

/// Creates an address scope, or many, all or none of them, in the envelope `{"address_scopes": [...]}`.
#[utoipa::path(post, path = "/v2.0/address-scopes", tag = "subnets", operation_id = "create_address_scope",
    request_body = super::document::NewAddressScopeBody,
    responses((status = 201, body = api::AddressScopeEnvelope), (status = "default", body = api::NeutronError)))]
pub(super) async fn create(call: Call, body: Body) -> Result<Reply, Failure> {
    kind::create::<AddressScopes>(call, body).await
}

/// Shows an address scope.
#[utoipa::path(get, path = "/v2.0/address-scopes/{id}", tag = "subnets", operation_id = "show_address_scope",
    params(("id" = String, Path, description = "Its UUID")),
    responses((status = 200, body = api::AddressScopeEnvelope), (status = "default", body = api::NeutronError)))]
pub(super) async fn show(call: Call, Path(id): Path<String>) -> Result<Reply, Failure> {
    kind::show::<AddressScopes>(&call, &id)
}

/// Changes an address scope. `If-Match: revision_number=N` makes it conditional.
#[utoipa::path(put, path = "/v2.0/address-scopes/{id}", tag = "subnets", operation_id = "update_address_scope",
    params(("id" = String, Path, description = "Its UUID")), request_body = super::document::AddressScopeBody,
    responses((status = 200, body = api::AddressScopeEnvelope), (status = "default", body = api::NeutronError)))]
pub(super) async fn update(call: Call, Path(id): Path<String>, body: Body) -> Result<Reply, Failure> {
    kind::update::<AddressScopes>(call, &id, body).await
}

/// Deletes an address scope that no subnet pool is in.
#[utoipa::path(delete, path = "/v2.0/address-scopes/{id}", tag = "subnets", operation_id = "delete_address_scope",
    params(("id" = String, Path, description = "Its UUID")),
    responses((status = 204), (status = "default", body = api::NeutronError)))]
pub(super) async fn delete(call: Call, Path(id): Path<String>) -> Result<Reply, Failure> {
    kind::delete::<AddressScopes>(call, &id).await
}
