//! Ranges of VNIs: from which a new network gets its own, and what cannot be changed.

use super::*;
use crate::{Encap, SegmentRangeId, Vni};

fn vni(number: u32) -> Vni {
    Vni::new(number).expect("a VNI")
}

fn range(n: u128, owner: Option<&str>, (first, last): (u32, u32)) -> Intent {
    Intent::ChangeSegmentRange(SegmentRangeChange::Create(NewSegmentRange {
        id: SegmentRangeId(Uuid::from_u128(n)),
        tenant: owner.map(tenant),
        labels: Labels::default(),
        encap: Encap::Vxlan,
        first: vni(first),
        last: vni(last),
    }))
}

fn with(intents: &[Intent]) -> Snapshot {
    plan(&world(), &Actor::Admin, intents, &at(150)).expect("planned").snapshot
}

fn made(base: &Snapshot, owner: &str, n: u128) -> Result<(u32, Snapshot), Rejected> {
    let new = Intent::CreateNetwork(NewNetwork::new(network(n)));
    let plan = plan(base, &Actor::Tenant(tenant(owner)), &[new], &at(200))?;
    let vni = plan.snapshot.network(&network(n)).expect("made").vni.get();
    Ok((vni, plan.snapshot))
}

#[test]
fn a_network_gets_its_vni_from_the_ranges_of_its_tenant_then_from_those_for_everybody() {
    let base = with(&[range(1, Some("a"), (100, 101)), range(2, None, (200, 201))]);
    let (first, base) = made(&base, "a", 11).expect("made");
    let (second, base) = made(&base, "a", 12).expect("made");
    let (third, base) = made(&base, "a", 13).expect("made");
    let (fourth, base) = made(&base, "b", 14).expect("made");
    assert_eq!([first, second, third, fourth], [100, 101, 200, 201]);
    assert_eq!(made(&base, "b", 15).err(), Some(Rejected::VnisExhausted));
    let gone = Intent::DeleteNetwork(network(12), None);
    let base = plan(&base, &Actor::Admin, &[gone], &at(200)).expect("planned").snapshot;
    assert_eq!(made(&base, "b", 15).err(), Some(Rejected::VnisExhausted), "it is tenant a's");
    assert_eq!(made(&base, "a", 15).expect("made").0, 101);
}

#[test]
fn what_is_reserved_for_a_tenant_is_nobody_elses() {
    // Networks 1 and 2 have VNIs 1 and 2.
    let base = with(&[range(1, Some("a"), (3, 4))]);
    let (first, base) = made(&base, "b", 11).expect("made");
    assert_eq!(first, 5);
    assert_eq!(made(&base, "a", 12).expect("made").0, 3);
}

#[test]
fn ranges_do_not_meet_and_stay_around_what_is_used() {
    let id = SegmentRangeId(Uuid::from_u128(1));
    let base = with(&[range(1, None, (100, 109))]);
    check_on(
        &base,
        &Actor::Admin,
        &[range(2, None, (109, 120))],
        "refused: segment range #01 has some of the VNIs",
    );
    check_admin(&[range(1, None, (9, 8))], "refused: maximum must not be below minimum");
    check(&[range(1, None, (8, 9))], "refused: creating a segment range is not allowed for this token");
    let (_, used) = made(&base, "a", 11).expect("made");
    let update = |first: u32, last: u32| {
        let (first, last) = (Some(vni(first)), Some(vni(last)));
        Intent::ChangeSegmentRange(SegmentRangeChange::Update(
            id,
            SegmentRangePatch { first, last, ..SegmentRangePatch::default() },
        ))
    };
    let in_use = "refused: networks have VNIs of segment range #01";
    check_on(&used, &Actor::Admin, &[update(101, 109)], in_use);
    check_on(&used, &Actor::Admin, &[update(90, 100)], "range #01 v2 \"\" vxlan 90-100 of None next 90");
    check_on(
        &used,
        &Actor::Admin,
        &[Intent::ChangeSegmentRange(SegmentRangeChange::Delete(id, None))],
        in_use,
    );
    let gone = [
        Intent::DeleteNetwork(network(11), None),
        Intent::ChangeSegmentRange(SegmentRangeChange::Delete(id, None)),
    ];
    plan(&used, &Actor::Admin, &gone, &at(200)).expect("nothing is used");
}
