//! What senders outside and inside are told about packets that a gateway's router cannot hand on, by the addresses that they
//! know; and what workloads and machines tell each other through the translation.

use weft_api::NetworkUpdate;
use weft_compiler::Reason;
use weft_rig::{Netns, Workload, wait_until};
use weft_scenarios::{LIMIT, Site, drops, drops_text, wait_caches};

use crate::MACHINE;
use crate::estate::{Estate, Family};
use crate::walk::reaches;

/// The machine's address of IPv6.
const MACHINE_V6: &str = "2001:db8::77";
/// How large packets may be inside; outside it is 1500.
const INSIDE: u32 = 1450;
/// How large they may be outside later.
const NARROW: u32 = 1300;

/// Sends a datagram and tells whether it was refused.
const REFUSED: &str = "import socket,sys\ns=socket.socket(socket.AF_INET,socket.SOCK_DGRAM)\ns.settimeout(2)\n\
                       s.connect((sys.argv[1],9))\ns.send(b'x')\ntry:\n s.recv(1)\nexcept ConnectionRefusedError:\n \
                       print('refused')\nexcept TimeoutError: pass";
/// Answers each datagram by as many bytes as it says, in whatever pieces the way asks for.
const SERVE: &str = "import socket\ns=socket.socket(socket.AF_INET6,socket.SOCK_DGRAM)\n\
                     s.setsockopt(socket.IPPROTO_IPV6,socket.IPV6_V6ONLY,0)\ns.bind(('::',7))\n\
                     while True:\n d,a=s.recvfrom(9000)\n try: s.sendto(b'y'*int(d[:5]),a)\n except OSError: pass";
/// Sends a datagram of some bytes, asks for an answer of some bytes, and tells how large that was.
const ASK: &str = "import socket,sys\nto,size,back=sys.argv[1],int(sys.argv[2]),int(sys.argv[3])\n\
                   f=socket.AF_INET6 if ':' in to else socket.AF_INET\ns=socket.socket(f,socket.SOCK_DGRAM)\n\
                   s.settimeout(1)\ntry:\n s.sendto((b'%05d'%back).ljust(size,b'x'),(to,7))\n print(len(s.recv(9000)))\n\
                   except OSError: pass";

/// What somebody is told about a ping, by whom. Errors are limited and best effort, so who was told nothing asks once more.
fn told(site: &Site, from: &Netns, options: &[&str], to: &str, wanted: &str) {
    let ping = [&["ping", "-n", "-c", "1", "-W", "5"], options, &[to]].concat();
    let mut said = from.output(&ping).unwrap();
    if said.stdout.contains(" 0 received, 100% packet loss") {
        println!("{to} was silent at first: {said:?}; {}", site.diagnosis());
        said = from.output(&ping).unwrap();
    }
    let is_told = !said.succeeded() && said.stdout.contains(wanted);
    assert!(is_told, "{to}, wanted {wanted}: {said:?}; {}", site.diagnosis());
}

/// A closed port refuses, whoever is translated.
pub fn refused(from: &Netns, to: &str) {
    wait_until(&format!("a refusal from {to}"), LIMIT, || {
        Ok(from.output(&["python3", "-c", REFUSED, to])?.stdout.trim() == "refused")
    })
    .unwrap();
}

/// A large datagram there, and a large one back: the first ones are lost while the way is found out.
fn large(site: &Site, from: &Netns, to: &str, size: u32, back: u32) {
    let (sent, answer) = (size.to_string(), back.to_string());
    let ask = ["python3", "-c", ASK, to, &sent, &answer];
    wait_until(&format!("{size} bytes to {to} and {back} back"), LIMIT, || {
        Ok(from.output(&ask)?.stdout.trim() == answer)
    })
    .unwrap_or_else(|error| panic!("{error:#}; {}", drops_text(&site.hosts)));
}

fn forget(everybody: &[&Netns]) {
    for (netns, family) in everybody.iter().flat_map(|netns| [(netns, "-4"), (netns, "-6")]) {
        netns.exec(&["ip", family, "route", "flush", "cache"]).unwrap();
    }
}

