"""Steps: networks, subnets, ports and routers through the `openstack` command."""

from harness import check, same


def cli_networks_and_subnets(cli):
    """Networks and subnets through the CLI."""
    made = cli.json("network create net1 --description first --mtu 1400 --tag blue --dns-domain example.org.")
    same((made["name"], made["mtu"], made["status"], made["tags"]), ("net1", 1400, "ACTIVE", ["blue"]), "network create")
    same(cli.json("network show net1")["id"], made["id"], "network show by name")
    same([row["Name"] for row in cli.json("network list")], ["net1"], "network list")
    same(cli.json("network list --long --name net1 --enable")[0]["ID"], made["id"], "network list --long")
    same(cli.json("network list --external"), [], "network list --external")
    same(cli.json("network list --tags blue")[0]["ID"], made["id"], "network list --tags")
    cli.done("network set net1 --description second --disable --disable-port-security --tag red")
    shown = cli.json("network show", made["id"])
    same((shown["description"], shown["admin_state_up"], sorted(shown["tags"])), ("second", False, ["blue", "red"]),
         "network set")
    cli.done("network unset net1 --tag red")
    cli.done("network set net1 --enable --enable-port-security")
    cli.refused("No Network found for nothing", "network show nothing")
    cli.refused("mtu", "network create big --mtu 99999")

    made = cli.json("subnet create sub4 --network net1 --subnet-range 10.77.0.0/24 --dns-nameserver 9.9.9.9 "
                    "--allocation-pool start=10.77.0.10,end=10.77.0.20")
    same((made["gateway_ip"], made["allocation_pools"]), ("10.77.0.1", [{"start": "10.77.0.10", "end": "10.77.0.20"}]),
         "subnet create")
    made = cli.json("subnet create sub6 --network net1 --ip-version 6 --subnet-range fd00:77::/64 --gateway none "
                    "--ipv6-ra-mode slaac --ipv6-address-mode slaac")
    same((made["ip_version"], made["gateway_ip"], made["ipv6_ra_mode"]), (6, None, "slaac"), "subnet create, IPv6")
    cli.done("subnet set sub4 --no-dhcp --dns-nameserver 1.1.1.1 "
             "--host-route destination=10.5.0.0/24,gateway=10.77.0.254")
    shown = cli.json("subnet show sub4")
    same((shown["enable_dhcp"], sorted(shown["dns_nameservers"])), (False, ["1.1.1.1", "9.9.9.9"]), "subnet set")
    cli.done("subnet unset sub4 --dns-nameserver 9.9.9.9 --host-route destination=10.5.0.0/24,gateway=10.77.0.254")
    same([row["Name"] for row in cli.json("subnet list --ip-version 6 --network net1")], ["sub6"], "subnet list")
    cli.refused("overlaps", "subnet create over --network net1 --subnet-range 10.77.0.128/25")


def cli_ports(cli):
    """Ports through the CLI; then everything is taken down."""
    made = cli.json("port create --network net1 p1")
    addresses = [ip["ip_address"] for ip in made["fixed_ips"]]
    check("10.77.0.10" in addresses and len(addresses) == 2, f"port create: {addresses}")
    made = cli.json("port create --network net1 --fixed-ip subnet=sub4,ip-address=10.77.0.50 "
                    "--mac-address 02:00:5e:10:00:01 --device vm-1 --device-owner lab:vm --disable-port-security "
                    "--description second p2")
    same((made["mac_address"], made["device_id"], made["port_security_enabled"]),
         ("02:00:5e:10:00:01", "vm-1", False), "port create")
    same(cli.json("port create --network net1 --no-fixed-ip p3")["fixed_ips"], [], "port create --no-fixed-ip")
    same(sorted(row["Name"] for row in cli.json("port list --network net1")), ["p1", "p2", "p3"], "port list")
    same([row["Name"] for row in cli.json("port list --fixed-ip ip-address=10.77.0.50")], ["p2"], "port list by address")
    same([row["Name"] for row in cli.json("port list --mac-address 02:00:5e:10:00:01 --long")], ["p2"], "port list by MAC")
    cli.done("port set p2 --name p2x --fixed-ip subnet=sub4,ip-address=10.77.0.51 --disable --tag green")
    shown = cli.json("port show p2x")
    same(([ip["ip_address"] for ip in shown["fixed_ips"]], shown["admin_state_up"], shown["tags"]),
         (["10.77.0.50", "10.77.0.51"], False, ["green"]), "port set")
    cli.done("port unset p2x --fixed-ip subnet=sub4,ip-address=10.77.0.50")
    cli.refused("already allocated", "port create --network net1 --fixed-ip ip-address=10.77.0.51 dup")
    cli.refused("not a valid IP", "port create --network net1 --fixed-ip ip-address=192.0.2.1 far")
    cli.refused("ports still in use", "network delete net1")
    cli.refused("IP allocation", "subnet delete sub4")
    cli.done("port delete p1 p2x p3")
    cli.done("subnet delete sub4 sub6")
    cli.done("network delete net1")
    same(cli.json("network list"), [], "network list after all")
    aliases = [row["Alias"] for row in cli.json("extension list --network")]
    check("pagination" in aliases and "taas" not in aliases, f"extension list: {aliases}")


def cli_routers(cli):
    """Routers through the CLI."""
    for number in (1, 2):
        cli.done(f"network create rnet{number}")
        cli.done(f"subnet create rsub{number} --network rnet{number} --subnet-range 10.8{number}.0.0/24")
    made = cli.json("router create r1 --description first")
    same((made["name"], made["status"], made["external_gateway_info"]), ("r1", "ACTIVE", None), "router create")
    cli.done("router add subnet r1 rsub1")
    cli.done("port create --network rnet2 --fixed-ip ip-address=10.82.0.77 rport")
    cli.done("router add port r1 rport")
    cli.refused("already has a port on subnet", "router add subnet r1 rsub1")
    shown = cli.json("router show r1")
    same(sorted(row["ip_address"] for row in shown["interfaces_info"]), ["10.81.0.1", "10.82.0.77"], "interfaces")
    same(len(cli.json("port list --router r1")), 2, "port list --router")
    cli.done("router set r1 --disable --name r2 --route destination=192.0.2.0/24,gateway=10.81.0.9")
    shown = cli.json("router show r2")
    same((shown["admin_state_up"], shown["routes"]), (False, [{"destination": "192.0.2.0/24", "nexthop": "10.81.0.9"}]),
         "router set")
    cli.done("router add route r2 --route destination=198.51.100.0/24,gateway=10.82.0.9")
    same(len(cli.json("router show r2")["routes"]), 2, "router add route")
    cli.refused("required by one or more routes", "router remove subnet r2 rsub1")
    cli.refused("not connected", "router set r2 --route destination=203.0.113.0/24,gateway=10.83.0.9")
    cli.done("router remove route r2 --route destination=198.51.100.0/24,gateway=10.82.0.9")
    cli.done("router unset r2 --route destination=192.0.2.0/24,gateway=10.81.0.9")
    cli.refused("ports still attached", "router delete r2")
    cli.done("router remove subnet r2 rsub1")
    cli.done("router remove port r2 rport")
    same([row["Name"] for row in cli.json("router list")], ["r2"], "router list")
    cli.done("router delete r2")
    cli.done("network delete rnet1 rnet2")
