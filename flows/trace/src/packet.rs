//! A packet as a switch sees it: headers, metadata and registers as match fields.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use weft_openflow::action::Subfield;
use weft_openflow::oxm::{self, table};
use weft_openflow::{FieldId, Match, OxmField, PortNo};

use crate::place::{Place, SLOTS, place};

/// A packet on its way through one switch.
#[derive(Clone, PartialEq, Eq)]
pub struct Packet {
    slots: [u128; SLOTS],
    /// VLAN tags below the outermost one, outermost last.
    tags: Vec<u16>,
    /// How long it is, Ethernet header included and checksum not, in bytes.
    pub size: u16,
    /// The identifier of an ICMP echo (RFC 792), which is no match field; the connection tracker goes by it.
    pub echo: u16,
}

/// Ethernet type of IPv4.
pub const ETH_IPV4: u16 = 0x0800;
/// Ethernet type of ARP.
pub const ETH_ARP: u16 = 0x0806;
/// Ethernet type of IPv6.
pub const ETH_IPV6: u16 = 0x86dd;
/// Bit of a VLAN tag's control word that says that there is a tag (OpenFlow's `OFPVID_PRESENT`).
const TAGGED: u128 = 0x1000;

const IN_PORT: FieldId = FieldId::basic(0);
const METADATA: FieldId = FieldId::basic(2);
const ETH_TYPE: FieldId = FieldId::basic(5);
const IP_PROTO: FieldId = FieldId::basic(10);
const ICMPV6_TYPE: FieldId = FieldId::basic(29);
const TUN_ID: FieldId = FieldId::basic(38);
const VLAN_TCI: FieldId = FieldId::nxm0(4);
const IP_TTL: FieldId = FieldId::nxm1(29);
const CT_STATE: FieldId = FieldId::nxm1(105);
const CT_NW_PROTO: FieldId = FieldId::nxm1(119);

impl Packet {
    /// A packet without anything in it, 64 bytes long.
    pub fn new() -> Packet {
        Packet { slots: [0; SLOTS], tags: Vec::new(), size: 64, echo: 0 }
    }

    /// A packet with the values that a match asks for, all else zero. `None` when a field is not known here.
    pub fn of(fields: &Match) -> Option<Packet> {
        let mut packet = Packet::new();
        for field in fields.fields() {
            packet.put(field)?;
        }
        Some(packet)
    }

    /// The packet with one more field. Fields that the interpreter does not know are a fault of the caller's.
    #[must_use]
    pub fn with(mut self, field: OxmField) -> Packet {
        self.put(&field).expect("callers name the fields of oxm's builders, which are all known");
        self
    }

    /// A field's value; `None` for a field that is not known here.
    pub fn get(&self, id: FieldId) -> Option<u128> {
        place(id).map(|place| self.read(place))
    }

    /// Changes bits of a field, whatever the packet is. `None` for a field that is not known here.
    pub(crate) fn put(&mut self, field: &OxmField) -> Option<()> {
        let (place, value) = (place(field.id())?, field.value()?);
        let mask = field.mask().unwrap_or(u128::MAX) & place.ones();
        self.write(place, self.read(place) & !mask | value & mask);
        Some(())
    }

    /// The bits that a subfield names.
    pub(crate) fn get_part(&self, part: Subfield) -> Option<u128> {
        let part = part_of(part)?;
        Some(self.read(part))
    }

    /// Changes the bits that a subfield names.
    pub(crate) fn put_part(&mut self, part: Subfield, value: u128) -> Option<()> {
        let part = part_of(part)?;
        self.write(part, value & part.ones());
        Some(())
    }

    /// The value of a whole slot, for the classifier.
    pub(crate) fn slot(&self, slot: usize) -> u128 {
        self.slots[slot]
    }

    fn read(&self, place: Place) -> u128 {
        self.slots[place.slot] >> place.shift & place.ones()
    }

    fn write(&mut self, place: Place, value: u128) {
        let ones = place.ones() << place.shift;
        self.slots[place.slot] = self.slots[place.slot] & !ones | value << place.shift & ones;
    }

    fn known(&self, id: FieldId) -> u128 {
        self.get(id).expect("a field of this room's own table")
    }

