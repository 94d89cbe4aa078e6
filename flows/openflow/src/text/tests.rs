//! Texts that must be refused, and what is said about them.

use super::*;
use ParseErrorKind::*;

#[test]
fn faults_are_named_with_the_part_that_has_them() {
    for (text, kind, part) in [
        ("ip", BadValue, "ip"),
        ("sky=5 actions=drop", UnknownField, "sky=5"),
        ("priority=65536 actions=drop", OutOfRange, "65536"),
        ("reg0=0x100000000 actions=drop", OutOfRange, "0x100000000"),
        ("dl_src=1:2:3 actions=drop", BadValue, "1:2:3"),
        ("ip,nw_src=1.2.3.4/33 actions=drop", OutOfRange, "33"),
        ("tcp,tcp_flags=+zig actions=drop", BadValue, "+zig"),
        ("actions=fly", UnknownAction, "fly"),
        ("actions=output:1,jump(3)", UnknownAction, "jump(3)"),
        ("actions=clone(output:1", Unbalanced, "clone(output:1"),
        ("actions=resubmit(,256)", OutOfRange, "256"),
        ("actions=resubmit(,)", BadValue, "resubmit(,)"),
        ("actions=set_field:1->sky", UnknownField, "sky"),
        ("actions=load:4->NXM_NX_REG0[0..1]", OutOfRange, "load:4->NXM_NX_REG0[0..1]"),
        ("actions=move:reg0[0..3]->reg1[0..4]", OutOfRange, "move:reg0[0..3]->reg1[0..4]"),
        ("actions=move:reg0[3..1]->reg1[0..4]", OutOfRange, "reg0[3..1]"),
        ("actions=push:reg0[32]", OutOfRange, "reg0[32]"),
        ("actions=conjunction(1,0/2)", BadValue, "conjunction(1,0/2)"),
        ("actions=learn(table=255)", OutOfRange, "table=255"),
    ] {
        let error = parse_flow(text).unwrap_err();
        assert_eq!((error.kind, &*error.text), (kind, part), "{text}");
    }
}

#[test]
fn metadata_of_any_length_reads_back_as_it_was_meant() {
    for text in [
        "tun_metadata0=0x1234",
        "tun_metadata0[0..15]=0x1234",
        "tun_metadata0=0x0005",
        "tun_metadata3=5/0x000f",
    ] {
        let (read, again) = (parse_match(text).unwrap(), parse_match(text).unwrap().to_string());
        assert_eq!(parse_match(&again).unwrap().canonical(), read.canonical(), "{text} became {again}");
    }
}

#[test]
fn a_resubmission_reads_back_as_it_was_meant() {
    for text in ["resubmit:5", "resubmit(5,,ct)", "resubmit(5,9,ct)", "resubmit(,9)"] {
        let flow = parse_flow(&format!("ip,ct_state=+trk+est actions={text}")).unwrap();
        let again = parse_flow(&flow.to_string()).unwrap();
        assert_eq!(again.instructions, flow.instructions, "{text} became {flow}");
    }
}

#[test]
fn what_a_dump_adds_is_skipped() {
    let dumped = " cookie=0x5, duration=3.2s, table=7, n_packets=1, n_bytes=42, idle_age=3, priority=9,arp \
                  actions=resubmit(,8)";
    let flow = parse_flow(dumped).unwrap();
    assert_eq!(flow.to_string(), "cookie=0x5,table=7,priority=9,arp actions=resubmit(,8)");
}

#[test]
fn parts_of_registers_can_be_matched() {
    assert_eq!(parse_match("reg0[4..7]=3").unwrap().to_string(), "reg0=0x30/0xf0");
    assert_eq!(parse_match("NXM_NX_REG1[]=3").unwrap().to_string(), "reg1=0x3");
}
