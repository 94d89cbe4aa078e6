//! `/v2.0/trunks`.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::Path;
use serde_json::{Map, Value, json};
use uuid::Uuid;
use weft_api as api;
use weft_model::intent::{Intent, LabelsPatch, NewTrunk, Subport, TrunkPatch};
use weft_model::{Key, Port, PortId, Snapshot, TenantId, Trunk, TrunkId, VlanId};

use super::call::{Body, Call, Reply, View};
use super::caller::Caller;
use super::failure::Failure;
use super::fields::Fields;
use super::kind::{self, Candidates, Kind, Writable};
use super::labels::{read_labels, read_labels_patch, read_owner};
use super::query::ListQuery;
use super::{page, scope};
use crate::clock;

/// The only way to tell subports apart.
const VLAN: &str = "vlan";

/// Trunks as a kind of object.
pub(super) struct Trunks;

impl Kind for Trunks {
    const ONE: &'static str = "trunk";
    const MANY: &'static str = "trunks";
    const LABEL: &'static str = "Trunk";
    type Object = Trunk;
    type Row = api::Trunk;

    fn id(trunk: &Trunk) -> String {
        trunk.id.to_string()
    }

    fn name(trunk: &Trunk) -> &str {
        &trunk.stamp.name
    }

    fn owner(trunk: &Trunk) -> Option<&TenantId> {
        Some(&trunk.tenant)
    }

    fn find<'a>(snapshot: &'a Snapshot, id: &str) -> Option<&'a Arc<Trunk>> {
        snapshot.trunk(&TrunkId(scope::uuid(id)?))
    }

    fn candidates<'a>(view: &'a View, query: &ListQuery) -> Candidates<'a, Trunk> {
        if let Some(ids) = scope::ids(query) {
            return Box::new(ids.into_iter().filter_map(|id| view.snapshot.trunk(&TrunkId(id))));
        }
        match scope::tenant(view, query) {
            Some(tenant) => {
                let ids: Vec<TrunkId> =
                    view.snapshot.trunks_of_tenant(&tenant).map(|trunk| trunk.id).collect();
                Box::new(ids.into_iter().filter_map(|id| view.snapshot.trunk(&id)))
            }
            None => Box::new(view.snapshot.trunks()),
        }
    }

    fn row(view: &View, trunk: &Trunk) -> api::Trunk {
        let stamp = &trunk.stamp;
        api::Trunk {
            id: trunk.id.to_string(),
            name: stamp.name.clone(),
            tenant_id: trunk.tenant.to_string(),
            project_id: trunk.tenant.to_string(),
            description: stamp.description.clone(),
            admin_state_up: trunk.admin_up,
            status: status(view, trunk).to_owned(),
            port_id: trunk.port.to_string(),
            sub_ports: sub_ports(trunk),
            tags: stamp.tags.iter().cloned().collect(),
            created_at: clock::text(stamp.created),
            updated_at: clock::text(stamp.updated),
            revision_number: stamp.number,
        }
    }
}

fn status(view: &View, trunk: &Trunk) -> &'static str {
    let is_active = |port: PortId| view.board.port_active(&view.snapshot, port);
    match (is_active(trunk.port), trunk.subports.values().all(|port| is_active(*port))) {
        (true, true) => "ACTIVE",
        (true, false) => "BUILD",
        (false, _) => "DOWN",
    }
}

fn sub_ports(trunk: &Trunk) -> Vec<api::SubPort> {
    let one = |(vlan, port): (&VlanId, &PortId)| api::SubPort {
        port_id: port.to_string(),
        segmentation_type: VLAN.to_owned(),
        segmentation_id: vlan.get(),
    };
    trunk.subports.iter().map(one).collect()
}

/// What the parent of a trunk shows of it.
pub(super) fn details(view: &View, port: &Port) -> Option<api::TrunkDetails> {
    let trunk = view.snapshot.trunk_of_parent(port.id)?;
    let mac = |port: &PortId| view.snapshot.port(port).map(|port| port.mac.to_string());
    let one = |(vlan, port): (&VlanId, &PortId)| api::SubPortDetails {
        port_id: port.to_string(),
        mac_address: mac(port).unwrap_or_default(),
        segmentation_type: VLAN.to_owned(),
        segmentation_id: vlan.get(),
    };
    Some(api::TrunkDetails {
        trunk_id: trunk.id.to_string(),
        sub_ports: trunk.subports.iter().map(one).collect(),
    })
}

