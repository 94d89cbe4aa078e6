//! Security groups with thousands of members: what a member more costs, and a rule more.

mod guard;

use anyhow::{Context, Result};
use weft_compiler::Subject;
use weft_controller::populate::port_id;
use weft_fleet::{Answers, Hosts, Sign};
use weft_model::PortKey;
use weft_scenarios::simulated::Http;

use crate::change::{Sample, WARM, observe};
use crate::fanout::{ANSWERS, bundle};
use crate::numbers::{Spread, median, milliseconds};
use crate::raw::RawFanout;
use crate::report::{Report, Row};
use crate::size::{Size, System};
use crate::stage::{Stage, Validity};
use crate::world;
use guard::{Worn, members, others};

/// Runs the benchmark.
pub fn run(size: Size) -> Result<Report> {
    let mut report = Report::new("groups", "a member more, and a rule more");
    report.note(format!(
        "All ports are one tenant's: so many in narrow networks, members of one group of {} rules that names itself and is named by another; and one network with a port on each of the first hosts (\"switches\" of the first rows), whose ports wear the other group.",
        guard::RULES
    ));
    report.note("A member joins: one of the wide network's ports, bound and up, gets the large group instead of the other one. A rule is added to the large group, which all hosts' ports wear.");
    report.note("`messages per switch` are flow messages in bundles to each switch concerned but the port's own, which also has the rules of a group that nobody else wears there; `encoded` are messages and `compiled` owners over all switches together, once each.");
    report.note("`raw` is a plain writer that hands one bundle of 3 flows to as many sockets, read by a plain reader, in the same run.");
    report.note(ANSWERS);
    for system in size.groups() {
        let population = world::of_one_tenant(*system);
        let changes = guard::changes(&population)?;
        let (stage, _) = Stage::open_with(*system, population, &changes)?;
        Groups::new(&stage)?.run(size.changes() / 2, &mut report).with_context(|| format!("{system:?}"))?;
    }
    Ok(report)
}

/// A change that is made and taken back, again and again.
#[derive(Debug, Clone, Copy)]
enum Kind {
    /// A port becomes a member of the large group.
    Member,
    /// A rule for one port number.
    Rule,
    /// A rule for a range of port numbers from the members of the group itself.
    Range,
    /// A rule about what is sent to members: the first of its kind, so that everybody has to know who is one.
    Outward,
}

/// What happened in all of a series, by the counters of both sides.
#[derive(Debug, Clone, Copy, Default)]
struct Tally {
    encoded: f64,
    compiled: f64,
    messages: f64,
    own: f64,
    bytes: f64,
}

/// One half of a series: what was made, or what was taken back.
#[derive(Debug, Default)]
struct Series {
    samples: Vec<Sample>,
    tally: Tally,
}

struct Groups<'a> {
    stage: &'a Stage,
    http: Http,
    /// A port of the wide network, and its host.
    port: u32,
    home: u32,
}

