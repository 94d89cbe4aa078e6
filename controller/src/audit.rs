//! The audit log: every write that somebody asked for, with who asked and what each object was before and after.
//!
//! It stands in the store beside the state, in a table of its own ([`TABLE`]), and is not held in memory. Entries are
//! numbered without gaps, an entry is committed in the same batch as the write that it tells of, and the oldest go when
//! there are more, or older ones, than [`Bounds`] allows. What hosts report is no one's wish and is not in it.

mod keeper;
mod log;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use weft_model::intent::Plan;
use weft_model::{Change, Key, Record, Snapshot, TenantId, Timestamp, TokenRole};

pub(crate) use keeper::Keeper;
pub use log::{Entry, Line, Log, Page, Since, Wish};

/// The table of the store that entries stand in. It is no part of the state and is not read at start.
pub const TABLE: &str = "audit";

/// How much is kept. Whichever bound is reached first counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// The most entries. 0 keeps no log at all.
    pub entries: u64,
    /// How long an entry is kept at least as long as there are not too many; for ever when absent.
    pub age: Option<Duration>,
}

impl Default for Bounds {
    /// Some tens of megabytes.
    fn default() -> Bounds {
        Bounds { entries: 100_000, age: None }
    }
}

/// Who asked for a write. No part of it is secret.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Author {
    /// The id of the request, as the log and the answer have it.
    pub request: String,
    /// What the token allows: `admin`, `member`, `reader`.
    pub role: String,
    /// The handle of the token; none when the API asks for none.
    pub token: Option<String>,
    /// The user that the token was given to, if it was given to one.
    pub user: Option<String>,
    /// The tenant that the token speaks for.
    pub project: Option<TenantId>,
    /// Where the request came from.
    pub address: Option<IpAddr>,
}

/// What one request did.
#[derive(Debug, Clone)]
pub(crate) struct Deed {
    author: Author,
    at: Timestamp,
    steps: Vec<Step>,
}

/// What became of one record.
#[derive(Debug, Clone)]
struct Step {
    before: Option<Record>,
    change: Change,
    owner: Option<TenantId>,
}

impl Deed {
    /// What a plan made of the state `before` does, told without what only counts and derives.
    pub(crate) fn of(author: Author, at: Timestamp, before: &Snapshot, plan: &Plan) -> Deed {
        let wanted = |change: &&Change| !matches!(change.key(), Key::Counters | Key::Policy(_));
        let step = |change: &Change| {
            let old = before.record(&change.key());
            let owner = match change {
                Change::Put(record) => owner(record, &plan.snapshot),
                Change::Delete(_) => old.as_ref().and_then(|record| owner(record, before)),
            };
            Step { before: old, change: change.clone(), owner }
        };
        let steps = plan.changes.iter().filter(wanted).map(step).collect();
        Deed { author, at, steps }
    }
}

/// The tenant that a record belongs to, and who may therefore see what became of it.
fn owner(record: &Record, state: &Snapshot) -> Option<TenantId> {
    let tenant = match record {
        Record::Tenant(r) => &r.id,
        Record::Quota(r) => &r.tenant,
        Record::Token(r) => match &r.role {
            TokenRole::Admin | TokenRole::Unscoped => return None,
            TokenRole::Member(tenant) | TokenRole::Reader(tenant) => tenant,
        },
        Record::AppCredential(r) => &r.tenant,
        Record::Assignment(r) => &r.tenant,
        Record::Network(r) => &r.tenant,
        Record::Subnet(r) => &r.tenant,
        Record::Port(r) => &r.tenant,
        Record::Router(r) => &r.tenant,
        Record::FloatingIp(r) => &r.tenant,
        Record::PortForwarding(r) => &state.floating_ip(&r.floating_ip)?.tenant,
        Record::SecurityGroup(r) => &r.tenant,
        Record::SecurityRule(r) => &r.tenant,
        Record::AddressGroup(r) => &r.tenant,
        Record::Trunk(r) => &r.tenant,
        Record::QosPolicy(r) => &r.tenant,
        Record::SubnetPool(r) => &r.tenant,
        Record::AddressScope(r) => &r.tenant,
        Record::RbacPolicy(r) => &r.tenant,
        // Administrators see everything; a kind that is not named here is theirs alone.
        _ => return None,
    };
    Some(tenant.clone())
}

/// How the keeper and the readers of a log share the store.
type SharedStore = Arc<dyn weft_store::Store>;
