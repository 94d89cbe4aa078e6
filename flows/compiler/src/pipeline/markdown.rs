//! PIPELINE.md, printed from the declarations.

use std::fmt::Write;

use weft_model::Encap;
use weft_openflow::FieldId;
use weft_openflow::oxm::table::spec;

use super::{Holds, Miss, TABLES, Table, Verb};
use crate::reasons::Reason;
use crate::registers;
use crate::tunnels::tunnel_base;
use crate::uplinks::UPLINK_BASE;

const HEAD: &str = "# The pipeline

This page is printed from the declarations in `src/pipeline.rs`; `UPDATE_GOLDEN=1 cargo test -p weft-compiler` writes it anew.
Host-local flows know one host's interfaces; network-wide flows are the same bytes on every host.
";

const METADATA: &str =
    "| metadata 0..47 | sender | the Ethernet address of who sent what a router got, for answers \
of the routers on its way |
| metadata 48..63 | sender_tag | the VLAN tag of the sender's physical network, if it has one |
";

const COOKIES: &str = "
## Cookies

| bits | meaning |
|---|---|
| 63..60 | kind of owner: 1 network, 2 port (network-wide), 3 host base, 4 local flood, 5 port on its own host, 6 policy, \
7 router, 8 gateway on a host, 9 floating IP on a host, 11 router's interface on a host; 15 learned by the switch itself |
| 59..32 | its number: VNI, port key, host index, VNI, port key, policy key, router key, router key, port key, port key; VNI |
| 31..0 | hash of table, priority, match and instructions; of what is learned: which kind |

## Groups

| number | meaning |
|---|---|
| 0x00VVVVVV to 0x3aVVVVVV | flooding of network VVVVVV to the member hosts whose index divided by 256 is the upper byte; bucket id = host index |
| 0x40VVVVVV to 0x7fVVVVVV | flooding of network VVVVVV among the ports of this host (in one group; past 1000 ports in 64, by port key); bucket id = port key |
";

/// The whole of PIPELINE.md.
pub fn markdown() -> String {
    let mut page = String::from(HEAD);
    page.push_str("\n## Tables\n\n| table | name | holds | on a miss |\n|---|---|---|---|\n");
    for table in TABLES {
        row(&mut page, &[&table.number, &table.name, &holds(table.holds), &miss(&table.miss)]);
    }
    for table in TABLES {
        section(&mut page, table);
    }
    page.push_str("\n## Registers\n\n| register | name | meaning |\n|---|---|---|\n");
    for register in registers::ALL {
        row(&mut page, &[&format!("reg{}", register.number), &register.name, &register.meaning]);
    }
    page.push_str(METADATA);
    page.push_str("\n## Reasons\n\n| number | name | the packet |\n|---|---|---|\n");
    for reason in Reason::ALL {
        row(&mut page, &[&reason.number(), &reason.name(), &reason.meaning()]);
    }
    page.push_str(COOKIES);
    page.push_str("\n## Tunnel ports\n\n| encapsulation | OpenFlow port |\n|---|---|\n");
    for encap in Encap::ALL {
        row(&mut page, &[&encap.name(), &format!("{} + host index", tunnel_base(encap))]);
    }
    line(&mut page, &format!("| none: the uplink to a physical network | {UPLINK_BASE} + its key |"));
    page
}

fn section(page: &mut String, table: &Table) {
    line(page, &format!("\n### {} {}\n\n{}\n", table.number, table.name, table.purpose));
    list(page, "matches", table.matches.iter().map(|field| name(*field)));
    list(page, "sets", table.sets.iter().map(|field| name(*field)));
    list(page, "does", table.verbs.iter().map(|verb| describe(*verb).to_owned()));
    list(page, "leads to", table.next.iter().map(|next| next.name.to_owned()));
    line(page, &format!("- on a miss: {}", miss(&table.miss)));
}

/// The name of a field: what a register is for, or what Open vSwitch calls it.
pub(crate) fn name(field: FieldId) -> String {
    match registers::ALL.iter().find(|register| register.field() == field) {
        Some(register) => register.name.to_owned(),
        None => spec(field).map_or_else(|| format!("{field:?}"), |spec| spec.name()),
    }
}

fn holds(holds: Holds) -> &'static str {
    match holds {
        Holds::HostLocal => "host-local",
        Holds::NetworkWide => "network-wide",
        Holds::Both => "both",
    }
}

fn miss(miss: &Miss) -> String {
    match miss {
        Miss::Drop(reason) => format!("drop: {}", reason.name()),
        Miss::Goto(next) => format!("go to {}", next.name),
        Miss::Back => "back to the table that asked".to_owned(),
        Miss::End => "drop".to_owned(),
    }
}

fn describe(verb: Verb) -> &'static str {
    match verb {
        Verb::OutputLocal => "output to a local interface",
        Verb::OutputTunnel => "output to a tunnel",
        Verb::OutputUplink => "output to a physical network",
        Verb::Tag => "put a VLAN tag on or take it off",
        Verb::OutputBack => "output to where the packet came from",
        Verb::Limit => "hold to a meter",
        Verb::Group => "hand copies to a group",
        Verb::CheckSize => "see whether it is too large",
        Verb::DecrementTtl => "decrement the TTL or hop limit",
        Verb::SetTtl => "set the TTL or hop limit",
        Verb::Choose => "choose a next hop by a hash of the connection",
        Verb::Track => "go through the connection tracker, or be remembered there",
        Verb::Translate => "translate addresses and ports",
        Verb::Conjunction => "be one part of a conjunction",
        Verb::ToController => "send to the controller",
        Verb::Learn => "remember something about the packet in table learned",
        Verb::Resubmit => "look up again in a next table",
    }
}

fn list(page: &mut String, title: &str, items: impl Iterator<Item = String>) {
    let items: Vec<String> = items.collect();
    if !items.is_empty() {
        line(page, &format!("- {title}: {}", items.join(", ")));
    }
}

fn row(page: &mut String, cells: &[&dyn std::fmt::Display]) {
    let cells: Vec<String> = cells.iter().map(ToString::to_string).collect();
    line(page, &format!("| {} |", cells.join(" | ")));
}

fn line(page: &mut String, text: &str) {
    writeln!(page, "{text}").expect("writing to a String cannot fail");
}
