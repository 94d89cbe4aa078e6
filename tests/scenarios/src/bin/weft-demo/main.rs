//! The demo: a controller, three hosts, two tenants with the same addresses, and pings that show who reaches whom.

mod cast;
mod epilogue;
mod evidence;
mod interrupt;
mod stage;

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use weft_scenarios::Site;

use cast::{Cast, HOSTS};
use interrupt::Interrupt;
use stage::Stage;

const USAGE: &str = "usage: weft-demo [--once]

Without options everything stays until Ctrl-C, so that you can look around.
  --once    check every result, clean up, exit 0 only if all was as expected";

/// What happens after the last check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    /// Everything stays until a signal comes.
    LookAround,
    /// Everything goes.
    Leave,
}

fn main() -> ExitCode {
    let ending = match std::env::args().skip(1).collect::<Vec<_>>().as_slice() {
        [] => Ending::LookAround,
        [only] if only == "--once" => Ending::Leave,
        [only] if only == "--help" || only == "-h" => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match perform(ending) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nweft-demo: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn perform(ending: Ending) -> Result<()> {
    // Before anything is built: from here on a signal ends in the same clean-up as the end of the demo.
    let interrupt = Interrupt::watch()?;
    let begin = Instant::now();
    let stage = Stage::new(interrupt.clone());
    let outcome = play(&stage, &interrupt, ending, begin);
    // The site has been dropped by now, which is what cleans up.
    println!("\nEverything is removed.");
    outcome?;
    match stage.failures() {
        0 => Ok(()),
        1 => bail!("1 check failed"),
        several => bail!("{several} checks failed"),
    }
}

fn play(stage: &Stage, interrupt: &Interrupt, ending: Ending, begin: Instant) -> Result<()> {
    let mut site = open(stage)?;
    let acts = acts(stage, &mut site);
    if let Err(error) = &acts
        && !interrupt.came()
    {
        let log = site.controller.log().unwrap_or_default();
        eprintln!("\n{error:#}\n\nThe end of the controller's log:\n{}", last_lines(&log));
    }
    acts?;
    println!("\nThat took {:.0} seconds, {}.", begin.elapsed().as_secs_f64(), stage.summary());
    if ending == Ending::LookAround {
        epilogue::tell(&site)?;
        interrupt.wait();
        println!("\nCleaning up.");
    }
    Ok(())
}

fn open(stage: &Stage) -> Result<Site> {
    stage.section("A controller and three hosts, each with an Open vSwitch of its own");
    let site = Site::start("demo", HOSTS).context("starting the controller and the hosts")?;
    stage.check(&format!("the controller is ready at {}", site.admin.endpoint()), true);
    let versions = site.hosts.iter().map(|host| Ok(site.host_status(host)?.ovs_version));
    let versions: BTreeSet<String> = versions.collect::<Result<_>>().context("asking for the hosts")?;
    let versions: Vec<String> = versions.into_iter().collect();
    stage.check(&format!("h1, h2 and h3 have joined; Open vSwitch {}", versions.join(", ")), true);
    stage.note("all it took on a host, here on h1:");
    stage.typed(
        "h1",
        &format!(
            "ovs-vsctl set Open_vSwitch . external_ids:weft-encap-ip={} -- set-manager {}",
            site.hosts[0].underlay_ip(),
            site.rig.manager_target()
        ),
    );
    Ok(site)
}

fn acts(stage: &Stage, site: &mut Site) -> Result<()> {
    stage.section("Two tenants with the same network, the same addresses, the same MACs");
    let cast = Cast::of(site)?;
    cast.ask(stage)?;
    stage.section("Workloads: network namespaces, wired to their ports on three hosts");
    cast.attach(stage)?;
    stage.section("Within a tenant, across hosts: every ping is answered, and by the right workload");
    evidence::within(stage, &cast)?;
    stage.section("Between tenants: nothing arrives");
    evidence::between(stage, &cast)?;
    stage.section("What Open vSwitch on h1 looks like now");
    evidence::tunnels(stage, site)?;
    stage.section("What the controller says");
    cast.show(stage)?;
    stage.section("The controller is killed; traffic goes on; it comes back and finds nothing to do");
    evidence::without_controller(stage, site, &cast)
}

fn last_lines(log: &str) -> String {
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}
