//! Address scopes and subnet pools: what they hold, what subnets are cut from them, and what is refused.

use super::*;
use crate::{Family, Subnet};

pub(super) fn pool_id(n: u128) -> SubnetPoolId {
    SubnetPoolId(Uuid::from_u128(n))
}

pub(super) fn scope_id(n: u128) -> AddressScopeId {
    AddressScopeId(Uuid::from_u128(n))
}

fn new_pool(n: u128, prefixes: &[&str]) -> NewSubnetPool {
    NewSubnetPool::new(pool_id(n), prefixes.iter().map(|prefix| net(prefix)).collect())
}

fn made(pool: NewSubnetPool) -> Intent {
    Intent::CreateSubnetPool(pool)
}

fn scope(n: u128, family: Family) -> Intent {
    let (labels, tenant) = (Labels::default(), None);
    Intent::CreateAddressScope(NewAddressScope { id: scope_id(n), tenant, labels, family, shared: false })
}

/// A subnet of network 3, which is another network of tenant a, with this prefix of pool 1.
fn cut(n: u128, part: AskedPart) -> Intent {
    let prefix = AskedPrefix::Cut { pool: AskedPool::This(pool_id(1)), family: None, part };
    Intent::CreateSubnet(NewSubnet::cut(subnet(n), network(3), prefix))
}

/// [`world`] with network 3 of tenant a and a pool of it.
fn with_pool(pool: NewSubnetPool) -> Snapshot {
    let intents = [Intent::CreateNetwork(NewNetwork::new(network(3))), made(pool)];
    plan(&world(), &Actor::Tenant(tenant("a")), &intents, &at(150)).expect("planned").snapshot
}

fn on(base: &Snapshot, intents: &[Intent]) -> Result<Snapshot, Rejected> {
    plan(base, &Actor::Tenant(tenant("a")), intents, &at(200)).map(|plan| plan.snapshot)
}

#[track_caller]
fn refused(base: &Snapshot, intents: &[Intent], expected: &str) {
    let rejected = on(base, intents).expect_err("refused").to_string();
    assert_eq!(rejected.replace("00000000-0000-0000-0000-0000000000", "#"), expected);
}

fn cidr(snapshot: &Snapshot, n: u128) -> String {
    let found: &Subnet = snapshot.subnet(&subnet(n)).expect("there");
    found.cidr.to_string()
}

#[test]
fn prefixes_stand_as_few_and_lengths_have_defaults() {
    let pool = new_pool(1, &["10.1.1.0/24", "10.1.0.9/24", "10.0.0.0/16", "10.0.7.0/24"]);
    check(&[made(pool)], "pool #01 v1 \"\" of a 10.0.0.0/16 10.1.0.0/23 lengths 8..8..32");
    let pool = NewSubnetPool { default_prefixlen: Some(72), ..new_pool(1, &["fd00::/48"]) };
    check(&[made(pool)], "pool #01 v1 \"\" of a fd00::/48 lengths 64..72..128");
    check(&[made(new_pool(1, &[]))], "refused: prefixes must have at least one entry");
    let mixed = "refused: prefixes.1 must be of the same family as the first one";
    check(&[made(new_pool(1, &["10.0.0.0/8", "fd00::/48"]))], mixed);
    let special = "refused: prefixes.0 must not be of the multicast addresses 224.0.0.0/4";
    check(&[made(new_pool(1, &["224.0.0.0/8"]))], special);
    let bounds = |min, default, max| NewSubnetPool {
        min_prefixlen: min,
        default_prefixlen: default,
        max_prefixlen: max,
        ..new_pool(1, &["10.0.0.0/8"])
    };
    let broken = |which: &str| format!("refused: Illegal prefix bounds: {which}");
    let wide = "max_prefixlen=33, ip_version IPv4 allows at most 32";
    check(&[made(bounds(None, None, Some(33)))], &broken(wide));
    check(&[made(bounds(Some(25), None, Some(24)))], &broken("min_prefixlen=25, max_prefixlen=24"));
    check(&[made(bounds(Some(25), Some(24), None))], &broken("default_prefixlen=24, min_prefixlen=25"));
    check(&[made(bounds(None, Some(25), Some(24)))], &broken("default_prefixlen=25, max_prefixlen=24"));
}

