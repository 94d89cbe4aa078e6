//! The interpreter against a real Open vSwitch: for the same flows and the same packet, `ofproto/trace` comes to the same
//! outputs, the same drops and the same final packet.

#[path = "../../../compiler/tests/openvswitch/channel.rs"]
#[allow(dead_code, reason = "shared with the compiler's tests")]
mod channel;
#[path = "../../../compiler/tests/openvswitch/daemons.rs"]
#[allow(dead_code, reason = "shared with the compiler's tests")]
mod daemons;
mod gateways;
#[path = "../isolation/model.rs"]
#[allow(dead_code, reason = "shared with the isolation test")]
mod model;
#[path = "../isolation/packets.rs"]
#[allow(dead_code, reason = "shared with the isolation test")]
mod packets;
mod pipeline;
#[path = "../isolation/random.rs"]
#[allow(dead_code, reason = "shared with the isolation test")]
mod random;
#[path = "../isolation/routing.rs"]
#[allow(dead_code, reason = "shared with the isolation test")]
mod routing;
#[path = "../isolation/security.rs"]
#[allow(dead_code, reason = "shared with the isolation test")]
mod security;
mod semantics;
#[path = "../../../compiler/tests/state/mod.rs"]
#[allow(dead_code, unreachable_pub, reason = "the language of the compiler's tests")]
mod state;
mod verdict;
mod walks;
mod wire;
