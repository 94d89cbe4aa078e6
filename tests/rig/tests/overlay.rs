//! Two hosts, a tunnel and flows made by hand: what a scenario may take for granted before Weft has any part in it.
use std::net::IpAddr;
use std::time::Duration;

use anyhow::Result;
use weft_rig::{Capture, Host, HostSpec, Link, Rig, Underlay, Workload, WorkloadSpec, wait_until};

const SOON: Duration = Duration::from_secs(15);
const VNI: u32 = 0xff_fffe;

/// Workload number `n` with an IPv4 and an IPv6 address.
fn spec(n: u8) -> WorkloadSpec {
    let mac = format!("02:00:00:00:00:{n:02x}");
    WorkloadSpec::new(&format!("w{n}"), &format!("port-{n}"), &mac)
        .address([10, 1, 0, n], 24)
        .address([0xfd10, 0, 0, 0, 0, 0, 0, u16::from(n)], 64)
        .without_dad()
}

/// `br-int` with one tunnel to the peer, everything from the workload into it and everything from it to the workload.
fn wire(host: &Host, peer: &Host) -> Result<()> {
    if host.output(&["ovs-vsctl", "br-exists", "br-int"])?.code == Some(2) {
        host.add_bridge("br-int")?;
    }
    let remote = format!("options:remote_ip={}", peer.underlay_ip());
    let tunnel = ["type=vxlan", &remote, "options:key=flow", "ofport_request=1000"];
    host.vsctl(&[&["add-port", "br-int", "vx", "--", "set", "Interface", "vx"], &tunnel[..]].concat())?;
    Ok(())
}

fn add_flows(host: &Host, workload: &Workload) -> Result<()> {
    let port = host.vsctl(&["get", "Interface", &workload.host_interface(), "ofport"])?;
    let port = port.trim();
    let out = format!("priority=10,in_port={port},actions=set_field:{VNI}->tun_id,output:1000");
    let back = format!("priority=10,in_port=1000,tun_id={VNI},actions=output:{port}");
    host.ofctl(&["add-flow", "br-int", &out])?;
    host.ofctl(&["add-flow", "br-int", &back])?;
    Ok(())
}

struct Pair {
    rig: Rig,
    hosts: Vec<Host>,
    workloads: Vec<Workload>,
}

fn pair(hint: &str, underlay: Underlay) -> Result<Pair> {
    let rig = Rig::with_underlay(hint, underlay)?;
    let hosts = rig.add_hosts(vec![HostSpec::new("h1"), HostSpec::new("h2")])?;
    let mut workloads = Vec::new();
    for (n, host) in hosts.iter().enumerate() {
        wire(host, &hosts[1 - n])?;
        workloads.push(rig.add_workload(host, spec(n as u8 + 1))?);
        add_flows(host, &workloads[n])?;
    }
    Ok(Pair { rig, hosts, workloads })
}

impl Pair {
    fn reaches(&self) -> Result<()> {
        for to in [self.workloads[1].ipv4(), self.workloads[1].ipv6()] {
            self.workloads[0].wait_reaches(to.expect("it has both families"), SOON)?;
        }
        Ok(())
    }
}

/// Two families over an IPv4 tunnel; no packet is lost once the hosts know each other; TCP works; nothing leaves the
/// network when its flow is gone.
#[test]
fn workloads_talk_over_an_ipv4_underlay() -> Result<()> {
    let pair = pair("v4", Underlay::V4)?;
    pair.reaches()?;
    let [one, two] = &pair.workloads[..] else { unreachable!("two were made") };
    let to = two.ipv4().expect("it has one");
    assert!(one.ping(to, 20)?.all());

    let _server = two.spawn(&["socat", "TCP-LISTEN:7000,reuseaddr", "SYSTEM:cat"])?;
    wait_until("the echo over TCP", SOON, || {
        let target = format!("TCP:{to}:7000,connect-timeout=2");
        let cmd = weft_rig::Cmd::from_argv(&["socat", "-t", "5", "-", &target])?.within(one.netns());
        Ok(cmd.stdin("x".repeat(9000)).run()?.len() == 9000)
    })?;

    pair.hosts[1].ofctl(&["del-flows", "br-int", "in_port=1000"])?;
    assert!(one.ping(to, 3)?.none(), "without its flow nothing may arrive");
    Ok(())
}

