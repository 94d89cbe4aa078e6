//! The query of a list: filters, `fields`, sorting, pages.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use weft_model::intent::Fault;

use super::failure::Failure;

/// Most objects in one answer; a longer list comes in pages, whether the caller asked for pages or not.
pub(super) const PAGE: usize = 10_000;

/// Which way a list is sorted by one key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    Ascending,
    Descending,
}

/// Which side of the marker a page is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    After,
    Before,
}

/// What a list is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ListQuery {
    /// Per attribute the values of which one must match.
    pub(super) filters: BTreeMap<String, Vec<String>>,
    /// The same for what is no attribute.
    pub(super) besides: BTreeMap<String, Vec<String>>,
    /// The attribute that is the id.
    pub(super) id: &'static str,
    /// The attributes to show; all when empty.
    pub(super) fields: Vec<String>,
    /// The order; by id when empty.
    pub(super) sort: Vec<(String, Direction)>,
    pub(super) limit: Option<usize>,
    pub(super) marker: Option<String>,
    pub(super) side: Side,
}

/// Filters by tags: all of the listed ones, any, not all, none.
const TAG_FILTERS: [&str; 4] = ["tags", "tags-any", "not-tags", "not-tags-any"];

impl ListQuery {
    /// Reads a query; `attributes` are those that the resource has.
    pub(super) fn read(
        pairs: &[(String, String)],
        attributes: &Map<String, Value>,
    ) -> Result<ListQuery, Failure> {
        ListQuery::read_with(pairs, attributes, &[])
    }

    /// The same for what can be narrowed by more than attributes.
    pub(super) fn read_with(
        pairs: &[(String, String)],
        attributes: &Map<String, Value>,
        besides: &[&str],
    ) -> Result<ListQuery, Failure> {
        let mut query = ListQuery {
            filters: BTreeMap::new(),
            besides: BTreeMap::new(),
            id: "id",
            fields: Vec::new(),
            sort: Vec::new(),
            limit: None,
            marker: None,
            side: Side::After,
        };
        let (mut keys, mut directions) = (Vec::new(), Vec::new());
        let mut faults = Vec::new();
        let mut fault = |path: &str, reason: &str| {
            let path = path.chars().take(80).collect();
            faults.push(Fault { path, reason: reason.to_owned() });
        };
        for (name, value) in pairs {
            match name.as_str() {
                "fields" => query.fields.push(value.clone()),
                "sort_key" if attributes.contains_key(value) => keys.push(value.clone()),
                "sort_key" => fault(name, "must be an attribute of the resource"),
                "sort_dir" => match value.as_str() {
                    "asc" => directions.push(Direction::Ascending),
                    "desc" => directions.push(Direction::Descending),
                    _ => fault(name, "must be asc or desc"),
                },
                "limit" => match value.parse() {
                    Ok(0) => query.limit = None,
                    Ok(limit) => query.limit = Some(limit),
                    Err(_) => fault(name, "must be a whole number that is not negative"),
                },
                "marker" => query.marker = Some(value.clone()),
                "page_reverse" if truth(value) == Some(true) => query.side = Side::Before,
                "page_reverse" if truth(value) == Some(false) => query.side = Side::After,
                "page_reverse" => fault(name, "must be true or false"),
                name if besides.contains(&name) => {
                    query.besides.entry(name.to_owned()).or_default().push(value.clone());
                }
                name if attributes.contains_key(name) || TAG_FILTERS.contains(&name) => {
                    query.filters.entry(name.to_owned()).or_default().push(value.clone());
                }
                _ => fault(name, "is not an attribute to filter by"),
            }
        }
        if !directions.is_empty() && directions.len() != keys.len() {
            fault("sort_dir", "must be given as often as sort_key, or not at all");
        }
        if !faults.is_empty() {
            return Err(Failure::invalid(faults));
        }
        directions.resize(keys.len(), Direction::Ascending);
        query.sort = keys.into_iter().zip(directions).collect();
        Ok(query)
    }

    /// The only value of a filter, if it has exactly one.
    pub(super) fn single(&self, name: &str) -> Option<&str> {
        match self.filters.get(name).map(Vec::as_slice) {
            Some([only]) => Some(only),
            _ => None,
        }
    }

    /// True if a text passes the filter of that name, or there is none.
    pub(super) fn allows(&self, name: &str, text: &str) -> bool {
        self.filters.get(name).is_none_or(|values| values.iter().any(|value| value == text))
    }

    /// True if a row passes every filter.
    pub(super) fn matches(&self, row: &Map<String, Value>) -> bool {
        self.filters.iter().all(|(name, values)| match name.as_str() {
            "tags" | "tags-any" | "not-tags" | "not-tags-any" => tags_match(name, values, row.get("tags")),
            _ => row.get(name).is_some_and(|value| value_matches(name, value, values)),
        })
    }

    /// Leaves only the attributes that were asked for.
    pub(super) fn project(&self, mut row: Map<String, Value>) -> Map<String, Value> {
        if !self.fields.is_empty() {
            row.retain(|name, _| self.fields.contains(name));
        }
        row
    }
}

