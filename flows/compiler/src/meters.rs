//! Meters: how often each port may have a packet sent to the controller.
//!
//! Open vSwitch takes no meters in bundles, and a flow that names one is refused while the meter is not there. So every
//! switch has the same few from the beginning of its session on, whatever it has ports for ([`wanted`]), and a port
//! uses the one that its interface's number leads to ([`of`]): as long as a host's interfaces are numbered close
//! together, which is how Open vSwitch numbers them, each has its own.

use std::collections::BTreeMap;

use weft_model::{Direction, OfPort, RateLimit, RouterKey};
use weft_openflow::message::multipart::MeterConfig;
use weft_openflow::message::{BandKind, MeterBand, MeterCommand, MeterFlags, MeterMod};
use weft_openflow::{Action, MeterId, Xid};

/// The xid of all messages about meters: what is refused of them, whoever watches bundles does not want to know.
pub const XID: Xid = Xid(7);

/// How many meters a switch has.
pub const COUNT: u16 = 128;
/// How many packets a second a meter lets pass,
pub const RATE: u32 = 20;
/// and how many at once: a router's hop of a parallel traceroute, or a client that starts.
pub const BURST: u32 = 60;

/// How many more there are for routers, which are on many hosts and so cannot go by a port,
pub const ROUTERS: u16 = 16;
/// how many packets a second one of those lets pass, for all who send through the router from one host,
pub const ROUTER_RATE: u32 = 100;
/// and how many at once.
pub const ROUTER_BURST: u32 = 200;

/// How many there are for the questions that ports ask their resolver, so that these starve nobody's DHCP,
pub const DNS: u16 = 128;
/// how many packets a second one of those lets pass,
pub const DNS_RATE: u32 = 50;
/// and how many at once.
pub const DNS_BURST: u32 = 100;

/// The first meter of [`DNS`].
const FIRST_DNS: u16 = COUNT + ROUTERS + 1;
/// The meter of what all ports of a host share, with the rate of a router's.
pub const OF_HOST: MeterId = MeterId((FIRST_DNS + DNS) as u32);

/// The meter of the questions that the port with this interface asks its resolver.
pub fn of_dns(ofport: OfPort) -> MeterId {
    MeterId(u32::from(FIRST_DNS + ofport.get() % DNS))
}

/// The meter of a router's errors, on every host.
pub fn of_router(router: RouterKey) -> MeterId {
    MeterId(u32::from(COUNT) + 1 + router.get() % u32::from(ROUTERS))
}

/// The meter of the port with this interface.
pub fn of(ofport: OfPort) -> MeterId {
    MeterId(u32::from(ofport.get() % COUNT) + 1)
}

/// Where the meters of ports' limits begin: one for each direction and each number that a port can have on a host.
const LIMITS: [u32; 2] = [0x1_0000, 0x2_0000];
const LIMITS_END: u32 = 0x3_0000;
/// How many bytes a note has that says what a meter lets pass: as many as it takes without padding.
const NOTE: usize = 14;

/// What holds a port to a limit, by its number on the host: the meter, and a note of what that lets pass.
pub fn limit(number: OfPort, direction: Direction, limit: RateLimit) -> [Action; 2] {
    let base = LIMITS[usize::from(direction == Direction::Ingress)];
    let mut note = [0; NOTE];
    note[..4].copy_from_slice(&limit.rate.get().to_be_bytes());
    note[4..8].copy_from_slice(&limit.working_burst().to_be_bytes());
    [Action::Meter(MeterId(base + u32::from(number.get()))), Action::note(&note)]
}

/// The meter that a flow with these instructions names first of all, which has to be there before it; `None` for most flows.
pub fn needed(instructions: &[u8]) -> Option<MeterConfig> {
    /// Types of the instruction and the actions (OpenFlow 1.5 sections 7.2.5 and 7.2.6), a meter's length, Nicira's number.
    const APPLY_ACTIONS: [u8; 2] = [0, 4];
    const METER: [u8; 4] = [0, 29, 0, 8];
    const NICIRA_NOTE: [u8; 10] = [0xff, 0xff, 0, 24, 0, 0, 0x23, 0x20, 0, 8];
    let actions = instructions.strip_prefix(&APPLY_ACTIONS)?.get(6..)?;
    let (meter, rest) = actions.strip_prefix(&METER)?.split_first_chunk::<4>()?;
    let note = rest.strip_prefix(&NICIRA_NOTE)?;
    let word = |at: usize| note.get(at..at + 4)?.first_chunk::<4>().map(|word| u32::from_be_bytes(*word));
    let (rate, burst) = (word(0)?, word(4)?);
    Some(MeterConfig {
        flags: MeterFlags::KBPS | MeterFlags::BURST,
        meter: MeterId(u32::from_be_bytes(*meter)),
        bands: vec![MeterBand { rate, burst, kind: BandKind::Drop }],
    })
}

