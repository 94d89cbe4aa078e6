"""Steps: subnet pools, address scopes, what tenants share, how many addresses are left, agents, segment ranges."""

from harness import check, connection, same


def cli_pools(cli):
    """Subnet pools and address scopes through the CLI."""
    made = cli.json("address scope create as1 --ip-version 4")
    same((made["name"], made["ip_version"], made["shared"]), ("as1", 4, False), "address scope create")
    made = cli.json("subnet pool create sp1 --pool-prefix 10.64.0.0/16 --default-prefix-length 26 --address-scope as1 "
                    "--description first --tag blue")
    same((str(made["default_prefixlen"]), made["prefixes"], made["tags"]), ("26", ["10.64.0.0/16"], ["blue"]),
         "subnet pool create")
    same([row["Name"] for row in cli.json("subnet pool list")], ["sp1"], "subnet pool list")
    cli.refused("unique prefixes", "subnet pool create sp2 --pool-prefix 10.64.7.0/24 --address-scope as1")
    cli.done("subnet pool set sp1 --pool-prefix 10.65.0.0/16 --name sp3 --tag red")
    shown = cli.json("subnet pool show sp3")
    same((shown["prefixes"], sorted(shown["tags"])), (["10.64.0.0/15"], ["blue", "red"]), "subnet pool set")
    cli.done("network create pnet")
    made = cli.json("subnet create psub1 --network pnet --subnet-pool sp3")
    same((made["cidr"], made["subnetpool_id"]), ("10.64.0.0/26", shown["id"]), "subnet create --subnet-pool")
    made = cli.json("subnet create psub2 --network pnet --subnet-pool sp3 --prefix-length 28")
    same(made["cidr"], "10.64.0.64/28", "subnet create --prefix-length")
    made = cli.json("subnet create psub3 --network pnet --subnet-pool sp3 --subnet-range 10.65.0.0/24")
    same(made["cidr"], "10.65.0.0/24", "subnet create --subnet-pool --subnet-range")
    same(len(cli.json("subnet list --subnet-pool sp3")), 3, "subnet list --subnet-pool")
    same(cli.json("network show pnet")["ipv4_address_scope"], cli.json("address scope show as1")["id"], "scope")
    cli.refused("existing allocations", "subnet pool delete sp3")
    cli.refused("in use on the address scope", "address scope delete as1")
    cli.done("port create --network pnet pp1")
    listed = cli.json("ip availability list")
    same([(row["Network Name"], row["Used IPs"], row["Total IPs"]) for row in listed], [("pnet", 1, 61 + 13 + 253)],
         "ip availability list")
    same(cli.json("ip availability show pnet")["used_ips"], 1, "ip availability show")
    cli.done("port delete pp1")
    cli.done("network delete pnet")
    cli.done("subnet pool delete sp3")
    cli.done("address scope set as1 --name as2")
    cli.done("address scope delete as2")


def shared(blue):
    """A network that one tenant shares with another, through openstacksdk."""
    import openstack.exceptions as errors

    own, guest = connection("red").network, connection("blue").network
    network = own.create_network(name="shared")
    subnet = own.create_subnet(network_id=network.id, ip_version=4, cidr="10.3.0.0/24", name="shared-sub")
    same(guest.find_network("shared"), None, "a network that is not shared yet")
    policy = own.create_rbac_policy(object_type="network", object_id=network.id, action="access_as_shared",
                                    target_project_id=blue.id)
    same([row.id for row in guest.networks(is_shared=True)], [network.id], "networks that are shared")
    same([row.id for row in guest.subnets()], [subnet.id], "their subnets")
    port = guest.create_port(network_id=network.id, name="guest")
    same(port.project_id, blue.id, "a guest's port")
    try:
        own.delete_rbac_policy(policy, ignore_missing=False)
        check(False, "a policy that a guest needs was deleted")
    except errors.ConflictException as refusal:
        check("depend on it" in str(refusal), f"RBAC policy in use: {refusal}")
    try:
        guest.update_network(network.id, name="mine")
        check(False, "a guest changed a network")
    except errors.ForbiddenException:
        pass
    same([row.id for row in own.rbac_policies(object_type="network")], [policy.id], "rbac_policies")
    guest.delete_port(port, ignore_missing=False)
    own.delete_rbac_policy(policy, ignore_missing=False)
    same(guest.find_network("shared"), None, "a network that is shared no longer")
    group = own.create_address_group(name="list", addresses=["10.1.0.0/24"])
    group = own.add_addresses_to_address_group(group, ["10.2.0.0/24"])
    same(group.addresses, ["10.1.0.0/24", "10.2.0.0/24"], "addresses added to a group")
    group = own.remove_addresses_from_address_group(group, ["10.1.0.0/24"])
    same(group.addresses, ["10.2.0.0/24"], "addresses removed from a group")
    own.delete_address_group(group, ignore_missing=False)
    own.delete_network(network, ignore_missing=False)


def operator_ranges(operator):
    """Segment ranges, agents, availability zones and sharing with everybody, as the operator."""
    made = operator.json("network segment range create seg1 --network-type geneve --minimum 7000 --maximum 7009")
    same((made["minimum"], made["maximum"], made["shared"]), (7000, 7009, True), "network segment range create")
    check("seg1" in [row["Name"] for row in operator.json("network segment range list")], "network segment range list")
    operator.refused("overlaps", "network segment range create seg2 --network-type geneve --minimum 7009 --maximum 7010")
    operator.done("network segment range delete seg1")
    same(operator.json("network agent list"), [], "network agent list: no host joined")
    same(operator.json("availability zone list --network"), [], "availability zone list")