#[test]
fn subnets_are_cut_from_the_lowest_free_prefix_and_given_back() {
    let base = with_pool(NewSubnetPool { default_prefixlen: Some(26), ..new_pool(1, &["10.64.0.0/24"]) });
    let lowest = |n| cut(n, AskedPart::Lowest(None));
    let two = on(&base, &[lowest(11), lowest(12)]).expect("planned");
    assert_eq!((cidr(&two, 11), cidr(&two, 12)), ("10.64.0.0/26".into(), "10.64.0.64/26".into()));
    let named = on(&two, &[cut(13, AskedPart::This(net("10.64.0.192/26")))]).expect("planned");
    let wide = on(&named, &[Intent::DeleteSubnet(subnet(11), None)]).expect("planned");
    let again = on(&wide, &[cut(14, AskedPart::Lowest(Some(27))), lowest(15)]).expect("planned");
    assert_eq!((cidr(&again, 14), cidr(&again, 15)), ("10.64.0.0/27".into(), "10.64.0.128/26".into()));
    let taken = "Cannot allocate requested subnet from the available set of prefixes";
    refused(&again, &[cut(16, AskedPart::This(net("10.64.0.0/27")))], taken);
    refused(&again, &[cut(16, AskedPart::This(net("10.65.0.0/27")))], taken);
    refused(&again, &[cut(16, AskedPart::This(net("10.64.0.33/27")))], taken);
    refused(&again, &[lowest(16)], "Insufficient prefix space to allocate subnet size /26");
    let short = "a prefix of length 7 is shorter than 8, the least that the subnet pool gives";
    refused(&again, &[cut(16, AskedPart::Lowest(Some(7)))], short);
    refused(&again, &[Intent::DeleteSubnetPool(pool_id(1), None)], "subnets are cut from subnet pool #01");
    // A network that goes takes its subnets along, and the pool has all of it again.
    let gone = on(&again, &[Intent::DeleteNetwork(network(3), None)]).expect("planned");
    on(&gone, &[Intent::DeleteSubnetPool(pool_id(1), None)]).expect("nothing is cut from it");
}

#[test]
fn a_tenant_gets_no_more_of_a_pool_than_its_quota() {
    let quota = |default_quota| NewSubnetPool {
        default_quota: Some(default_quota),
        default_prefixlen: Some(26),
        ..new_pool(1, &["10.64.0.0/16"])
    };
    let base = with_pool(quota(130));
    let lowest = |n| cut(n, AskedPart::Lowest(None));
    let two = on(&base, &[lowest(11), lowest(12)]).expect("planned");
    refused(&two, &[lowest(13)], "the quota of 130 in subnet pool #01 is used up");
    on(&two, &[Intent::DeleteSubnet(subnet(11), None), lowest(13)]).expect("there is room again");
    let v6 = NewSubnetPool { default_quota: Some(2), ..new_pool(1, &["fd00::/48"]) };
    let two = on(&with_pool(v6), &[lowest(11), lowest(12)]).expect("planned");
    assert_eq!(cidr(&two, 12), "fd00:0:0:1::/64");
    refused(&two, &[lowest(13)], "the quota of 2 in subnet pool #01 is used up");
}

#[test]
fn one_network_has_one_pool_of_a_family() {
    let base = with_pool(NewSubnetPool { default_prefixlen: Some(26), ..new_pool(1, &["10.64.0.0/16"]) });
    let lowest = |n| cut(n, AskedPart::Lowest(None));
    let own = |n, cidr: &str| Intent::CreateSubnet(NewSubnet::new(subnet(n), network(3), net(cidr)));
    let other = "the other subnets of network #03 are not from that subnet pool";
    refused(&base, &[lowest(11), own(12, "10.0.0.0/24")], other);
    refused(&base, &[own(12, "10.0.0.0/24"), lowest(11)], other);
    on(&base, &[lowest(11), own(12, "fd00::/64")]).expect("of the other family");
    let second = AskedPrefix::Cut {
        pool: AskedPool::This(pool_id(2)),
        family: None,
        part: AskedPart::Lowest(Some(26)),
    };
    let second = Intent::CreateSubnet(NewSubnet::cut(subnet(12), network(3), second));
    refused(&base, &[made(new_pool(2, &["10.65.0.0/16"])), lowest(11), second.clone()], other);
    let scoped = |n| {
        let scope = Some(Some(scope_id(1)));
        Intent::UpdateSubnetPool(pool_id(n), SubnetPoolPatch { scope, ..SubnetPoolPatch::default() })
    };
    let first = [scope(1, Family::V4), made(new_pool(2, &["10.65.0.0/16"])), scoped(1), scoped(2)];
    let both = on(&base, &[&first[..], &[lowest(11), second]].concat()).expect("one scope");
    let out = SubnetPoolPatch { scope: Some(None), ..SubnetPoolPatch::default() };
    let stays = "subnet pool #01 has subnets on networks with other subnet pools of its address scope";
    refused(&both, &[Intent::UpdateSubnetPool(pool_id(1), out)], stays);
}

