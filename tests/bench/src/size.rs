//! How much is measured: `quick` to see that nothing broke, `full` for PERFORMANCE.md.

use std::str::FromStr;
use std::time::Duration;

use clap::ValueEnum;

/// The size of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Size {
    /// Under 3 minutes.
    Quick,
    /// Everything that PERFORMANCE.md shows: under 30 minutes on two cores.
    Full,
}

/// A system of so many hosts, networks and ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct System {
    /// Bound ports.
    pub ports: u32,
    /// Simulated hosts.
    pub hosts: u32,
    /// Hosts that one more network has a port on.
    pub wide: u32,
}

impl System {
    const fn new(ports: u32, hosts: u32, wide: u32) -> System {
        System { ports, hosts, wide }
    }
}

impl FromStr for System {
    type Err = String;

    /// `PORTSxHOSTSxWIDE`, the last at most the second: `10000x100x100`.
    fn from_str(text: &str) -> Result<System, String> {
        let numbers: Result<Vec<u32>, _> = text.split('x').map(str::parse).collect();
        match numbers.as_deref() {
            Ok([ports, hosts, wide]) if *ports > 0 && *hosts > 1 && (2..=*hosts).contains(wide) => {
                Ok(System::new(*ports, *hosts, *wide))
            }
            _ => Err("must be PORTSxHOSTSxWIDE, such as 10000x100x100".into()),
        }
    }
}

impl Size {
    /// Numbers of subscribers of one network in the fan-out benchmark.
    pub fn subscribers(self) -> &'static [u32] {
        match self {
            Size::Quick => &[10, 100],
            Size::Full => &[10, 100, 1_000],
        }
    }

    /// The systems in which changes, cold starts and memory are measured.
    pub fn systems(self) -> &'static [System] {
        const QUICK: &[System] = &[System::new(1_000, 10, 10), System::new(10_000, 100, 100)];
        // Where it fits, the matrix; at most hosts and at a million ports the corners. 9,400 hosts are what 20,000 open
        // files allow one process. A network on 1,000 hosts brings a mesh of 999,000 tunnels, so only two systems have one.
        const FULL: &[System] = &[
            System::new(1_000, 10, 10),
            System::new(1_000, 100, 100),
            System::new(10_000, 10, 10),
            System::new(10_000, 100, 100),
            System::new(10_000, 1_000, 1_000),
            System::new(100_000, 100, 100),
            System::new(100_000, 1_000, 100),
            System::new(100_000, 9_400, 100),
            System::new(1_000_000, 1_000, 1_000),
            System::new(1_000_000, 9_400, 100),
        ];
        match self {
            Size::Quick => QUICK,
            Size::Full => FULL,
        }
    }

    /// Systems that differ only in how many hosts share one network.
    pub fn spans(self) -> &'static [System] {
        const QUICK: &[System] = &[System::new(4_000, 200, 10), System::new(4_000, 200, 200)];
        const FULL: &[System] = &[
            System::new(20_000, 1_000, 10),
            System::new(20_000, 1_000, 100),
            System::new(20_000, 1_000, 1_000),
        ];
        match self {
            Size::Quick => QUICK,
            Size::Full => FULL,
        }
    }

    /// Measured changes of one kind in one system.
    pub fn changes(self) -> usize {
        match self {
            Size::Quick => 50,
            Size::Full => 100,
        }
    }

    /// Ports that exist while the API is measured.
    pub fn api_ports(self) -> &'static [u32] {
        match self {
            Size::Quick => &[0],
            Size::Full => &[0, 1_000_000],
        }
    }

    /// How long one kind of write is measured.
    pub fn api_time(self) -> Duration {
        match self {
            Size::Quick => Duration::from_millis(700),
            Size::Full => Duration::from_secs(3),
        }
    }

    /// Numbers of real Open vSwitch hosts, and of ports bound on them.
    pub fn switches(self) -> (&'static [usize], &'static [usize]) {
        match self {
            Size::Quick => (&[2], &[0]),
            Size::Full => (&[2, 10, 25], &[0, 1_000]),
        }
    }

    /// Rounds over all paths of the data plane, seconds of a TCP stream, and pings of a round.
    pub fn dataplane(self) -> (usize, u64, usize) {
        match self {
            Size::Quick => (2, 1, 50),
            Size::Full => (7, 2, 150),
        }
    }

    /// Systems in which groups change: their ports are one tenant's and members of one security group.
    pub fn groups(self) -> &'static [System] {
        const FULL: &[System] = &[System::new(10_000, 100, 100), System::new(10_000, 1_000, 100)];
        match self {
            Size::Quick => &FULL[..1],
            Size::Full => FULL,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_system_is_read_and_nonsense_is_refused() {
        assert_eq!("10000x100x50".parse(), Ok(System::new(10_000, 100, 50)));
        for wrong in ["", "1x2", "10x10x11", "0x10x10", "10x10x1"] {
            assert!(wrong.parse::<System>().is_err(), "{wrong}");
        }
    }
}
