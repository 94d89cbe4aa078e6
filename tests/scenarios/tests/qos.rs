//! Proves that QoS policies hold on real Open vSwitch: what a port sends and gets is measured against its limit, also when
//! that changes and when it goes; what it sends carries its mark in both families; and a policy's change costs each switch one
//! answer and not its connection.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use weft_api::{BandwidthLimitRuleAsked, DscpMarkingRuleAsked, NetworkUpdate, PortUpdate, QosPolicyCreate};
use weft_rig::{Capture, Workload, wait_until};
use weft_scenarios::{LIMIT, NetworkSpec, Site, Tenancy, wait_caches};

/// What is measured for so many seconds,
const SECONDS: &str = "2";
/// and with a limit of so many kilobits a second.
const LIMIT_KBPS: u32 = 20_000;

/// How many megabits a second one TCP connection carries.
fn rate(from: &Workload, to: &Workload) -> f64 {
    let address = to.ipv4().unwrap().to_string();
    let mut rate = 0.0;
    wait_until("a measurement", LIMIT, || {
        let _server = to.spawn(&["iperf3", "-s", "-1", "-p", "5201"])?;
        let run = ["iperf3", "-c", &address, "-t", SECONDS, "-J", "--connect-timeout", "3000"];
        let done = from.output(&run)?;
        if !done.succeeded() {
            return Ok(false);
        }
        // One that found nobody listening yet ends well, too, and tells nothing.
        let said: serde_json::Value = serde_json::from_str(&done.stdout)?;
        let bits = said["end"]["sum_received"]["bits_per_second"].as_f64();
        rate = bits.unwrap_or_default() / 1e6;
        Ok(bits.is_some())
    })
    .unwrap();
    rate
}

/// A policer lets no more pass than its rate and the burst at the beginning; TCP takes a part of that only.
fn is_limited(rate: f64) -> bool {
    let limit = f64::from(LIMIT_KBPS) / 1e3;
    (limit * 0.2..limit * 1.6).contains(&rate)
}

/// How much must be there without a limit, so that the measurement says anything.
fn is_free(rate: f64) -> bool {
    rate > f64::from(LIMIT_KBPS) / 1e3 * 3.0
}

#[test]
fn limits_hold_and_marks_arrive() {
    let site = Site::start("qos", 2).unwrap();
    let red = Tenancy::create(&site, "red").unwrap();
    let network = red.network(&NetworkSpec::new("net", &["10.0.0.0/24", "fd00::/64"])).unwrap();
    let [a, b] = [("a", 0), ("b", 1)].map(|(name, host)| {
        let port = red.port(&network, name).unwrap();
        (site.attach(&site.hosts[host], name, &port).unwrap(), port)
    });
    site.rig.seed_tunnel_neighbours().unwrap();
    a.0.wait_reaches(b.0.ipv4().unwrap(), LIMIT).unwrap();
    let policies = red.client.qos_policies();
    let new = QosPolicyCreate { name: Some("bronze".to_owned()), ..QosPolicyCreate::default() };
    let policy = site.wait(policies.create(&new)).unwrap().value.id;
    let limit = |direction: &str| BandwidthLimitRuleAsked {
        max_kbps: Some(LIMIT_KBPS),
        direction: Some(direction.to_owned()),
        ..BandwidthLimitRuleAsked::default()
    };
    let wear = |policy: Option<&str>| PortUpdate {
        qos_policy_id: Some(policy.map(str::to_owned)),
        ..PortUpdate::default()
    };
    let free = rate(&a.0, &b.0);
    assert!(is_free(free), "{free} Mbit/s without any limit");

    // What a sends, on its own host; the other direction is free.
    site.apply(policies.put_limit(&policy, None, &limit("egress"))).unwrap();
    site.apply(red.client.ports().update(&a.1.id, &wear(Some(&policy)))).unwrap();
    wait_caches(&site.hosts).unwrap();
    let (there, back) = (rate(&a.0, &b.0), rate(&b.0, &a.0));
    println!("free {free:.0}, egress limited {there:.1}, the other way {back:.0} Mbit/s");
    assert!(is_limited(there) && is_free(back), "egress: {there} Mbit/s there, {back} back");

    // What a gets, by the network's policy, with the rule turned round.
    site.apply(red.client.ports().update(&a.1.id, &wear(None))).unwrap();
    let rule = site.wait(policies.show(&policy)).unwrap().value.rules[0].clone();
    site.apply(policies.put_limit(&policy, Some(&rule.id), &limit("ingress"))).unwrap();
    let worn = NetworkUpdate { qos_policy_id: Some(Some(policy.clone())), ..NetworkUpdate::default() };
    site.apply(red.client.networks().update(&network.id, &worn)).unwrap();
    let shown = site.wait(red.client.ports().show(&a.1.id)).unwrap().value;
    assert_eq!((shown.qos_policy_id, shown.qos_network_policy_id.as_ref()), (None, Some(&policy)));
    wait_caches(&site.hosts).unwrap();
    let back = rate(&b.0, &a.0);
    println!("ingress limited {back:.1} Mbit/s");
    assert!(is_limited(back), "ingress: {back} Mbit/s");

    // A limit that goes is gone, and a mark comes.
    site.apply(policies.put_mark(&policy, None, &DscpMarkingRuleAsked { dscp_mark: Some(46) })).unwrap();
    let rules = site.wait(policies.show(&policy)).unwrap().value.rules;
    let old = rules.iter().find(|rule| rule.dscp_mark.is_none()).unwrap();
    site.apply(policies.delete_rule(&policy, old)).unwrap();
    wait_caches(&site.hosts).unwrap();
    let back = rate(&b.0, &a.0);
    assert!(is_free(back), "{back} Mbit/s without a limit any more");
    marks_arrive(&a.0, &b.0);
    survives_a_restart(&site, &red, &policy, (&a, &b));
}

