//! A private `ovsdb-server` on an empty database; no `ovs-vswitchd`, so nothing is ever carried out.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use weft_ovsdb::Address;

const SCHEMA: &str = "/usr/share/openvswitch/vswitch.ovsschema";

pub struct Server {
    dir: TempDir,
    child: Child,
}

impl Server {
    /// A server whose database has its root row and nothing else.
    pub fn start() -> Server {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        let made = Command::new("ovsdb-tool").arg("create").arg(at("conf.db")).arg(SCHEMA).status().unwrap();
        assert!(made.success());
        let child = Command::new("ovsdb-server")
            .arg(at("conf.db"))
            .arg(format!("--remote=punix:{}", at("db.sock").display()))
            .arg("--remote=db:Open_vSwitch,Open_vSwitch,manager_options")
            .arg(format!("--unixctl={}", at("ctl").display()))
            .arg("-vconsole:off")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let server = Server { dir, child };
        let deadline = Instant::now() + Duration::from_secs(20);
        while !server.dir.path().join("db.sock").exists() {
            assert!(Instant::now() < deadline, "ovsdb-server never listened");
            std::thread::yield_now();
        }
        server.vsctl(&["init"]);
        server
    }

    pub fn address(&self) -> Address {
        Address::Unix(self.dir.path().join("db.sock"))
    }

    /// Runs `ovs-vsctl`, which does not wait for a daemon that is not there.
    pub fn vsctl(&self, args: &[&str]) -> String {
        let db = format!("--db={}", self.address());
        let output =
            Command::new("ovs-vsctl").args(["--no-wait", "--timeout=20", &db]).args(args).output().unwrap();
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
