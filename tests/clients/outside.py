"""Steps: external networks, gateways, floating IPs and port forwardings through the `openstack` command."""

from harness import same


def operator_outside(operator, owner, run):
    """External networks through the CLI, as the operator; gives the name of one."""
    name = f"ext-{run}"
    made = operator.json(f"network create {name} --external --provider-network-type vlan "
                         f"--provider-physical-network out-{run} --provider-segment 100 --project {owner}")
    same((made["router:external"], made["provider:network_type"]), (True, "vlan"), "network create --external")
    made = operator.json(f"network create flat-{name} --external --provider-network-type flat "
                         f"--provider-physical-network flat-{run} --project {owner}")
    same((made["router:external"], made["provider:network_type"]), (True, "flat"), "network create --external, flat")
    operator.done(f"network set flat-{name} --internal")
    same(operator.json(f"network show flat-{name}")["router:external"], False, "network set --internal")
    operator.done(f"network delete flat-{name}")
    operator.done(f"subnet create sub-{name} --network {name} --subnet-range 203.0.113.0/24 --no-dhcp")
    return name


def cli_outside(cli, operator, owner, run):
    """Gateways, floating IPs and port forwardings through the CLI."""
    ext = operator_outside(operator, owner, run)
    same([row["Name"] for row in cli.json("network list --external")], [ext], "network list --external")
    cli.refused("disallowed by policy", f"port create --network {ext} p")
    cli.refused("disallowed by policy", f"network delete {ext}")
    cli.done("network create onet")
    cli.done("subnet create osub --network onet --subnet-range 10.91.0.0/24")
    cli.done("port create --network onet op1")
    made = cli.json(f"router create or1 --external-gateway {ext}")
    same(made["external_gateway_info"]["external_fixed_ips"][0]["ip_address"], "203.0.113.2",
         "router create --external-gateway")
    cli.done("router unset or1 --external-gateway")
    same(cli.json("router show or1")["external_gateway_info"], None, "router unset --external-gateway")
    made = cli.json(f"floating ip create {ext} --description first")
    same((made["status"], made["port_id"], made["description"]), ("DOWN", None, "first"), "floating ip create")
    address = made["floating_ip_address"]
    cli.refused("no router leads", f"floating ip set {address} --port op1")
    cli.done("router add subnet or1 osub")
    cli.done(f"router set or1 --external-gateway {ext}")
    cli.refused("disallowed by policy", f"router set or1 --external-gateway {ext} --disable-snat")
    operator.done(f"router set or1 --external-gateway {ext} --disable-snat")
    same(operator.json("router show or1")["external_gateway_info"]["enable_snat"], False, "router set --disable-snat")
    cli.done(f"floating ip set {address} --port op1")
    shown = cli.json(f"floating ip show {address}")
    same((shown["fixed_ip_address"], shown["port_details"]["name"]), ("10.91.0.2", "op1"), "floating ip set --port")
    same([row["Floating IP Address"] for row in cli.json("floating ip list --port op1")], [address], "floating ip list")
    same(len(cli.json("floating ip list --router or1")), 1, "floating ip list --router")
    same(len(cli.json("floating ip list --status ACTIVE")), 0, "floating ip list --status: no host has a bridge")
    cli.refused("is required by one or more floating IPs", "router unset or1 --external-gateway")
    cli.refused("floating IPs need the interface", "router remove subnet or1 osub")
    cli.refused("already", f"floating ip create {ext} --port op1")
    cli.done(f"floating ip unset {address} --port")
    same(cli.json(f"floating ip show {address}")["port_id"], None, "floating ip unset --port")
    cli.refused("valid external network", "floating ip create onet")
    forward = f"floating ip port forwarding create {address} --protocol tcp --port op1 --internal-ip-address 10.91.0.2"
    made = cli.json(f"{forward} --external-protocol-port 2222 --internal-protocol-port 22")
    same((made["external_port"], made["internal_port"], made["protocol"]), (2222, 22, "tcp"), "port forwarding create")
    listed = cli.json(f"floating ip port forwarding list {address}")
    same([row["ID"] for row in listed], [made["id"]], "port forwarding list")
    cli.done(f"floating ip port forwarding set {address} {made['id']} --protocol udp --description second")
    shown = cli.json(f"floating ip port forwarding show {address} {made['id']}")
    same((shown["protocol"], shown["description"]), ("udp", "second"), "port forwarding set")
    cli.refused("meet those of port forwarding",
                f"{forward.replace('tcp', 'udp')} --external-protocol-port 2222 --internal-protocol-port 23")
    made = cli.json(f"{forward} --external-protocol-port 8000:8009 --internal-protocol-port 80:89")
    same(made["external_port_range"], "8000:8009", "port forwarding create, a range")
    cli.done(f"floating ip port forwarding delete {address} {made['id']}")
    cli.refused("has port forwardings", f"floating ip set {address} --port op1")
    cli.done(f"floating ip delete {address}")
    cli.done("router remove subnet or1 osub")
    cli.done("router delete or1")
    cli.done("port delete op1")
    cli.done("network delete onet")
    operator.done(f"network delete {ext}")
    same(cli.json("network list"), [], "network list after all")
