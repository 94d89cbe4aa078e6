//! Proves that the `weft` command does what it says against a real controller with a real host: every noun and verb,
//! exit codes, what goes to which stream, waiting, and joining.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use serde_json::Value;
use weft_rig::{Cmd, Finished, HostSpec, Link, wait_until};
use weft_scenarios::{LIMIT, NetworkSpec, Site, Tenancy, program};

/// The command, in somebody's name.
struct Weft {
    endpoint: String,
    token: String,
}

impl Weft {
    fn admin(site: &Site) -> Weft {
        Weft { endpoint: site.admin.endpoint().to_owned(), token: site.token.clone() }
    }

    fn speaking_for(&self, token: &str) -> Weft {
        Weft { endpoint: self.endpoint.clone(), token: token.to_owned() }
    }

    fn cmd(&self, line: &str) -> Cmd {
        let cmd = Cmd::new(program("weft").unwrap()).args(line.split_whitespace());
        cmd.env("WEFT_ENDPOINT", &self.endpoint).env("WEFT_TOKEN", &self.token)
    }

    /// Runs a line that must succeed and say nothing on standard error.
    fn ok(&self, line: &str) -> String {
        let done = self.cmd(line).output().unwrap();
        assert!(done.succeeded() && done.stderr.is_empty(), "{line}: {done:?}");
        done.stdout
    }

    /// The same, without the line feed at the end.
    fn id(&self, line: &str) -> String {
        self.ok(&format!("{line} -o id")).trim().to_owned()
    }

    fn json(&self, line: &str) -> Value {
        serde_json::from_str(&self.ok(&format!("{line} -o json"))).unwrap()
    }

    /// Runs a line that must fail with that exit code; what it says on standard error.
    fn fails(&self, code: i32, line: &str) -> String {
        let Finished { code: status, stdout, stderr } = self.cmd(line).output().unwrap();
        assert_eq!(status, Some(code), "{line}: {stdout}{stderr}");
        assert_eq!(stdout, "", "{line}: errors go to standard error");
        stderr
    }
}

#[test]
fn a_tenants_life() {
    let site = Site::start("cli", 1).unwrap();
    let admin = Weft::admin(&site);
    let blue = admin.id("tenant create blue --description the-first --tag x");
    let token = admin.ok("token create blue --secret-only --description ci");
    let tenant = admin.speaking_for(token.trim());
    assert_eq!(tenant.json("whoami")["tenant_id"], blue.as_str());
    assert!(tenant.ok("version").contains("controller 0."));

    let network = tenant.id("network create web --description d --tag a --tag b --wait");
    let subnet = tenant.id("subnet create s4 --network web --cidr 10.0.0.0/24 --pool 10.0.0.10-10.0.0.99 --dns 9.9.9.9 --route 198.51.100.0/24=10.0.0.1");
    tenant.id("subnet create --network web --cidr fd00::/64 --gateway none");
    let port = tenant
        .json("port create p1 --network web --ip subnet=s4,ip=10.0.0.20 --mac 02:00:00:00:00:07 --wait");
    assert_eq!(port["mac_address"], "02:00:00:00:00:07");
    assert_eq!(port["fixed_ips"], serde_json::json!([{"subnet_id": subnet, "ip_address": "10.0.0.20"}]));
    let second = tenant.id("port create --network web");
    let bare = tenant.json("port create bare --network web --no-ip --disable --no-port-security");
    assert_eq!((&bare["fixed_ips"], &bare["admin_state_up"]), (&serde_json::json!([]), &Value::Bool(false)));

    // Shown by id and by name, as a table, as JSON; changed, with lists replaced and cleared.
    assert_eq!(tenant.json("network show web")["id"], tenant.json(&format!("network show {network}"))["id"]);
    let table = tenant.ok("port list --network web");
    assert!(table.lines().next().unwrap().starts_with("ID"), "{table}");
    assert!(table.contains("web") && table.contains("10.0.0.20") && table.lines().count() == 4, "{table}");
    assert!(table.lines().all(|line| line.is_ascii() && !line.ends_with(' ')), "plain in a pipe: {table}");
    assert_eq!(tenant.ok("port list --name p1 -o id"), format!("{}\n", port["id"].as_str().unwrap()));
    let changed = tenant.json("network set web --name web2 --mtu 1400 --no-tag --wait");
    assert_eq!(
        (&changed["name"], &changed["mtu"], &changed["tags"]),
        (&"web2".into(), &1400.into(), &serde_json::json!([]))
    );
    let changed = tenant.json("subnet set s4 --no-dns --no-route --no-gateway --tag z");
    assert_eq!((&changed["dns_nameservers"], &changed["gateway_ip"]), (&serde_json::json!([]), &Value::Null));
    assert_eq!(changed["tags"], serde_json::json!(["z"]));
    assert_eq!(tenant.json("port set p1 --no-ip --device vm1")["fixed_ips"], serde_json::json!([]));

    // Deleted: all are tried, and what failed is told.
    let failed = tenant.cmd(&format!("port delete {second} nobody bare")).output().unwrap();
    assert_eq!(failed.code, Some(1));
    assert!(
        failed.stderr.contains("nobody: error: there is no port") && failed.stderr.contains("1 of 3"),
        "{failed:?}"
    );
    assert_eq!(tenant.ok("port list -o id").lines().count(), 1);
    assert!(tenant.fails(1, "network delete web2").contains("409"));
    tenant.ok("port delete p1 --wait");
    tenant.ok("network delete web2 --wait");
    let tokens = admin.ok("token list blue -o id");
    admin.ok(&format!("token delete blue {}", tokens.trim()));
    assert!(tenant.fails(1, "whoami").contains("401"));
    admin.ok("tenant delete blue");
    assert!(admin.fails(1, "tenant show blue").contains("there is no tenant"));
}