impl Writable for Trunks {
    fn read_new(fields: &mut Fields, _: &Caller) -> Option<Intent> {
        let port = fields.required::<Uuid>("port_id", PORT);
        let new = NewTrunk {
            id: TrunkId(Uuid::new_v4()),
            tenant: read_owner(fields),
            labels: read_labels(fields),
            port: PortId(port.unwrap_or_default()),
            admin_up: fields.flag("admin_state_up").unwrap_or(true),
            subports: read_subports(fields).unwrap_or_default(),
        };
        port.map(|_| Intent::CreateTrunk(new))
    }

    fn read_patch(fields: &mut Fields, trunk: &Trunk, if_number: Option<u64>) -> Intent {
        let labels = read_labels_patch(fields);
        let admin_up = fields.flag("admin_state_up");
        Intent::UpdateTrunk(trunk.id, TrunkPatch { if_number, labels, admin_up })
    }

    fn deletion(trunk: &Trunk, if_number: Option<u64>) -> Intent {
        Intent::DeleteTrunk(trunk.id, if_number)
    }

    fn touched(key: &Key) -> Option<String> {
        match key {
            Key::Trunk(id) => Some(id.to_string()),
            _ => None,
        }
    }
}

const PORT: &str = "must be the UUID of a port";
const SUBPORTS: &str = "sub_ports";

fn read_subports(fields: &mut Fields) -> Option<Vec<Subport>> {
    fields.objects(SUBPORTS, |entry| {
        let port = entry.required::<Uuid>("port_id", PORT);
        entry.only("segmentation_type", &[json!(VLAN)]);
        let number = entry.number("segmentation_id");
        let vlan = number.and_then(VlanId::new);
        if vlan.is_none() {
            entry.fault("segmentation_id", format!("must be a VLAN, 1 to {}", VlanId::MAX));
        }
        Some(Subport { port: PortId(port?), vlan: vlan? })
    })
}

/// The whole new set of tags.
pub(super) fn retag(trunk: &Trunk, tags: BTreeSet<String>, if_number: Option<u64>) -> Intent {
    let labels = LabelsPatch { tags: Some(tags), ..LabelsPatch::default() };
    Intent::UpdateTrunk(trunk.id, TrunkPatch { if_number, labels, ..TrunkPatch::default() })
}

/// Changes the subports of a trunk. Here bodies have no envelope, neither the request's nor the answer's.
async fn change<T>(
    call: Call,
    id: &str,
    body: Map<String, Value>,
    read: impl FnOnce(&mut Fields) -> Option<Vec<T>>,
    intent: impl FnOnce(TrunkId, Vec<T>, Option<u64>) -> Intent,
) -> Result<Reply, Failure> {
    call.caller().may_write("update_trunk")?;
    let missing = || Failure::not_found(Trunks::LABEL, id);
    let trunk = kind::visible::<Trunks>(&call.view, id).ok_or_else(missing)?.id;
    if !body.contains_key(SUBPORTS) {
        return Err(Failure::malformed("Unable to find 'sub_ports' in request body"));
    }
    let mut fields = Fields::new("", body);
    let subports = read(&mut fields);
    let (mut faults, unknown) = fields.settle(|_| false);
    faults.extend(unknown);
    if !faults.is_empty() {
        return Err(Failure::invalid(faults));
    }
    let intent = intent(trunk, subports.unwrap_or_default(), call.if_number);
    let (committed, view) = call.write(vec![intent]).await?;
    let trunk = view.snapshot.trunk(&trunk).ok_or_else(missing)?;
    Ok(Reply::ok(committed.revision, Trunks::row(&view, trunk)))
}

/// Lists trunks.
#[utoipa::path(get, path = "/v2.0/trunks", tag = "trunks", operation_id = "list_trunks",
    params(super::document::ListParameters),
    responses((status = 200, body = api::TrunkList), (status = "default", body = api::NeutronError)))]
pub(super) async fn list(call: Call) -> Result<Reply, Failure> {
    page::list::<Trunks>(call).await
}

