//! What changes of groups cost: a member is one entry to everybody, a rule its policies' flows; flows grow with rules and
//! members, not with their product.

use std::fmt::Write;

use anyhow::Result;
use weft_compiler::{Owner, Scope, compile, owners};
use weft_model::{PolicyKey, Snapshot};

use crate::{Cost, state, world};

/// Two groups and a policy of each, of which the second lets the first one in.
const GROUPS: &str = "group web\ngroup db\nrule 1 group=db from=group:web\nrule 2 group=db service=tcp:1000:1999\n\
                      policy 1 groups=web\npolicy 2 groups=db\n";

fn member(policy: &str) -> String {
    format!(
        "{GROUPS}port new network=red key=9999 mac=02:00:00:00:99:99 ip=10.0.99.99 {policy}\nbind new h7 of=2\n"
    )
}

#[test]
fn a_member_more_is_one_entry_to_everybody() -> Result<()> {
    let cost = Cost::of(&member("policy=2"), &member("policy=1"))?;
    assert_eq!(cost.changed(), ["port 9999 of network 5001", "port 9999 on host 7"]);
    let (_, wide) = &cost.deltas[0];
    // Its address, and the link-local one that its MAC makes; the policy stands in the actions.
    assert_eq!((wide.add.len(), wide.delete.len()), (2, 0));
    assert_eq!(cost.impact.began.len() + cost.impact.ended.len(), 2, "its host needs the other policy");
    Ok(())
}

#[test]
fn a_rule_more_concerns_the_policies_with_its_group() -> Result<()> {
    let rule = "rule 3 group=db service=tcp:22:22\n";
    let cost = Cost::of(&member("policy=2"), &format!("{}{rule}", member("policy=2")))?;
    assert_eq!(cost.changed(), ["policy 2"]);
    // The rule, its replies, and errors about it.
    assert_eq!(cost.messages(), 3);
    assert!(cost.impact.hosts.is_empty());
    Ok(())
}

/// A policy that lets in `rules` ports from each of a group's `policies`.
fn flows(rules: u16, policies: u32) -> Result<usize> {
    let mut text = "group web\ngroup db\n".to_owned();
    for rule in 1..=rules {
        writeln!(text, "rule {rule} group=db service=tcp:{rule}:{rule} from=group:web")?;
    }
    writeln!(text, "policy 1 groups=db")?;
    for policy in 2..2 + policies {
        writeln!(text, "group g{policy}\npolicy {policy} groups=web,g{policy}")?;
    }
    let snapshot: Snapshot = state::parse(&text)?;
    let key = PolicyKey::new(1).expect("in range");
    assert_eq!(owners(Scope::Policy(key), &snapshot).into_iter().collect::<Vec<_>>(), [Owner::Policy(key)]);
    Ok(compile(Owner::Policy(key), &snapshot).flows.len())
}

#[test]
fn flows_grow_with_rules_and_members_not_with_their_product() -> Result<()> {
    let base = flows(50, 10)?;
    let (more_rules, more_members) = (flows(100, 10)? - base, flows(50, 20)? - base);
    assert_eq!(flows(100, 20)? - base, more_rules + more_members);
    assert_eq!(more_members, 10, "one flow for each set of groups that contains the group");
    assert_eq!(more_rules, 50 * 4, "the ports, the conjunction, replies and errors");
    assert!(base < 50 * 4 + 10 + 20, "{base} flows");
    world("").map(drop)
}