/// What gives a switch a meter, whether it has one of that number or not: the first is refused when it has, the second
/// does nothing when it has not had.
pub fn put(meter: &MeterConfig) -> [MeterMod; 2] {
    [MeterCommand::Add, MeterCommand::Modify].map(|command| change(command, meter.clone()))
}

/// True for the meter of a port's limit, which comes with the flow that names it.
fn is_limit(meter: MeterId) -> bool {
    (LIMITS[0]..LIMITS_END).contains(&meter.0)
}

/// What takes a switch from the meters that it has to those that it should have; nothing when they are right.
///
/// Meters of others are removed, as all that is not ours is on an integration bridge; but not those of ports' limits, which
/// would take the flows along that name them.
pub fn mend(seen: &[MeterConfig]) -> Vec<MeterMod> {
    let mut seen: BTreeMap<u32, &MeterConfig> = seen.iter().map(|meter| (meter.meter.0, meter)).collect();
    let mut changes = Vec::new();
    for wanted in wanted() {
        match seen.remove(&wanted.meter.0) {
            Some(found) if *found == wanted => {}
            Some(_) => changes.push(change(MeterCommand::Modify, wanted)),
            None => changes.push(change(MeterCommand::Add, wanted)),
        }
    }
    let others = seen
        .into_values()
        .filter(|meter| !is_limit(meter.meter))
        .map(|meter| change(MeterCommand::Delete, meter.clone()));
    changes.extend(others);
    changes
}

/// The meters of every switch.
pub fn wanted() -> impl Iterator<Item = MeterConfig> {
    let dns = u32::from(FIRST_DNS)..OF_HOST.0;
    (1..=OF_HOST.0).map(move |number| {
        let (rate, burst) = match number {
            _ if number <= u32::from(COUNT) => (RATE, BURST),
            _ if dns.contains(&number) => (DNS_RATE, DNS_BURST),
            _ => (ROUTER_RATE, ROUTER_BURST),
        };
        // Open vSwitch says nothing of statistics, which it keeps anyway.
        let flags = MeterFlags::PKTPS | MeterFlags::BURST;
        let bands = vec![MeterBand { rate, burst, kind: BandKind::Drop }];
        MeterConfig { flags, meter: MeterId(number), bands }
    })
}

fn change(command: MeterCommand, meter: MeterConfig) -> MeterMod {
    let bands = if command == MeterCommand::Delete { Vec::new() } else { meter.bands };
    MeterMod { command, flags: meter.flags, meter: meter.meter, bands }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_right_stays_and_what_is_wrong_is_mended() {
        let right: Vec<_> = wanted().collect();
        assert_eq!(mend(&right), []);
        assert!(mend(&[]).iter().all(|change| change.command == MeterCommand::Add));
        assert_eq!(mend(&[]).len(), usize::from(COUNT + ROUTERS + DNS + 1));
        let mut seen = right;
        seen[3].bands[0].rate = 7;
        seen[5].meter = MeterId(4711);
        let commands: Vec<_> = mend(&seen).iter().map(|change| (change.command, change.meter.0)).collect();
        let (modify, add, delete) = (MeterCommand::Modify, MeterCommand::Add, MeterCommand::Delete);
        assert_eq!(commands, [(modify, 4), (add, 6), (delete, 4711)]);
    }

    #[test]
    fn a_flow_tells_what_its_meter_lets_pass() {
        use weft_model::Kbps;
        let asked = RateLimit { rate: Kbps::new(1000).expect("a rate"), burst: 0 };
        let number = OfPort::new(7).expect("a number");
        let [meter, note] = limit(number, Direction::Ingress, asked);
        let mut writer = weft_openflow::Writer::new();
        let instructions = [weft_openflow::Instruction::ApplyActions(vec![
            meter,
            note,
            Action::output(weft_openflow::PortNo(7)),
        ])];
        instructions.iter().for_each(|instruction| instruction.encode(&mut writer));
        let found = needed(writer.as_slice()).expect("it names one");
        assert_eq!((found.meter.0, found.bands[0].rate, found.bands[0].burst), (0x2_0007, 1000, 800));
        assert_eq!(needed(&writer.as_slice()[..20]), None);
        assert_eq!(mend(std::slice::from_ref(&found)).len(), mend(&[]).len(), "a limit's meter stays");
        assert_eq!(put(&found).map(|change| change.meter.0), [0x2_0007; 2]);
    }

    #[test]
    fn neighbours_never_share() {
        let meter = |number: i64| of(OfPort::new(number).expect("in range")).0;
        let first: std::collections::BTreeSet<_> = (1..=i64::from(COUNT)).map(meter).collect();
        assert_eq!(first.len(), usize::from(COUNT));
        assert!(first.iter().all(|meter| (1..=u32::from(COUNT)).contains(meter)));
    }
}