/// Creates a trunk, or many, all or none of them, in the envelope `{"trunks": [...]}`.
#[utoipa::path(post, path = "/v2.0/trunks", tag = "trunks", operation_id = "create_trunk",
    request_body = super::document::NewTrunkBody,
    responses((status = 201, body = api::TrunkEnvelope), (status = "default", body = api::NeutronError)))]
pub(super) async fn create(call: Call, body: Body) -> Result<Reply, Failure> {
    kind::create::<Trunks>(call, body).await
}

/// Shows a trunk.
#[utoipa::path(get, path = "/v2.0/trunks/{id}", tag = "trunks", operation_id = "show_trunk",
    params(("id" = String, Path, description = "Its UUID")),
    responses((status = 200, body = api::TrunkEnvelope), (status = "default", body = api::NeutronError)))]
pub(super) async fn show(call: Call, Path(id): Path<String>) -> Result<Reply, Failure> {
    kind::show::<Trunks>(&call, &id)
}

/// Changes a trunk, but for its subports. `If-Match: revision_number=N` makes it conditional.
#[utoipa::path(put, path = "/v2.0/trunks/{id}", tag = "trunks", operation_id = "update_trunk",
    params(("id" = String, Path, description = "Its UUID")), request_body = super::document::TrunkBody,
    responses((status = 200, body = api::TrunkEnvelope), (status = "default", body = api::NeutronError)))]
pub(super) async fn update(call: Call, Path(id): Path<String>, body: Body) -> Result<Reply, Failure> {
    kind::update::<Trunks>(call, &id, body).await
}

/// Deletes a trunk; its ports stay, and its subports are bound nowhere.
#[utoipa::path(delete, path = "/v2.0/trunks/{id}", tag = "trunks", operation_id = "delete_trunk",
    params(("id" = String, Path, description = "Its UUID")),
    responses((status = 204), (status = "default", body = api::NeutronError)))]
pub(super) async fn delete(call: Call, Path(id): Path<String>) -> Result<Reply, Failure> {
    kind::delete::<Trunks>(call, &id).await
}

/// Lists the subports of a trunk.
#[utoipa::path(get, path = "/v2.0/trunks/{id}/get_subports", tag = "trunks", operation_id = "get_subports",
    params(("id" = String, Path, description = "The trunk's UUID")),
    responses((status = 200, body = api::SubPorts), (status = "default", body = api::NeutronError)))]
pub(super) async fn subports(call: Call, Path(id): Path<String>) -> Result<Reply, Failure> {
    let trunk = kind::visible::<Trunks>(&call.view, &id);
    let trunk = trunk.ok_or_else(|| Failure::not_found(Trunks::LABEL, &id))?;
    let sub_ports = sub_ports(trunk);
    Ok(Reply::ok(call.view.snapshot.revision(), api::SubPorts { sub_ports }))
}

/// Puts ports behind tags of a trunk, all or none of them.
#[utoipa::path(put, path = "/v2.0/trunks/{id}/add_subports", tag = "trunks", operation_id = "add_subports",
    params(("id" = String, Path, description = "The trunk's UUID")), request_body = api::SubPorts,
    responses((status = 200, body = api::Trunk), (status = "default", body = api::NeutronError)))]
pub(super) async fn add(call: Call, Path(id): Path<String>, Body(body): Body) -> Result<Reply, Failure> {
    change(call, &id, body, read_subports, Intent::AddSubports).await
}

/// Takes ports from a trunk, all or none of them.
#[utoipa::path(put, path = "/v2.0/trunks/{id}/remove_subports", tag = "trunks", operation_id = "remove_subports",
    params(("id" = String, Path, description = "The trunk's UUID")), request_body = api::SubPortsRemoved,
    responses((status = 200, body = api::Trunk), (status = "default", body = api::NeutronError)))]
pub(super) async fn remove(call: Call, Path(id): Path<String>, Body(body): Body) -> Result<Reply, Failure> {
    let read = |fields: &mut Fields| {
        fields.objects(SUBPORTS, |entry| {
            // Some clients send all that they know of a subport.
            entry.only("segmentation_type", &[json!(VLAN)]);
            let _ = entry.number("segmentation_id");
            entry.required::<Uuid>("port_id", PORT).map(PortId)
        })
    };
    change(call, &id, body, read, Intent::RemoveSubports).await
}
