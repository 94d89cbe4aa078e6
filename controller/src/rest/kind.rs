//! A kind of object in a collection, and what every kind has in common: show, create, update, delete.

use std::cell::LazyCell;
use std::sync::Arc;

use serde::{Serialize, Serializer};
use serde_json::{Map, Value};
use weft_model::intent::Intent;
use weft_model::{Revision, Snapshot, TenantId};

use super::call::{Body, Call, Reply, View};
use super::caller::Caller;
use super::failure::Failure;
use super::fields::Fields;
use super::query::ListQuery;

/// Most objects that one request may create.
const BULK: usize = 1000;

/// Objects to choose from, by id.
pub(super) type Candidates<'a, T> = Box<dyn Iterator<Item = &'a Arc<T>> + 'a>;

/// A kind of object that the API shows in a collection.
pub(super) trait Kind: Send + 'static {
    /// One of them: `network`.
    const ONE: &'static str;
    /// All of them: `networks`.
    const MANY: &'static str;
    /// The word for it in messages: `Network`.
    const LABEL: &'static str;
    /// The attribute that is its id.
    const ID: &'static str = "id";
    /// What lists can be narrowed by besides attributes.
    const FILTERS: &'static [&'static str] = &[];
    /// What the state holds.
    type Object: Send + Sync + 'static;
    /// What the API shows.
    type Row: Serialize + Default;

    /// Its id, as text that sorts like the candidates do.
    fn id(object: &Self::Object) -> String;
    /// Its name.
    fn name(object: &Self::Object) -> &str;
    /// Whose it is; none for what only administrators may see.
    fn owner(object: &Self::Object) -> Option<&TenantId>;
    /// True for what everybody may see, whoever owns it.
    fn is_public(object: &Self::Object) -> bool {
        let _ = object;
        false
    }
    /// True for what the caller may see although it owns it not.
    fn is_shared(view: &View, object: &Self::Object) -> bool {
        let _ = (view, object);
        false
    }
    /// The object with that id, whoever owns it.
    fn find<'a>(snapshot: &'a Snapshot, id: &str) -> Option<&'a Arc<Self::Object>>;
    /// Objects among which are all that match the query and that the caller may see, ordered by id.
    fn candidates<'a>(view: &'a View, query: &ListQuery) -> Candidates<'a, Self::Object>;
    /// False if the object cannot match, told without making its row: what makes a long list with few matches cheap.
    fn may_match(object: &Self::Object, query: &ListQuery) -> bool {
        let _ = (object, query);
        true
    }
    /// Narrows a row by those of [`Kind::FILTERS`] that the query has; false if nothing of it is left.
    fn narrow(row: &mut Map<String, Value>, query: &ListQuery) -> bool {
        let _ = (row, query);
        true
    }
    /// How the API shows it to the caller.
    fn row(view: &View, object: &Self::Object) -> Self::Row;
    /// A row that has every attribute there is, also those that only administrators see.
    fn full() -> Self::Row {
        Self::Row::default()
    }
}

/// A kind of object that callers create, change and delete.
pub(super) trait Writable: Kind {
    /// Reads an object to create; `None` when a fault was noted.
    fn read_new(fields: &mut Fields, caller: &Caller) -> Option<Intent>;
    /// Reads the changes to the object with that id.
    fn read_patch(fields: &mut Fields, id: &Self::Object, if_number: Option<u64>) -> Intent;
    /// Deletes the object.
    fn deletion(object: &Self::Object, if_number: Option<u64>) -> Intent;
    /// Refuses what a caller may not set although it may write the rest.
    fn check_caller(fields: &Fields, caller: &Caller, verb: &str) -> Result<(), Failure> {
        let _ = (fields, caller, verb);
        Ok(())
    }
    /// What is to be done besides, once all of a request's intents are done.
    fn follow_up(intent: &Intent) -> Option<Intent> {
        let _ = intent;
        None
    }
    /// The id of what a write touched.
    fn touched(key: &weft_model::Key) -> Option<String>;
}

