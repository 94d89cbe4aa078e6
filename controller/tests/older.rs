//! Proves that a state which an older version stored is there as a whole after an upgrade, with the defaults that keep what
//! it meant. `data/state-before-gateways.export` was written by the controller as it was before networks could be external
//! and routers had gateways; whoever adds a field to a record finds out here whether old records can still be read.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::fs::File;
use std::net::IpAddr;
use std::path::Path;

use weft_controller::desk::{Desk, Hooks};
use weft_controller::vault::Vault;
use weft_model::intent::Settings;
use weft_model::{Encap, Network, NextHop, OfPort, Port, ROUTER_INTERFACE, Revision, Snapshot};
use weft_store::{Engine, Options};

const OLD: &str = "tests/data/state-before-gateways.export";

fn network<'a>(state: &'a Snapshot, name: &str) -> &'a Network {
    state.networks().find(|network| network.stamp.name == name).unwrap()
}

fn port<'a>(state: &'a Snapshot, address: &str) -> &'a Port {
    let address: IpAddr = address.parse().unwrap();
    state.ports().find(|port| port.fixed_ips.iter().any(|ip| ip.address == address)).unwrap()
}

#[test]
fn what_an_older_version_stored_is_all_there() {
    for engine in [Engine::Redb, Engine::Sled] {
        let folder = tempfile::tempdir().unwrap();
        let store = weft_store::open(engine, folder.path().join("store"), Options::default()).unwrap();
        let old = Path::new(env!("CARGO_MANIFEST_DIR")).join(OLD);
        store.import(&mut File::open(old).unwrap()).unwrap();
        let state = Vault::new(store).load().unwrap();
        assert_eq!(state.revision(), Revision(20));
        networks_and_subnets(&state);
        ports_and_groups(&state);
        routers_and_hosts(&state);
        // It is a state to go on from, and one that a start finds nothing to mend in.
        Desk::open(Vault::none(), state.clone(), Settings::default(), Hooks::none()).unwrap();
        let host = state.hosts().next().unwrap().index;
        for scope in weft_compiler::subscriptions(host, &state) {
            weft_compiler::compile_scope(scope, &state, |owner, compiled| {
                assert_eq!(weft_compiler::pipeline::check_compiled(owner, &compiled), Ok(()));
            });
        }
    }
}

fn networks_and_subnets(state: &Snapshot) {
    let tenants: Vec<String> = state.tenants().map(|tenant| tenant.id.to_string()).collect();
    assert_eq!(tenants, ["0123456789abcdef0123456789abcdef"]);
    let web = network(state, "web");
    assert_eq!((web.mtu.0, web.vni.get(), web.tunnel()), (1400, 1, Some(Encap::Vxlan)));
    assert_eq!((web.stamp.description.as_str(), web.admin_up), ("before gateways", true));
    assert!(state.networks().all(|network| !network.external));
    let outside = network(state, "outside");
    assert_eq!((outside.vni.get(), outside.tunnel()), (4711, Some(Encap::Geneve)));
    let segment = network(state, "wall").segment.unwrap();
    assert_eq!(segment.vlan.map(|vlan| vlan.get()), Some(100));
    assert_eq!(state.physnet(segment.physnet).unwrap().name, "physnet1");
    let subnets: Vec<String> = state.subnets_of(web.id).map(|subnet| subnet.cidr.to_string()).collect();
    assert_eq!(subnets.len(), 2, "{subnets:?}");
    assert!(subnets.contains(&"10.0.0.0/24".to_owned()) && subnets.contains(&"fd00::/64".to_owned()));
}

fn ports_and_groups(state: &Snapshot) {
    let p1 = port(state, "10.0.0.20");
    assert_eq!((p1.stamp.name.as_str(), p1.dns_name.as_str(), p1.device_id.as_str()), ("p1", "p1", "vm1"));
    assert_eq!((p1.allowed_pairs.len(), p1.dhcp_options.len()), (1, 1));
    assert!(p1.policy.is_some_and(|policy| state.policy(policy).is_some()));
    let app = state.security_groups().find(|group| group.stamp.name == "app").unwrap();
    assert_eq!(state.rules_of(app.id).count(), 4);
    let offices = state.address_groups().next().unwrap();
    assert_eq!(offices.prefixes.iter().map(ToString::to_string).collect::<Vec<_>>(), ["192.0.2.0/24"]);
}

fn routers_and_hosts(state: &Snapshot) {
    let router = state.routers().next().unwrap();
    let via = NextHop::Via("10.0.0.9".parse().unwrap());
    assert_eq!(router.routes.iter().map(|route| route.next_hop).collect::<Vec<_>>(), [via]);
    assert_eq!((router.gateway.is_none(), state.floating_ips().count()), (true, 0));
    let interface = port(state, "10.0.0.1");
    assert_eq!((interface.device_owner.as_str(), interface.router()), (ROUTER_INTERFACE, Some(router.id)));
    let host = state.hosts().next().unwrap();
    assert_eq!(host.bridge_mappings.get("physnet1").map(String::as_str), Some("br-ex"));
    let claim = state.claim(port(state, "10.0.0.20").id, &host.id).unwrap();
    assert_eq!((claim.interface.as_str(), Some(claim.ofport)), ("tap0", OfPort::new(5)));
    assert_eq!(state.tokens().count(), 3);
}
