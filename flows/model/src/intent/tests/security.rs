//! Security groups: rules, what ports wear, and who may remove what.

use std::collections::BTreeSet;

use super::*;
use crate::{Direction, Family, PortSecurity, Remote, Service, Tracking};

pub(super) fn group(n: u128) -> SecurityGroupId {
    SecurityGroupId(Uuid::from_u128(n))
}

pub(super) fn rule(n: u128) -> SecurityRuleId {
    SecurityRuleId(Uuid::from_u128(n))
}

fn new_group(n: u128) -> NewSecurityGroup {
    NewSecurityGroup {
        id: group(n),
        tenant: None,
        labels: Labels::default(),
        tracking: Tracking::Stateful,
        rule_ids: [rule(n * 10), rule(n * 10 + 1)],
    }
}

fn ssh(n: u128) -> NewSecurityRule {
    let service = Service::Ports { protocol: 6, first: 22, last: 22 };
    NewSecurityRule { service, ..NewSecurityRule::new(rule(n), group(1), Direction::Ingress, Family::V4) }
}

/// [`world`] with group 1 of tenant a.
fn with_group() -> Snapshot {
    let intents = [Intent::CreateSecurityGroup(new_group(1))];
    plan(&world(), &Actor::Tenant(tenant("a")), &intents, &at(100)).expect("planned").snapshot
}

fn these(groups: &[u128]) -> BTreeSet<SecurityGroupId> {
    groups.iter().map(|n| group(*n)).collect()
}

fn on(base: &Snapshot, intents: &[Intent]) -> Result<Snapshot, Rejected> {
    plan(base, &Actor::Tenant(tenant("a")), intents, &at(200)).map(|plan| plan.snapshot)
}

#[test]
fn a_group_begins_with_everything_out_and_the_tenant_gets_its_default() {
    let made = with_group();
    assert_eq!(made.rules_of(group(1)).count(), 2);
    let default = made.default_group(&tenant("a")).expect("the default group");
    let texts: Vec<String> = made
        .rules_of(default.id)
        .map(|rule| {
            format!("{} {} {:?}", rule.direction, rule.family, rule.remote == Remote::Group(default.id))
        })
        .collect();
    let wanted = ["egress IPv4 false", "egress IPv6 false", "ingress IPv4 true", "ingress IPv6 true"];
    assert_eq!(texts.iter().map(String::as_str).collect::<BTreeSet<_>>(), BTreeSet::from(wanted));
    // Asking again makes no other.
    let again = on(&made, &[Intent::EnsureDefaultGroup(tenant("a"))]).expect("planned");
    assert_eq!(again, made);
    let gone = Intent::DeleteSecurityGroup(default.id, None);
    assert_eq!(on(&made, &[gone]), Err(Rejected::DefaultGroupStays(default.id)));
}

#[test]
fn rules_are_checked_and_never_twice() {
    let made = with_group();
    let with = on(&made, &[Intent::CreateSecurityRule(ssh(1))]).expect("planned");
    assert_eq!(on(&with, &[Intent::CreateSecurityRule(ssh(2))]), Err(Rejected::SecurityRuleExists(rule(1))));
    let refused = |new: NewSecurityRule| {
        let message = on(&made, &[Intent::CreateSecurityRule(new)]).expect_err("refused").to_string();
        message.replace("00000000-0000-0000-0000-0000000000", "#")
    };
    let wrong = Service::Ports { protocol: 1, first: 9, last: 8 };
    assert_eq!(
        refused(NewSecurityRule { service: wrong, ..ssh(1) }),
        "port_range_min needs tcp, udp or sctp as protocol; port_range_max must not be below port_range_min"
    );
    let v6 = Remote::Prefix(net("fd00::/8"));
    assert_eq!(
        refused(NewSecurityRule { remote: v6, ..ssh(1) }),
        "remote_ip_prefix must be of the rule's ethertype"
    );
    let stranger = Remote::Group(group(9));
    assert_eq!(refused(NewSecurityRule { remote: stranger, ..ssh(1) }), "there is no security group #09");
    assert_eq!(
        refused(NewSecurityRule { service: Service::Protocol(58), ..ssh(1) }),
        "protocol must be of the rule's ethertype"
    );
}

#[test]
fn ports_with_the_same_groups_share_a_policy_which_goes_with_the_last() {
    let made = with_group();
    let new = |n, groups| Intent::CreatePort(NewPort { groups, ..NewPort::new(port(n), network(1), 9) });
    let both = [new(7, PortGroups::These(these(&[1]))), new(8, PortGroups::These(these(&[1])))];
    let worn = on(&made, &both).expect("planned");
    let policy = worn.port(&port(7)).expect("made").policy;
    assert!(policy.is_some() && policy == worn.port(&port(8)).expect("made").policy);
    assert_eq!(
        on(&worn, &[Intent::DeleteSecurityGroup(group(1), None)]),
        Err(Rejected::SecurityGroupInUse(group(1)))
    );
    let bare = PortPatch { groups: Some(BTreeSet::new()), ..PortPatch::default() };
    let one = on(&worn, &[Intent::UpdatePort(port(7), bare)]).expect("planned");
    assert_eq!(one.policies().count(), 2, "the empty set is a policy too");
    let none = on(&one, &[Intent::DeletePort(port(8), None)]).expect("planned");
    assert_eq!(none.policies().count(), 1);
    on(&none, &[Intent::DeleteSecurityGroup(group(1), None)]).expect("no port wears it");
}

