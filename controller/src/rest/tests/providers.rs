//! Provider networks: flat and VLAN on a physical network, for administrators.

use serde_json::{Value, json};
use weft_model::intent::{Actor, HostReport, Intent, ReportedInterface};
use weft_model::{BridgeMappings, EncapIps, OfPort, Revision};

use super::Lab;

fn asked(kind: &str, physnet: Value, number: Value) -> Value {
    json!({"network": {"project_id": "red", "provider:network_type": kind,
        "provider:physical_network": physnet, "provider:segmentation_id": number}})
}

fn vlan(number: u32) -> Value {
    asked("vlan", json!("blue"), json!(number))
}

#[tokio::test]
async fn they_are_shown_to_administrators_as_they_were_asked_for() {
    let lab = Lab::new().await;
    for (body, mtu) in [(vlan(100), 1500), (asked("flat", json!("blue"), json!(null)), 1500)] {
        let made = lab.call("admin", "POST /v2.0/networks", body.clone()).await;
        let id = made.created("network");
        let shown = lab.get("admin", &format!("/v2.0/networks/{id}")).await.body["network"].clone();
        for key in ["provider:network_type", "provider:physical_network", "provider:segmentation_id"] {
            assert_eq!(shown[key], body["network"][key], "{key}");
            assert!(shown.get(key).is_some());
        }
        assert_eq!(shown["mtu"], mtu);
        let seen = lab.get("red", &format!("/v2.0/networks/{id}")).await.body["network"].clone();
        assert!(seen.get("provider:physical_network").is_none() && seen["id"] == id.as_str());
    }
    let found = lab.get("admin", "/v2.0/networks?provider:physical_network=blue").await;
    assert_eq!(found.body["networks"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_in_the_words_of_the_field() {
    let lab = Lab::new().await;
    for (body, field) in [
        (asked("vlan", json!(null), json!(5)), "provider:physical_network"),
        (asked("flat", json!(null), json!(null)), "provider:physical_network"),
        (asked("flat", json!("blue"), json!(5)), "provider:segmentation_id"),
        (asked("vlan", json!("blue"), json!(null)), "provider:segmentation_id"),
        (vlan(0), "provider:segmentation_id"),
        (vlan(4095), "provider:segmentation_id"),
        (asked("vxlan", json!("blue"), json!(5)), "provider:physical_network"),
        (asked("local", json!(null), json!(null)), "provider:network_type"),
        (asked("flat", json!("b l"), json!(null)), "provider:physical_network"),
        (
            json!({"network": {"project_id": "red", "provider:physical_network": "blue"}}),
            "provider:network_type",
        ),
    ] {
        let refused = lab.call("admin", "POST /v2.0/networks", body).await;
        assert_eq!((refused.status.as_u16(), &refused.body["errors"][0]["field"]), (400, &json!(field)));
    }
    lab.call("admin", "POST /v2.0/networks", vlan(100)).await.created("network");
    lab.call("admin", "POST /v2.0/networks", asked("vlan", json!("red"), json!(100)))
        .await
        .created("network");
    let flat = asked("flat", json!("blue"), json!(null));
    lab.call("admin", "POST /v2.0/networks", flat.clone()).await.created("network");
    for (body, kind, message) in [
        (
            vlan(100),
            "VlanIdInUse",
            "Unable to create the network. The VLAN 100 on physical network blue is in use.",
        ),
        (flat, "FlatNetworkInUse", "Unable to create the flat network. Physical network blue is in use."),
    ] {
        let refused = lab.call("admin", "POST /v2.0/networks", body).await;
        assert_eq!((refused.status.as_u16(), refused.kind()), (409, kind));
        assert_eq!(refused.body["NeutronError"]["message"], message);
    }
    let refused = lab.call(
        "red",
        "POST /v2.0/networks",
        json!({"network": {"provider:network_type": "flat",
        "provider:physical_network": "blue"}}),
    );
    let refused = refused.await;
    assert_eq!((refused.status.as_u16(), refused.kind()), (403, "PolicyNotAuthorized"));
}

/// A port is not active while its host has no way to the physical network.
#[tokio::test]
async fn a_port_without_a_way_out_is_down() {
    let lab = Lab::new().await;
    let network = lab.call("admin", "POST /v2.0/networks", vlan(7)).await.created("network");
    let port = lab.port("red", &network).await;
    let status = async |maps: &str| {
        let interface = ReportedInterface {
            port: port.parse().unwrap(),
            name: "tap0".into(),
            ofport: OfPort::new(7).unwrap(),
        };
        let report = Intent::ReportHost(HostReport {
            id: "host-1".parse().unwrap(),
            hostname: "one".into(),
            encap_ips: EncapIps { v4: Some([192, 0, 2, 1].into()), v6: None },
            ovs_version: "3.1.0".into(),
            datapath_type: "system".into(),
            bridge_mappings: BridgeMappings::read(maps).bridges,
            interfaces: vec![interface],
        });
        lab.desk.write(Actor::Admin, vec![report]).await.unwrap();
        lab.pen.send_modify(|fleet| fleet.distributed = Revision(100));
        lab.get("red", &format!("/v2.0/ports/{port}")).await.body["port"]["status"].clone()
    };
    assert_eq!(status("").await, "DOWN");
    assert_eq!(status("blue:br-ex").await, "ACTIVE");
    assert_eq!(status("red:br-ex").await, "DOWN");
    status("blue:br-ex").await;
    let physnet = weft_model::PhysnetKey::new(1).unwrap();
    let missing = crate::status::HostStatus { missing: [physnet].into(), ..Default::default() };
    lab.pen.send_modify(|fleet| fleet.hosts.insert_mut("host-1".parse().unwrap(), missing));
    assert_eq!(status("blue:br-ex").await, "DOWN", "its bridge is not there");
}

/// Tenants may ask for their own tags to pass, where nobody else's are.
#[tokio::test]
async fn own_tags_pass_networks_in_tunnels_only() {
    let lab = Lab::new().await;
    let made = lab.call("red", "POST /v2.0/networks", json!({"network": {"vlan_transparent": true}})).await;
    let id = made.created("network");
    let network = &made.body["network"];
    assert_eq!((&network["vlan_transparent"], &network["mtu"]), (&json!(true), &json!(1446)));
    let line = format!("PUT /v2.0/networks/{id}");
    let change =
        async |to: bool| lab.call("red", &line, json!({"network": {"vlan_transparent": to}})).await.status;
    assert_eq!((change(true).await.as_u16(), change(false).await.as_u16()), (200, 400));
    let mut body = vlan(100);
    body["network"]["vlan_transparent"] = json!(true);
    let refused = lab.call("admin", "POST /v2.0/networks", body).await;
    assert_eq!(
        (refused.status.as_u16(), &refused.body["errors"][0]["field"]),
        (400, &json!("vlan_transparent"))
    );
}