/// The same over IPv6 between the hosts.
#[test]
fn workloads_talk_over_an_ipv6_underlay() -> Result<()> {
    let pair = pair("v6", Underlay::V6)?;
    assert!(pair.hosts[0].underlay_ip().is_ipv6());
    let mut wire = Capture::start(pair.hosts[0].netns(), "eth0", "ip6 and udp dst port 4789")?;
    pair.reaches()?;
    assert!(wire.count()? > 0, "the tunnel did not use IPv6");
    Ok(())
}

/// Frames are sent as they are, and a capture misses none of them and counts nothing else.
#[test]
fn raw_frames_arrive_and_are_captured() -> Result<()> {
    let pair = pair("raw", Underlay::V4)?;
    pair.rig.seed_tunnel_neighbours()?;
    let [one, two] = &pair.workloads[..] else { unreachable!("two were made") };
    let mut arrived = Capture::start(two.netns(), "eth0", "ether proto 0x9999")?;
    let mut on_the_wire = Capture::start(pair.rig.underlay(), "br0", "udp dst port 4789")?;
    let mut frame = vec![0xff; 6];
    frame.extend([0x02, 0xee, 0, 0, 0, 1, 0x99, 0x99]);
    frame.resize(64, 7);
    for _ in 0..5 {
        one.send_frame(&frame)?;
    }
    wait_until("five frames", SOON, || Ok(arrived.count()? == 5))?;
    assert!(arrived.frames()?.iter().all(|f| *f == frame));
    let outer = on_the_wire.count().map(|_| on_the_wire.frames())??;
    let carried = outer.iter().filter(|f| f.ends_with(&frame)).count();
    assert_eq!(carried, 5, "of {} frames in the underlay", outer.len());
    let vni = u32::from_be_bytes([0, outer[0][46], outer[0][47], outer[0][48]]);
    assert_eq!(vni, VNI);
    Ok(())
}

/// A restarted or killed `ovs-vswitchd` comes back with its bridges and without flows; the tunnel address stays.
#[test]
fn vswitchd_can_be_restarted_and_killed() -> Result<()> {
    let pair = pair("vs", Underlay::V4)?;
    pair.reaches()?;
    let host = &pair.hosts[0];
    for kill in [false, true] {
        if kill {
            host.kill9_vswitchd()?;
        } else {
            host.stop_vswitchd()?;
        }
        assert_eq!(host.vswitchd_pid(), None);
        host.start_vswitchd()?;
        assert_eq!(host.flows("br-int")?, Vec::<String>::new());
        let to = pair.workloads[1].ipv4().expect("it has one");
        assert!(pair.workloads[0].ping(to, 2)?.none());
        add_flows(host, &pair.workloads[0])?;
        pair.reaches()?;
    }
    host.restart_ovsdb()?;
    wait_until("vswitchd to find the database again", SOON, || {
        host.vsctl(&["set", "Bridge", "br-int", "external_ids:seen=yes"]).map(|_| true)
    })?;
    Ok(())
}

/// A cut cable stops traffic, a plugged one brings it back; a moved workload keeps its address.
#[test]
fn links_can_be_cut_and_workloads_moved() -> Result<()> {
    let mut pair = pair("mv", Underlay::V4)?;
    pair.reaches()?;
    let to: IpAddr = pair.workloads[1].ipv4().expect("it has one");
    pair.hosts[1].set_underlay_link(Link::Down)?;
    assert!(pair.workloads[0].ping(to, 2)?.none());
    pair.hosts[1].set_underlay_link(Link::Up)?;
    pair.reaches()?;

    let ping = pair.workloads[0].ping_on(to, Duration::from_millis(20))?;
    wait_until("three answers", SOON, || Ok(ping.received()? >= 3))?;
    assert_eq!(ping.finish()?.lost(), 0);

    let target = pair.hosts[0].clone();
    pair.workloads[1].move_to(&target)?;
    assert_eq!(pair.workloads[1].host().map(Host::name), Some("h1"));
    let inside = target.vsctl(&["get", "Interface", "v-w2", "external_ids:iface-id"])?;
    assert_eq!(inside.trim(), "port-2");
    target.ofctl(&["add-flow", "br-int", "priority=1,actions=NORMAL"])?;
    target.ofctl(&["del-flows", "br-int", "in_port=v-w1"]).or_else(|_| {
        let port = target.vsctl(&["get", "Interface", "v-w1", "ofport"])?;
        target.ofctl(&["del-flows", "br-int", &format!("in_port={}", port.trim())])
    })?;
    pair.reaches()
}