#[test]
fn what_a_new_port_wears() {
    let made = with_group();
    let wears = |new: NewPort| {
        let state = on(&made, &[Intent::CreatePort(new)])?;
        let policy = state.port(&port(7)).expect("made").policy;
        Ok(policy.map(|key| state.policy(key).expect("a policy").groups.clone()))
    };
    let new = || NewPort { groups: PortGroups::Default, ..NewPort::new(port(7), network(1), 9) };
    let default = made.default_group(&tenant("a")).expect("there").id;
    assert_eq!(wears(new()), Ok(Some(BTreeSet::from([default]))));
    assert_eq!(wears(NewPort { security: Some(PortSecurity::Off), ..new() }), Ok(None));
    assert_eq!(wears(NewPort { device_owner: "network:dhcp".to_owned(), ..new() }), Ok(None));
    assert_eq!(wears(NewPort { groups: PortGroups::Unfiltered, ..new() }), Ok(None));
    let off = NewPort { security: Some(PortSecurity::Off), groups: PortGroups::These(these(&[1])), ..new() };
    assert_eq!(wears(off), Err(Rejected::PortSecurityRequired(port(7))));
    let pair = crate::AllowedPair { mac: None, prefix: net("10.0.0.99/32") };
    let off = NewPort { security: Some(PortSecurity::Off), allowed_pairs: vec![pair], ..new() };
    assert_eq!(wears(off), Err(Rejected::PortSecurityRequired(port(7))));
}

#[test]
fn port_security_goes_off_only_without_groups() {
    let new = NewPort { groups: PortGroups::Default, ..NewPort::new(port(7), network(1), 9) };
    let made = on(&with_group(), &[Intent::CreatePort(new)]).expect("planned");
    let off = PortPatch { security: Some(PortSecurity::Off), ..PortPatch::default() };
    assert_eq!(
        on(&made, &[Intent::UpdatePort(port(7), off.clone())]),
        Err(Rejected::PortHasSecurityGroups(port(7)))
    );
    let bare = PortPatch { groups: Some(BTreeSet::new()), ..off };
    let open = on(&made, &[Intent::UpdatePort(port(7), bare)]).expect("planned");
    assert_eq!(open.port(&port(7)).expect("there").policy, None);
    let on_again = PortPatch { security: Some(PortSecurity::Enforced), ..PortPatch::default() };
    let closed = on(&open, &[Intent::UpdatePort(port(7), on_again)]).expect("planned");
    assert!(closed.port(&port(7)).expect("there").policy.is_some(), "it gets the default group again");
}

#[test]
fn a_group_that_goes_takes_the_rules_that_name_it() {
    let remote = NewSecurityRule { remote: Remote::Group(group(2)), ..ssh(1) };
    let more = [Intent::CreateSecurityGroup(new_group(2)), Intent::CreateSecurityRule(remote)];
    let made = on(&with_group(), &more).expect("planned");
    let gone = on(&made, &[Intent::DeleteSecurityGroup(group(2), None)]).expect("planned");
    assert_eq!(gone.security_rule(&rule(1)), None);
    assert_eq!(gone.rules_of(group(1)).count(), 2);
}

#[test]
fn address_groups_stay_while_rules_name_them() {
    let id = AddressGroupId(Uuid::from_u128(5));
    let prefixes = vec![net("10.9.0.1/16"), net("fd00::/8")];
    let new = NewAddressGroup { id, tenant: None, labels: Labels::default(), prefixes };
    let rule = NewSecurityRule { remote: Remote::Addresses(id), ..ssh(1) };
    let made = on(&with_group(), &[Intent::CreateAddressGroup(new), Intent::CreateSecurityRule(rule)]);
    let made = made.expect("planned");
    assert!(made.address_group(&id).expect("there").prefixes.contains(&net("10.9.0.0/16")));
    assert_eq!(on(&made, &[Intent::DeleteAddressGroup(id, None)]), Err(Rejected::AddressGroupInUse(id)));
    let patch = AddressGroupPatch { add: vec![net("10.8.0.0/16")], ..AddressGroupPatch::default() };
    let more = on(&made, &[Intent::UpdateAddressGroup(id, patch)]).expect("planned");
    assert_eq!(more.address_group(&id).expect("there").prefixes.len(), 3);
}

#[test]
fn groups_of_other_tenants_do_not_exist() {
    let made = with_group();
    let intents = [Intent::DeleteSecurityGroup(group(1), None)];
    check_on(&made, &Actor::Tenant(tenant("b")), &intents, "refused: there is no security group #01");
    let new = NewPort { groups: PortGroups::These(these(&[1])), ..NewPort::new(port(7), network(2), 9) };
    check_on(&made, &Actor::Admin, &[Intent::CreatePort(new)], "refused: there is no security group #01");
}
