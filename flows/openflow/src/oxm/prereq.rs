//! Which fields a match needs before another makes sense; a switch refuses a match that lacks them.

use super::field::OxmField;
use super::id::FieldId;
use super::matches::Match;
use super::table::{self, Prereq};

/// What the fields read so far say of the packet.
#[derive(Default)]
struct Seen {
    eth_type: Option<u128>,
    vlan: bool,
    proto: Option<u128>,
    icmp_type: Option<u128>,
    tracked_proto: bool,
    packet_type: Option<u128>,
}

impl Match {
    /// The first field that needs something which does not stand before it, such as an IPv4 address
    /// without the Ethernet type of IPv4. Open vSwitch would refuse the match (`OFPBMC_BAD_PREREQ`).
    ///
    /// Unknown fields need nothing.
    pub fn unmet(&self) -> Option<&OxmField> {
        let mut seen = Seen::default();
        self.fields().iter().find(|field| {
            let met = table::spec(field.id()).is_none_or(|spec| seen.allows(spec.prereq()));
            seen.note(field);
            !met
        })
    }
}

impl Seen {
    fn note(&mut self, field: &OxmField) {
        let id = table::twin(field.id()).unwrap_or(field.id());
        let value = field.value();
        // OpenFlow's own names, by the number that the class of standard fields gives them.
        match (id.class, id.number) {
            (FieldId::CLASS_BASIC, 5) => self.eth_type = value,
            (FieldId::CLASS_BASIC, 6) => self.vlan = value.is_some_and(|vid| vid & 0x1000 != 0),
            (FieldId::CLASS_BASIC, 10) => self.proto = value,
            (FieldId::CLASS_BASIC, 29) => self.icmp_type = value,
            (FieldId::CLASS_BASIC, 44) => self.packet_type = value,
            (FieldId::CLASS_NXM0, 4) => self.vlan = value.is_some_and(|tci| tci & 0x1000 != 0),
            (FieldId::CLASS_NXM1, 119) => self.tracked_proto = true,
            _ => {}
        }
    }

    fn allows(&self, prereq: Prereq) -> bool {
        let ip4 = self.eth_type == Some(0x0800);
        let ip6 = self.eth_type == Some(0x86dd);
        let ip = ip4 || ip6;
        let icmp6 = ip6 && self.proto == Some(58);
        match prereq {
            Prereq::Any => true,
            Prereq::Ethernet => self.packet_type.is_none_or(|kind| kind == 0),
            Prereq::Arp => matches!(self.eth_type, Some(0x0806 | 0x8035)),
            Prereq::VlanVid => self.vlan,
            Prereq::Ip4 => ip4,
            Prereq::Ip6 => ip6,
            Prereq::Ip => ip,
            Prereq::Mpls => matches!(self.eth_type, Some(0x8847 | 0x8848)),
            Prereq::Tcp => ip && self.proto == Some(6),
            Prereq::Udp => ip && self.proto == Some(17),
            Prereq::Sctp => ip && self.proto == Some(132),
            Prereq::Icmp4 => ip4 && self.proto == Some(1),
            Prereq::Icmp6 => icmp6,
            Prereq::Nd => icmp6 && matches!(self.icmp_type, Some(135 | 136)),
            Prereq::NdSolicit => icmp6 && self.icmp_type == Some(135),
            Prereq::NdAdvert => icmp6 && self.icmp_type == Some(136),
            Prereq::Nsh => self.eth_type == Some(0x894f) || self.packet_type == Some(0x1_894f),
            // The ports of a tracked connection also need its protocol, which is checked by the switch.
            Prereq::Ct => ip || self.tracked_proto,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oxm;

    #[test]
    fn fields_need_others_before_them() {
        let arp = Match::new().with(oxm::arp_op(1));
        assert_eq!(arp.unmet(), Some(&oxm::arp_op(1)));
        assert_eq!(Match::new().with(oxm::eth_type(0x0806)).with(oxm::arp_op(1)).unmet(), None);
        let late = Match::new().with(oxm::arp_op(1)).with(oxm::eth_type(0x0806));
        assert_eq!(late.unmet(), Some(&oxm::arp_op(1)));
        let nd = Match::new().with(oxm::eth_type(0x86dd)).with(oxm::ip_proto(58)).with(oxm::icmpv6_type(136));
        assert_eq!(nd.clone().with(oxm::nd_tll([1; 6])).unmet(), None);
        assert!(nd.with(oxm::nd_sll([1; 6])).unmet().is_some());
        assert_eq!(Match::new().with(oxm::reg(0, 1)).with(oxm::eth_dst([1; 6])).unmet(), None);
    }
}