#[test]
fn tenants_see_their_own_and_administrators_act_for_any() {
    let site = Site::start("clisee", 1).unwrap();
    let admin = Weft::admin(&site);
    admin.ok("tenant create blue");
    let network = admin.id("network create web2 --project blue");
    admin.ok("subnet create --network web2 --cidr 10.0.0.0/24 --gateway none");
    admin.ok("port create p1 --network web2 --wait");
    // The picture: all for the administrator, their own for tenants.
    let picture = admin.ok("show");
    for part in ["Hosts: 1 of 1 up", "h1", "Tenant blue", "Network web2", "10.0.0.0/24", "no gateway", "p1"] {
        assert!(picture.contains(part), "{part} is missing: {picture}");
    }
    assert!(picture.lines().all(|line| line.chars().count() <= 80), "{picture}");
    let red = admin.id("tenant create red");
    let other = admin.speaking_for(admin.ok("token create red --secret-only").trim());
    let theirs = other.ok("show");
    assert!(
        theirs.contains("Tenant red") && !theirs.contains("blue") && !theirs.contains("Hosts"),
        "{theirs}"
    );
    assert_eq!(other.ok("network list -o id"), "");

    // An administrator acts for a tenant; names mean that tenant's things then.
    let same = admin.json("network create web2 --project red --vni 16777215 --encap geneve");
    assert_eq!(
        (&same["project_id"], &same["provider:segmentation_id"]),
        (&red.as_str().into(), &16_777_215.into())
    );
    let ambiguous = admin.fails(1, "network show web2");
    assert!(ambiguous.contains(&network) && ambiguous.contains(&red), "{ambiguous}");
    assert_eq!(admin.json("network show web2 --project blue")["id"], network.as_str());
    assert_eq!(admin.ok("network list --project red -o id").lines().count(), 1);
}

#[test]
fn users_log_in_and_do_what_they_were_granted() {
    let site = Site::start("cliuser", 0).unwrap();
    let admin = Weft::admin(&site);
    let blue = admin.id("tenant create blue");
    let ann = admin.id("user create ann --password secret-1 --home blue --role reader --email a@example.org");
    assert_eq!(admin.json("user show ann")["id"], ann.as_str());
    assert_eq!(admin.ok("user roles ann -o id"), format!("{ann} {blue} reader\n"));
    let own = admin.speaking_for(admin.ok("login ann --password secret-1").trim());
    let who = own.json("whoami");
    assert_eq!((&who["user_name"], &who["tenant_id"]), (&"ann".into(), &blue.as_str().into()));
    assert!(own.fails(1, "network create n").contains("403"));
    // Roles are looked at with every request, so the same token may more now.
    admin.ok("user grant ann blue");
    own.id("network create n");
    assert!(own.fails(1, "user list").contains("403"));
    admin.ok("user revoke ann blue");
    assert!(own.fails(1, "network delete n").contains("403"));
    admin.ok("user set ann --password secret-2 --description second");
    assert!(own.fails(1, "whoami").contains("401"));
    assert!(admin.fails(1, "login ann --password secret-1").contains("401"));
    assert!(admin.json("login ann --password secret-2")["secret"].as_str().unwrap().starts_with("weft_"));
    admin.fails(2, "login ann");
    let users = admin.ok("user list");
    assert!(users.contains("ann") && users.contains("admin"), "{users}");
    assert!(admin.fails(1, "user delete admin").contains("administrator"));
    admin.ok("user delete ann");
    admin.ok("network delete n --project blue");
}