/// A row as the members of a JSON object.
pub(super) fn members(row: impl Serialize) -> Map<String, Value> {
    match serde_json::to_value(row) {
        Ok(Value::Object(members)) => members,
        _ => unreachable!("every row is a struct of texts, numbers and lists"),
    }
}

/// The object with that id, if the caller may see it.
pub(super) fn visible<'a, K: Kind>(view: &'a View, id: &str) -> Option<&'a Arc<K::Object>> {
    K::find(&view.snapshot, id).filter(|object| shows::<K>(view, object))
}

/// True if the caller may see the object: its own, what is public, and what others share with it.
pub(super) fn shows<K: Kind>(view: &View, object: &K::Object) -> bool {
    sees::<K>(&view.caller, object) || K::is_shared(view, object)
}

/// True if the caller may see the object whatever others share.
pub(super) fn sees<K: Kind>(caller: &Caller, object: &K::Object) -> bool {
    match K::owner(object) {
        Some(owner) => caller.sees(owner) || K::is_public(object),
        None => caller.is_admin(),
    }
}

/// `GET /{collection}/{id}`
pub(super) fn show<K: Kind>(call: &Call, id: &str) -> Result<Reply, Failure> {
    let object = visible::<K>(&call.view, id).ok_or_else(|| Failure::not_found(K::LABEL, id))?;
    let fields: Vec<&str> =
        call.query.iter().filter(|(name, _)| name == "fields").map(|(_, value)| value.as_str()).collect();
    let mut row = members(K::row(&call.view, object));
    row.retain(|name, _| fields.is_empty() || fields.contains(&name.as_str()));
    Ok(Reply::ok(call.view.snapshot.revision(), Envelope(K::ONE, row)))
}

/// `POST /{collection}`: one object in the envelope `{one: ...}`, or many in `{many: [...]}`, all or none of them.
pub(super) async fn create<K: Writable>(call: Call, Body(mut body): Body) -> Result<Reply, Failure> {
    call.caller().may_write(&format!("create_{}", K::ONE))?;
    let (one, many) = (body.shift_remove(K::ONE), body.shift_remove(K::MANY));
    only_the_envelope(&body, K::ONE)?;
    match (one, many) {
        (Some(Value::Object(values)), None) => {
            let intent = read_new::<K>(Fields::new("", values), call.caller())?;
            let (revision, mut rows) = write::<K>(&call, vec![intent]).await?;
            let row = rows.pop().ok_or_else(|| vanished(K::LABEL))?;
            Ok(Reply::created(revision, Envelope(K::ONE, row)))
        }
        (None, Some(Value::Array(entries))) => {
            let intents = read_many::<K>(entries, call.caller())?;
            // A list of one is refused like a single object, and still names its element.
            let place = |failure: Failure| Failure { position: failure.position.or(Some(0)), ..failure };
            let written = write::<K>(&call, intents).await;
            let (revision, rows) = written.map_err(|failure| place(failure).in_list(K::MANY))?;
            Ok(Reply::created(revision, Envelope(K::MANY, rows)))
        }
        _ => Err(Failure::malformed(format!("Unable to find '{}' in request body", K::ONE))),
    }
}

fn read_many<K: Writable>(entries: Vec<Value>, caller: &Caller) -> Result<Vec<Intent>, Failure> {
    if entries.is_empty() || entries.len() > BULK {
        return Err(Failure::field(K::MANY, format!("must have 1 to {BULK} entries")));
    }
    let read = |(position, entry)| match entry {
        Value::Object(values) => {
            read_new::<K>(Fields::new(format!("{}.{position}.", K::MANY), values), caller)
        }
        _ => Err(Failure::field(&format!("{}.{position}", K::MANY), "must be an object")),
    };
    entries.into_iter().enumerate().map(read).collect()
}

fn read_new<K: Writable>(mut fields: Fields, caller: &Caller) -> Result<Intent, Failure> {
    K::check_caller(&fields, caller, "create")?;
    let intent = K::read_new(&mut fields, caller);
    settle::<K>(fields)?;
    intent.ok_or_else(|| Failure::malformed(format!("Unable to read '{}' in request body", K::ONE)))
}

