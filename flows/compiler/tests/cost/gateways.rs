//! What a floating IP costs: a change on the hosts that serve it, and nothing on the 300 that share its network.

use anyhow::Result;

use crate::Cost;

/// A way out for the network of 300 hosts, of which three reach the outside; host 1 serves the gateway.
fn outside(floating: &str) -> String {
    format!(
        "physnet blue key=1\n\
         host h1 index=1 ip=192.0.0.1 maps=blue:br-ex\n\
         host h7 index=7 ip=192.0.0.7 maps=blue:br-ex\n\
         host h8 index=8 ip=192.0.0.8 maps=blue:br-ex\n\
         network public vni=9 physnet=1 external\n\
         subnet public network=public cidr=203.0.113.0/24 gateway=203.0.113.1\n\
         router r key=1 gateway=public via=out transit=900 zone=1 hosts=1\n\
         port in network=red key=9000 mac=02:00:00:01:00:01 ip=10.0.200.1 router=r\n\
         port out network=public key=9001 mac=02:00:00:01:00:02 ip=203.0.113.2 gateway=r\n\
         port fip network=public key=9002 mac=02:00:00:01:00:03 ip=203.0.113.3 floating=f\n\
         floating f network=public port=fip ip=203.0.113.3 {floating}\n"
    )
}

#[test]
fn a_floating_ip_concerns_who_serves_it() -> Result<()> {
    let change = |before: &str, after: &str| Cost::of(&outside(before), &outside(after));
    let own = change("", "to=p7:10.0.0.7:r")?;
    assert_eq!(own.changed(), ["floating IP of port 9002 on host 7"]);
    assert_eq!(own.impact.owners.len(), 1, "{:?}", own.impact.owners);
    assert!(own.impact.hosts.is_empty() && own.impact.links.is_empty() && own.impact.uplinks.is_empty());
    assert!(own.messages() < 20, "{} messages", own.messages());
    let moved = change("to=p7:10.0.0.7:r", "to=p8:10.0.0.8:r")?;
    assert_eq!(moved.changed(), ["floating IP of port 9002 on host 7", "floating IP of port 9002 on host 8"]);
    // A host without a way out leaves it to the gateway's.
    let gateway = change("to=p8:10.0.0.8:r", "to=p9:10.0.0.9:r")?;
    assert_eq!(
        gateway.changed(),
        ["floating IP of port 9002 on host 1", "floating IP of port 9002 on host 8"]
    );
    let forwarded = Cost::of(
        &outside(""),
        &format!("{}forward w of=f protocol=tcp ports=80>8080 to=p9:10.0.0.9:r\n", outside("")),
    )?;
    assert_eq!(forwarded.changed(), ["floating IP of port 9002 on host 1"]);
    assert!(forwarded.impact.hosts.is_empty());
    Ok(())
}
