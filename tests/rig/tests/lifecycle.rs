//! Rigs come and go without touching each other and without leaving anything behind.
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use weft_rig::{Cmd, ControllerProc, ControllerSpec, HostSpec, Rig, WorkloadSpec, http_get, wait_until};

const SOON: Duration = Duration::from_secs(15);

/// Names of namespaces, interfaces and folders, and command lines, that carry a rig's id.
fn traces(id: &str) -> Vec<String> {
    let mut found = Vec::new();
    let short = id.rsplit('-').next().expect("an id has dashes");
    let names = |folder: &str, needle: &str| -> Vec<String> {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        let paths = entries.map(|e| e.path().display().to_string());
        paths.filter(|p| p.contains(needle)).collect()
    };
    found.extend(names("/run/netns", id));
    found.extend(names(&std::env::temp_dir().display().to_string(), id));
    found.extend(names("/sys/class/net", &format!("wt-{short}")));
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let line = fs::read_to_string(entry.path().join("cmdline")).unwrap_or_default();
        if line.contains(id) {
            found.push(line.replace('\0', " "));
        }
    }
    found
}

fn workload(n: u8) -> WorkloadSpec {
    WorkloadSpec::new(&format!("w{n}"), &format!("p{n}"), &format!("02:00:00:00:01:{n:02x}"))
        .address([10, 9, 0, n], 24)
}

/// The same addresses and names twice at once: each rig's workloads reach their own, and neither sees the other.
#[test]
fn two_rigs_at_once_do_not_collide() -> Result<()> {
    let mut rigs = Vec::new();
    for _ in 0..2 {
        let rig = Rig::new("twin")?;
        let host = rig.add_host(HostSpec::new("h1"))?;
        host.add_bridge("br-int")?;
        host.ofctl(&["add-flow", "br-int", "actions=NORMAL"])?;
        let pair = (rig.add_workload(&host, workload(1))?, rig.add_workload(&host, workload(2))?);
        rigs.push((rig, host, pair));
    }
    assert_ne!(rigs[0].0.id(), rigs[1].0.id());
    assert_ne!(rigs[0].0.api_addr(1), rigs[1].0.api_addr(1));
    for (_, _, (one, two)) in &rigs {
        one.wait_reaches(two.ipv4().context("it has one")?, SOON)?;
    }
    rigs[0].2.1.unplug()?;
    let to = rigs[1].2.1.ipv4().context("it has one")?;
    assert!(rigs[0].2.0.ping(to, 2)?.none(), "the other rig answered");
    assert!(rigs[1].2.0.ping(to, 2)?.all());

    let (id, other) = (rigs[0].0.id().to_owned(), rigs[1].0.id().to_owned());
    rigs.remove(0);
    assert_eq!(traces(&id), Vec::<String>::new());
    assert!(!traces(&other).is_empty());
    assert!(rigs[0].2.0.ping(to, 2)?.all(), "the end of one rig broke the other");
    Ok(())
}

/// A panic in a test takes the rig with it: daemons, workloads, background processes, namespaces, folder.
#[test]
fn a_panic_leaves_nothing_behind() {
    let (send, id) = std::sync::mpsc::channel();
    let outcome = std::thread::spawn(move || {
        let rig = Rig::new("panic").expect("a rig");
        let host = rig.add_host(HostSpec::new("h1")).expect("a host");
        host.add_bridge("br-int").expect("a bridge");
        let one = rig.add_workload(&host, workload(1)).expect("a workload");
        // Left to itself on purpose: the rig has to find it.
        std::mem::forget(one.spawn(&["sleep", "600"]).expect("a sleeper"));
        assert!(traces(rig.id()).len() >= 6, "{:?}", traces(rig.id()));
        send.send((rig.id().to_owned(), one.netns().path())).expect("the test listens");
        panic!("on purpose");
    })
    .join();
    assert!(outcome.is_err());
    let (id, netns) = id.recv().expect("the thread got that far");
    assert_eq!(traces(&id), Vec::<String>::new());
    assert!(!netns.exists());
}

/// What a killed process leaves is removed by the next rig; a rig whose owner lives is left alone.
#[test]
fn leftovers_of_a_killed_process_are_swept() -> Result<()> {
    let me = std::env::current_exe()?;
    let mut child = Command::new(me)
        .args(["--exact", "the_rig_that_is_left_behind", "--ignored", "--nocapture"])
        .env("WEFT_RIG_CHILD", "1")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    let left = std::env::temp_dir();
    let mark = left.join(format!("weft-left-{}", child.id()));
    wait_until("the child's rig", SOON, || Ok(mark.exists()))?;
    let id = fs::read_to_string(&mark)?;
    fs::remove_file(&mark)?;

    let first = Rig::new("sweep")?;
    assert!(traces(&id).len() >= 4, "a living owner's rig was swept: {:?}", traces(&id));
    drop(first);

    child.kill()?;
    child.wait()?;
    // Any rig that starts from here on sweeps, those of the tests beside this one too.
    let _second = Rig::new("sweep")?;
    wait_until("the sweep", SOON, || {
        anyhow::ensure!(traces(&id).is_empty(), "{:?}", traces(&id));
        Ok(true)
    })
}