impl<'a> Groups<'a> {
    fn new(stage: &'a Stage) -> Result<Groups<'a>> {
        let port = stage.population.size().ports;
        let (home, _) = stage.population.place_of(port);
        Ok(Groups { stage, http: stage.controller()?.http()?, port, home })
    }

    fn run(&mut self, count: usize, report: &mut Report) -> Result<()> {
        let System { hosts, wide, .. } = self.stage.system;
        for (kind, switches, count) in [
            (Kind::Member, wide, count),
            (Kind::Rule, hosts, count),
            (Kind::Range, hosts, count),
            // Everybody is told of every member: a few times are enough.
            (Kind::Outward, hosts, 2),
        ] {
            let raw = RawFanout::open(switches as usize)?.rounds(&bundle(), count)?;
            let raw = median(raw.rounds.iter().map(|round| milliseconds(round.total)).collect());
            self.stage.fleet.set_answers(Answers::WhenAllIsRead);
            self.stage.fleet.reset_lag();
            let series = self.series(kind, switches, count)?;
            let validity = self.stage.validity();
            self.stage.fleet.set_answers(Answers::AtOnce);
            for (Series { samples, tally }, name) in series.iter().zip(kind.names()) {
                let row = (name, switches, raw.unwrap_or(f64::NAN));
                report.push(self.row(row, samples, *tally, validity));
            }
        }
        Ok(())
    }

    /// A change is made and taken back so many times, after a few times that do not count.
    fn series(&mut self, kind: Kind, switches: u32, count: usize) -> Result<[Series; 2]> {
        let mut series = [Series::default(), Series::default()];
        let mut rule = String::new();
        let warm = WARM.min(count / 2);
        for round in 0..count + warm {
            for (series, making) in series.iter_mut().zip([true, false]) {
                let before = self.tally()?;
                let sample = self.change(kind, making, switches, &mut rule)?;
                let after = self.tally()?;
                if round >= warm {
                    series.tally.add(before, after);
                    series.samples.push(sample);
                }
            }
        }
        Ok(series
            .map(|Series { samples, tally }| Series { tally: tally.each(samples.len(), switches), samples }))
    }

    fn change(&mut self, kind: Kind, making: bool, switches: u32, rule: &mut String) -> Result<Sample> {
        let Groups { stage, http, port, .. } = self;
        let hosts: Hosts = (0..switches).collect();
        if matches!(kind, Kind::Member) {
            let Worn { group, .. } = if making { members() } else { others() };
            let path = format!("/v2.0/ports/{}", port_id(*port));
            let body = format!(r#"{{"port":{{"security_groups":["{group}"]}}}}"#);
            let key = PortKey::new(*port + 1).context("a port has a key")?;
            let sign = sign(Subject::Port(key), true)?;
            return observe(stage, http, Some((hosts, sign)), |http| {
                Ok(Some(http.put(&path, &body)?.revision))
            });
        }
        let expected = Some((hosts, sign(Subject::Policy(members().policy), making)?));
        if !making {
            let path = format!("/v2.0/security-group-rules/{rule}");
            return observe(stage, http, expected, |http| Ok(Some(http.delete(&path)?.revision)));
        }
        let group = members().group;
        let more = match kind {
            Kind::Member | Kind::Rule => {
                r#""direction":"ingress","port_range_min":8080,"port_range_max":8080"#.to_owned()
            }
            Kind::Range => {
                format!(
                    r#""direction":"ingress","port_range_min":1000,"port_range_max":1999,"remote_group_id":"{group}""#
                )
            }
            Kind::Outward => format!(r#""direction":"egress","remote_group_id":"{group}""#),
        };
        let body =
            format!(r#"{{"security_group_rule":{{"security_group_id":"{group}","protocol":"tcp",{more}}}}}"#);
        observe(stage, http, expected, |http| {
            let answer = http.post("/v2.0/security-group-rules", &body)?;
            *rule = answer.id()?;
            Ok(Some(answer.revision))
        })
    }

    /// What both sides have counted so far.
    fn tally(&mut self) -> Result<Tally> {
        let all = self.stage.fleet.status().counters;
        let own = self.stage.fleet.counters(self.home).flow_mods as f64;
        Ok(Tally {
            encoded: self.http.metric("weft_messages_encoded_total")?,
            compiled: self.http.metric("weft_owners_compiled_total")?,
            messages: all.flow_mods as f64,
            own,
            bytes: all.bytes as f64,
        })
    }

    fn row(
        &self,
        (name, switches, raw): (&'static str, u32, f64),
        samples: &[Sample],
        tally: Tally,
        validity: Validity,
    ) -> Row {
        let spread = |of: fn(&Sample) -> Option<std::time::Duration>| {
            Spread::of(samples.iter().filter_map(of).collect())
        };
        let last = spread(|sample| sample.read.map(|(_, last)| last));
        let cpu: std::time::Duration = samples.iter().map(|sample| sample.cpu).sum();
        Row::default()
            .whole("members", self.stage.system.ports)
            .whole("hosts", self.stage.system.hosts)
            .text("change", name)
            .whole("switches", switches)
            .number("messages per switch", tally.messages, 1)
            .number("own host", tally.own, 1)
            .number("bytes per switch", tally.bytes, 0)
            .number("encoded", tally.encoded, 0)
            .number("compiled", tally.compiled, 0)
            .spread("API answer p50 / p99 ms", spread(|sample| sample.api))
            .spread("last byte p50 / p99 ms", last)
            .spread("confirmed by all p50 / p99 ms", spread(|sample| sample.confirmed))
            .number("CPU ms", milliseconds(cpu) / samples.len().max(1) as f64, 2)
            .number("raw p50 ms", raw, 2)
            .text("valid", validity.verdict(last.map_or(0.0, |last| last.p50_ms)))
    }
}

impl Kind {
    /// Of the change, and of what takes it back.
    fn names(self) -> [&'static str; 2] {
        match self {
            Kind::Member => ["a member joins", "a member leaves"],
            Kind::Rule => ["rule added: one port", "rule removed: one port"],
            Kind::Range => {
                ["rule added: 1,000 ports, from members", "rule removed: 1,000 ports, from members"]
            }
            Kind::Outward => ["first rule added: to members", "last rule removed: to members"],
        }
    }
}

impl Tally {
    fn add(&mut self, before: Tally, after: Tally) {
        self.encoded += after.encoded - before.encoded;
        self.compiled += after.compiled - before.compiled;
        self.messages += after.messages - before.messages;
        self.own += after.own - before.own;
        self.bytes += after.bytes - before.bytes;
    }

    /// For one of so many changes; what switches were told for each of them but the own host.
    fn each(self, changes: usize, switches: u32) -> Tally {
        let (changes, others) = (changes as f64, f64::from(switches - 1));
        Tally {
            encoded: self.encoded / changes,
            compiled: self.compiled / changes,
            messages: (self.messages - self.own) / changes / others,
            own: self.own / changes,
            bytes: self.bytes / changes / f64::from(switches),
        }
    }
}

/// How a switch sees that flows of a subject have come, or gone.
fn sign(subject: Subject, came: bool) -> Result<Sign> {
    let (cookie, mask) = subject.cookies().context("it has flows")?;
    let value = cookie.0;
    Ok(if came { Sign::Cookie { value, mask } } else { Sign::Gone { value, mask } })
}