    /// True when the packet is such that a field means something in it (`mf_are_prereqs_ok`): Open vSwitch skips an action
    /// that sets or reads one that does not.
    pub(crate) fn has(&self, id: FieldId) -> bool {
        use table::Prereq::*;
        let Some(spec) = table::spec(table::twin(id).unwrap_or(id)) else { return false };
        let (eth, proto) = (self.known(ETH_TYPE), self.known(IP_PROTO));
        let (ip4, ip6) = (eth == u128::from(ETH_IPV4), eth == u128::from(ETH_IPV6));
        let ip = ip4 || ip6;
        let icmp6 = ip6 && proto == 58;
        let kind = self.known(ICMPV6_TYPE);
        match spec.prereq() {
            Any | Ethernet => true,
            Arp => matches!(eth, 0x0806 | 0x8035),
            VlanVid => self.known(VLAN_TCI) & TAGGED != 0,
            Ip4 => ip4,
            Ip6 => ip6,
            Ip => ip,
            Tcp => ip && proto == 6,
            Udp => ip && proto == 17,
            Sctp => ip && proto == 132,
            Icmp4 => ip4 && proto == 1,
            Icmp6 => icmp6,
            Nd => icmp6 && matches!(kind, 135 | 136),
            NdSolicit => icmp6 && kind == 135,
            NdAdvert => icmp6 && kind == 136,
            Ct => self.known(CT_NW_PROTO) != 0,
            Mpls | Nsh => false,
        }
    }
}

/// What the interpreter and its callers ask most.
impl Packet {
    /// The port it came in by.
    pub fn in_port(&self) -> PortNo {
        PortNo(low32(self.known(IN_PORT)))
    }

    /// The same packet as it arrives at a port: what other switches left in registers, metadata and the connection
    /// tracker's fields does not travel.
    #[must_use]
    pub fn arriving(&self, port: PortNo, tunnel: u64) -> Packet {
        let mut fresh =
            Packet { slots: [0; SLOTS], tags: self.tags.clone(), size: self.size, echo: self.echo };
        for slot in (2..=24).chain(30..=33) {
            fresh.slots[slot] = self.slots[slot];
        }
        fresh.with(oxm::in_port(port)).with(oxm::tun_id(tunnel))
    }

    /// The packet as whoever gets it sees it: without what switches keep beside it.
    #[must_use]
    pub fn arrived(&self) -> Packet {
        let mut bare = self.arriving(PortNo(0), 0);
        bare.set_metadata(0, u64::MAX);
        bare
    }

    /// The tunnel id.
    pub fn tunnel(&self) -> u64 {
        u64::try_from(self.known(TUN_ID)).expect("64 bits")
    }

    /// The value of a 32-bit register.
    pub fn register(&self, number: u8) -> u32 {
        low32(self.known(FieldId::reg(number & 15)))
    }

    /// Its Ethernet type.
    pub fn eth_type(&self) -> u16 {
        u16::try_from(self.known(ETH_TYPE)).expect("16 bits")
    }

    /// Its Ethernet source.
    pub fn eth_src(&self) -> [u8; 6] {
        mac(self.known(FieldId::basic(4)))
    }

    /// Its Ethernet destination.
    pub fn eth_dst(&self) -> [u8; 6] {
        mac(self.known(FieldId::basic(3)))
    }

    /// Its IP protocol; 0 when it is no IP packet.
    pub fn protocol(&self) -> u8 {
        u8::try_from(self.known(IP_PROTO)).expect("8 bits")
    }

    /// Time to live or hop limit.
    pub fn ttl(&self) -> u8 {
        u8::try_from(self.known(IP_TTL)).expect("8 bits")
    }

    /// Sets time to live or hop limit.
    pub(crate) fn set_ttl(&mut self, ttl: u8) {
        self.put(&oxm::ip_ttl(ttl)).expect("known");
    }

    /// Source and destination, of an IP packet.
    pub fn addresses(&self) -> Option<(IpAddr, IpAddr)> {
        match self.eth_type() {
            ETH_IPV4 => {
                let address = |n| IpAddr::V4(Ipv4Addr::from(low32(self.known(FieldId::basic(n)))));
                Some((address(11), address(12)))
            }
            ETH_IPV6 => {
                let address = |n| IpAddr::V6(Ipv6Addr::from(self.known(FieldId::basic(n))));
                Some((address(26), address(27)))
            }
            _ => None,
        }
    }

    /// Source and destination port of the transport, or ICMP's type and code.
    pub fn ports(&self) -> (u16, u16) {
        let port = |n| u16::try_from(self.known(FieldId::basic(n))).expect("16 bits");
        (port(13), port(14))
    }

