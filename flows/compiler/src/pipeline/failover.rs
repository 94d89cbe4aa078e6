//! The tables of fail-over: what comes for an address that is served on several hosts goes through a fast-failover group to
//! one of them.

use super::{
    ARP_OP, ARP_SHA, ARP_SPA, ARP_THA, ARP_TPA, DELIVER, DROP, ETH_DST, ETH_SRC, ETH_TYPE, EXTERNAL, FLOOD,
    HOME_PREFIX, Holds, ICMPV6_TYPE, IPV6_DST, IPV6_SRC, L2_REMOTE, METADATA, Miss, ND_OPTIONS_TYPE,
    ND_REPLY, ND_RESERVED, ND_TARGET, Table, VLAN_VID, Verb, reg,
};
use crate::reasons::Reason;
use crate::registers::{FLAGS, HOME, NETWORK, REASON, ROUTER, ZONE};

/// Is it for something that this host serves now?
pub static ACTIVE: Table = Table {
    number: 57,
    name: "active",
    purpose: "What l2_local would do with packets for a gateway and its floating IPs, on a host that is not the first of \
              the gateway's list: only reached while all that come before it are silent.",
    holds: Holds::HostLocal,
    matches: &[reg(NETWORK), reg(FLAGS), ETH_DST, ETH_TYPE, ARP_OP, ARP_TPA, ICMPV6_TYPE, ND_TARGET],
    sets: &[
        reg(ROUTER),
        reg(ZONE),
        reg(HOME),
        reg(FLAGS),
        METADATA,
        ETH_DST,
        ETH_SRC,
        ARP_OP,
        ARP_SPA,
        ARP_TPA,
        ARP_SHA,
        ARP_THA,
        IPV6_SRC,
        IPV6_DST,
        ICMPV6_TYPE,
        ND_RESERVED,
        ND_OPTIONS_TYPE,
        VLAN_VID,
    ],
    verbs: &[Verb::Resubmit, Verb::OutputBack, Verb::Tag, Verb::CheckSize],
    next: &[&EXTERNAL, &HOME_PREFIX, &ND_REPLY, &DELIVER, &DROP],
    miss: Miss::Drop(Reason::NoPath),
};

/// Where does it go as long as another host serves it?
pub static STANDBY: Table = Table {
    number: 58,
    name: "standby",
    purpose: "The same while one that comes before it is alive: what this host's own senders send goes out to the physical \
              network, what came from there is not for this host.",
    holds: Holds::HostLocal,
    matches: &[reg(FLAGS), ETH_DST],
    sets: &[reg(REASON)],
    verbs: &[],
    next: &[&L2_REMOTE, &FLOOD, &DROP],
    miss: Miss::Goto(&L2_REMOTE),
};
