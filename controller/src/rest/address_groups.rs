//! `/v2.0/address-groups`.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::Path;
use ipnet::IpNet;
use serde_json::{Map, Value, json};
use uuid::Uuid;
use weft_api as api;
use weft_model::intent::{AddressGroupPatch, Intent, LabelsPatch, NewAddressGroup};
use weft_model::{AddressGroup, AddressGroupId, Key, SharedKind, Snapshot, TenantId};

use crate::clock;

use super::call::{Body, Call, Reply, View};
use super::caller::Caller;
use super::failure::Failure;
use super::fields::Fields;
use super::kind::{self, Candidates, Kind, Writable};
use super::labels::{read_labels, read_labels_patch, read_owner_or_own};
use super::query::ListQuery;
use super::security_rules::Prefix;
use super::{page, scope};

/// Address groups as a kind of object.
pub(super) struct AddressGroups;

impl Kind for AddressGroups {
    const ONE: &'static str = "address_group";
    const MANY: &'static str = "address_groups";
    const LABEL: &'static str = "Address group";
    type Object = AddressGroup;
    type Row = api::AddressGroup;

    fn id(group: &AddressGroup) -> String {
        group.id.to_string()
    }

    fn name(group: &AddressGroup) -> &str {
        &group.stamp.name
    }

    fn owner(group: &AddressGroup) -> Option<&TenantId> {
        Some(&group.tenant)
    }

    fn is_shared(view: &View, group: &AddressGroup) -> bool {
        view.is_shared(group.id)
    }

    fn find<'a>(snapshot: &'a Snapshot, id: &str) -> Option<&'a Arc<AddressGroup>> {
        snapshot.address_group(&AddressGroupId(scope::uuid(id)?))
    }

    fn candidates<'a>(view: &'a View, query: &ListQuery) -> Candidates<'a, AddressGroup> {
        if let Some(ids) = scope::ids(query) {
            let find = |id| view.snapshot.address_group(&AddressGroupId(id));
            return Box::new(ids.into_iter().filter_map(find));
        }
        match scope::tenant(view, query) {
            Some(tenant) => {
                let own = view.snapshot.address_groups_of_tenant(&tenant).map(|group| group.id);
                let shared = view.shared(SharedKind::AddressGroup).into_iter().map(AddressGroupId);
                let ids: BTreeSet<AddressGroupId> = own.chain(shared).collect();
                Box::new(ids.into_iter().filter_map(|id| view.snapshot.address_group(&id)))
            }
            None => Box::new(view.snapshot.address_groups()),
        }
    }

    fn row(view: &View, group: &AddressGroup) -> api::AddressGroup {
        let stamp = &group.stamp;
        api::AddressGroup {
            id: group.id.to_string(),
            name: stamp.name.clone(),
            tenant_id: group.tenant.to_string(),
            project_id: group.tenant.to_string(),
            description: stamp.description.clone(),
            shared: view.is_shared(group.id),
            addresses: group.prefixes.iter().map(ToString::to_string).collect(),
            tags: stamp.tags.iter().cloned().collect(),
            created_at: clock::text(stamp.created),
            updated_at: clock::text(stamp.updated),
            revision_number: stamp.number,
        }
    }
}

impl Writable for AddressGroups {
    fn read_new(fields: &mut Fields, caller: &Caller) -> Option<Intent> {
        let new = NewAddressGroup {
            id: AddressGroupId(Uuid::new_v4()),
            tenant: read_owner_or_own(fields, caller),
            labels: read_labels(fields),
            prefixes: read_addresses(fields).unwrap_or_default(),
        };
        fields.only("shared", &[json!(false)]);
        Some(Intent::CreateAddressGroup(new))
    }

    fn read_patch(fields: &mut Fields, group: &AddressGroup, if_number: Option<u64>) -> Intent {
        let labels = read_labels_patch(fields);
        Intent::UpdateAddressGroup(
            group.id,
            AddressGroupPatch { if_number, labels, ..AddressGroupPatch::default() },
        )
    }

    fn deletion(group: &AddressGroup, if_number: Option<u64>) -> Intent {
        Intent::DeleteAddressGroup(group.id, if_number)
    }

    fn touched(key: &Key) -> Option<String> {
        match key {
            Key::AddressGroup(id) => Some(id.to_string()),
            _ => None,
        }
    }
}

fn read_addresses(fields: &mut Fields) -> Option<Vec<IpNet>> {
    let prefixes = fields.parsed_list::<Prefix>("addresses", "must be an address or a prefix")?;
    Some(prefixes.into_iter().map(|Prefix(prefix)| prefix).collect())
}

/// The whole new set of tags.
pub(super) fn retag(group: &AddressGroup, tags: BTreeSet<String>, if_number: Option<u64>) -> Intent {
    let labels = LabelsPatch { tags: Some(tags), ..LabelsPatch::default() };
    let patch = AddressGroupPatch { if_number, labels, ..AddressGroupPatch::default() };
    Intent::UpdateAddressGroup(group.id, patch)
}

