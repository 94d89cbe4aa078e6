//! Pictures as they come out: golden text.

use weft_api::FixedIp;

use super::*;

fn fixed_ip(address: &str) -> FixedIp {
    FixedIp { subnet_id: "s".into(), ip_address: address.into() }
}

fn port(name: &str, addresses: &[&str], host: Option<&str>) -> Port {
    Port {
        id: "8f0e3c62-4d0f-4a52-9c3f-2f8e4d6f1a11".into(),
        name: name.into(),
        network_id: "6a8ad1b5-8a8d-4f0e-9d9b-6d3c6c0c4f55".into(),
        mac_address: "fa:16:3e:00:00:01".into(),
        admin_state_up: true,
        status: if host.is_some() { "ACTIVE" } else { "DOWN" }.into(),
        fixed_ips: addresses.iter().map(|address| fixed_ip(address)).collect(),
        binding_host_id: host.map(str::to_owned),
        ..Port::default()
    }
}

fn interface() -> Port {
    Port {
        device_id: "77a3f2a0-6a57-4a83-8e0a-0f6d1c2b3a49".into(),
        device_owner: "network:router_interface".into(),
        ..port("gw", &["10.0.0.1"], None)
    }
}

fn host(id: &str) -> Host {
    Host {
        id: id.into(),
        status: "UP".into(),
        encap_ips: vec!["172.31.0.1".into()],
        ovsdb_connected: true,
        openflow_connected: true,
        confirmed_revision: 42,
        flows: 61,
        ports: 2,
        ..Host::default()
    }
}

fn picture() -> Picture {
    let tunnel = |peer: &str, ofport, error: Option<&str>| Tunnel {
        name: "wvx2".into(),
        encap: "vxlan".into(),
        peer: peer.into(),
        remote_ip: "172.31.0.2".into(),
        ofport,
        error: error.map(str::to_owned),
    };
    let down = Host {
        status: "DOWN".into(),
        ovsdb_connected: false,
        openflow_connected: false,
        confirmed_revision: 7,
        problems: vec!["no route\u{7} to it".into()],
        ..host("h2")
    };
    let network = Network {
        id: "6a8ad1b5-8a8d-4f0e-9d9b-6d3c6c0c4f55".into(),
        name: "web".into(),
        project_id: "0123456789abcdef0123456789abcdef".into(),
        admin_state_up: true,
        mtu: 1450,
        provider_network_type: Some("vxlan".into()),
        provider_segmentation_id: Some(Some(16_777_215)),
        ..Network::default()
    };
    let subnet = |cidr: &str, gateway: Option<&str>| Subnet {
        network_id: network.id.clone(),
        cidr: cidr.into(),
        gateway_ip: gateway.map(str::to_owned),
        ..Subnet::default()
    };
    let tenant = |id: &str, name: &str| Tenant {
        id: id.into(),
        name: name.into(),
        enabled: true,
        ..Tenant::default()
    };
    Picture {
        endpoint: "http://127.0.0.1:9696".into(),
        revision: 42,
        who: Whoami { role: "admin".into(), ..Whoami::default() },
        hosts: vec![
            Host { tunnels: vec![tunnel("h2", Some(1002), None), tunnel("h3", None, None)], ..host("h1") },
            down,
        ],
        tenants: vec![tenant("0123456789abcdef0123456789abcdef", "blue"), tenant("t2", "")],
        subnets: vec![subnet("10.0.0.0/24", Some("10.0.0.1")), subnet("fd00:1234:5678:9abc::/64", None)],
        routers: vec![Router {
            id: "77a3f2a0-6a57-4a83-8e0a-0f6d1c2b3a49".into(),
            name: "edge".into(),
            project_id: network.project_id.clone(),
            admin_state_up: true,
            ..Router::default()
        }],
        networks: vec![network],
        ports: vec![
            port("a", &["10.0.0.5", "fd00:1234:5678:9abc::5"], Some("h1")),
            port("", &[], None),
            interface(),
        ],
    }
}

const ADMIN: &str = "\
Weft at http://127.0.0.1:9696, revision 42, seen as admin

Hosts: 1 of 2 up
  h1                 UP       172.31.0.1      2 ports, 61 flows
    vxlan  to h2 (172.31.0.2)                      ofport 1002
    vxlan  to h3 (172.31.0.2)                      not there yet
  h2                 DOWN     172.31.0.1      2 ports, 61 flows
    ! no OVSDB and no OpenFlow session
    ! has confirmed nothing after revision 7
    ! no route\u{fffd} to it

Tenant blue (0123456789abcdef0123456789abcdef)
  Network web (6a8ad1b5-8a8d-4f0e-9d9b-6d3c6c0c4f55): mtu 1450, vxlan 16777215
    10.0.0.0/24              gateway 10.0.0.1
    fd00:1234:5678:9abc::/64 no gateway
    a              fa:16:3e:00:00:01 10.0.0.5        ACTIVE on h1
                                     fd00:1234:5678:9abc::5
    8f0e3c62       fa:16:3e:00:00:01 no address      DOWN
    gw             fa:16:3e:00:00:01 10.0.0.1        DOWN
  Router edge (77a3f2a0-6a57-4a83-8e0a-0f6d1c2b3a49): no static routes
    10.0.0.1                 in web

Tenant t2
  no networks
";

#[test]
fn an_administrator_sees_hosts_and_all_tenants() {
    assert_eq!(draw(&picture(), Detail::Glance), ADMIN);
    assert!(ADMIN.lines().all(|line| line.chars().count() <= 80));
}

#[test]
fn a_tenant_sees_no_hosts() {
    let who = Whoami { role: "member".into(), tenant_id: Some("t2".into()), ..Whoami::default() };
    let tenants = vec![Tenant { id: "t2".into(), name: "red".into(), enabled: false, ..Tenant::default() }];
    let picture = Picture { who, tenants, revision: 3, endpoint: "http://c".into(), ..Picture::default() };
    assert_eq!(
        draw(&picture, Detail::Glance),
        "Weft at http://c, revision 3, seen as member of tenant t2\n\nTenant red (t2), disabled\n  no networks\n"
    );
}

#[test]
fn long_lists_are_cut_unless_all_is_asked_for() {
    let mut many = picture();
    many.ports = (0..100).map(|n| port(&format!("p{n}"), &["10.0.0.5"], None)).collect();
    let glance = draw(&many, Detail::Glance);
    assert!(glance.contains("the first 16 of 100 ports"), "{glance}");
    assert!(glance.contains("p15 ") && !glance.contains("p16 "));
    assert!(draw(&many, Detail::All).contains("p99 "));
}

#[test]
fn names_of_any_length_keep_lines_readable() {
    let mut long = picture();
    long.ports = vec![port(&"n".repeat(255), &["10.0.0.5"], Some("h1"))];
    let text = draw(&long, Detail::Glance);
    assert!(text.lines().all(|line| line.chars().count() <= 110), "{text}");
    assert!(text.contains("nnn… fa:16"), "{text}");
}
