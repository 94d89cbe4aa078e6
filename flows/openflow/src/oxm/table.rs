//! The table of known fields: name, width, mask, prerequisite and text format of each.

mod rows;

use super::id::{FieldHeader, FieldId};
use rows::{BASIC, BASIC_GAP, NXM0, NXM1, OTHER, Row, TWINS};

/// How a field's value is written in text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// A decimal number.
    Decimal,
    /// A hexadecimal number with `0x` (zero is written `0`).
    Hex,
    /// Six pairs of hexadecimal digits.
    Ethernet,
    /// A dotted quad, with a prefix length where the mask allows it.
    Ipv4,
    /// An IPv6 address, with a prefix length where the mask allows it.
    Ipv6,
    /// A port by name or number.
    Port,
    /// Flags of the connection tracker, such as `+trk-new`.
    CtState,
    /// TCP flags, such as `+syn-ack`.
    TcpFlags,
    /// Flags of a tunnel, such as `+oam`.
    TunFlags,
    /// `no`, `yes`, `first`, `later` or `not_later`.
    Frag,
    /// `(namespace,type)`.
    PacketType,
}

/// What else a match must have before this field makes sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prereq {
    /// Nothing.
    Any,
    /// An Ethernet packet.
    Ethernet,
    /// ARP or reverse ARP.
    Arp,
    /// A VLAN header.
    VlanVid,
    /// IPv4.
    Ip4,
    /// IPv6.
    Ip6,
    /// IPv4 or IPv6.
    Ip,
    /// MPLS.
    Mpls,
    /// TCP over IPv4 or IPv6.
    Tcp,
    /// UDP over IPv4 or IPv6.
    Udp,
    /// SCTP over IPv4 or IPv6.
    Sctp,
    /// ICMP over IPv4.
    Icmp4,
    /// ICMP over IPv6.
    Icmp6,
    /// A neighbour solicitation or advertisement.
    Nd,
    /// A neighbour solicitation.
    NdSolicit,
    /// A neighbour advertisement.
    NdAdvert,
    /// A network service header.
    Nsh,
    /// A tracked packet.
    Ct,
}

/// What is known of one field.
#[derive(Clone, Copy, Debug)]
pub struct Spec {
    row: &'static Row,
    index: u8,
}

impl Spec {
    /// Which field.
    pub fn id(&self) -> FieldId {
        FieldId { number: self.row.id.number + self.index, ..self.row.id }
    }

    /// The field and its size in bytes.
    pub fn header(&self) -> FieldHeader {
        self.id().sized(self.row.bytes)
    }

    /// Number of bits that mean something; always the lowest ones.
    pub fn bits(&self) -> u16 {
        self.row.bits
    }

    /// Size of the value on the wire, in bytes. For `tun_metadata` the largest size.
    pub fn bytes(&self) -> u8 {
        self.row.bytes
    }

    /// True when a match may look at single bits of it.
    pub fn maskable(&self) -> bool {
        self.row.maskable
    }

    /// True when an action may set it.
    pub fn writable(&self) -> bool {
        self.row.writable
    }

    /// How its value is written in text.
    pub fn format(&self) -> Format {
        self.row.format
    }

    /// What else a match needs.
    pub fn prereq(&self) -> Prereq {
        self.row.prereq
    }

    /// The preferred name in text, such as `reg3`.
    pub fn name(&self) -> String {
        self.numbered(self.row.names[0])
    }

    /// The name in the specification, such as `NXM_NX_REG3`.
    pub fn wire_name(&self) -> String {
        self.numbered(self.row.wire)
    }

    /// All bits of the field as a number (for fields of up to 16 bytes).
    pub fn ones(&self) -> u128 {
        if self.row.bits >= 128 { u128::MAX } else { (1 << self.row.bits) - 1 }
    }

    fn numbered(&self, base: &str) -> String {
        if self.row.count == 1 { base.to_owned() } else { format!("{base}{}", self.row.first + self.index) }
    }
}

/// What is known of this field, if anything.
pub fn spec(id: FieldId) -> Option<Spec> {
    let rows = match id.class {
        FieldId::CLASS_BASIC if id.number < BASIC_GAP => {
            return BASIC.get(usize::from(id.number)).map(|row| Spec { row, index: 0 });
        }
        FieldId::CLASS_BASIC => &BASIC[usize::from(BASIC_GAP)..],
        FieldId::CLASS_NXM0 => NXM0,
        FieldId::CLASS_NXM1 => NXM1,
        _ => OTHER,
    };
    rows.iter().find_map(|row| {
        let index = id.number.checked_sub(row.id.number)?;
        let found = index < row.count && id.class == row.id.class && id.experimenter == row.id.experimenter;
        found.then_some(Spec { row, index })
    })
}

/// The field of this name, in the form that OpenFlow 1.5 prefers: `eth_dst`, `dl_dst`, `NXM_OF_ETH_DST`
/// and `OXM_OF_ETH_DST` are the same field, only the last two insist on one way to write it.
pub fn by_name(name: &str) -> Option<Spec> {
    let mut rows = BASIC.iter().chain(NXM1).chain(NXM0).chain(OTHER);
    rows.find_map(|row| {
        let mut names = row.names.iter().chain([&row.wire]);
        names.find_map(|base| index_of(row, base, name)).map(|index| Spec { row, index })
    })
}

/// All known fields.
pub fn all() -> impl Iterator<Item = Spec> {
    let rows = BASIC.iter().chain(NXM1).chain(NXM0).chain(OTHER);
    rows.flat_map(|row| (0..row.count).map(move |index| Spec { row, index }))
}

fn index_of(row: &Row, base: &str, name: &str) -> Option<u8> {
    let suffix = name.strip_prefix(base)?;
    if row.count == 1 {
        return suffix.is_empty().then_some(0);
    }
    if suffix.len() > 1 && suffix.starts_with('0') || suffix.starts_with('+') {
        return None;
    }
    let index = suffix.parse::<u8>().ok()?.checked_sub(row.first)?;
    (index < row.count).then_some(index)
}

/// The standard field that says the same as this one with the same value.
pub fn twin(id: FieldId) -> Option<FieldId> {
    TWINS.iter().find(|(old, _)| *old == id).map(|(_, standard)| *standard)
}

/// The old Nicira field that says the same as this standard one with the same value.
pub fn nicira_twin(id: FieldId) -> Option<FieldId> {
    TWINS.iter().find(|(_, standard)| *standard == id).map(|(old, _)| *old)
}