async fn change_addresses(
    call: Call,
    id: &str,
    mut body: Map<String, Value>,
    change: impl FnOnce(Vec<IpNet>) -> AddressGroupPatch,
) -> Result<Reply, Failure> {
    call.caller().may_write("update_address_group")?;
    let missing = || Failure::not_found(AddressGroups::LABEL, id);
    let group = kind::visible::<AddressGroups>(&call.view, id).ok_or_else(missing)?;
    // The field's own client sends the list without an envelope.
    let values = match body.contains_key("addresses") {
        true => body,
        false => kind::member(&mut body, AddressGroups::ONE)?,
    };
    let mut fields = Fields::new("", values);
    let addresses = read_addresses(&mut fields).unwrap_or_default();
    let (mut faults, unknown) = fields.settle(|_| false);
    faults.extend(unknown);
    if !faults.is_empty() {
        return Err(Failure::invalid(faults));
    }
    let patch = AddressGroupPatch { if_number: call.if_number, ..change(addresses) };
    let (committed, view) = call.write(vec![Intent::UpdateAddressGroup(group.id, patch)]).await?;
    let group = view.snapshot.address_group(&group.id).ok_or_else(missing)?;
    let address_group = AddressGroups::row(&view, group);
    Ok(Reply::ok(committed.revision, api::AddressGroupEnvelope { address_group }))
}

/// Lists address groups.
#[utoipa::path(get, path = "/v2.0/address-groups", tag = "security groups", operation_id = "list_address_groups",
    params(super::document::ListParameters),
    responses((status = 200, body = api::AddressGroupList), (status = "default", body = api::NeutronError)))]
pub(super) async fn list(call: Call) -> Result<Reply, Failure> {
    page::list::<AddressGroups>(call).await
}

/// Creates an address group, or many, all or none of them, in the envelope `{"address_groups": [...]}`.
#[utoipa::path(post, path = "/v2.0/address-groups", tag = "security groups", operation_id = "create_address_group",
    request_body = super::document::NewAddressGroupBody,
    responses((status = 201, body = api::AddressGroupEnvelope), (status = "default", body = api::NeutronError)))]
pub(super) async fn create(call: Call, body: Body) -> Result<Reply, Failure> {
    kind::create::<AddressGroups>(call, body).await
}

/// Shows an address group.
#[utoipa::path(get, path = "/v2.0/address-groups/{id}", tag = "security groups", operation_id = "show_address_group",
    params(("id" = String, Path, description = "Its UUID")),
    responses((status = 200, body = api::AddressGroupEnvelope), (status = "default", body = api::NeutronError)))]
pub(super) async fn show(call: Call, Path(id): Path<String>) -> Result<Reply, Failure> {
    kind::show::<AddressGroups>(&call, &id)
}

/// Changes an address group's name or description. `If-Match: revision_number=N` makes it conditional.
#[utoipa::path(put, path = "/v2.0/address-groups/{id}", tag = "security groups",
    operation_id = "update_address_group", params(("id" = String, Path, description = "Its UUID")),
    request_body = super::document::AddressGroupBody,
    responses((status = 200, body = api::AddressGroupEnvelope), (status = "default", body = api::NeutronError)))]
pub(super) async fn update(call: Call, Path(id): Path<String>, body: Body) -> Result<Reply, Failure> {
    kind::update::<AddressGroups>(call, &id, body).await
}

/// Deletes an address group that no rule names.
#[utoipa::path(delete, path = "/v2.0/address-groups/{id}", tag = "security groups",
    operation_id = "delete_address_group", params(("id" = String, Path, description = "Its UUID")),
    responses((status = 204), (status = "default", body = api::NeutronError)))]
pub(super) async fn delete(call: Call, Path(id): Path<String>) -> Result<Reply, Failure> {
    kind::delete::<AddressGroups>(call, &id).await
}

/// Adds addresses to those that a group has.
#[utoipa::path(put, path = "/v2.0/address-groups/{id}/add_addresses", tag = "security groups",
    operation_id = "add_addresses", params(("id" = String, Path, description = "The group's UUID")),
    request_body = super::document::AddressGroupAddressesBody,
    responses((status = 200, body = api::AddressGroupEnvelope), (status = "default", body = api::NeutronError)))]
pub(super) async fn add(call: Call, Path(id): Path<String>, Body(body): Body) -> Result<Reply, Failure> {
    change_addresses(call, &id, body, |add| AddressGroupPatch { add, ..AddressGroupPatch::default() }).await
}

/// Removes addresses from those that a group has.
#[utoipa::path(put, path = "/v2.0/address-groups/{id}/remove_addresses", tag = "security groups",
    operation_id = "remove_addresses", params(("id" = String, Path, description = "The group's UUID")),
    request_body = super::document::AddressGroupAddressesBody,
    responses((status = 200, body = api::AddressGroupEnvelope), (status = "default", body = api::NeutronError)))]
pub(super) async fn remove(call: Call, Path(id): Path<String>, Body(body): Body) -> Result<Reply, Failure> {
    change_addresses(call, &id, body, |remove| AddressGroupPatch { remove, ..AddressGroupPatch::default() })
        .await
}
