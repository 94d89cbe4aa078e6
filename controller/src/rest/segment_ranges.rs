//! `/v2.0/network_segment_ranges`: which VNIs networks get. Administrators only.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use axum::extract::Path;
use axum::http::StatusCode;
use serde_json::json;
use uuid::Uuid;
use weft_api as api;
use weft_model::intent::{Intent, Labels, NewSegmentRange, SegmentRangeChange, SegmentRangePatch};
use weft_model::{Encap, Key, SegmentRange, SegmentRangeId, Snapshot, Stamp, TenantId, Vni};

use super::call::{Body, Call, Reply, View};
use super::caller::Caller;
use super::failure::Failure;
use super::fields::Fields;
use super::kind::{self, Candidates, Kind, Writable};
use super::labels::{read_labels_patch, read_owner};
use super::query::ListQuery;
use super::{page, scope};
use crate::clock;

/// Ranges of VNIs as a kind of object.
pub(super) struct SegmentRanges;

/// How many free VNIs are listed.
const LISTED: usize = 1000;

/// What there is without an operator's ranges: every VNI, of each encapsulation.
static DEFAULTS: LazyLock<Vec<Arc<SegmentRange>>> = LazyLock::new(|| {
    let range = |(number, encap): (u128, Encap)| {
        Arc::new(SegmentRange {
            // Version 8 is for ids made by a rule of one's own (RFC 9562 section 5.8).
            id: SegmentRangeId(Uuid::from_u128(0x8000_8000_0000_0000_0000 + number)),
            tenant: None,
            stamp: Stamp { name: format!("all {} VNIs", encap.name()), number: 1, ..Stamp::default() },
            encap,
            first: Vni::MIN,
            last: Vni::MAX,
            next: Vni::MIN,
        })
    };
    (1..).zip(Encap::ALL).map(range).collect()
});

fn is_default(range: &SegmentRange) -> bool {
    DEFAULTS.iter().any(|default| default.id == range.id)
}

impl Kind for SegmentRanges {
    const ONE: &'static str = "network_segment_range";
    const MANY: &'static str = "network_segment_ranges";
    const LABEL: &'static str = "Network segment range";
    type Object = SegmentRange;
    type Row = api::NetworkSegmentRange;

    fn id(range: &SegmentRange) -> String {
        range.id.to_string()
    }

    fn name(range: &SegmentRange) -> &str {
        &range.stamp.name
    }

    fn owner(_: &SegmentRange) -> Option<&TenantId> {
        None
    }

    fn find<'a>(snapshot: &'a Snapshot, id: &str) -> Option<&'a Arc<SegmentRange>> {
        let id = SegmentRangeId(scope::uuid(id)?);
        DEFAULTS.iter().find(|default| default.id == id).or_else(|| snapshot.segment_range(&id))
    }

    fn candidates<'a>(view: &'a View, _: &ListQuery) -> Candidates<'a, SegmentRange> {
        let mut all: Vec<&'a Arc<SegmentRange>> = DEFAULTS.iter().collect();
        all.extend(view.snapshot.segment_ranges());
        all.sort_by_key(|range| range.id);
        Box::new(all.into_iter())
    }

    fn row(view: &View, range: &SegmentRange) -> api::NetworkSegmentRange {
        let stamp = &range.stamp;
        let owner = range.tenant.as_ref().map(ToString::to_string);
        let used = used_of(view, range);
        let is_used = |vni: Vni| {
            let network = view.snapshot.network_by_vni(vni).is_some();
            network || view.snapshot.router_of_transit(vni).is_some()
        };
        let numbers = (range.first.get()..=range.last.get()).filter_map(Vni::new);
        let available = numbers.filter(|vni| !is_used(*vni)).take(LISTED).map(Vni::get).collect();
        api::NetworkSegmentRange {
            id: range.id.to_string(),
            name: stamp.name.clone(),
            default: is_default(range),
            shared: owner.is_none(),
            tenant_id: owner.clone(),
            project_id: owner,
            network_type: range.encap.name().to_owned(),
            physical_network: None,
            minimum: range.first.get(),
            maximum: range.last.get(),
            used,
            available,
            description: stamp.description.clone(),
            tags: stamp.tags.iter().cloned().collect(),
            created_at: clock::text(stamp.created),
            updated_at: clock::text(stamp.updated),
            revision_number: stamp.number,
        }
    }
}

fn used_of(view: &View, range: &SegmentRange) -> BTreeMap<String, String> {
    let networks = view.snapshot.networks_from_vni(range.first);
    networks
        .take_while(|network| network.vni <= range.last)
        .filter(|network| network.tunnel() == Some(range.encap))
        .map(|network| (network.vni.to_string(), network.tenant.to_string()))
        .collect()
}