/// What has been forwarded too often, and what nobody listens for. `floating` are workloads with their floating IPs, one
/// on its own host and one by the gateway; `plain` has none.
pub fn of_the_way(red: &Estate<'_>, machine: &Netns, floating: [(&Workload, &str); 2], plain: &Workload) {
    let [v4, v6] = [Family::V4, Family::V6].map(|family| red.face("gateway", family).address);
    let expired = format!("From {v4} icmp_seq=1 Time to live exceeded");
    for (workload, address) in floating {
        told(red.site, machine, &["-t", "1"], address, &expired);
        refused(machine, address);
        refused(workload.netns(), MACHINE);
        // From inside the router is met twice: on the way out, and on the way in.
        for from in [workload, plain] {
            told(
                red.site,
                from.netns(),
                &["-t", "1"],
                address,
                "From 10.0.0.1 icmp_seq=1 Time to live exceeded",
            );
            told(red.site, from.netns(), &["-t", "2"], address, &expired);
        }
    }
    refused(plain.netns(), MACHINE);
    // The gateway itself is not beyond the router.
    for address in [&v4, &v6] {
        machine.exec(&["ping", "-n", "-c", "1", "-W", "5", "-t", "1", address]).unwrap();
    }
    machine.ip(&format!("route add fd00::/64 via {v6} dev eth0\n")).unwrap();
    reaches(red.site, machine, "fd00::13");
    told(
        red.site,
        machine,
        &["-t", "1"],
        "fd00::13",
        &format!("From {v6} icmp_seq=1 Time exceeded: Hop limit"),
    );
    told(
        red.site,
        machine,
        &[],
        "fd00::99",
        &format!("From {v6} icmp_seq=1 Destination unreachable: Address"),
    );
}

/// What is larger than the networks inside take; kernels learn from it, and what is larger passes in pieces.
pub fn of_what_comes_in(red: &Estate<'_>, machine: &Netns, floating: [&str; 2], plain: &Workload) {
    let site = red.site;
    let [v4, v6] = [Family::V4, Family::V6].map(|family| red.face("gateway", family).address);
    let before: u64 = site.hosts.iter().map(|host| drops(host).unwrap()[&Reason::TooBig]).sum();
    for address in floating {
        let wanted = format!("From {v4} icmp_seq=1 Frag needed and DF set (mtu = {INSIDE})");
        told(site, machine, &["-s", "1472", "-M", "do"], address, &wanted);
        let learned = machine.exec(&["ip", "route", "get", address]).unwrap();
        assert!(learned.contains(&format!("mtu {INSIDE}")), "{learned}");
        // The largest that fits, and one byte more.
        for (size, passes) in [("1422", true), ("1423", false)] {
            forget(&[machine]);
            let ping = ["ping", "-n", "-c", "1", "-W", "5", "-M", "do", "-s", size, address];
            assert_eq!(machine.output(&ping).unwrap().succeeded(), passes, "{size} to {address}");
        }
        forget(&[machine]);
        large(site, machine, address, 1472, 1472);
    }
    let wanted = format!("From {v6} icmp_seq=1 Packet too big: mtu={INSIDE}");
    told(site, machine, &["-s", "1452", "-M", "do"], "fd00::13", &wanted);
    forget(&[machine]);
    large(site, machine, "fd00::13", 1452, 1452);
    // What the gateway has translated on its way out, of which only it knows whom the answers are for.
    forget(&[machine]);
    large(site, plain.netns(), MACHINE, 100, 1472);
    wait_until("the drops to be counted", LIMIT, || {
        let now: u64 =
            site.hosts.iter().map(|host| Ok(drops(host)?[&Reason::TooBig])).sum::<anyhow::Result<_>>()?;
        Ok(now >= before + 8)
    })
    .unwrap();
    forget(&[machine]);
}

/// What is larger than the external network takes.
pub fn of_what_goes_out(red: &Estate<'_>, machine: &Netns, workloads: &[&Workload]) {
    let site = red.site;
    let resize = |mtu| {
        let update = NetworkUpdate { mtu: Some(mtu), ..NetworkUpdate::default() };
        site.apply(site.admin.networks().update(&red.public.id, &update)).unwrap();
        wait_caches(&site.hosts).unwrap();
    };
    resize(NARROW);
    for workload in workloads {
        let netns = workload.netns();
        let wanted = format!("From 10.0.0.1 icmp_seq=1 Frag needed and DF set (mtu = {NARROW})");
        told(site, netns, &["-s", "1400", "-M", "do"], MACHINE, &wanted);
        let wanted = format!("From fd00::1 icmp_seq=1 Packet too big: mtu={NARROW}");
        told(site, netns, &["-s", "1400", "-M", "do"], MACHINE_V6, &wanted);
        for (size, passes) in [("1272", true), ("1273", false)] {
            forget(&[netns]);
            let ping = ["ping", "-n", "-c", "1", "-W", "5", "-M", "do", "-s", size, MACHINE];
            assert_eq!(netns.output(&ping).unwrap().succeeded(), passes, "{size}");
        }
        forget(&[netns]);
        large(site, netns, MACHINE, 1400, 100);
        large(site, netns, MACHINE_V6, 1400, 100);
    }
    resize(1500);
    let everybody: Vec<&Netns> = workloads.iter().map(|workload| workload.netns()).chain([machine]).collect();
    forget(&everybody);
}

/// What answers the large datagrams above.
pub fn serve(at: &Netns) -> weft_rig::Process {
    at.spawn(&["python3", "-c", SERVE]).unwrap()
}