/// `PUT /{collection}/{id}`
pub(super) async fn update<K: Writable>(call: Call, id: &str, Body(body): Body) -> Result<Reply, Failure> {
    call.caller().may_write(&format!("update_{}", K::ONE))?;
    let object = visible::<K>(&call.view, id).ok_or_else(|| Failure::not_found(K::LABEL, id))?;
    let values = only_member(body, K::ONE)?;
    let mut fields = Fields::new("", values);
    K::check_caller(&fields, call.caller(), "update")?;
    let intent = K::read_patch(&mut fields, object, call.if_number);
    settle::<K>(fields)?;
    let (revision, mut rows) = write::<K>(&call, vec![intent]).await?;
    let row = rows.pop().ok_or_else(|| Failure::not_found(K::LABEL, id))?;
    Ok(Reply::ok(revision, Envelope(K::ONE, row)))
}

/// `DELETE /{collection}/{id}`
pub(super) async fn delete<K: Writable>(call: Call, id: &str) -> Result<Reply, Failure> {
    call.caller().may_write(&format!("delete_{}", K::ONE))?;
    let object = visible::<K>(&call.view, id).ok_or_else(|| Failure::not_found(K::LABEL, id))?;
    let (committed, _) = call.write(vec![K::deletion(object, call.if_number)]).await?;
    Ok(Reply::nothing(committed.revision))
}

/// Commits, and shows what was written. The state shown may already lack an object that somebody else deleted in the
/// same commit; it has no row then.
async fn write<K: Writable>(
    call: &Call,
    mut intents: Vec<Intent>,
) -> Result<(Revision, Vec<K::Row>), Failure> {
    let more: Vec<Intent> = intents.iter().filter_map(K::follow_up).collect();
    intents.extend(more);
    let (committed, view) = call.write(intents).await?;
    let rows = committed.touched.iter().filter_map(K::touched).filter_map(|id| {
        let object = K::find(&view.snapshot, &id)?;
        Some(K::row(&view, object))
    });
    Ok((committed.revision, rows.collect()))
}

fn settle<K: Kind>(fields: Fields) -> Result<(), Failure> {
    settle_row(fields, K::full)
}

/// Refuses a request with faults or with members that are none of a row's.
pub(super) fn settle_row<R: Serialize>(fields: Fields, full: impl FnOnce() -> R) -> Result<(), Failure> {
    // Made only for those who send what was not asked for.
    let known = LazyCell::new(|| members(full()));
    let (mut faults, unknown) = fields.settle(|name| known.contains_key(name));
    match (faults.is_empty(), unknown.is_empty()) {
        (true, true) => Ok(()),
        (true, false) => Err(Failure::unrecognized(unknown)),
        (false, _) => {
            faults.extend(unknown);
            Err(Failure::invalid(faults))
        }
    }
}

/// The object that stands under a name in a request's body.
pub(super) fn member(body: &mut Map<String, Value>, one: &str) -> Result<Map<String, Value>, Failure> {
    match body.shift_remove(one) {
        Some(Value::Object(values)) => Ok(values),
        _ => Err(Failure::malformed(format!("Unable to find '{one}' in request body"))),
    }
}

/// The same, and nothing may stand beside it.
pub(super) fn only_member(mut body: Map<String, Value>, one: &str) -> Result<Map<String, Value>, Failure> {
    let values = member(&mut body, one)?;
    only_the_envelope(&body, one)?;
    Ok(values)
}

fn only_the_envelope(rest: &Map<String, Value>, one: &str) -> Result<(), Failure> {
    match rest.keys().next() {
        None => Ok(()),
        Some(other) => {
            let other: String = other.chars().take(80).collect();
            Err(Failure::field(&other, format!("does not belong beside {one}")))
        }
    }
}

fn vanished(label: &'static str) -> Failure {
    Failure::not_found(label, "just created")
}

/// A JSON object with one member: how single objects and lists travel.
pub(super) struct Envelope<T>(pub(super) &'static str, pub(super) T);

impl<T: Serialize> Serialize for Envelope<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map([(self.0, &self.1)])
    }
}