/// Not a test: the process that `leftovers_of_a_killed_process_are_swept` starts and kills.
#[test]
#[ignore = "it is started by another test and waits to be killed"]
fn the_rig_that_is_left_behind() {
    if std::env::var_os("WEFT_RIG_CHILD").is_none() {
        return;
    }
    let rig = Rig::new("left").expect("a rig");
    let _host = rig.add_host(HostSpec::new("h1")).expect("a host");
    let mark: PathBuf = std::env::temp_dir().join(format!("weft-left-{}", std::process::id()));
    let half = mark.with_extension("half");
    fs::write(&half, rig.id()).and_then(|()| fs::rename(&half, &mark)).expect("a mark");
    std::thread::sleep(Duration::from_secs(120));
}

/// A process in the controller's namespace is reached from here and by hosts; it can be killed and started again.
#[test]
fn a_controller_is_started_reached_killed_and_started_again() -> Result<()> {
    let rig = Rig::new("ctl")?;
    let host = rig.add_host(HostSpec::new("h1"))?;
    let serve = "import http.server as h, os\n\
        class H(h.BaseHTTPRequestHandler):\n\
        \x20   def do_GET(self):\n\
        \x20       ok = self.path == '/readyz'\n\
        \x20       self.send_response(200 if ok else 404); self.end_headers(); self.wfile.write(os.environ['WORD'].encode())\n\
        h.HTTPServer(('0.0.0.0', 9696), H).serve_forever()\n";
    let spec = ControllerSpec::new("/usr/bin/python3").args(["-u", "-c", serve]).env("WORD", "hello");
    let mut controller = ControllerProc::start(&rig, spec, SOON)?;
    assert_eq!(http_get(controller.api_addr(), "/readyz")?.body, "hello");
    assert_eq!(http_get(controller.api_addr(), "/nothing")?.status, 404);
    let to = rig.controller_ip().to_string();
    host.exec(&["ping", "-c", "1", "-W", "2", &to])?;
    for again in 0..2 {
        let pid = controller.pid();
        if again == 0 {
            controller.kill9()?
        } else {
            controller.terminate().map(drop)?
        }
        assert!(http_get(controller.api_addr(), "/readyz").is_err());
        controller.start_again(SOON)?;
        assert_ne!(controller.pid(), pid);
    }
    assert!(controller.log()?.contains("GET /readyz"));

    // Its port must be free: else it would answer for the next one.
    drop(controller);
    let failing = ControllerSpec::new("sh").args(["-c", "echo no such option; exit 2"]);
    let error = ControllerProc::start(&rig, failing, SOON).expect_err("it ended");
    assert!(format!("{error:#}").contains("no such option"), "{error:#}");
    Ok(())
}

/// Dummy hosts reach the controller and take bindings; joining writes what the documentation says.
#[test]
fn dummy_hosts_join_and_bind() -> Result<()> {
    let rig = Rig::new("dummy")?;
    let hosts = rig.add_hosts((1..=4).map(|n| HostSpec::dummy(&format!("d{n}"))).collect())?;
    let listen = format!("ptcp:6640:{}", rig.controller_ip());
    let mut seen = std::collections::BTreeSet::new();
    for host in &hosts {
        host.add_bridge("br-int")?;
        host.add_dummy_port("tap1", "port-1")?;
        let version = host.vsctl(&["get", "Open_vSwitch", ".", "ovs_version"])?;
        assert!(version.trim().trim_matches('"').starts_with(|c: char| c.is_ascii_digit()), "{version}");
        assert_ne!(host.vsctl(&["get", "Interface", "tap1", "ofport"])?.trim(), "-1");
        host.ofctl(&["add-flow", "br-int", "actions=drop"])?;
        host.join(&rig.manager_target())?;
        // `ovs-vsctl` with a passive remote is the controller here: the host has to dial it.
        let cmd = Cmd::new("ovs-vsctl").args(["--no-leader-only", "--timeout=20", &format!("--db={listen}")]);
        let id = cmd.args(["get", "Open_vSwitch", ".", "external_ids"]).within(rig.control()).run()?;
        assert!(id.contains(&format!("weft-encap-ip=\"{}\"", host.underlay_ip())), "{id}");
        seen.insert(id);
        host.leave()?;
    }
    assert_eq!(seen.len(), 4);
    assert!(rig.add_workload(&hosts[0], workload(1)).is_err(), "a dummy host forwards nothing");
    Ok(())
}

/// Names are checked, and nothing is left of a rig that was never finished.
#[test]
fn bad_names_are_refused() -> Result<()> {
    let rig = Rig::new("names")?;
    rig.add_host(HostSpec::new("h1"))?;
    for bad in ["h1", "ctl", "far-too-long-a-name", "a/b", ""] {
        assert!(rig.add_host(HostSpec::new(bad)).is_err(), "{bad:?} was accepted");
    }
    assert!(Path::new(rig.run_dir()).exists());
    Ok(())
}

/// A rig of three hosts stands in seconds: what every scenario pays before it begins.
#[test]
fn three_hosts_stand_in_seconds() -> Result<()> {
    let begin = Instant::now();
    let rig = Rig::new("quick")?;
    rig.add_hosts((1..=3).map(|n| HostSpec::new(&format!("h{n}"))).collect())?;
    let took = begin.elapsed();
    println!("three hosts in {took:?}");
    // Ten times what it takes on an idle machine: a bound for a machine that is busy with other things.
    assert!(took < Duration::from_secs(12), "{took:?}");
    Ok(())
}