/// Expedited forwarding (46) in the upper six bits of the field, whichever family.
fn marks_arrive(a: &Workload, b: &Workload) {
    let mut seen = Capture::start(b.netns(), "eth0", "icmp or icmp6").unwrap();
    assert!(a.ping(b.ipv4().unwrap(), 2).unwrap().all() && a.ping(b.ipv6().unwrap(), 2).unwrap().all());
    seen.settle().unwrap();
    let frames = seen.frames().unwrap();
    let mac = weft_scenarios::frames::mac(&a.spec().mac);
    let from_a = |kind: [u8; 2]| {
        let fits = move |frame: &&Vec<u8>| frame[6..12] == mac && frame[12..14] == kind;
        frames.iter().filter(fits).collect::<Vec<_>>()
    };
    let (v4, v6) = (from_a([0x08, 0x00]), from_a([0x86, 0xdd]));
    assert!(v4.len() >= 2 && v6.len() >= 2);
    assert!(v4.iter().all(|frame| frame[15] >> 2 == 46), "{v4:02x?}");
    let class = |frame: &[u8]| (frame[14] & 0xf) << 4 | frame[15] >> 4;
    assert!(v6.iter().all(|frame| class(frame) >> 2 == 46), "{v6:02x?}");
}

/// A switch that has lost everything gets its meters back with its flows, before them.
fn survives_a_restart(
    site: &Site,
    red: &Tenancy<'_>,
    policy: &str,
    (a, b): (&(Workload, weft_api::Port), &(Workload, weft_api::Port)),
) {
    let limit = BandwidthLimitRuleAsked { max_kbps: Some(LIMIT_KBPS), ..BandwidthLimitRuleAsked::default() };
    site.apply(red.client.qos_policies().put_limit(policy, None, &limit)).unwrap();
    site.hosts[0].restart_vswitchd().unwrap();
    site.wait_connected().unwrap();
    site.rig.seed_tunnel_neighbours().unwrap();
    a.0.wait_reaches(b.0.ipv4().unwrap(), LIMIT).unwrap();
    let there = rate(&a.0, &b.0);
    println!("egress limited after a restart {there:.1} Mbit/s");
    assert!(is_limited(there), "after a restart: {there} Mbit/s");
}
