//! Groups as text: read as `ovs-ofctl` reads them, and printed as it prints them.
#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

use std::process::Command;
use weft_openflow::Xid;
use weft_openflow::message::Message;
use weft_openflow::text::parse_group;

const GROUPS: &[&str] = &[
    "group_id=5,type=all,bucket=output:1,bucket=actions=output:2",
    "group_id=6,type=select,selection_method=hash,fields(ip_src,tcp_dst=0xff),bucket=weight:5,bucket_id:3,\
     actions=output:1,set_field:5->reg0",
    "group_id=7,type=ff,bucket=watch_port:1,watch_group:5,output:1,bucket=watch_port:2,actions=output:2",
    "group_id=8,type=indirect,bucket=actions=drop",
    "group_id=9,type=select,selection_method=dp_hash,selection_method_param=5,bucket=output:2,\
     bucket=weight:0,resubmit(,7),clone(output:3,output:4)",
    "group_id=10,type=all",
    "group_id=11,type=select,selection_method=hash,fields=eth_src,bucket=set_field:7->tun_id,output:1001",
];

/// The message that `ovs-ofctl` makes of a group: its text and its bytes.
fn by_ovs(group: &str) -> (String, String) {
    let output = Command::new("ovs-ofctl")
        .args(["-O", "OpenFlow15", "-mmmmm", "parse-group", group])
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let printed =
        text.lines().find_map(|line| line.strip_prefix(" ADD ")).unwrap_or_else(|| panic!("{group}"));
    let dump = text.lines().filter(|line| line.starts_with("0000") && line.len() > 58);
    let hex = dump.flat_map(|line| line[10..58].chars().filter(char::is_ascii_hexdigit)).collect();
    (printed.to_owned(), hex)
}

#[test]
fn groups_are_read_and_printed_as_open_vswitch_does() {
    for group in GROUPS {
        let (printed, hex) = by_ovs(group);
        let ours = parse_group(group).unwrap_or_else(|error| panic!("{group}: {error}"));
        assert_eq!(ours.to_string(), printed, "{group}");
        assert_eq!(parse_group(&printed).unwrap(), ours, "{group}");
        let bytes = Message::GroupMod(ours).encode(Xid(1));
        let our_hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(our_hex, hex, "{group}");
    }
}

#[test]
fn bad_groups_are_refused() {
    for group in
        ["type=all", "group_id=x", "group_id=1,type=some", "group_id=1,bucket=fly:1", "group_id=1,sky=5"]
    {
        assert!(parse_group(group).is_err(), "{group}");
    }
}
