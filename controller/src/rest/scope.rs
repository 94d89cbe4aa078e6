//! Which objects a list has to look at: the ids, the tenant or the network that a query names.

use uuid::Uuid;
use weft_model::{NetworkId, TenantId};

use super::call::View;
use super::query::ListQuery;

/// A UUID in the one form that the API shows, in either case. Anything else is no id.
pub(super) fn uuid(text: &str) -> Option<Uuid> {
    if text.len() != 36 {
        return None;
    }
    Uuid::try_parse(text).ok()
}

/// The ids that the query names, in their order.
pub(super) fn ids(query: &ListQuery) -> Option<Vec<Uuid>> {
    let mut ids: Vec<Uuid> = query.filters.get("id")?.iter().filter_map(|id| uuid(id)).collect();
    ids.sort();
    ids.dedup();
    Some(ids)
}

/// The one tenant whose objects can match: the caller's own, or the one that an administrator names.
pub(super) fn tenant(view: &View, query: &ListQuery) -> Option<TenantId> {
    if let Some(own) = view.caller.tenant() {
        return Some(own.clone());
    }
    query.single("project_id").or(query.single("tenant_id"))?.parse().ok()
}

/// The one network whose objects can match.
pub(super) fn network(query: &ListQuery) -> Option<NetworkId> {
    query.single("network_id").and_then(uuid).map(NetworkId)
}
