//! A system that is there before anybody dials: a filled store, and hosts that have their workloads plugged in.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use weft_controller::populate::{Population, host_id, interface, port_id, vtep};
use weft_controller::vault::Vault;
use weft_fleet::FleetSpec;
use weft_fleet::ovsdb::LocalChange;
use weft_fleet::spec::Past;
use weft_model::{Change, PortId, Revision};

/// How many changes one commit carries.
const LOT: usize = 4096;

/// Fills the store of a controller that is going to be started on this directory.
pub fn fill(population: &Population, data: &Path) -> Result<()> {
    fill_with(population, &[], data)
}

/// The same, with changes of the population besides.
pub fn fill_with(population: &Population, changes: &[Change], data: &Path) -> Result<()> {
    let options = weft_store::Options::default();
    let store = weft_store::open(weft_store::Engine::Redb, data.join("store"), options);
    let vault = Vault::new(store.context("making the store")?);
    let Revision(filled) = population.write(&vault).context("filling the store")?;
    for (revision, lot) in (filled + 1..).zip(changes.chunks(LOT)) {
        vault.store(Revision(revision), lot).context("adding to the store")?;
    }
    Ok(())
}

/// The hosts of a population: they have their bridge and their workloads when they dial `ovsdb` for the first time.
pub fn fleet_spec(population: &Arc<Population>, ovsdb: SocketAddr) -> FleetSpec {
    let population = population.clone();
    let hosts = population.size().hosts;
    let past = Past::new(move |host| {
        let plug = |port: &u32| plugging(interface(*port), port_id(*port));
        let bridge = LocalChange::AddBridge {
            bridge: "br-int".into(),
            datapath_type: "netdev".into(),
            external_ids: vec![("weft-owner".into(), "weft".into())],
        };
        population.ports_of_host(host).iter().map(plug).chain([bridge]).collect()
    });
    FleetSpec {
        hosts,
        ovsdb: Some(ovsdb),
        // Ids are the name and five digits.
        name: host_id(0).to_string().trim_end_matches('0').to_owned(),
        first_encap_ip: vtep(0),
        past: Some(past),
        ..FleetSpec::default()
    }
}

/// `ovs-vsctl add-port` of a workload.
pub fn plugging(name: String, port: PortId) -> LocalChange {
    LocalChange::PlugInterface { name, iface_id: port.to_string() }
}
