//! Fills a new data directory with a state of any size: `populate DIRECTORY HOSTS NETWORKS PORTS [WIDE] [STORE]`.
//!
//! A controller that is started on the directory finds hosts, networks, ports and claims as if all had come through the
//! API and from the hosts. `weft_controller::populate` says what has which name and number.

use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, Result};
use weft_controller::populate::{Population, Size};
use weft_controller::vault::Vault;

fn main() -> Result<()> {
    let mut words = std::env::args().skip(1);
    let mut word = |what: &'static str| words.next().context(what);
    let directory = PathBuf::from(word("the first argument is the data directory")?);
    let mut count = |what| -> Result<u32> { word(what)?.parse().context(what) };
    let (hosts, networks) = (count("the second is how many hosts")?, count("the third, networks")?);
    let ports = count("the fourth is how many ports")?;
    let wide = count("the fifth is how many hosts the wide network spans").unwrap_or(0);
    let engine = word("the sixth is the store").unwrap_or_else(|_| "redb".into()).parse()?;
    let begun = Instant::now();
    let population = Population::new(Size { hosts, networks, ports, wide });
    std::fs::create_dir_all(&directory)?;
    let store = weft_store::open(engine, directory.join("store"), weft_store::Options::default())?;
    let revision = population.write(&Vault::new(store))?;
    let seconds = begun.elapsed().as_secs_f64();
    println!("{} ports bound on {hosts} hosts, revision {revision}, {seconds:.1} s", population.ports());
    Ok(())
}
