//! Newtypes for every identifier that OpenFlow 1.5 carries, with their reserved values.

use std::fmt;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub $inner);

        impl From<$inner> for $name {
            fn from(value: $inner) -> Self {
                $name(value)
            }
        }
    };
}

id!(
    /// A port number (`ofp_port_no`, OpenFlow 1.5 section 7.2.1).
    PortNo(u32)
);
id!(
    /// A flow table (`ofp_table`, section 7.2.3).
    TableId(u8)
);
id!(
    /// A group (`ofp_group`, section 7.3.4.3).
    GroupId(u32)
);
id!(
    /// A meter (`ofp_meter`, section 7.3.4.4).
    MeterId(u32)
);
id!(
    /// A transaction id: ties a reply or an error to its request (section 7.1.1).
    Xid(u32)
);
id!(
    /// The controller's own 64-bit label of a flow (section 7.3.4.2).
    Cookie(u64)
);
id!(
    /// A bundle of messages that take effect together (section 7.3.9).
    BundleId(u32)
);
id!(
    /// A bucket within its group (`ofp_bucket`, section 7.3.4.3).
    BucketId(u32)
);

impl PortNo {
    /// The highest number of a real port.
    pub const MAX: PortNo = PortNo(0xffff_ff00);
    /// No output port chosen yet (only in `actset_output`).
    pub const UNSET: PortNo = PortNo(0xffff_fff7);
    /// Back out of the port the packet came in by.
    pub const IN_PORT: PortNo = PortNo(0xffff_fff8);
    /// Run the packet of a packet-out through the flow tables.
    pub const TABLE: PortNo = PortNo(0xffff_fff9);
    /// Ordinary L2/L3 switching by the switch itself.
    pub const NORMAL: PortNo = PortNo(0xffff_fffa);
    /// All ports but the ingress port and those that do not flood.
    pub const FLOOD: PortNo = PortNo(0xffff_fffb);
    /// All ports but the ingress port.
    pub const ALL: PortNo = PortNo(0xffff_fffc);
    /// The controller.
    pub const CONTROLLER: PortNo = PortNo(0xffff_fffd);
    /// The bridge's own network device.
    pub const LOCAL: PortNo = PortNo(0xffff_fffe);
    /// Any port, in filters; no port, elsewhere.
    pub const ANY: PortNo = PortNo(0xffff_ffff);

    /// The port from its 16-bit form, as Nicira actions carry it (reserved ports start at 0xfff7).
    pub fn from_u16(port: u16) -> PortNo {
        if port >= 0xff00 { PortNo(0xffff_0000 | u32::from(port)) } else { PortNo(u32::from(port)) }
    }

    /// The 16-bit form, or `None` for a port that has none.
    pub fn to_u16(self) -> Option<u16> {
        match self.0 {
            low @ 0..=0xfeff => u16::try_from(low).ok(),
            high @ 0xffff_ff00.. => u16::try_from(high & 0xffff).ok(),
            _ => None,
        }
    }
}

impl TableId {
    /// The highest table that may hold flows.
    pub const MAX: TableId = TableId(0xfe);
    /// All tables, in requests.
    pub const ALL: TableId = TableId(0xff);
}

impl GroupId {
    /// The highest number of a real group.
    pub const MAX: GroupId = GroupId(0xffff_ff00);
    /// All groups, in delete commands.
    pub const ALL: GroupId = GroupId(0xffff_fffc);
    /// Any group, in filters.
    pub const ANY: GroupId = GroupId(0xffff_ffff);
}

impl MeterId {
    /// The highest number of a real meter.
    pub const MAX: MeterId = MeterId(0xffff_0000);
    /// The meter of the slow path.
    pub const SLOWPATH: MeterId = MeterId(0xffff_fffd);
    /// The meter of the controller connection.
    pub const CONTROLLER: MeterId = MeterId(0xffff_fffe);
    /// All meters, in requests. Nicira's `controller2` uses the same number for "no meter".
    pub const ALL: MeterId = MeterId(0xffff_ffff);
}

impl BucketId {
    /// The highest number of a real bucket.
    pub const MAX: BucketId = BucketId(0xffff_ff00);
    /// The first bucket, in insert and remove commands.
    pub const FIRST: BucketId = BucketId(0xffff_fffd);
    /// The last bucket, in insert and remove commands.
    pub const LAST: BucketId = BucketId(0xffff_fffe);
    /// All buckets, in remove commands.
    pub const ALL: BucketId = BucketId(0xffff_ffff);
}

impl fmt::Display for PortNo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::UNSET => f.write_str("UNSET"),
            Self::IN_PORT => f.write_str("IN_PORT"),
            Self::TABLE => f.write_str("TABLE"),
            Self::NORMAL => f.write_str("NORMAL"),
            Self::FLOOD => f.write_str("FLOOD"),
            Self::ALL => f.write_str("ALL"),
            Self::CONTROLLER => f.write_str("CONTROLLER"),
            Self::LOCAL => f.write_str("LOCAL"),
            Self::ANY => f.write_str("ANY"),
            PortNo(number) => number.fmt(f),
        }
    }
}

macro_rules! plain_display {
    ($($name:ident),*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    )*};
}
plain_display!(TableId, GroupId, MeterId, BundleId, BucketId);

impl fmt::Display for Xid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}

impl fmt::Display for Cookie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}

bitflags::bitflags! {
    /// What a flow asks for besides its actions (`ofp_flow_mod_flags`, section 7.3.4.2).
    /// Unknown bits are kept.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub struct FlowFlags: u16 {
        /// Send a flow-removed message when the flow goes.
        const SEND_FLOW_REM = 1 << 0;
        /// Refuse the flow when it overlaps another of the same priority.
        const CHECK_OVERLAP = 1 << 1;
        /// Set packet and byte counts back to zero.
        const RESET_COUNTS = 1 << 2;
        /// Do not keep a packet count.
        const NO_PKT_COUNTS = 1 << 3;
        /// Do not keep a byte count.
        const NO_BYT_COUNTS = 1 << 4;
        const _ = !0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reserved_ports_have_a_16_bit_form() {
        assert_eq!(PortNo::IN_PORT.to_u16(), Some(0xfff8));
        assert_eq!(PortNo::from_u16(0xfffe), PortNo::LOCAL);
        assert_eq!(PortNo(0x1_0000).to_u16(), None);
        assert_eq!(PortNo::from_u16(7), PortNo(7));
    }
}
