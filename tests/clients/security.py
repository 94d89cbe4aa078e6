"""Steps: security groups, their rules, and address groups through the `openstack` command."""

from harness import same


def cli_security(cli):
    """Security groups, rules and address groups through the CLI, and ports that wear them."""
    same([row["Name"] for row in cli.json("security group list")], ["default"], "the default group")
    rules = cli.json("security group rule list default --long")
    same(sorted((row["Direction"], row["Ethertype"]) for row in rules),
         [("egress", "IPv4"), ("egress", "IPv6"), ("ingress", "IPv4"), ("ingress", "IPv6")], "rules of the default group")
    cli.refused("default", "security group create default")
    cli.refused("default", "security group delete default")
    made = cli.json("security group create web --description first")
    same((made["name"], made["description"], made["stateful"]), ("web", "first", True), "security group create")
    same(cli.json("security group create plain --stateless")["stateful"], False, "security group create --stateless")
    cli.done("security group set web --name www --description second")
    same(cli.json("security group show www")["description"], "second", "security group set")
    rule = cli.json("security group rule create www --protocol tcp --dst-port 80:90 --remote-ip 10.0.0.0/8")
    same((rule["direction"], rule["protocol"], rule["port_range_min"], rule["port_range_max"], rule["remote_ip_prefix"]),
         ("ingress", "tcp", 80, 90, "10.0.0.0/8"), "security group rule create")
    cli.refused("already exists", "security group rule create www --protocol tcp --dst-port 80:90 --remote-ip 10.0.0.0/8")
    group = cli.json("security group rule create www --protocol icmp --icmp-type 8 --icmp-code 0 --remote-group www")
    same((group["port_range_min"], group["port_range_max"]), (8, 0), "a rule with a type and a code")
    cli.done("security group rule create www --egress --ethertype IPv6 --protocol udp")
    cli.refused("rotocol", "security group rule create www --dst-port 22 --protocol esp")
    list_of = cli.json("address group create list --address 10.1.0.0/24 --address 192.0.2.7")
    same(sorted(list_of["addresses"]), ["10.1.0.0/24", "192.0.2.7/32"], "address group create")
    by_list = cli.json("security group rule create www --protocol tcp --dst-port 22 --remote-address-group list")
    same(by_list["remote_address_group_id"], list_of["id"], "a rule with an address group")
    cli.done("address group set list --address 198.51.100.0/24")
    cli.done("address group unset list --address 10.1.0.0/24")
    same(sorted(cli.json("address group show list")["addresses"]), ["192.0.2.7/32", "198.51.100.0/24"], "address group set")
    cli.refused("in use", "address group delete list")
    same(len(cli.json("security group rule list www --ingress")), 3, "security group rule list --ingress")
    cli.done("network create snet")
    port = cli.json("port create --network snet sport --security-group www")
    same(port["security_group_ids"], [cli.json("security group show www")["id"]], "port create --security-group")
    cli.refused("in use", "security group delete www")
    cli.done("port set sport --no-security-group")
    same(cli.json("port show sport")["security_group_ids"], [], "port set --no-security-group")
    cli.done("port delete sport")
    cli.done("network delete snet")
    cli.done(f"security group rule delete {rule['id']} {by_list['id']}")
    cli.done("security group delete www plain")
    cli.done("address group delete list")
