//! QoS policies: who may wear and change them, and which rules go together.

use super::*;
use crate::{Direction, Dscp, Kbps, QosRuleId, QosRuleKind, RateLimit};

fn policy(n: u128) -> QosPolicyId {
    QosPolicyId(Uuid::from_u128(n))
}

fn new(n: u128, owner: &str, shared: bool, is_default: bool) -> Intent {
    let labels = Labels::default();
    Intent::CreateQosPolicy(NewQosPolicy {
        id: policy(n),
        tenant: Some(tenant(owner)),
        labels,
        shared,
        is_default,
    })
}

fn add(of: u128, rule: u128, kind: QosRuleKind) -> Intent {
    Intent::ChangeQosRule(policy(of), QosRuleChange::Add(QosRuleId(Uuid::from_u128(rule)), kind))
}

fn limit(direction: Direction, rate: u32) -> QosRuleKind {
    QosRuleKind::Limit(direction, RateLimit { rate: Kbps::new(rate).expect("a rate"), burst: 0 })
}

fn mark(dscp: u8) -> QosRuleKind {
    QosRuleKind::Mark(Dscp::new(dscp).expect("a mark"))
}

fn wear(n: u128, policy: Option<QosPolicyId>) -> Intent {
    Intent::UpdatePort(port(n), PortPatch { qos_policy: Some(policy), ..PortPatch::default() })
}

/// [`world`] with a policy of each tenant, the second one the default of its tenant, and a shared one of b's.
fn base() -> Snapshot {
    let intents = [new(1, "a", false, false), new(2, "b", false, true), new(3, "b", true, false)];
    plan(&world(), &Actor::Admin, &intents, &at(1)).expect("valid").snapshot
}

#[test]
fn one_rule_of_a_kind() {
    let of_a = Actor::Tenant(tenant("a"));
    let both = [add(1, 1, limit(Direction::Egress, 1000)), add(1, 2, limit(Direction::Ingress, 500))];
    let found = plan(&base(), &of_a, &both, &at(2)).expect("both directions").snapshot;
    check_on(
        &found,
        &of_a,
        &[add(1, 3, limit(Direction::Egress, 7))],
        "refused: rule #01 of QoS policy #01 says the same kind of thing",
    );
    let marked = plan(&found, &of_a, &[add(1, 4, mark(46))], &at(2)).expect("one mark").snapshot;
    let kept = marked.qos_policy(&policy(1)).expect("there");
    assert_eq!((kept.mark().map(Dscp::get), kept.rules.len(), kept.stamp.number), (Some(46), 3, 4));
    check_on(
        &marked,
        &of_a,
        &[add(1, 5, mark(0))],
        "refused: rule #04 of QoS policy #01 says the same kind of thing",
    );
    let missing = Intent::ChangeQosRule(policy(1), QosRuleChange::Remove(QosRuleId(Uuid::from_u128(9))));
    check_on(&marked, &of_a, &[missing], "refused: QoS rule #09 for policy #01 could not be found");
}

#[test]
fn tenants_wear_their_own_and_shared_ones() {
    let of_a = Actor::Tenant(tenant("a"));
    check_on(&base(), &of_a, &[wear(1, Some(policy(2)))], "refused: there is no QoS policy #02");
    let shared = plan(&base(), &of_a, &[wear(1, Some(policy(3)))], &at(2)).expect("shared").snapshot;
    assert_eq!(shared.ports_with_qos(policy(3)).collect::<Vec<_>>(), [port(1)]);
    check_on(
        &shared,
        &Actor::Admin,
        &[Intent::DeleteQosPolicy(policy(3), None)],
        "refused: QoS policy #03 is used by port #01",
    );
    check_on(
        &base(),
        &of_a,
        &[Intent::DeleteQosPolicy(policy(3), None)],
        "refused: changing another tenant's QoS policy is not allowed for this token",
    );
    check_on(
        &base(),
        &of_a,
        &[new(9, "a", true, false)],
        "refused: sharing a QoS policy is not allowed for this token",
    );
    check_on(
        &base(),
        &Actor::Admin,
        &[new(9, "b", false, true)],
        "refused: a default QoS policy exists for project b",
    );
    // What the operator puts on, the tenant cannot take off.
    let imposed =
        plan(&base(), &Actor::Admin, &[wear(1, Some(policy(2)))], &at(2)).expect("imposed").snapshot;
    check_on(
        &imposed,
        &of_a,
        &[wear(1, None)],
        "refused: policy #02 cannot be removed: it was not put there by this project",
    );
}

#[test]
fn networks_begin_with_the_default_policy_and_ports_own_comes_first() {
    let made = |n, owner| {
        Intent::CreateNetwork(NewNetwork { tenant: Some(tenant(owner)), ..NewNetwork::new(network(n)) })
    };
    let bare =
        NewNetwork { tenant: Some(tenant("b")), qos_policy: Some(None), ..NewNetwork::new(network(7)) };
    let intents = [made(5, "b"), made(6, "a"), Intent::CreateNetwork(bare)];
    let found = plan(&base(), &Actor::Admin, &intents, &at(2)).expect("made").snapshot;
    let wears = |n| found.network(&network(n)).and_then(|network| network.qos_policy);
    assert_eq!((wears(5), wears(6), wears(7)), (Some(policy(2)), None, None));
    let on_network = NetworkPatch { qos_policy: Some(Some(policy(1))), ..NetworkPatch::default() };
    let intents = [Intent::UpdateNetwork(network(1), on_network), wear(1, Some(policy(3)))];
    let found = plan(&base(), &Actor::Admin, &intents, &at(2)).expect("worn").snapshot;
    let of = |n: u128| {
        let port = found.port(&port(n)).expect("there");
        found.qos_of(port, found.network(&port.network).expect("there")).map(|policy| policy.id)
    };
    assert_eq!((of(1), of(2)), (Some(policy(3)), None));
}
