//! What an audit found different, in words for people: one line for each flow or group, with the object that owns it.

use crate::cookie::{Cookie, Subject};
use crate::diff::{Delta, GroupDelta};
use crate::explain::{flow_text, key_text};
use crate::group_id::GroupUse;

/// The first `most` differences that `repair` puts right, in the order unwanted, missing, groups.
pub fn differences(repair: &Delta, most: usize) -> Vec<String> {
    let unwanted =
        repair.delete.iter().map(|key| format!("not wanted ({}): {}", owner(key.cookie), key_text(key)));
    let missing = repair
        .add
        .iter()
        .map(|flow| format!("missing or altered ({}): {}", owner(flow.cookie), flow_text(flow)));
    unwanted.chain(missing).chain(repair.groups.iter().map(group)).take(most).collect()
}

fn owner(cookie: u64) -> String {
    Cookie(cookie)
        .describe()
        .map_or_else(|| format!("cookie {cookie:#x}, not Weft's"), |subject| subject.to_string())
}

fn group(change: &GroupDelta) -> String {
    let (what, id) = match change {
        GroupDelta::Put(group) => ("missing or altered".to_owned(), group.id),
        GroupDelta::Insert { id, buckets } => (format!("without {} of its buckets", buckets.len()), *id),
        GroupDelta::Remove { id, buckets } => (format!("with {} buckets too many", buckets.len()), *id),
        GroupDelta::Delete { id } => ("not wanted".to_owned(), *id),
    };
    let owner = match GroupUse::describe(id) {
        Some(GroupUse::Flood { vni, .. }) => format!("flooding of network {vni} to other hosts"),
        Some(GroupUse::LocalFlood { vni, .. }) => format!("flooding of network {vni} on this host"),
        Some(failover) => Subject::from(failover).to_string(),
        None => "not Weft's".to_owned(),
    };
    format!("{what} ({owner}): group_id={id}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::FlowKey;
    use crate::owner::Owner;
    use crate::pipeline;
    use weft_model::Vni;

    #[test]
    fn each_line_says_what_differs_and_whose_it_is_and_there_are_only_so_many() {
        let key = |cookie| FlowKey { table: 0, priority: 7, match_bytes: Default::default(), cookie };
        let ours = Cookie::of(Owner::Network(Vni::MAX), 7).0;
        let local = GroupUse::LocalFlood { vni: Vni::MAX, shard: 0 }.id();
        let groups = vec![GroupDelta::Delete { id: local }, GroupDelta::Delete { id: u32::MAX }];
        let repair = Delta { delete: vec![key(0x1234), key(ours)], groups, ..Delta::default() };
        let first = pipeline::table(0).map_or("0", |table| table.name);
        let place = format!("table={first},priority=7");
        let lines = differences(&repair, 10);
        let wanted = [
            format!("not wanted (cookie 0x1234, not Weft's): {place}"),
            format!("not wanted (network {}): {place}", Vni::MAX),
            format!("not wanted (flooding of network {} on this host): group_id={local}", Vni::MAX),
            format!("not wanted (not Weft's): group_id={}", u32::MAX),
        ];
        assert_eq!(lines, wanted);
        assert_eq!(differences(&repair, 3), wanted[..3]);
    }
}
