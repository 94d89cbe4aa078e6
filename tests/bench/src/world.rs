//! The system that is measured in: a store full of hosts, networks and bound ports, and what its switches should hold.

use std::path::Path;

use anyhow::{Context, Result};
use weft_controller::populate::{Population, Size as Numbers};
use weft_controller::vault::Vault;

use crate::size::System;

/// How many ports share a network.
pub const PORTS_PER_NETWORK: u32 = 20;

/// Who is where in a system of that size.
pub fn population(system: System) -> Population {
    let System { ports, hosts, wide } = system;
    Population::new(Numbers { hosts, networks: ports.div_ceil(PORTS_PER_NETWORK), ports, wide })
}

/// Fills the store of a controller that is going to be started on this directory.
pub fn write(population: &Population, data: &Path) -> Result<()> {
    let options = weft_store::Options::default();
    let store = weft_store::open(weft_store::Engine::Redb, data.join("store"), options);
    let vault = Vault::new(store.context("making the store")?);
    population.write(&vault).context("filling the store")?;
    Ok(())
}
