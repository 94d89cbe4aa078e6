//! What a switch remembers of a machine on a physical network, and for how long: on a clock that the test moves.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::answers::arp;
use crate::daemons::Daemons;
use crate::{bridge, state};

/// The second host stands for the router; its workload b is port 1.
const STATE: &str = include_str!("../cases/stick/state.txt");
const UPLINK: u16 = 65_101;
/// The VLAN of the network that the machine is in.
const TAG: [u8; 4] = [0x81, 0, 0, 100];
/// The router's interface there, and its interface towards b.
const ROUTER: ([u8; 6], [u8; 4]) = ([2, 0, 0, 0, 1, 1], [10, 1, 0, 1]);
const GATEWAY: [u8; 6] = [2, 0, 0, 0, 2, 1];
const B: ([u8; 6], [u8; 4]) = ([2, 0, 0, 0, 2, 12], [10, 2, 0, 12]);
const MACHINE: [u8; 4] = [10, 1, 0, 100];
/// Two MACs that it has, one after the other.
const FIRST: [u8; 6] = [2, 0, 0, 0, 0x77, 1];
const SECOND: [u8; 6] = [2, 0, 0, 0, 0x77, 2];
const DEADLINE: Duration = Duration::from_secs(30);

struct Switch {
    daemons: Daemons,
}

impl Switch {
    fn start() -> Result<Switch> {
        let daemons = Daemons::start()?;
        bridge(&daemons, &state::parse(STATE)?, 2, [1, UPLINK])?;
        daemons.run("ovs-appctl", &["time/stop"])?;
        Ok(Switch { daemons })
    }

    /// Lets a frame in, and is done when the switch is.
    fn inject(&self, port: u16, frame: &[u8]) -> Result<()> {
        let hex: String = frame.iter().map(|byte| format!("{byte:02x}")).collect();
        let packet = format!("in_port={port},packet={hex},actions=resubmit(,0)");
        self.daemons.run("ovs-ofctl", &["-O", "OpenFlow15", "packet-out", "br1", &packet]).map(drop)
    }

    /// The machine says who it is, as an answer to the router.
    fn says(&self, mac: [u8; 6]) -> Result<()> {
        let answer = arp(ROUTER.0, mac, 2, (mac, MACHINE), ROUTER);
        self.inject(UPLINK, &[&answer[..12], &TAG, &answer[12..], &[0; 18]].concat())
    }

    /// The MAC to which a packet of b for the machine leaves, if it does.
    fn sent_to(&self) -> Result<Option<[u8; 6]>> {
        let ip = [&[0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0, 0][..], &B.1, &MACHINE].concat();
        let frame = [&GATEWAY[..], &B.0, &[8, 0], &ip, &[0, 9, 0, 9, 0, 8, 0, 0], &[0; 18]].concat();
        let before = self.daemons.left(&format!("br1p{UPLINK}")).len();
        self.inject(1, &frame)?;
        let left = self.daemons.left(&format!("br1p{UPLINK}")).split_off(before);
        ensure!(left.len() < 2, "{left:x?}");
        Ok(left.first().and_then(|frame| frame.first_chunk().copied()))
    }

    /// The lifetimes of what is remembered of the machine, in seconds: that it was asked for, that it is there, its MAC.
    fn remembered(&self) -> Result<Vec<u32>> {
        let flows = self.daemons.run("ovs-ofctl", &["-O", "OpenFlow15", "dump-flows", "br1", "table=18"])?;
        let lifetimes = flows.lines().filter_map(|flow| {
            let (_, rest) = flow.split_once("hard_timeout=")?;
            rest.split(',').next()?.trim().parse().ok()
        });
        let mut lifetimes: Vec<u32> = lifetimes.collect();
        lifetimes.sort_unstable();
        Ok(lifetimes)
    }

    /// Time goes by, and this is what is left afterwards.
    fn after(&self, seconds: u32, expected: &[u32]) -> Result<()> {
        self.daemons.run("ovs-appctl", &["time/warp", &(1000 * seconds).to_string()])?;
        let end = Instant::now() + DEADLINE;
        loop {
            // What is too old goes after a round of the revalidators.
            self.daemons.run("ovs-appctl", &["revalidator/wait"])?;
            let remembered = self.remembered()?;
            if remembered == expected {
                return Ok(());
            }
            ensure!(Instant::now() < end, "after {seconds} s: {remembered:?}");
        }
    }
}

#[test]
fn who_is_heard_of_is_known_and_who_is_not_is_forgotten() -> Result<()> {
    let switch = Switch::start()?;
    // Nobody knows it: it is asked for, once a second.
    ensure!(switch.sent_to()?.is_none());
    ensure!(switch.remembered()? == [1]);
    switch.after(2, &[])?;
    switch.says(FIRST)?;
    ensure!(switch.remembered()? == [300, 1200]);
    ensure!(switch.sent_to()? == Some(FIRST));
    ensure!(switch.remembered()? == [300, 1200], "nobody needs to ask");

    // Not heard of for five minutes: what is sent to it leaves at once, and it is asked whether it is still there.
    switch.after(301, &[1200])?;
    ensure!(switch.sent_to()? == Some(FIRST) && switch.sent_to()? == Some(FIRST));
    ensure!(switch.remembered()? == [1, 1200]);
    switch.says(FIRST)?;
    // So its MAC lives on beyond the time that it had.
    switch.after(1000, &[1200])?;
    ensure!(switch.sent_to()? == Some(FIRST));

    // It is silent, whatever is sent to it.
    switch.after(201, &[])?;
    ensure!(switch.sent_to()?.is_none());
    Ok(())
}

#[test]
fn another_mac_counts_at_once() -> Result<()> {
    let switch = Switch::start()?;
    switch.says(FIRST)?;
    ensure!(switch.sent_to()? == Some(FIRST));
    switch.says(SECOND)?;
    ensure!(switch.sent_to()? == Some(SECOND) && switch.remembered()? == [300, 1200]);
    // Also where it has just been asked for under the old one.
    switch.after(301, &[1200])?;
    ensure!(switch.sent_to()? == Some(SECOND) && switch.remembered()? == [1, 1200]);
    switch.says(FIRST)?;
    ensure!(switch.sent_to()? == Some(FIRST) && switch.remembered()? == [1, 300, 1200]);
    switch.after(2, &[300, 1200])?;
    ensure!(switch.sent_to()? == Some(FIRST));
    Ok(())
}