    /// Sets source and destination, which must be of the packet's family.
    pub(crate) fn set_addresses(&mut self, source: IpAddr, destination: IpAddr) {
        let fields = match (source, destination) {
            (IpAddr::V4(from), IpAddr::V4(to)) => [oxm::ipv4_src(from), oxm::ipv4_dst(to)],
            (IpAddr::V6(from), IpAddr::V6(to)) => [oxm::ipv6_src(from), oxm::ipv6_dst(to)],
            _ => return,
        };
        fields.iter().for_each(|field| self.put(field).expect("known"));
    }

    /// Sets source and destination port of the transport.
    pub(crate) fn set_ports(&mut self, source: u16, destination: u16) {
        for field in [oxm::tcp_src(source), oxm::tcp_dst(destination)] {
            self.put(&field).expect("known");
        }
    }

    /// Sets metadata bits.
    pub(crate) fn set_metadata(&mut self, value: u64, mask: u64) {
        let place = place(METADATA).expect("known");
        let mask = u128::from(mask);
        self.write(place, self.read(place) & !mask | u128::from(value) & mask);
    }

    /// What the connection tracker said of it; 0 when it was not tracked.
    pub fn ct_state(&self) -> u32 {
        low32(self.known(CT_STATE))
    }

    /// Forgets what the connection tracker said.
    pub(crate) fn untrack(&mut self) {
        for slot in 36..=46 {
            self.slots[slot] = 0;
        }
    }

    /// Puts a tag around what is there.
    pub(crate) fn push_tag(&mut self) {
        let outer = self.known(VLAN_TCI);
        if outer & TAGGED != 0 {
            self.tags.push(u16::try_from(outer).expect("16 bits"));
        }
        // Open vSwitch begins with an empty tag, where OpenFlow 1.5 section 5.9 would copy the one below.
        self.write(place(VLAN_TCI).expect("known"), TAGGED);
    }

    /// The number in the outermost tag, if there is one.
    pub fn tag(&self) -> Option<u16> {
        let outer = self.known(VLAN_TCI);
        let number = u16::try_from(outer & 0xfff).expect("12 bits");
        (outer & TAGGED != 0).then_some(number)
    }

    /// Takes the outermost tag off, if there is one.
    pub(crate) fn pop_tag(&mut self) {
        let next = self.tags.pop().map_or(0, u128::from);
        self.write(place(VLAN_TCI).expect("known"), next);
    }

    /// All fields that are not zero and mean something, in canonical order: as `ovs-appctl ofproto/trace` is told of a
    /// packet.
    pub fn fields(&self) -> Match {
        // Registers are shown in 32 bits only, the ports of transports by the name of the packet's own.
        let repeated = |id: FieldId| match id.class {
            FieldId::CLASS_PACKET_REGS | FieldId::CLASS_NXM0 => true,
            FieldId::CLASS_NXM1 => matches!(id.number, 111..=114) || table::twin(id).is_some(),
            _ => table::twin(id).is_some(),
        };
        let shown = |id: FieldId| !repeated(id) && self.has(id);
        let fields = table::all().filter(|spec| shown(spec.id()));
        let fields = fields.filter_map(|spec| {
            let value = self.get(spec.id()).filter(|value| *value != 0)?;
            Some(OxmField::exact(spec.id(), spec.bytes(), value))
        });
        Match::from_iter(fields).canonical()
    }
}

impl Default for Packet {
    fn default() -> Self {
        Packet::new()
    }
}

/// In the words of `ofproto/trace`, which wants the fields of a protocol by that protocol's names.
impl fmt::Display for Packet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (ports, icmp) = match self.protocol() {
            17 => ("udp", "icmp"),
            132 => ("sctp", "icmp"),
            58 => ("tcp", "icmpv6"),
            _ => ("tcp", "icmp"),
        };
        let text = self.fields().to_string();
        let text = text.replace("tp_src", &format!("{ports}_src")).replace("tp_dst", &format!("{ports}_dst"));
        f.write_str(
            &text.replace("icmp_type", &format!("{icmp}_type")).replace("icmp_code", &format!("{icmp}_code")),
        )
    }
}

impl fmt::Debug for Packet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Packet({self})")
    }
}

/// Where the bits of a subfield stand.
fn part_of(part: Subfield) -> Option<Place> {
    let whole = place(part.field.id)?;
    let (offset, bits) = (u32::from(part.offset), u32::from(part.n_bits));
    (offset + bits <= whole.bits).then_some(Place { slot: whole.slot, shift: whole.shift + offset, bits })
}

fn low32(value: u128) -> u32 {
    u32::try_from(value & 0xffff_ffff).expect("32 bits")
}

fn mac(value: u128) -> [u8; 6] {
    let [.., a, b, c, d, e, f] = value.to_be_bytes();
    [a, b, c, d, e, f]
}
