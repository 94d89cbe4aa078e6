//! Where would this packet go: `POST /v1/trace`.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What to ask: a port sends a packet to an address.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct TraceAsked {
    /// The id of the port that sends.
    pub from_port: String,
    /// The address that it sends to: IPv4, IPv6, or a MAC for a frame without IP.
    pub to: String,
    /// `icmp` (an echo request, also over IPv6), `tcp`, `udp`, `sctp`, or the number of another protocol; `icmp` when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protocol: Option<String>,
    /// The source address; when absent the one of the port's addresses that it would choose.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The source port; 49152 when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_port: Option<u16>,
    /// The destination port; 80 when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub destination_port: Option<u16>,
    /// Time to live or hop limit, 0 to 255; 64 when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttl: Option<u8>,
    /// How long the packet is, Ethernet header included, in bytes, 14 to 65535; 98 when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<u16>,
}

/// What becomes of the packet, as the state of the store has it: nothing is sent. A caller who is no administrator sees no
/// hosts, no flows and no objects of others.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Trace {
    /// `delivered` (a port gets it), `left` (to a physical network), `answered` (the network itself answers), `controller` (the controller answers),
    /// `dropped`, or `unsent` (the sender has nowhere to send it to).
    pub verdict: String,
    /// In a sentence.
    pub summary: String,
    /// The neighbour whose MAC the sender asks for: the destination, or a router.
    pub next_hop: Option<String>,
    /// The packet as it is sent.
    pub packet: Option<String>,
    /// Every lookup on its way, in order. When the verdict is `unsent`: on the way of the question for the neighbour's MAC.
    pub steps: Vec<TraceStep>,
    /// What becomes of it and of every copy.
    pub outcomes: Vec<TraceOutcome>,
    /// The way back of an answer, when exactly one port gets the packet.
    #[schema(no_recursion)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub back: Option<Box<Trace>>,
}

/// One lookup in one table.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct TraceStep {
    /// How deep it is nested: what happens to copies stands below what made them.
    pub depth: u16,
    /// The place of the host on the way, from 0.
    pub hop: u16,
    /// The host. Shown to administrators only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// The table of the pipeline.
    pub table: String,
    /// What the flow that matched exists for; null when that is not the caller's.
    pub object: Option<TraceObject>,
    /// What was done, in short.
    pub does: String,
    /// The flow. Shown to administrators only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flow: Option<String>,
}

/// An object that a packet meets.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct TraceObject {
    /// What it is: `port`, `network`, `router`, `rule`, `security groups`, `host`.
    pub kind: String,
    /// Its id.
    pub id: String,
    /// Its name; may be empty.
    pub name: String,
}

/// What became of the packet or of one copy.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct TraceOutcome {
    /// As in [`Trace::verdict`].
    pub verdict: String,
    /// In more words.
    pub text: String,
    /// On which host. Shown to administrators only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// The port that gets it; null when it is another tenant's, or none.
    pub port: Option<TraceObject>,
    /// Why it is dropped, in one word.
    pub reason: Option<String>,
    /// The object on whose account it was decided; null when that is not the caller's.
    pub object: Option<TraceObject>,
    /// The packet as it ends.
    pub packet: Option<String>,
}
