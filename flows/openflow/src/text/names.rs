//! Words for numbers: reasons, hash fields, algorithms, flags.

/// Words of `ofp_packet_in_reason`.
pub(super) const REASONS: &[(u16, &str)] =
    &[(0, "no_match"), (1, "action"), (2, "invalid_ttl"), (3, "action_set"), (4, "group"), (5, "packet_out")];

/// Words of `nx_hash_fields`.
pub(super) const HASH_FIELDS: &[(u16, &str)] = &[
    (0, "eth_src"),
    (1, "symmetric_l4"),
    (2, "symmetric_l3l4"),
    (3, "symmetric_l3l4+udp"),
    (4, "nw_src"),
    (5, "nw_dst"),
    (6, "symmetric_l3"),
];

/// Words of `nx_mp_algorithm`.
pub(super) const MULTIPATH: &[(u16, &str)] =
    &[(0, "modulo_n"), (1, "hash_threshold"), (2, "hrw"), (3, "iter_hash")];

/// Words of `nx_bd_algorithm`.
pub(super) const BUNDLE: &[(u16, &str)] = &[(0, "active_backup"), (1, "hrw")];

/// Words for protocol helpers of the connection tracker.
pub(super) const HELPERS: &[(u16, &str)] = &[(21, "ftp"), (69, "tftp")];

/// Bits of `ct_state`, lowest first.
pub(super) const CT_STATE: &[&str] = &["new", "est", "rel", "rpl", "inv", "trk", "snat", "dnat"];

/// Bits of `tcp_flags`, lowest first.
pub(super) const TCP_FLAGS: &[&str] =
    &["fin", "syn", "rst", "psh", "ack", "urg", "ece", "cwr", "ns", "[200]", "[400]", "[800]"];

/// Bits of `tun_flags`, lowest first.
pub(super) const TUN_FLAGS: &[&str] = &["oam"];

/// Protocols that stand for an Ethernet type and perhaps a payload protocol.
pub(super) const PROTOCOLS: &[(&str, u16, Option<u8>)] = &[
    ("ip", 0x0800, None),
    ("ipv4", 0x0800, None),
    ("icmp", 0x0800, Some(1)),
    ("tcp", 0x0800, Some(6)),
    ("udp", 0x0800, Some(17)),
    ("sctp", 0x0800, Some(132)),
    ("ipv6", 0x86dd, None),
    ("ip6", 0x86dd, None),
    ("tcp6", 0x86dd, Some(6)),
    ("udp6", 0x86dd, Some(17)),
    ("sctp6", 0x86dd, Some(132)),
    ("icmp6", 0x86dd, Some(58)),
    ("arp", 0x0806, None),
    ("rarp", 0x8035, None),
    ("mpls", 0x8847, None),
    ("mplsm", 0x8848, None),
];

/// The word for a number.
pub(super) fn word(words: &[(u16, &'static str)], number: u16) -> Option<&'static str> {
    words.iter().find(|(n, _)| *n == number).map(|(_, word)| *word)
}

/// The number that a word stands for.
pub(super) fn number(words: &[(u16, &'static str)], word: &str) -> Option<u16> {
    words.iter().find(|(_, w)| *w == word).map(|(number, _)| *number)
}
