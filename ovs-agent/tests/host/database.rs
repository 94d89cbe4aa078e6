//! What joining and plugging write into a host's database, read back with `ovs-vsctl`.

use std::net::TcpListener;
use std::time::Duration;

use weft_agent::host_db::HostDb;
use weft_agent::marks::{Attachment, Inside, Origin};
use weft_agent::namespace::NamespaceId;
use weft_agent::{AgentError, JoinSpec, Stop, join};

use crate::server::Server;

const PATIENCE: Duration = Duration::from_secs(20);
/// Long enough for what is there, short for what never comes.
const NOW: Duration = Duration::from_millis(300);

fn spec(controllers: &[&str]) -> JoinSpec {
    JoinSpec {
        controllers: controllers.iter().map(|c| (*c).to_owned()).collect(),
        encap_ips: vec!["192.0.2.11".parse().unwrap()],
        patience: NOW,
    }
}

fn attachment(port: &str, name: &str) -> Attachment {
    let inside = Inside { path: "/run/netns/a".into(), id: NamespaceId("4:1".into()), ifname: "eth0".into() };
    Attachment {
        port: port.into(),
        mac: "02:00:00:00:00:01".into(),
        host_ifname: name.into(),
        inside: Some(inside),
        device: Origin::Made,
        port_origin: Origin::Made,
    }
}

#[tokio::test]
async fn joining_adds_and_never_removes_what_others_set() {
    let server = Server::start();
    server.vsctl(&["set-manager", "ptcp:0:127.0.0.1"]);
    server.vsctl(&["set", "Open_vSwitch", ".", "external_ids:system-id=mine", "external_ids:other=kept"]);
    // Nobody answers there: joining writes everything and then says what it waits for.
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let target = format!("tcp:127.0.0.1:{closed}");
    let joined = join(&server.address(), &spec(&[&target]), &mut Stop::never()).await;
    let Err(AgentError::NotConnected { managers, .. }) = joined else { panic!("{joined:?}") };
    assert!(managers.contains(&format!("manager {target} is not connected")), "{managers}");
    let get = |key: &str| server.vsctl(&["get", "Open_vSwitch", ".", &format!("external_ids:{key}")]);
    assert_eq!(get("system-id"), "mine");
    assert_eq!(get("other"), "kept");
    assert_eq!(get("weft-encap-ip").trim_matches('"'), "192.0.2.11");
    assert!(!get("hostname").is_empty());
    assert_eq!(server.vsctl(&["get-manager"]), format!("ptcp:0:127.0.0.1\n{target}"));

    // Joining another controller moves what joining set, and leaves what someone else set.
    let other = format!("tcp:127.0.0.2:{closed}");
    let joined = join(&server.address(), &spec(&[&other]), &mut Stop::never()).await;
    assert!(matches!(joined, Err(AgentError::NotConnected { .. })), "{joined:?}");
    assert_eq!(server.vsctl(&["get-manager"]), format!("ptcp:0:127.0.0.1\n{other}"));
}

#[tokio::test]
async fn a_host_without_identity_gets_one_and_keeps_it() {
    let server = Server::start();
    let once = || async {
        let _ = join(&server.address(), &spec(&["tcp:127.0.0.1:1"]), &mut Stop::never()).await;
        server.vsctl(&["get", "Open_vSwitch", ".", "external_ids:system-id"])
    };
    let first = once().await;
    assert_eq!(first.trim_matches('"').len(), 36, "{first}");
    assert_eq!(once().await, first);
    assert_eq!(server.vsctl(&["get-manager"]), "tcp:127.0.0.1:1");
}

#[tokio::test]
async fn plugging_writes_what_every_tool_reads_and_unplugging_leaves_nothing() {
    let server = Server::start();
    let mut db = HostDb::open(&server.address(), PATIENCE).await.unwrap();
    let without = db.bridge(NOW).await;
    assert!(matches!(&without, Err(AgentError::NoBridge { .. })), "{without:?}");
    server.vsctl(&["add-br", "br-int", "--", "add-port", "br-int", "other"]);
    db.bridge(PATIENCE).await.unwrap();
    let one = attachment("11111111-0000-4000-8000-000000000001", "wp-1");
    db.plug(&one).await.unwrap();
    assert_eq!(server.vsctl(&["list-ports", "br-int"]), "other\nwp-1");
    let ids = server.vsctl(&["get", "Interface", "wp-1", "external_ids"]);
    for part in ["iface-id=", "attached-mac=\"02:00:00:00:00:01\"", "iface-status=active", "weft-agent="] {
        assert!(ids.contains(part), "{ids}");
    }
    let mut fresh = HostDb::open(&server.address(), PATIENCE).await.unwrap();
    assert_eq!(fresh.attachments(), std::slice::from_ref(&one));

    // A port is bound once on a host, and unplugging takes nothing that is not ours.
    let twice = fresh.plug(&attachment(&one.port, "wp-2")).await;
    assert!(matches!(&twice, Err(AgentError::Elsewhere { place, .. }) if place == "wp-1"), "{twice:?}");
    fresh.unplug("other", &one.port).await.unwrap();
    fresh.unplug("wp-1", "another port").await.unwrap();
    assert_eq!(server.vsctl(&["list-ports", "br-int"]), "other\nwp-1");
    fresh.unplug("wp-1", &one.port).await.unwrap();
    assert_eq!(server.vsctl(&["list-ports", "br-int"]), "other");
    assert_eq!(
        server.vsctl(&[
            "--columns=name",
            "-f",
            "csv",
            "-d",
            "bare",
            "--no-headings",
            "find",
            "Interface",
            "name=wp-1"
        ]),
        ""
    );
}

#[tokio::test]
async fn two_agents_do_not_work_at_one_place_at_once() {
    let server = Server::start();
    let mut first = HostDb::open(&server.address(), PATIENCE).await.unwrap();
    let mut second = HostDb::open(&server.address(), PATIENCE).await.unwrap();
    first.lock("4:402/eth0", PATIENCE).await.unwrap();
    let busy = second.lock("4:402/eth0", NOW).await;
    assert!(matches!(busy, Err(AgentError::Busy { .. })), "{busy:?}");
    second.lock("4:402/eth1", PATIENCE).await.unwrap();
    first.unlock("4:402/eth0").await.unwrap();
    let mut third = HostDb::open(&server.address(), PATIENCE).await.unwrap();
    drop(second);
    third.lock("4:402/eth0", PATIENCE).await.unwrap();
}

#[tokio::test]
async fn a_database_that_is_not_there_is_said_to_be_so() {
    let missing = HostDb::open(&"unix:/nonexistent/db.sock".parse().unwrap(), NOW).await.unwrap_err();
    let text = missing.chain();
    assert!(text.contains("unix:/nonexistent/db.sock") && text.contains("No such file"), "{text}");
}
