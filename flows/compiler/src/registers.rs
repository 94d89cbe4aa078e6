//! The registers of the pipeline: what every one of them means from table to table.

use weft_openflow::action::Subfield;
use weft_openflow::oxm;
use weft_openflow::{FieldId, OxmField};

/// A 32-bit register with a meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Register {
    /// Which of the sixteen.
    pub number: u8,
    /// What it is called in golden files and in PIPELINE.md.
    pub name: &'static str,
    /// What it holds.
    pub meaning: &'static str,
}

/// The network of the packet.
pub const NETWORK: Register = Register {
    number: 0,
    name: "network",
    meaning: "VNI of the packet's network, from the port or the tunnel that it came in by",
};
/// The port that sent the packet.
pub const SOURCE: Register =
    Register { number: 1, name: "source", meaning: "key of the local port that sent it; 0 from a tunnel" };
/// The port that gets the packet.
pub const DESTINATION: Register =
    Register { number: 2, name: "destination", meaning: "key of the local port that gets it" };
/// The sender's policy.
pub const SOURCE_POLICY: Register = Register {
    number: 3,
    name: "source_policy",
    meaning: "the sender's policy (set of security groups); 0 when it has none or is not known",
};
/// The receiver's policy.
pub const DESTINATION_POLICY: Register = Register {
    number: 4,
    name: "destination_policy",
    meaning: "the receiver's policy (set of security groups); 0 when it has none or is not known",
};
/// Single bits.
pub const FLAGS: Register = Register {
    number: 5,
    name: "flags",
    meaning: "bit 0: it came out of a tunnel; bit 1: a router forwarded it; bit 2: it came in by an uplink, and \
              bit 0 is set as well; bit 3: it is too large for the network that a router sends it to; bit 4: it came \
              from outside through a router's gateway",
};
/// Why the packet is dropped.
pub const REASON: Register =
    Register { number: 6, name: "reason", meaning: "why it is dropped, see the reasons below" };

/// The connection tracker's zone.
pub const ZONE: Register = Register {
    number: 7,
    name: "zone",
    meaning: "zone of the connection tracker: the interface number of the port whose policy is asked",
};
/// Where the sender is at home.
pub const HOME: Register = Register {
    number: 13,
    name: "home",
    meaning: "VNI of the network that the sender's address belongs to; only asked of what no local port sent. Before \
              that, of a routed packet: the network by which it came into the router",
};
/// The rule that lets the packet pass.
pub const RULE: Register =
    Register { number: 14, name: "rule", meaning: "key of the security rule that lets the packet pass" };

/// Where a routed packet goes next.
pub const NEXT_HOP: Register = Register {
    number: 8,
    name: "next_hop",
    meaning: "the address in its new network that a routed packet goes to: IPv4 here, IPv6 in reg8 to reg11 (xxreg2)",
};
/// The router that the packet is in.
pub const ROUTER: Register =
    Register { number: 12, name: "router", meaning: "key of the router that the packet is in" };
/// Which of several; then what is known of the one that was chosen.
pub const CHOICE: Register = Register {
    number: 15,
    name: "choice",
    meaning: "which of several next hops a connection takes; after that, what is known of a next hop on a physical \
              network: 1 its MAC, 2 its MAC and that it is there, 3 that it was asked for within the last second",
};
/// [`CHOICE`]: nothing is known of the neighbour.
pub const UNKNOWN: u32 = 0;
/// [`CHOICE`]: the neighbour's MAC is known, but it has not been heard of lately.
pub const KNOWN: u32 = 1;
/// [`CHOICE`]: the neighbour has been heard of lately.
pub const FRESH: u32 = 2;
/// [`CHOICE`]: the neighbour is not known, and has just been asked for.
pub const ASKED: u32 = 3;

/// All registers with a fixed meaning.
pub const ALL: [Register; 13] = [
    NETWORK,
    SOURCE,
    DESTINATION,
    SOURCE_POLICY,
    DESTINATION_POLICY,
    FLAGS,
    REASON,
    ZONE,
    NEXT_HOP,
    ROUTER,
    HOME,
    RULE,
    CHOICE,
];

/// The bit of [`FLAGS`] that says that the packet came out of a tunnel, and so must never go into one.
pub const FROM_TUNNEL: u32 = 1;
/// The bit of [`FLAGS`] that says that a router forwarded the packet.
pub const ROUTED: u32 = 2;

/// The bit of [`FLAGS`] that says that the packet came in by an uplink. [`FROM_TUNNEL`] is set as well: what came from
/// outside goes to local ports only.
pub const FROM_UPLINK: u32 = 4;

/// The bit of [`FLAGS`] that says that the packet is larger than the network takes that a router sends it to.
pub const TOO_BIG: u32 = 8;
/// Which bit [`TOO_BIG`] is.
pub const TOO_BIG_BIT: u16 = 3;

/// The bit of [`FLAGS`] that says that the packet came from an external network through a router's gateway, so that the
/// router must not send it there again.
pub const FROM_OUTSIDE: u32 = 16;

/// The low bits of OpenFlow's `metadata`: the Ethernet address of who sent what a router got, however many routers have
/// forwarded it since. The rest is [`SENDER_TAG`].
pub const SENDER: Part = Part { offset: 0, bits: 48 };
/// The high bits of `metadata`: the VLAN under which a physical network of the sender's is tagged, 0 for none.
pub const SENDER_TAG: Part = Part { offset: 48, bits: 16 };

/// Some bits of `metadata`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// The lowest.
    pub offset: u16,
    /// How many.
    pub bits: u16,
}

impl Part {
    /// As actions name it.
    pub fn subfield(self) -> Subfield {
        Subfield { field: oxm::metadata(0).header(), offset: self.offset, n_bits: self.bits }
    }

    /// Its value in a whole `metadata`.
    pub fn of(self, metadata: u64) -> u64 {
        metadata >> self.offset & (u64::MAX >> (64 - self.bits))
    }

    /// The part with this value, to be set while the others stay.
    pub fn is(self, value: u64) -> OxmField {
        let ones = u64::MAX >> (64 - self.bits);
        oxm::metadata_masked((value & ones) << self.offset, ones << self.offset)
    }
}

impl Register {
    /// The register with this value: to be matched, or to be set.
    pub fn is(self, value: u32) -> OxmField {
        oxm::reg(self.number, value)
    }

    /// The register with these bits set, whatever the others are.
    pub fn has(self, bits: u32) -> OxmField {
        oxm::reg_masked(self.number, bits, bits)
    }

    /// The register with these bits clear, whatever the others are: to be matched, or to be cleared.
    pub fn lacks(self, bits: u32) -> OxmField {
        oxm::reg_masked(self.number, 0, bits)
    }

    /// The register with just these of the masked bits set, whatever the others are; to be matched.
    pub fn just(self, bits: u32, mask: u32) -> OxmField {
        oxm::reg_masked(self.number, bits, mask)
    }

    /// The register as OpenFlow names it.
    pub const fn field(self) -> FieldId {
        FieldId::reg(self.number)
    }
}
