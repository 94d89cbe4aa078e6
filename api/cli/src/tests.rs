//! The command line as a whole: what parses, what does not, what comes of it.

use clap::{CommandFactory, Parser};

use crate::Cli;

fn parses(line: &str) -> Result<Cli, String> {
    Cli::try_parse_from(std::iter::once("weft").chain(line.split_whitespace())).map_err(|e| e.to_string())
}

#[test]
fn the_definition_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn every_noun_has_its_verbs() {
    let lines = [
        "tenant create blue --id t1 --description x --tag a --tag b --disable",
        "tenant set blue --name red --enable --no-tag",
        "network create web --mtu 1400 --encap geneve --vni 16777215 --no-port-security --disable --description x --tag a",
        "network set web --name w2 --disable --port-security --no-dns-domain --tag x",
        "subnet create s --network web --cidr 10.0.0.0/24 --gateway none --pool 10.0.0.2-10.0.0.9 --pool 10.0.0.20-10.0.0.29 --dns 9.9.9.9 --route 0.0.0.0/0=10.0.0.1 --no-dhcp",
        "subnet set s --gateway 10.0.0.1 --no-pool --no-dns --no-route --dhcp",
        "port create --network web --mac 02:00:00:00:00:01 --ip 10.0.0.5 --ip subnet=s,ip=10.0.0.6 --device vm1 --no-port-security --disable",
        "port create p --network web --no-ip --host h1",
        "port set p --no-ip --no-device --no-host --enable --port-security",
        "port list --network web --host h1 --status ACTIVE --filter description=x --sort name --limit 5",
        "router create r --disable --description x --tag a",
        "router set r --name s --route 0.0.0.0/0=10.0.0.9 --route 0.0.0.0/0=10.0.0.8 --route 192.0.2.0/24=blackhole --enable",
        "router add-interface r --subnet s",
        "router remove-interface r --port p",
        "router delete r s",
        "security-group create web --stateless --description x --tag a",
        "security-group set web --name w --stateful --no-tag",
        "security-group allow web --protocol tcp --ports 8000:8999 --remote 10.0.0.0/8",
        "security-group allow web --direction egress --ipv6 --remote-group db",
        "security-group rules web",
        "security-group revoke a b",
        "port create p --network web --security-group a --security-group b --allowed-address 10.0.0.9=02:00:00:00:00:09",
        "port set p --no-security-group --no-allowed-address",
        "address-group create db --address 10.0.0.0/24 --address fd00::/64 --description x",
        "address-group set db --name d --address 10.0.1.0/24",
        "address-group unset db --address 10.0.0.0/24",
        "address-group delete a b",
        "port create p --network web --extra-dhcp-opt mtu=1400 --extra-dhcp-opt 6:dns-server=fd00::53",
        "port set p --extra-dhcp-opt mtu=",
        "host join --controller 192.0.2.1 --encap-ip 192.0.2.2 --db unix:/run/db.sock",
        "host list",
        "host delete h1 h2",
        "token create blue --role reader --description ci --expires 2030-01-01T00:00:00Z --secret-only",
        "token list",
        "token delete blue t1 t2",
        "port delete a b c --wait --timeout 5s -o json --project blue --endpoint http://c:1 --token x",
        "-o id network list",
        "quota show blue",
        "quota set blue --ports 50 --networks -1 --check",
        "quota reset blue",
        "audit --kind ports --id x --since 12 --until 2030-01-01T00:00:00Z --limit 5 --project blue -o json",
        "show --all",
        "trace --from web1 --to 10.0.0.2",
        "trace --from web1 --to web2 --proto tcp --dport 443 --sport 1024 --source 10.0.0.9 --ttl 1 --size 1500 -o json",
        "applied 42 --timeout 2m",
        "whoami",
        "version",
        "completions zsh",
    ];
    for line in lines {
        parses(line).unwrap_or_else(|error| panic!("{line}: {error}"));
    }
}

#[test]
fn nonsense_is_refused() {
    let lines = [
        "",
        "network",
        "network create",
        "network create web --encap stt",
        "network set web --enable --disable",
        "subnet create --network web",
        "subnet set s --gateway 10.0.0.1 --no-gateway",
        "port create --network web --ip 10.0.0.5 --no-ip",
        "port create --network web --ip ip=",
        "port delete",
        "router add-interface r",
        "router add-interface r --subnet s --port p",
        "router set r --route 0.0.0.0/0=10.0.0.9 --no-route",
        "host create h1",
        "address-group unset db",
        "port set p --extra-dhcp-opt mtu",
        "token delete blue",
        "trace --to 10.0.0.2",
        "trace --from a --to b --dport 70000",
        "applied soon",
        "applied 1 --timeout 1h",
        "completions tcsh9",
    ];
    for line in lines {
        assert!(parses(line).is_err(), "{line}");
    }
}

#[test]
fn completions_know_the_nouns() {
    let mut script = Vec::new();
    clap_complete::generate(clap_complete::Shell::Bash, &mut Cli::command(), "weft", &mut script);
    let script = String::from_utf8(script).expect("a script is text");
    assert!(["network", "--no-port-security", "completions"].iter().all(|word| script.contains(word)));
}
