//! Dry runs: what a write would do to objects and to the flows of switches, without doing it.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use axum::http::StatusCode;
use tokio::sync::Semaphore;
use weft_api as api;
use weft_compiler::{FlowChange, preview};
use weft_model::intent::Plan;
use weft_model::{HostIndex, Key, Record, Snapshot};

use super::call::View;
use super::failure::Failure;
use super::told::{Told, told};
use crate::journal::Verb;

/// Most objects in one answer.
const OBJECTS: usize = 1000;
/// Most hosts in one answer.
const HOSTS: usize = 100;
/// Most owners and scopes that are compiled for one answer.
const OWNERS: usize = 50_000;
/// One plan at a time: each may compile as much as the change that it is about.
static TURN: Semaphore = Semaphore::const_new(1);

/// What a plan does, as the caller may see it.
pub(super) async fn make(view: &View, before: Snapshot, plan: Plan) -> Result<api::Plan, Failure> {
    let turn = TURN.acquire().await.map_err(|_| Failure::of_status(StatusCode::SERVICE_UNAVAILABLE))?;
    let view = view.clone();
    let made = tokio::task::spawn_blocking(move || {
        let _turn = turn;
        shown(&view, before, &plan)
    });
    made.await.map_err(|_| Failure::of_status(StatusCode::INTERNAL_SERVER_ERROR))
}

fn shown(view: &View, before: Snapshot, plan: &Plan) -> api::Plan {
    let revision = before.revision().0;
    let touched: BTreeSet<Key> = plan.changes.iter().map(|change| change.key()).collect();
    let hosts = preview(&before, &plan.snapshot, &touched, OWNERS);
    let flows = hosts.map(|hosts| flows(view, &plan.snapshot, &hosts));
    let sides = [before, plan.snapshot.clone()].map(|snapshot| View { snapshot, ..view.clone() });
    let objects = touched.iter().filter(|key| !matches!(key, Key::Binding(..)));
    let mut objects: Vec<_> = objects.filter_map(|key| object(&sides, key)).collect();
    let objects_total = objects.len() as u64;
    objects.truncate(OBJECTS);
    api::Plan { revision, objects, objects_total, flows, left: Vec::new() }
}

fn object([before, after]: &[View; 2], key: &Key) -> Option<api::PlannedObject> {
    let side = |view: &View| view.snapshot.record(key).map(|record: Record| told(view, &record));
    let (verb, before, after) = match (side(before), side(after)) {
        (None, after) => (Verb::Created, None, after.flatten()),
        (before, None) => (Verb::Deleted, before.flatten(), None),
        (before, after) => (Verb::Updated, before.flatten(), after.flatten()),
    };
    let Told { kind, id, project, .. } = after.clone().or(before.clone())?;
    let drawn = if verb == Verb::Created { drawn(key) } else { &[] };
    Some(api::PlannedObject {
        verb: verb.name().to_owned(),
        kind: kind.to_owned(),
        id,
        project_id: project.map(|project| project.to_string()),
        before: before.map(|told| told.row.into()),
        after: after.map(|told| told.row.into()),
        drawn: drawn.iter().map(|name| (*name).to_owned()).collect(),
    })
}

/// What of a new object is drawn by chance.
fn drawn(key: &Key) -> &'static [&'static str] {
    match key {
        Key::Port(_) => &["id", "mac_address"],
        Key::Host(_) => &[],
        _ => &["id"],
    }
}

fn flows(view: &View, after: &Snapshot, hosts: &BTreeMap<HostIndex, FlowChange>) -> api::PlannedFlows {
    let mut sum = FlowChange::default();
    hosts.values().for_each(|change| sum.merge(*change));
    let mut most: Vec<(&HostIndex, &FlowChange)> = hosts.iter().collect();
    most.sort_by_key(|(_, change)| Reverse(change.added + change.changed + change.removed));
    // Which hosts there are is the operator's business.
    let listed = most.into_iter().take(HOSTS).filter(|_| view.caller.is_admin());
    let host = |(index, change): (&HostIndex, &FlowChange)| {
        let host = after.host_by_index(*index).or_else(|| view.snapshot.host_by_index(*index));
        api::PlannedHost {
            id: host.map(|host| host.id.to_string()).unwrap_or_default(),
            hostname: host.map(|host| host.hostname.clone()).unwrap_or_default(),
            added: change.added,
            changed: change.changed,
            removed: change.removed,
        }
    };
    let FlowChange { added, changed, removed } = sum;
    api::PlannedFlows {
        added,
        changed,
        removed,
        hosts_total: hosts.len() as u64,
        hosts: listed.map(host).collect(),
    }
}
