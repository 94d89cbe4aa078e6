//! Plans for people: what a write would do, or did, to objects and to the flows of switches.

use std::collections::BTreeSet;

use serde_json::{Map, Value};
use weft_api::{Plan, PlannedObject};
use weft_client::ClientError;

use crate::failure::Failure;
use crate::output::{self, Format};

/// Attributes that change with every change, and say nothing about it.
const DULL: [&str; 2] = ["revision_number", "updated_at"];

/// Writes the plan that a dry run ended with. Any other failure is handed back.
///
/// # Errors
/// The failure, if it is none of a dry run; or that the plan cannot be written.
pub fn settled(format: Format, failure: Failure) -> Result<(), Failure> {
    match failure {
        Failure::Api(ClientError::Planned(plan)) => write(format, &plan),
        other => Err(other),
    }
}

/// Writes a plan.
///
/// # Errors
/// When it cannot be written.
pub fn write(format: Format, plan: &Plan) -> Result<(), Failure> {
    match format {
        Format::Json => output::write_json(plan),
        Format::Id => output::write_ids(plan.objects.iter().map(|object| object.id.as_str())),
        Format::Table => output::write(&text(plan)),
    }
}

/// A plan, a line for each object and each attribute that changes.
pub fn text(plan: &Plan) -> String {
    let mut lines: Vec<String> = plan.objects.iter().flat_map(lines).collect();
    let more = plan.objects_total.saturating_sub(plan.objects.len() as u64);
    if more > 0 {
        lines.push(format!("and {more} more objects"));
    }
    if plan.objects.is_empty() {
        lines.push("nothing to do".to_owned());
    }
    for left in &plan.left {
        lines.push(format!(
            "  {} {} is not in the file any more; --prune deletes it",
            left.kind,
            name(&left.name, &left.id)
        ));
    }
    match &plan.flows {
        _ if plan.objects.is_empty() => {}
        None => lines.push("flows: too many to count beforehand".to_owned()),
        Some(flows) => {
            let (added, changed, removed) = (flows.added, flows.changed, flows.removed);
            lines.push(format!(
                "flows: {added} added, {changed} changed, {removed} removed, on {} hosts",
                flows.hosts_total
            ));
            for host in &flows.hosts {
                let (id, name) = (output::clean(&host.id), output::clean(&host.hostname));
                lines.push(format!("  {id} {name}: +{} ~{} -{}", host.added, host.changed, host.removed));
            }
        }
    }
    lines.into_iter().map(|line| line + "\n").collect()
}

fn lines(object: &PlannedObject) -> Vec<String> {
    let none = Map::new();
    let members = |side: &Option<Value>| side.as_ref().and_then(Value::as_object).unwrap_or(&none).clone();
    let (before, after) = (members(&object.before), members(&object.after));
    let shown = if after.is_empty() { &before } else { &after };
    let called = shown.get("name").and_then(Value::as_str).unwrap_or_default();
    let sign = match object.verb.as_str() {
        "created" => "+",
        "deleted" => "-",
        _ => "~",
    };
    let title = format!("{sign} {} {}", object.kind, name(called, &object.id));
    if sign != "~" {
        return vec![title + &hint(&object.kind, shown)];
    }
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let changed = names
        .into_iter()
        .filter(|name| !DULL.contains(&name.as_str()) && before.get(*name) != after.get(*name));
    let change = |name: &String| {
        let [had, has] = [&before, &after].map(|side| side.get(name).map_or("-".to_owned(), output::plain));
        format!("    {name}: {had} -> {has}")
    };
    std::iter::once(title).chain(changed.map(change)).collect()
}

/// What tells objects apart that have no name.
fn hint(kind: &str, object: &Map<String, Value>) -> String {
    let of: &[&str] = match kind {
        "subnet" => &["cidr"],
        "port" => &["device_owner", "fixed_ips"],
        "floatingip" => &["floating_ip_address", "fixed_ip_address"],
        "rbac_policy" => &["object_type", "action", "target_tenant"],
        "security_group_rule" => {
            &["direction", "ethertype", "protocol", "port_range_min", "port_range_max", "remote_ip_prefix"]
        }
        _ => &[],
    };
    let parts = of.iter().filter_map(|name| object.get(*name)).filter(|value| !value.is_null());
    let parts: Vec<String> = parts.map(output::plain).filter(|text| text != "-").collect();
    if parts.is_empty() { String::new() } else { format!(" ({})", parts.join(" ")) }
}

fn name(name: &str, id: &str) -> String {
    if name.is_empty() { output::clean(id) } else { output::clean(name) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use weft_api::PlannedFlows;

    use super::*;

    #[test]
    fn a_plan_says_what_comes_what_changes_and_what_goes() {
        let object = |verb: &str, before: Option<Value>, after: Option<Value>| PlannedObject {
            verb: verb.into(),
            kind: "network".into(),
            id: "n1".into(),
            before,
            after,
            ..PlannedObject::default()
        };
        let before = json!({"name": "blue", "mtu": 1450, "updated_at": "x"});
        let after = json!({"name": "blue", "mtu": 1400, "updated_at": "y"});
        let flows = PlannedFlows { added: 3, hosts_total: 1, ..PlannedFlows::default() };
        let plan = Plan {
            objects: vec![
                object("created", None, Some(json!({"name": ""}))),
                object("updated", Some(before), Some(after)),
                object("deleted", Some(json!({"name": "red\u{1b}"})), None),
            ],
            objects_total: 3,
            flows: Some(flows),
            ..Plan::default()
        };
        let expected = "+ network n1\n~ network blue\n    mtu: 1450 -> 1400\n- network red\u{fffd}\n\
            flows: 3 added, 0 changed, 0 removed, on 1 hosts\n";
        assert_eq!(text(&plan), expected);
        assert_eq!(text(&Plan::default()), "nothing to do\n");
    }
}