fn value_matches(name: &str, value: &Value, wanted: &[String]) -> bool {
    match value {
        Value::Null => wanted.iter().any(String::is_empty),
        Value::Bool(flag) => wanted.iter().any(|text| truth(text) == Some(*flag)),
        Value::Number(number) => wanted.iter().any(|text| *text == number.to_string()),
        Value::String(own) if name == "mac_address" => {
            wanted.iter().any(|text| text.eq_ignore_ascii_case(own))
        }
        Value::String(own) => wanted.contains(own),
        Value::Array(entries) if entries.iter().any(Value::is_object) => objects_match(entries, wanted),
        Value::Array(entries) => {
            entries.iter().filter_map(Value::as_str).any(|own| wanted.iter().any(|w| w == own))
        }
        Value::Object(_) => false,
    }
}

/// `fixed_ips=ip_address=192.0.2.7&fixed_ips=subnet_id=...`: one entry of the list must have one of the values of every
/// member that is named; `_substr` behind a member's name asks for a part of it.
fn objects_match(entries: &[Value], wanted: &[String]) -> bool {
    let mut members: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for text in wanted {
        let Some((member, value)) = text.split_once('=') else { return false };
        members.entry(member).or_default().push(value);
    }
    let has = |entry: &Value, member: &str, values: &[&str]| match member.strip_suffix("_substr") {
        Some(bare) => entry[bare].as_str().is_some_and(|own| values.iter().any(|value| own.contains(value))),
        None => entry[member].as_str().is_some_and(|own| values.contains(&own)),
    };
    entries.iter().any(|entry| members.iter().all(|(member, values)| has(entry, member, values)))
}

fn tags_match(name: &str, values: &[String], tags: Option<&Value>) -> bool {
    let own: Vec<&str> =
        tags.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    let wanted: Vec<&str> = values.iter().flat_map(|value| value.split(',')).collect();
    let (all, any) = (wanted.iter().all(|tag| own.contains(tag)), wanted.iter().any(|tag| own.contains(tag)));
    match name {
        "tags" => all,
        "tags-any" => any,
        "not-tags" => !all,
        _ => !any,
    }
}

fn truth(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" => Some(true),
        "false" | "0" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn row() -> Map<String, Value> {
        let row = json!({
            "id": "a", "name": "blue", "up": true, "mtu": 1450, "scope": null, "tags": ["x", "y"],
            "mac_address": "02:00:00:00:00:0a", "subnets": ["s1", "s2"],
            "fixed_ips": [{"subnet_id": "s1", "ip_address": "192.0.2.7"}, {"subnet_id": "s2", "ip_address": "192.0.2.8"}],
        });
        row.as_object().cloned().unwrap_or_default()
    }

    fn read(query: &str) -> Result<ListQuery, Failure> {
        let pairs: Vec<(String, String)> = query
            .split('&')
            .map(|pair| pair.split_once('=').expect("a pair"))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        ListQuery::read(&pairs, &row())
    }

    #[test]
    fn filters_match_as_they_do_in_neutron() {
        let check = |query: &str, matches: bool| {
            assert_eq!(read(query).expect("a good query").matches(&row()), matches, "{query}");
        };
        check("name=blue", true);
        check("name=red", false);
        check("name=red&name=blue", true);
        check("name=blue&up=false", false);
        check("up=True", true);
        check("up=1", true);
        check("mtu=1450", true);
        check("scope=", true);
        check("mac_address=02:00:00:00:00:0A", true);
        check("subnets=s2", true);
        check("fixed_ips=ip_address=192.0.2.7", true);
        check("fixed_ips=ip_address=192.0.2.7&fixed_ips=subnet_id=s1", true);
        check("fixed_ips=ip_address=192.0.2.7&fixed_ips=subnet_id=s2", false);
        check("fixed_ips=ip_address_substr=.2.", true);
        check("fixed_ips=192.0.2.7", false);
        check("tags=x,y", true);
        check("tags=x,z", false);
        check("tags-any=x,z", true);
        check("not-tags=x,z", true);
        check("not-tags-any=x,z", false);
    }

    #[test]
    fn a_query_that_asks_for_nothing_there_is_names_what() {
        let check = |query: &str, path: &str| {
            let failure = read(query).expect_err("a bad query");
            assert_eq!(
                failure.errors.iter().map(|error| error.field.as_str()).collect::<Vec<_>>(),
                [path],
                "{query}"
            );
        };
        check("colour=red", "colour");
        check("limit=-1", "limit");
        check("limit=many", "limit");
        check("sort_key=colour", "sort_key");
        check("sort_key=name&sort_dir=up", "sort_dir");
        check("sort_key=name&sort_dir=asc&sort_dir=desc", "sort_dir");
        check("page_reverse=perhaps", "page_reverse");
    }

    #[test]
    fn fields_leave_only_what_was_asked_for() {
        let shown = read("fields=id&fields=up&fields=nonsense").expect("a good query").project(row());
        assert_eq!(Value::Object(shown), json!({"id": "a", "up": true}));
    }
}