impl Writable for SegmentRanges {
    fn read_new(fields: &mut Fields, _: &Caller) -> Option<Intent> {
        let tenant = read_owner(fields);
        let name = fields.text_or_null("name").flatten().unwrap_or_default();
        let description = fields.text("description").unwrap_or_default();
        let shared = fields.flag("shared");
        if shared.is_some_and(|shared| shared == tenant.is_some()) {
            fields.fault("shared", "must be true without a project_id, and false with one");
        }
        fields.only("physical_network", &[]);
        let kind = fields.required::<String>("network_type", "must be a text");
        let encap = kind.as_deref().and_then(Encap::from_name);
        if kind.is_some() && encap.is_none() {
            fields.fault("network_type", "must be vxlan, geneve or gre");
        }
        let bounds = ["minimum", "maximum"].map(|name| {
            if !fields.has(name) {
                fields.fault(name, "is missing");
            }
            read_vni(fields, name)
        });
        let [first, last] = bounds;
        let labels = Labels { name, description, ..Labels::default() };
        let id = SegmentRangeId(Uuid::new_v4());
        let (encap, first, last) = (encap?, first?, last?);
        Some(Intent::ChangeSegmentRange(SegmentRangeChange::Create(NewSegmentRange {
            id,
            tenant,
            labels,
            encap,
            first,
            last,
        })))
    }

    fn read_patch(fields: &mut Fields, range: &SegmentRange, if_number: Option<u64>) -> Intent {
        let labels = read_labels_patch(fields);
        let [first, last] = ["minimum", "maximum"].map(|name| read_vni(fields, name));
        fields.only("network_type", &[json!(range.encap.name())]);
        Intent::ChangeSegmentRange(SegmentRangeChange::Update(
            range.id,
            SegmentRangePatch { if_number, labels, first, last },
        ))
    }

    fn deletion(range: &SegmentRange, if_number: Option<u64>) -> Intent {
        Intent::ChangeSegmentRange(SegmentRangeChange::Delete(range.id, if_number))
    }

    fn touched(key: &Key) -> Option<String> {
        match key {
            Key::SegmentRange(id) => Some(id.to_string()),
            _ => None,
        }
    }
}

fn read_vni(fields: &mut Fields, name: &str) -> Option<Vni> {
    let vni = Vni::new(fields.number(name)?);
    if vni.is_none() {
        fields.fault(name, format!("must be {} to {}", Vni::MIN, Vni::MAX));
    }
    vni
}

/// What is always there is not changed.
fn refuse_default(id: &str) -> Result<(), Failure> {
    match scope::uuid(id).filter(|id| DEFAULTS.iter().any(|default| default.id.0 == *id)) {
        None => Ok(()),
        Some(id) => {
            let message = format!(
                "Network Segment Range {id} is a default segment range which could not be updated or deleted."
            );
            Err(Failure::new(StatusCode::CONFLICT, "NetworkSegmentRangeDefaultReadOnly", message))
        }
    }
}

/// Lists ranges of VNIs.
#[utoipa::path(get, path = "/v2.0/network_segment_ranges", tag = "networks",
    operation_id = "list_network_segment_ranges", params(super::document::ListParameters),
    responses((status = 200, body = api::NetworkSegmentRangeList), (status = "default", body = api::NeutronError)))]
pub(super) async fn list(call: Call) -> Result<Reply, Failure> {
    call.caller().must_be_admin("get_network_segment_range")?;
    page::list::<SegmentRanges>(call).await
}

/// Creates a range of VNIs, or many, all or none of them, in the envelope `{"network_segment_ranges": [...]}`.
#[utoipa::path(post, path = "/v2.0/network_segment_ranges", tag = "networks",
    operation_id = "create_network_segment_range", request_body = super::document::NewNetworkSegmentRangeBody,
    responses((status = 201, body = api::NetworkSegmentRangeEnvelope), (status = "default", body = api::NeutronError)))]
pub(super) async fn create(call: Call, body: Body) -> Result<Reply, Failure> {
    call.caller().must_be_admin("create_network_segment_range")?;
    kind::create::<SegmentRanges>(call, body).await
}

/// Shows a range of VNIs.
#[utoipa::path(get, path = "/v2.0/network_segment_ranges/{id}", tag = "networks",
    operation_id = "show_network_segment_range", params(("id" = String, Path, description = "Its UUID")),
    responses((status = 200, body = api::NetworkSegmentRangeEnvelope), (status = "default", body = api::NeutronError)))]
pub(super) async fn show(call: Call, Path(id): Path<String>) -> Result<Reply, Failure> {
    call.caller().must_be_admin("get_network_segment_range")?;
    kind::show::<SegmentRanges>(&call, &id)
}

/// Changes a range of VNIs. `If-Match: revision_number=N` makes it conditional.
#[utoipa::path(put, path = "/v2.0/network_segment_ranges/{id}", tag = "networks",
    operation_id = "update_network_segment_range", params(("id" = String, Path, description = "Its UUID")),
    request_body = super::document::NetworkSegmentRangeBody,
    responses((status = 200, body = api::NetworkSegmentRangeEnvelope), (status = "default", body = api::NeutronError)))]
pub(super) async fn update(call: Call, Path(id): Path<String>, body: Body) -> Result<Reply, Failure> {
    call.caller().must_be_admin("update_network_segment_range")?;
    refuse_default(&id)?;
    kind::update::<SegmentRanges>(call, &id, body).await
}

/// Deletes a range of VNIs of which no network has one.
#[utoipa::path(delete, path = "/v2.0/network_segment_ranges/{id}", tag = "networks",
    operation_id = "delete_network_segment_range", params(("id" = String, Path, description = "Its UUID")),
    responses((status = 204), (status = "default", body = api::NeutronError)))]
pub(super) async fn delete(call: Call, Path(id): Path<String>) -> Result<Reply, Failure> {
    call.caller().must_be_admin("delete_network_segment_range")?;
    refuse_default(&id)?;
    kind::delete::<SegmentRanges>(call, &id).await
}
