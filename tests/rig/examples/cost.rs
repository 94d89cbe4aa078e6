//! What a rig costs on this machine: time to stand and to go, and what its data path carries without Weft.
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use weft_rig::{HostSpec, Rig, Tuning, Workload, WorkloadSpec};

fn main() -> Result<()> {
    for (kind, count) in [("netdev", 3), ("netdev", 10), ("dummy", 10), ("dummy", 25)] {
        stand_and_go(kind, count)?;
    }
    carry()
}

/// Prints how long `count` hosts take to start and to be removed.
fn stand_and_go(kind: &str, count: usize) -> Result<()> {
    let spec = |n| match kind {
        "dummy" => HostSpec::dummy(&format!("h{n}")),
        _ => HostSpec::new(&format!("h{n}")),
    };
    let begin = Instant::now();
    let rig = Rig::new("cost")?;
    rig.add_hosts((1..=count).map(spec).collect())?;
    let stood = begin.elapsed();
    let begin = Instant::now();
    drop(rig);
    println!("{count:>3} {kind} hosts: up in {stood:.2?}, gone in {:.2?}", begin.elapsed());
    Ok(())
}

/// Prints the TCP throughput between two workloads on one host and through a tunnel, over bridges that forward by MAC.
fn carry() -> Result<()> {
    let _buffers = Tuning::receive_buffers()?;
    let rig = Rig::new("carry")?;
    let hosts = rig.add_hosts(vec![HostSpec::new("h1"), HostSpec::new("h2")])?;
    for (n, host) in hosts.iter().enumerate() {
        host.add_bridge("br-int")?;
        let remote = format!("options:remote_ip={}", hosts[1 - n].underlay_ip());
        host.vsctl(&["add-port", "br-int", "vx", "--", "set", "Interface", "vx", "type=vxlan", &remote])?;
        host.ofctl(&["add-flow", "br-int", "actions=NORMAL"])?;
    }
    rig.seed_tunnel_neighbours()?;
    let add = |n: u8, at: usize| {
        let mac = format!("02:00:00:00:09:{n:02x}");
        rig.add_workload(
            &hosts[at],
            WorkloadSpec::new(&format!("w{n}"), "p", &mac).address([10, 6, 0, n], 24),
        )
    };
    let (one, near, far) = (add(1, 0)?, add(2, 0)?, add(3, 1)?);
    for (place, peer) in [("on one host", &near), ("through a tunnel", &far)] {
        println!("TCP {place}: {:.2} Gbit/s", throughput(&one, peer)?);
    }
    Ok(())
}

fn throughput(from: &Workload, to: &Workload) -> Result<f64> {
    let ip = to.ipv4().context("it has one")?;
    from.wait_reaches(ip, Duration::from_secs(15))?;
    let mut server = to.spawn(&["iperf3", "-s", "-1", "--forceflush"])?;
    server.wait_for("iperf3 to listen", Duration::from_secs(10), |s| {
        Ok(s.log()?.contains("Server listening"))
    })?;
    let report = from.exec(&["iperf3", "-c", &ip.to_string(), "-t", "3", "-J"])?;
    let report: serde_json::Value = serde_json::from_str(&report)?;
    let bits =
        report["end"]["sum_received"]["bits_per_second"].as_f64().context("no throughput in the report")?;
    Ok(bits / 1e9)
}