#[test]
fn what_goes_wrong_is_said_with_field_reason_and_exit_code() {
    let site = Site::start("clierr", 0).unwrap();
    let admin = Weft::admin(&site);
    admin.ok("tenant create blue");
    admin.ok("network create web --project blue");
    let refused = admin.fails(1, "subnet create --network web --cidr 10.0.0.0/33");
    assert!(refused.contains("cidr") && refused.contains("400"), "{refused}");
    let refused = admin.fails(1, "network create big --project blue --mtu 99999");
    assert!(refused.contains("mtu"), "{refused}");
    assert!(
        admin.fails(1, "network show nobody --project blue").contains("no network \"nobody\" in tenant blue")
    );
    assert!(admin.fails(2, "network set web").contains("nothing to change"));
    assert!(admin.fails(2, "network set web --enable --disable").contains("cannot be used with"));
    assert!(admin.fails(2, "applied soon").contains("soon"));
    assert!(admin.speaking_for("weft_wrong").fails(1, "network list").contains("--token"));
    let nobody = Weft { endpoint: "http://127.0.0.1:1".into(), token: String::new() };
    assert!(nobody.fails(1, "network list").contains("--endpoint"));
    // Whoever stops reading early has seen enough.
    let head = Cmd::new("sh")
        .args(["-c", &format!("{} completions bash | head -1", program("weft").unwrap().display())]);
    let done = head.output().unwrap();
    assert!(done.succeeded() && done.stderr.is_empty(), "{done:?}");
}

#[test]
fn waiting_in_vain_names_the_host() {
    let site = Site::start("cliwait", 1).unwrap();
    let admin = Weft::admin(&site);
    let red = Tenancy::create(&site, "red").unwrap();
    let network = red.network(&NetworkSpec::new("net", &["10.0.0.0/24"])).unwrap();
    let port = red.port(&network, "a").unwrap();
    site.attach(&site.hosts[0], "a", &port).unwrap();
    assert!(admin.ok("host list").contains("h1"));
    site.hosts[0].set_management_link(Link::Down).unwrap();
    let line = format!("port set {} --disable --wait --timeout 1s", port.id);
    let late = admin.cmd(&line).output().unwrap();
    assert_eq!(late.code, Some(1), "{late:?}");
    assert!(late.stderr.contains("is not applied after 1s; waiting for h1"), "{late:?}");
    assert!(late.stdout.contains(&port.id), "what was written is shown all the same: {late:?}");
    site.hosts[0].set_management_link(Link::Up).unwrap();
    let revision = admin.json("show")["revision"].as_u64().unwrap();
    assert_eq!(
        admin.ok(&format!("applied {revision} --timeout 60s")),
        format!("revision {revision} is applied\n")
    );
}

#[test]
fn a_host_joins_with_the_line_that_is_printed() {
    let site = Site::start("clijoin", 0).unwrap();
    let admin = Weft::admin(&site);
    let host = site.rig.add_host(HostSpec::new("h1")).unwrap();
    let (ip, manager) = (host.underlay_ip(), site.rig.manager_target());
    let line = format!("host join --controller {manager} --encap-ip {ip}");
    let printed = admin.ok(&line);
    assert_eq!(
        printed,
        format!("ovs-vsctl set Open_vSwitch . external_ids:weft-encap-ip={ip} -- set-manager {manager}\n")
    );
    // Someone else's manager is not removed.
    host.vsctl(&["set-manager", "ptcp:0:127.0.0.1"]).unwrap();
    let run = |line: &str| {
        host.command(program("weft").unwrap().to_str().unwrap()).args(line.split(' ')).output().unwrap()
    };
    let refused = run(&format!("{line} --run"));
    assert_eq!(refused.code, Some(1));
    assert!(refused.stderr.contains("ptcp:0:127.0.0.1"), "{refused:?}");
    host.vsctl(&["del-manager"]).unwrap();
    let done = run(&format!("{line} --run --db unix:{}", host.db_socket().display()));
    assert!(done.succeeded(), "{done:?}");
    wait_until("the host to be up", LIMIT, || Ok(admin.json("host list")[0]["status"] == "UP")).unwrap();
    // Leaving for good: no manager, and no bridge that goes on dialling the controller.
    host.leave().unwrap();
    assert!(admin.fails(1, "host delete h1").contains("409"));
    host.vsctl(&["del-br", "br-int"]).unwrap();
    wait_until("the host to be gone", LIMIT, || Ok(admin.json("host show h1")["status"] == "DOWN")).unwrap();
    admin.ok("host delete h1");
    assert_eq!(admin.ok("host list -o id"), "");
}
