//! Lists: what matches the query, in its order, one page of it.

use std::cmp::Ordering;

use serde_json::{Map, Value};
use weft_api::discovery::Link;

use super::call::{Call, Reply, View};
use super::failure::Failure;
use super::kind::{Kind, members, shows, visible};
use super::query::{Direction, ListQuery, PAGE, Side};

type Row = Map<String, Value>;

/// `GET /{collection}`. On a thread of its own kind: a long list must not hold up those who share the runtime's.
pub(super) async fn list<K: Kind>(call: Call) -> Result<Reply, Failure> {
    let listed = tokio::task::spawn_blocking(move || list_now::<K>(&call)).await;
    match listed {
        Ok(reply) => reply,
        Err(panicked) => std::panic::resume_unwind(panicked.into_panic()),
    }
}

fn list_now<K: Kind>(call: &Call) -> Result<Reply, Failure> {
    let query = ListQuery::read_with(&call.query, &members(K::full()), K::FILTERS)?;
    let query = ListQuery { id: K::ID, ..query };
    let size = query.limit.unwrap_or(PAGE).min(PAGE);
    let Page { rows, more } = page::<K>(&call.view, &query, size)?;
    let links = if query.limit.is_some() || more || query.marker.is_some() {
        links(call, &query, (&rows, more))
    } else {
        Vec::new()
    };
    let shown = rows.into_iter().map(|row| Value::Object(query.project(row))).collect();
    let mut body = Map::from_iter([(K::MANY.to_owned(), Value::Array(shown))]);
    if !links.is_empty() {
        let links = serde_json::to_value(links).expect("links are texts");
        body.insert(format!("{}_links", K::MANY), links);
    }
    Ok(Reply::ok(call.view.snapshot.revision(), body))
}

struct Page {
    rows: Vec<Row>,
    /// Whether there are further rows in the direction of the page.
    more: bool,
}

fn page<K: Kind>(view: &View, query: &ListQuery, size: usize) -> Result<Page, Failure> {
    let marker = query.marker.as_deref().map(str::to_ascii_lowercase);
    let in_id_order = query.sort.is_empty() && query.side == Side::After;
    let after = marker.as_deref().filter(|_| in_id_order);
    let matching = K::candidates(view, query)
        .filter(|object| shows::<K>(view, object))
        .filter(|object| query.allows("name", K::name(object)) && K::may_match(object, query))
        .filter(|object| after.is_none_or(|marker| *K::id(object) > *marker))
        .map(|object| members(K::row(view, object)))
        .filter(|row| query.matches(row))
        .filter_map(|mut row| K::narrow(&mut row, query).then_some(row));
    if in_id_order {
        // No more is made than is shown: the candidates come in the order of the list.
        let mut rows: Vec<Row> = matching.take(size + 1).collect();
        let more = rows.len() > size;
        rows.truncate(size);
        return Ok(Page { rows, more });
    }
    let mut rows: Vec<Row> = matching.collect();
    rows.sort_by(|a, b| compare(query, a, b));
    if let Some(id) = &query.marker {
        let marker = visible::<K>(view, id).ok_or_else(|| Failure::not_found(K::LABEL, id))?;
        let marker = members(K::row(view, marker));
        let wanted = if query.side == Side::After { Ordering::Greater } else { Ordering::Less };
        rows.retain(|row| compare(query, row, &marker) == wanted);
    }
    let more = rows.len() > size;
    match query.side {
        Side::After => rows.truncate(size),
        Side::Before => drop(rows.drain(..rows.len().saturating_sub(size))),
    }
    Ok(Page { rows, more })
}

/// The order that the query asks for; among equals by id, so that pages never overlap.
pub(super) fn compare(query: &ListQuery, a: &Row, b: &Row) -> Ordering {
    let by_key = |(name, direction): &(String, Direction)| {
        let order = compare_values(&a[name], &b[name]);
        if *direction == Direction::Ascending { order } else { order.reverse() }
    };
    let by_keys = query.sort.iter().map(by_key).find(|order| order.is_ne());
    by_keys.unwrap_or_else(|| a[query.id].as_str().cmp(&b[query.id].as_str()))
}

fn compare_values(a: &Value, b: &Value) -> Ordering {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a.as_u64().cmp(&b.as_u64()),
        (Value::String(a), Value::String(b)) => a.cmp(b),
        (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
        (Value::Null, Value::Null) => Ordering::Equal,
        (Value::Null, _) => Ordering::Less,
        (_, Value::Null) => Ordering::Greater,
        _ => a.to_string().cmp(&b.to_string()),
    }
}

fn links(call: &Call, query: &ListQuery, (rows, more): (&[Row], bool)) -> Vec<Link> {
    let id = |row: Option<&Row>| row.and_then(|row| row[query.id].as_str()).map(str::to_owned);
    let (first, last) = (id(rows.first()), id(rows.last()));
    let (has_next, has_previous) = match query.side {
        Side::After => (more, query.marker.is_some()),
        Side::Before => (query.marker.is_some(), more),
    };
    let next = last.filter(|_| has_next).map(|marker| link(call, "next", &marker));
    let previous = first.filter(|_| has_previous).map(|marker| link(call, "previous", &marker));
    next.into_iter().chain(previous).collect()
}

/// The address of the page after (or before) a marker.
pub(super) fn link(call: &Call, rel: &str, marker: &str) -> Link {
    let kept = call.query.iter().filter(|(name, _)| name != "marker" && name != "page_reverse");
    let mut pairs: Vec<String> =
        kept.map(|(name, value)| format!("{}={}", escape(name), escape(value))).collect();
    pairs.push(format!("marker={}", escape(marker)));
    if rel == "previous" {
        pairs.push("page_reverse=True".into());
    }
    Link { rel: rel.to_owned(), href: format!("{}?{}", call.address, pairs.join("&")) }
}

/// Percent-encodes everything but the unreserved characters of RFC 3986 section 2.3.
fn escape(text: &str) -> String {
    let mut escaped = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                escaped.push(char::from(byte))
            }
            _ => escaped.push_str(&format!("%{byte:02X}")),
        }
    }
    escaped
}
