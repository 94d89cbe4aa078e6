//! What a real Open vSwitch dumps equals what we sent it, once both are in normal form.
#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

mod generate;

use generate::{Flow, flow, flow_mod, samples};
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use weft_openflow::text::parse_flow;
use weft_openflow::{Action, GroupId, Instruction, Match, MeterId, Reader, Writer, canonical_instructions};

/// An Open vSwitch without a kernel and without root, in a directory of its own.
struct Switch {
    dir: PathBuf,
}

impl Switch {
    fn start(name: &str) -> Switch {
        let dir = std::env::temp_dir().join(format!("weft-openflow-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let switch = Switch { dir };
        let at = |file: &str| switch.dir.join(file).display().to_string();
        let socket = format!("punix:{}", at("db.sock"));
        let schema = "/usr/share/openvswitch/vswitch.ovsschema";
        switch.run("ovsdb-tool", &["create", &at("conf.db"), schema]);
        let daemon = ["--pidfile", "--detach", "--no-chdir", "-vconsole:off"];
        let unixctl = |name: &str| format!("--unixctl={}", at(name));
        switch.run(
            "ovsdb-server",
            &[&[&*at("conf.db"), "--remote", &socket, &unixctl("db.ctl")], &daemon[..]].concat(),
        );
        switch.vsctl(&["--no-wait", "init"]);
        let dummy = ["--enable-dummy=override", "--disable-system", "--disable-system-route"];
        let database = format!("unix:{}", at("db.sock"));
        switch.run("ovs-vswitchd", &[&[&*database, &unixctl("vs.ctl")], &dummy[..], &daemon[..]].concat());
        switch.vsctl(&[
            "add-br",
            "br0",
            "--",
            "set",
            "bridge",
            "br0",
            "datapath_type=dummy",
            "fail_mode=secure",
        ]);
        switch
    }

    fn run(&self, program: &str, arguments: &[&str]) {
        let mut command = Command::new(program);
        for variable in ["OVS_RUNDIR", "OVS_LOGDIR", "OVS_DBDIR", "OVS_SYSCONFDIR"] {
            command.env(variable, &self.dir);
        }
        let output = command.args(arguments).output().unwrap_or_else(|error| panic!("{program}: {error}"));
        assert!(
            output.status.success(),
            "{program} {arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }

    fn vsctl(&self, arguments: &[&str]) {
        let database = format!("--db=unix:{}", self.dir.join("db.sock").display());
        self.run("ovs-vsctl", &[&[&*database, "--timeout=30"], arguments].concat());
    }

    fn ofctl(&self, arguments: &[&str]) {
        self.run("ovs-ofctl", &[&["-O", "OpenFlow15", arguments[0], "br0"], &arguments[1..]].concat());
    }
}

impl Drop for Switch {
    fn drop(&mut self) {
        for control in ["vs.ctl", "db.ctl"] {
            let target = self.dir.join(control);
            let _ = Command::new("ovs-appctl").arg("-t").arg(target).arg("exit").output();
        }
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

/// A connection that has said hello.
struct Connection {
    stream: UnixStream,
}

const HELLO: u8 = 0;
const ERROR: u8 = 1;
const ECHO_REQUEST: u8 = 2;
const MULTIPART_REQUEST: u8 = 18;
const MULTIPART_REPLY: u8 = 19;
const BARRIER_REQUEST: u8 = 20;
const BARRIER_REPLY: u8 = 21;

impl Connection {
    fn open(dir: &Path) -> Connection {
        let stream = UnixStream::connect(dir.join("br0.mgmt")).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let mut connection = Connection { stream };
        connection.send(HELLO, 0, &[0, 1, 0, 8, 0, 0, 0, 0x40]);
        assert_eq!(connection.receive().0, HELLO);
        connection
    }

    fn send(&mut self, kind: u8, xid: u32, body: &[u8]) {
        let mut message = vec![6, kind];
        message.extend(u16::try_from(body.len() + 8).unwrap().to_be_bytes());
        message.extend(xid.to_be_bytes());
        message.extend(body);
        self.stream.write_all(&message).unwrap();
    }

    /// The next message that is not a question whether we live: type, transaction, body.
    fn receive(&mut self) -> (u8, u32, Vec<u8>) {
        loop {
            let mut header = [0; 8];
            self.stream.read_exact(&mut header).unwrap();
            let mut body = vec![0; usize::from(u16::from_be_bytes([header[2], header[3]])) - 8];
            self.stream.read_exact(&mut body).unwrap();
            if header[1] != ECHO_REQUEST {
                return (header[1], u32::from_be_bytes(header[4..].try_into().unwrap()), body);
            }
        }
    }

    /// Adds flows, each with its index as transaction, cookie and priority; the errors that come back.
    fn add(&mut self, flows: &[Flow]) -> Vec<(u32, Vec<u8>)> {
        for (index, flow) in flows.iter().enumerate() {
            let index = u16::try_from(index).unwrap();
            self.stream.write_all(&flow_mod(index.into(), index.into(), index, flow)).unwrap();
        }
        self.send(BARRIER_REQUEST, u32::MAX, &[]);
        let mut errors = Vec::new();
        loop {
            match self.receive() {
                (ERROR, xid, body) => errors.push((xid, body)),
                (BARRIER_REPLY, ..) => return errors,
                other => panic!("{other:?}"),
            }
        }
    }

    /// All flows of the switch, by cookie.
    fn dump(&mut self) -> BTreeMap<u64, Flow> {
        let mut w = Writer::new();
        w.u16(1);
        w.zeros(6);
        w.u8(0xff);
        w.zeros(3);
        w.u32(u32::MAX);
        w.u32(u32::MAX);
        w.zeros(20);
        Match::new().encode(&mut w);
        self.send(MULTIPART_REQUEST, 1, w.as_slice());
        let mut flows = BTreeMap::new();
        loop {
            let (kind, _, body) = self.receive();
            assert_eq!(kind, MULTIPART_REPLY, "{body:?}");
            let mut r = Reader::new(&body);
            assert_eq!(r.u16().unwrap(), 1);
            let more = r.u16().unwrap();
            r.skip(4).unwrap();
            while !r.is_empty() {
                let length = usize::from(r.peek_u16(0).unwrap());
                let (cookie, flow) = entry(r.sub(length).unwrap());
                flows.insert(cookie, flow);
            }
            if more == 0 {
                return flows;
            }
        }
    }
}

/// One entry of a dump: `ofp_flow_desc`.
fn entry(mut r: Reader<'_>) -> (u64, Flow) {
    r.skip(16).unwrap();
    let cookie = r.u64().unwrap();
    let matches = Match::decode(&mut r).unwrap();
    let statistics = usize::from(r.peek_u16(2).unwrap());
    r.skip(statistics.next_multiple_of(8)).unwrap();
    let left = r.remaining();
    (cookie, (matches, Instruction::decode_list(&mut r, left).unwrap()))
}

/// Points groups and meters at those that exist on the switch.
fn existing(actions: &mut [Action]) {
    for action in actions {
        match action {
            Action::Group(group) => *group = GroupId(7),
            Action::Meter(meter) => *meter = MeterId(1),
            Action::Clone(inner) => existing(inner),
            _ => {}
        }
    }
}

#[test]
fn a_dump_equals_what_was_sent() {
    let switch = Switch::start("dump");
    switch.ofctl(&["add-group", "group_id=7,type=all,bucket=output:1"]);
    switch.ofctl(&["add-meter", "meter=1,pktps,band=type=drop,rate=10"]);
    let mut flows = samples(flow(), 3000);
    for (_, instructions) in &mut flows {
        for instruction in instructions {
            if let Instruction::ApplyActions(actions) = instruction {
                existing(actions);
            }
        }
    }
    let mut connection = Connection::open(&switch.dir);
    let errors = connection.add(&flows);
    let explain = |(xid, body): &(u32, Vec<u8>)| format!("{:?}: {:?}", &flows[*xid as usize], &body[..4]);
    assert!(errors.is_empty(), "{} refused, such as {}", errors.len(), explain(&errors[0]));
    let dumped = connection.dump();
    assert_eq!(dumped.len(), flows.len());
    assert_same(&flows, &dumped);
}

fn assert_same(flows: &[Flow], dumped: &BTreeMap<u64, Flow>) {
    for (cookie, (matches, instructions)) in (0..).zip(flows) {
        let (their_matches, their_instructions) = &dumped[&cookie];
        assert_eq!(
            matches.canonical_bytes(),
            their_matches.canonical_bytes(),
            "\nsent {matches}\nread {their_matches}\nraw {their_matches:?}"
        );
        assert_eq!(
            canonical_instructions(instructions),
            canonical_instructions(their_instructions),
            "{matches}"
        );
    }
}

/// Flows such as a virtual network is made of: answers to ARP and neighbour solicitations, tracking,
/// questions to the controller, and matches that can be written in more than one way.
const PIPELINE: &[&str] = &[
    "arp,arp_op=1,arp_tpa=10.0.0.1,reg0=5 actions=move:eth_src->eth_dst,set_field:02:00:00:00:00:01->eth_src,\
     set_field:2->arp_op,move:arp_sha->arp_tha,move:arp_spa->arp_tpa,set_field:02:00:00:00:00:01->arp_sha,\
     set_field:10.0.0.1->arp_spa,output:in_port",
    "icmp6,icmp_type=135,icmp_code=0,nd_target=fe80::1,reg0=0x5/0xff actions=move:ipv6_src->ipv6_dst,\
     set_field:fe80::1->ipv6_src,set_field:136->icmpv6_type,set_field:2->nd_options_type,\
     set_field:0xe0000000->nd_reserved,resubmit(,9)",
    "icmp6,icmp_type=136,icmp_code=0 actions=set_field:02:00:00:00:00:01->nd_tll,in_port",
    "icmp6,icmp_type=135,icmp_code=0,nd_sll=02:00:00:00:00:01 actions=goto_table:3",
    "udp,tp_src=68,tp_dst=67 actions=controller(userdata=01.02.03.04,pause,id=3),note:77.65.66.74",
    "tun_id=0xffffff,in_port=1001,dl_dst=02:00:00:00:00:09 actions=move:tun_id[0..23]->reg0[0..23],\
     set_field:0x1->reg10,set_field:0x10/0xf0->reg5,goto_table:60",
    "ip,ct_state=-trk actions=ct(table=4,zone=reg6[0..15])",
    "ip,ct_state=+trk+new,reg7=3 actions=ct(commit,zone=reg6[0..15],exec(set_field:1->ct_mark)),goto_table:7",
    "tcp,nw_src=10.0.0.0/8,tp_dst=0x50/0xfff0,nw_tos=32,nw_ecn=1,nw_ttl=64,tcp_flags=+syn-ack,nw_frag=no actions=drop",
    "ipv6,ipv6_src=2001:db8::/32,ipv6_label=0x5/0xf actions=dec_ttl,clone(output:1,output:2),group:7",
    "dl_vlan=5,dl_vlan_pcp=3 actions=pop_vlan,NORMAL",
    "vlan_tci=0x1000/0x1000 actions=push_vlan:0x8100,set_field:4101->vlan_vid,output:1",
    "xreg1=0x500000000,xxreg3=5,metadata=0x5/0xff actions=write_actions(group:7),write_metadata:7/7",
    "dl_dst=01:00:00:00:00:00/01:00:00:00:00:00 actions=",
    "actions=learn(table=5,NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[],load:NXM_NX_REG1[]->NXM_NX_REG2[])",
];

#[test]
fn the_flows_of_a_pipeline_come_back() {
    let switch = Switch::start("pipeline");
    switch.ofctl(&["add-group", "group_id=7,type=all,bucket=output:1"]);
    let read = |text: &&str| parse_flow(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    let flows: Vec<Flow> = PIPELINE.iter().map(read).map(|flow| (flow.matches, flow.instructions)).collect();
    let mut connection = Connection::open(&switch.dir);
    let errors = connection.add(&flows);
    assert!(
        errors.is_empty(),
        "{:?}",
        errors.iter().map(|(xid, _)| PIPELINE[*xid as usize]).collect::<Vec<_>>()
    );
    assert_same(&flows, &connection.dump());
}
