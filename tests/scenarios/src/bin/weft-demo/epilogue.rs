//! What to try next: exact commands for somebody who wants to look around while everything runs.

use std::fmt::Write as _;
use std::fs;

use anyhow::{Context, Result};
use weft_scenarios::{Site, program};

/// Writes the settings that the commands need into one file, and tells what can be tried.
pub fn tell(site: &Site) -> Result<()> {
    let folder = site.rig.run_dir().display();
    let programs = program("weft")?;
    let programs = programs.parent().context("a program in no folder")?.display();
    let settings = site.rig.run_dir().join("env");
    let endpoint = site.admin.endpoint();
    fs::write(
        &settings,
        format!(
            "export WEFT_ENDPOINT={endpoint}\nexport WEFT_TOKEN_FILE={folder}/data/admin.token\nexport PATH={programs}:$PATH\n"
        ),
    )?;
    let id = site.rig.id();
    let mut text = String::new();
    let mut line = |words: String| writeln!(text, "{words}").expect("text always takes more text");
    line("\nWhat to try next, in another terminal, as root:\n".to_owned());
    line(format!("    . {}\n", settings.display()));
    line("  ask the controller".to_owned());
    line("    weft show".to_owned());
    line("    weft port list".to_owned());
    line(
        "    curl -s -H \"X-Auth-Token: $(cat $WEFT_TOKEN_FILE)\" $WEFT_ENDPOINT/v2.0/networks | jq"
            .to_owned(),
    );
    line("    curl -s $WEFT_ENDPOINT/metrics".to_owned());
    line("\n  be a workload".to_owned());
    line(format!("    ip netns exec {id}-red1 bash"));
    line(format!("    ip netns exec {id}-blue1 ping 192.168.1.12"));
    line("\n  be the administrator of host h1".to_owned());
    line(format!("    ovs-vsctl --db=unix:{folder}/h1/db.sock show"));
    line(format!("    OVS_RUNDIR={folder}/h1 ovs-ofctl -O OpenFlow15 dump-flows br-int"));
    line(format!(
        "    OVS_RUNDIR={folder}/h1 ovs-ofctl -O OpenFlow15 del-flows br-int   # watch it being repaired"
    ));
    line("\n  see tunnels at work on the underlay".to_owned());
    line(format!("    ip netns exec {id}-ul tcpdump -ni br0 udp port 4789"));
    line("\n  kill the controller; pings go on".to_owned());
    line(format!("    kill -9 {}", site.controller.pid().context("the controller does not run")?));
    line(format!("\nThe administrator's token is in {folder}/data/admin.token, the controller's log in"));
    line(format!("{folder}/controller.log, each host's sockets and logs in {folder}/h1, h2, h3."));
    line("\nCtrl-C ends the demo and removes everything.".to_owned());
    print!("{text}");
    Ok(())
}
