//! What tests will build their claims on: message counts, captures, address detection.
use std::net::Ipv6Addr;
use std::time::Duration;

use anyhow::Result;
use weft_rig::{Capture, HostSpec, Rig, WorkloadSpec, wait_until};

const SOON: Duration = Duration::from_secs(15);

/// Messages of a controller are counted one by one, those of `ovs-ofctl` over the unix socket are not.
#[test]
fn openflow_messages_are_counted() -> Result<()> {
    let rig = Rig::new("ofmsg")?;
    let host = rig.add_host(HostSpec::new("h1"))?;
    host.add_bridge("br-int")?;
    host.netns().ip("link set lo up\n")?;
    // A passive controller connection: whoever dials in is a controller to the switch.
    host.vsctl(&["set-controller", "br-int", "ptcp:6654:127.0.0.1"])?;
    let log = host.watch_openflow()?;
    assert_eq!(log.messages()?, Vec::<String>::new());
    host.ofctl(&["add-flow", "br-int", "priority=9,actions=drop"])?;
    assert_eq!(log.count(&["OFPT_FLOW_MOD"])?, 0, "that was ovs-ofctl on the unix socket");

    wait_until("the switch to listen", SOON, || host.ofctl(&["show", "tcp:127.0.0.1:6654"]).map(|_| true))?;
    for priority in 1..=3 {
        host.ofctl(&["add-flow", "tcp:127.0.0.1:6654", &format!("priority={priority},actions=drop")])?;
    }
    assert_eq!(log.count(&["OFPT_FLOW_MOD"])?, 3);
    assert_eq!(log.count(&["OFPT_GROUP_MOD", "OFPT_METER_MOD"])?, 0);
    let later = host.watch_openflow()?;
    assert_eq!(later.count(&["OFPT_FLOW_MOD"])?, 0, "what came before does not count");
    host.ofctl(&["--bundle", "add-flow", "tcp:127.0.0.1:6654", "actions=drop"])?;
    assert_eq!(later.count(&["OFPT_BUNDLE_ADD_MESSAGE"])?, 1);
    assert_eq!(host.flows("br-int")?.len(), 5);
    Ok(())
}

/// A capture counts nothing when nothing is sent, and its own markers reach no count.
#[test]
fn an_empty_capture_is_empty() -> Result<()> {
    let rig = Rig::new("still")?;
    let host = rig.add_host(HostSpec::new("h1"))?;
    host.add_bridge("br-int")?;
    let one = rig
        .add_workload(&host, WorkloadSpec::new("w1", "p1", "02:00:00:00:02:01").address([10, 8, 0, 1], 24))?;
    let mut arp = Capture::start(one.netns(), "eth0", "arp")?;
    assert_eq!(arp.count()?, 0);
    assert_eq!(arp.count()?, 0);
    assert!(one.ping([10, 8, 0, 2], 1)?.none());
    assert!(arp.count()? > 0, "the ping asked for its target");
    let mut all = Capture::start(one.netns(), "eth0", "")?;
    assert!(one.ping([10, 8, 0, 3], 1)?.none());
    assert!(all.count()? > 0);
    assert!(Capture::start(one.netns(), "eth9", "").is_err());
    assert!(Capture::start(one.netns(), "eth0", "no such filter").is_err());
    Ok(())
}

/// With detection on, an address is first tentative and then usable; one that another workload has is refused.
#[test]
fn duplicate_addresses_are_detected() -> Result<()> {
    let rig = Rig::new("dad")?;
    let host = rig.add_host(HostSpec::new("h1"))?;
    host.add_bridge("br-int")?;
    host.ofctl(&["add-flow", "br-int", "actions=NORMAL"])?;
    let address = Ipv6Addr::new(0xfd10, 0, 0, 0, 0, 0, 0, 1);
    let spec = |n: u8| WorkloadSpec::new(&format!("w{n}"), "p", &format!("02:00:00:00:03:{n:02x}"));
    let one = rig.add_workload(&host, spec(1).address(address, 64))?;
    one.wait_addresses(SOON)?;
    let two = rig.add_workload(&host, spec(2).address(address, 64))?;
    wait_until("the second owner to be refused", SOON, || {
        Ok(two.exec(&["ip", "-6", "addr", "show", "dadfailed"])?.contains("fd10::1"))
    })?;
    let error = two.wait_addresses(Duration::from_millis(200)).expect_err("it is in use");
    assert!(error.to_string().contains("in use elsewhere"), "{error}");

    let three = rig
        .add_workload(&host, spec(3).address(Ipv6Addr::new(0xfd10, 0, 0, 0, 0, 0, 0, 3), 64).without_dad())?;
    three.wait_reaches(address, SOON)
}

/// Both families have their gateway, and the MTU and offloads are what a workload behind a tunnel needs.
#[test]
fn a_workload_gets_its_routes_mtu_and_offloads() -> Result<()> {
    let rig = Rig::new("spec")?;
    let host = rig.add_host(HostSpec::new("h1"))?;
    host.add_bridge("br-int")?;
    let spec = WorkloadSpec::new("w1", "the-port", "02:00:00:00:04:01")
        .address([10, 7, 0, 5], 24)
        .address([0xfd10, 7, 0, 0, 0, 0, 0, 5], 64)
        .gateway([10, 7, 0, 1])
        .gateway([0xfd10, 7, 0, 0, 0, 0, 0, 1])
        .mtu(1400)
        .without_dad();
    let one = rig.add_workload(&host, spec)?;
    let link = one.exec(&["ip", "link", "show", "eth0"])?;
    assert!(link.contains("mtu 1400") && link.contains("02:00:00:00:04:01"), "{link}");
    assert!(one.exec(&["ip", "route"])?.contains("default via 10.7.0.1"));
    assert!(one.exec(&["ip", "-6", "route"])?.contains("default via fd10:7::1"));
    assert!(one.exec(&["ethtool", "-k", "eth0"])?.contains("tx-checksumming: off"));
    let ids = host.vsctl(&["get", "Interface", &one.host_interface(), "external_ids"])?;
    assert!(ids.contains("iface-id=the-port") && ids.contains("02:00:00:00:04:01"), "{ids}");
    Ok(())
}