#[test]
fn no_address_is_twice_in_a_scope() {
    let in_scope =
        |n, prefix: &str| made(NewSubnetPool { scope: Some(scope_id(1)), ..new_pool(n, &[prefix]) });
    let base = on(&world(), &[scope(1, Family::V4), in_scope(1, "10.0.0.0/16")]).expect("planned");
    let meets = "the prefixes meet those of another subnet pool in address scope #01";
    refused(&base, &[in_scope(2, "10.0.7.0/24")], meets);
    let with = on(&base, &[in_scope(2, "10.1.0.0/16")]).expect("planned");
    let prefixes = Some(vec![net("10.0.0.0/14")]);
    let wider =
        Intent::UpdateSubnetPool(pool_id(2), SubnetPoolPatch { prefixes, ..SubnetPoolPatch::default() });
    refused(&with, &[wider], meets);
    let narrower = SubnetPoolPatch { prefixes: Some(vec![net("10.1.0.0/17")]), ..SubnetPoolPatch::default() };
    let narrower = Intent::UpdateSubnetPool(pool_id(2), narrower);
    refused(&with, &[narrower], "the prefixes of a subnet pool can only grow");
    refused(&base, &[in_scope(2, "fd00::/48")], "address scope #01 is for IPv4");
    let used = "subnet pools are in address scope #01";
    refused(&base, &[Intent::DeleteAddressScope(scope_id(1), None)], used);
    let gone = [Intent::DeleteSubnetPool(pool_id(1), None), Intent::DeleteAddressScope(scope_id(1), None)];
    on(&base, &gone).expect("nothing is in it");
    let elsewhere = [made(NewSubnetPool { scope: Some(scope_id(7)), ..new_pool(2, &["10.1.0.0/16"]) })];
    refused(&base, &elsewhere, "there is no address scope #07");
}

#[test]
fn pools_of_others_do_not_exist_and_defaults_are_the_operators() {
    let base = with_pool(new_pool(1, &["10.64.0.0/16"]));
    let b = Actor::Tenant(tenant("b"));
    let prefix = AskedPrefix::Cut {
        pool: AskedPool::This(pool_id(1)),
        family: None,
        part: AskedPart::Lowest(Some(24)),
    };
    let theirs = Intent::CreateSubnet(NewSubnet::cut(subnet(11), network(2), prefix));
    check_on(&base, &b, &[theirs], "refused: there is no subnet pool #01");
    check_on(
        &base,
        &b,
        &[Intent::DeleteSubnetPool(pool_id(1), None)],
        "refused: there is no subnet pool #01",
    );
    let default = |n| NewSubnetPool {
        is_default: true,
        shared: true,
        tenant: Some(tenant("b")),
        ..new_pool(n, &["10.65.0.0/16"])
    };
    let only = "(rule:create_subnetpool and rule:create_subnetpool:shared) is not allowed for this token";
    refused(&base, &[made(NewSubnetPool { tenant: None, ..default(2) })], only);
    let with = plan(&base, &Actor::Admin, &[made(default(2))], &at(160)).expect("planned").snapshot;
    let again = "refused: subnet pool #02 is the default for IPv4 already";
    check_on(&with, &Actor::Admin, &[made(default(3))], again);
    let of_default = |family| {
        let (pool, part) = (AskedPool::Default(family), AskedPart::Lowest(Some(24)));
        let prefix = AskedPrefix::Cut { pool, family: Some(family), part };
        Intent::CreateSubnet(NewSubnet::cut(subnet(11), network(3), prefix))
    };
    assert_eq!(cidr(&on(&with, &[of_default(Family::V4)]).expect("shared"), 11), "10.65.0.0/24");
    refused(&with, &[of_default(Family::V6)], "there is no default subnet pool for IPv6");
    // What somebody else's subnet is cut from stays shared.
    let used = on(&with, &[of_default(Family::V4)]).expect("planned");
    let policy = used.rbac_policies_of(pool_id(2).into()).next().expect("shared").id;
    let needed = "refused: the RBAC policy for subnetpool #02 is needed by a subnet of another tenant";
    check_on(&used, &Actor::Admin, &[Intent::DeleteRbacPolicy(policy)], needed);
}
