//! How many flows a host holds for a thousand filtered ports: the sum of what ports, members and rules take, never a
//! product. PERFORMANCE.md has the numbers; this test holds them together.

use std::fmt::Write;

use anyhow::{Context, Result};
use weft_compiler::{Owner, compile, owners, subscriptions};
use weft_model::{HostIndex, PolicyKey, Snapshot};

use crate::state;
#[path = "../written.rs"]
mod written;

/// How many hosts share the ports, and the policies.
const HOSTS: u32 = 10;

/// What every rule of a group is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rules {
    /// One port number, from anybody.
    Port,
    /// One port number, from the members of a group that all wear.
    PortFromGroup,
    /// A thousand port numbers, from anybody.
    Range,
    /// A thousand port numbers, from the members of a group that all wear.
    RangeFromGroup,
}

/// Masks that stand for a thousand port numbers from 1000 on, or a multiple of 1024 further.
const MASKS: usize = 7;

/// So many ports in one network, on all hosts in turn; each wears one of so many groups with so many rules, and besides
/// one that all wear and that has no rules.
#[derive(Debug, Clone, Copy)]
struct Setup {
    ports: u32,
    groups: u32,
    rules: u32,
    of: Rules,
}

/// What a host holds, by what it is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Held {
    all: usize,
    /// The rules and what is fixed about policies.
    policies: usize,
}

impl Setup {
    fn snapshot(self) -> Result<Snapshot> {
        let mut text = "network red vni=5001\ngroup all\n".to_owned();
        for host in 1..=HOSTS {
            writeln!(text, "host h{host} index={host} ip=192.0.2.{host}")?;
        }
        for group in 0..self.groups {
            writeln!(text, "group g{group}\npolicy {} groups=all,g{group}", group + 1)?;
            for rule in 0..self.rules {
                let (key, service, from) = (group * self.rules + rule + 1, self.service(rule), self.from());
                writeln!(text, "rule {key} group=g{group} service={service} {from}")?;
            }
        }
        for port in 0..self.ports {
            let (key, policy) = (port + 1, port / HOSTS % self.groups + 1);
            let [_, _, high, low] = key.to_be_bytes();
            let host = port % HOSTS + 1;
            writeln!(
                text,
                "port p{port} network=red key={key} mac=02:00:00:00:{high:02x}:{low:02x} ip=10.0.{high}.{low} policy={policy}\n\
                 bind p{port} h{host} of={key}"
            )?;
        }
        state::parse(&text)
    }

    fn service(self, rule: u32) -> String {
        match self.of {
            Rules::Port | Rules::PortFromGroup => format!("tcp:{0}:{0}", rule + 1),
            Rules::Range | Rules::RangeFromGroup => {
                format!("tcp:{}:{}", rule * 1024 + 1000, rule * 1024 + 1999)
            }
        }
    }

    fn from(self) -> &'static str {
        match self.of {
            Rules::Port | Rules::Range => "",
            Rules::PortFromGroup | Rules::RangeFromGroup => "from=group:all",
        }
    }

    /// What the first host holds.
    fn held(self, snapshot: &Snapshot) -> Held {
        let mut held = Held { all: 0, policies: 0 };
        for owner in subscriptions(host(), snapshot).into_iter().flat_map(|scope| owners(scope, snapshot)) {
            let flows = compile(owner, snapshot).flows.len();
            held.all += flows;
            held.policies += if matches!(owner, Owner::Policy(_)) { flows } else { 0 };
        }
        held
    }

    /// What it may hold: a sum, of which every part is counted by itself where there is one of it only.
    fn formula(self) -> Result<Held> {
        let one = Setup { ports: HOSTS, groups: 1, rules: 0, of: self.of };
        let snapshot = one.snapshot()?;
        let all = |pick: &dyn Fn(&Owner) -> bool| -> usize {
            let scopes = subscriptions(host(), &snapshot).into_iter();
            let owners = scopes.flat_map(|scope| owners(scope, &snapshot)).filter(pick);
            owners.map(|owner| compile(owner, &snapshot).flows.len()).sum()
        };
        // One port of the network for each host, one port on the host itself.
        let known = all(&|owner| matches!(owner, Owner::Port(..))) / HOSTS as usize;
        let local = all(&|owner| matches!(owner, Owner::LocalPort(..)));
        let policy = all(&|owner| matches!(owner, Owner::Policy(_)));
        let fixed = all(&|_| true) - known * HOSTS as usize - local - policy;
        let (ports, groups, rules) = (self.ports as usize, self.groups as usize, self.rules as usize);
        // Each rule has flows for replies and for errors about it; one that names a group is a conjunction of who and what,
        // and the list of who (a policy of which each member is one) is the same for all rules.
        let (of_rule, of_policy) = match self.of {
            Rules::Port => (1 + 2, 0),
            Rules::Range => (MASKS + 2, 0),
            Rules::PortFromGroup => (1 + 1 + 2, groups + ASKING),
            Rules::RangeFromGroup => (MASKS + 1 + 2, groups + ASKING),
        };
        let policies = groups * (policy + rules * of_rule + of_policy);
        let all = fixed + ports * known + ports / HOSTS as usize * local + policies;
        Ok(Held { all, policies })
    }
}

/// What a policy has besides when a rule of it asks who the other side is: a look-up for IPv4 and IPv6.
const ASKING: usize = 2;

fn host() -> HostIndex {
    HostIndex::new(1).expect("in range")
}

#[test]
fn a_host_holds_the_sum_of_ports_members_and_rules() -> Result<()> {
    let mut lines = Vec::new();
    for (of, name) in [
        (Rules::Port, "one port, from anybody"),
        (Rules::PortFromGroup, "one port, from members of a group"),
        (Rules::Range, "a thousand ports, from anybody"),
        (Rules::RangeFromGroup, "a thousand ports, from members of a group"),
    ] {
        for (ports, groups, rules) in
            [(100, 2, 10), (1000, 10, 50), (1000, 20, 50), (1000, 10, 25), (500, 10, 50)]
        {
            let setup = Setup { ports, groups, rules, of };
            let held = setup.held(&setup.snapshot()?);
            assert_eq!(held, setup.formula()?, "{setup:?}");
            if (ports, groups, rules) == (1000, 10, 50) {
                let ports = held.all - held.policies;
                lines.push(format!("| {name} | {} | {ports} | {} |", held.all, held.policies));
            }
        }
    }
    written::check("flows of a host", &lines)
}

/// The masks that the formula counts are what the compiler makes.
#[test]
fn a_thousand_ports_are_seven_masks() -> Result<()> {
    let setup = |rules| Setup { ports: HOSTS, groups: 1, rules, of: Rules::Range };
    let policy = Owner::Policy(PolicyKey::new(1).context("in range")?);
    let flows = |rules| -> Result<usize> { Ok(compile(policy, &setup(rules).snapshot()?).flows.len()) };
    assert_eq!(flows(1)? - flows(0)?, MASKS + 2);
    Ok(())
}
