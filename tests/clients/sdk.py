"""Steps: openstacksdk, and logging in by the Identity API."""

from harness import Cli, check, connection, same


def sdk():
    """The same through openstacksdk, with pages, many at once, conditions, and a look from another tenant."""
    import openstack.exceptions as errors

    cloud = connection("red").network
    names = [f"n{number}" for number in range(7)]
    made = [cloud.create_network(name=name) for name in names]
    same(sorted(row.name for row in cloud.networks(limit=3)), names, "networks in pages of 3")
    same([row.name for row in cloud.networks(sort_key="name", sort_dir="desc", limit=2)], names[::-1], "sorted pages")
    network = cloud.find_network("n0")
    number = network.revision_number
    same(cloud.update_network(network.id, description="changed", if_revision=number).description, "changed",
         "conditional update")
    try:
        cloud.update_network(network.id, description="again", if_revision=number)
        check(False, "an update of an older revision should have failed")
    except errors.PreconditionFailedException:
        pass
    subnet = cloud.create_subnet(network_id=network.id, ip_version=4, cidr="10.1.0.0/24", name="s")
    ports = list(cloud.create_ports([{"network_id": network.id, "name": f"p{number}"} for number in range(3)]))
    same(sorted(port.fixed_ips[0]["ip_address"] for port in ports), ["10.1.0.2", "10.1.0.3", "10.1.0.4"], "bulk ports")
    port = cloud.get_port(ports[0].id)
    same((port.status, port.is_admin_state_up, port.is_port_security_enabled), ("DOWN", True, True), "port")
    same(cloud.set_tags(port, ["x", "y"]).tags, ["x", "y"], "set_tags")
    same([row.id for row in cloud.ports(tags="x,y")], [port.id], "ports by tags")

    strange = connection("blue").network
    same(list(strange.networks()) + list(strange.ports()) + list(strange.subnets()), [], "another tenant's lists")
    same(strange.find_port(port.id, ignore_missing=True), None, "another tenant's look at a port")
    try:
        strange.delete_network(network.id, ignore_missing=False)
        check(False, "another tenant deleted a network")
    except errors.NotFoundException:
        pass

    for port in ports:
        cloud.delete_port(port.id, ignore_missing=False)
    cloud.delete_subnet(subnet, ignore_missing=False)
    for row in made:
        cloud.delete_network(row.id, ignore_missing=False)
    same(list(cloud.networks()), [], "networks after all")


def logins(endpoint, admin, tenant):
    """Logging in as usual: the token is the password, the project the tenant."""
    account = {"auth_url": endpoint + "/v3", "username": "anybody", "project_name": tenant.name,
               "user_domain_id": "default", "project_domain_id": "default"}
    cli = Cli(**account, password=tenant.token)
    cli.done("network create net2")
    same([row["Name"] for row in cli.json("network list")], ["net2"], "network list after a login")
    same([row["Name"] for row in cli.json("project list")], [tenant.name], "project list")
    operator = Cli(**account, password=admin)
    made = operator.json(f"network create net3 --project {tenant.name} --provider-network-type geneve")
    same((made["project_id"], made["provider:network_type"]), (tenant.id, "geneve"), "network create --project")
    same(len(operator.json(f"network list --project {tenant.name}")), 2, "network list --project")
    cli.done("network delete net2 net3")
    plain = Cli(auth_type="admin_token", endpoint=endpoint + "/", token=tenant.token)
    same(plain.json("network list"), [], "network list by the token alone, without logging in")
    Cli(**account, password="wrong").refused("401", "network list")
    Cli(**{**account, "project_name": "elsewhere"}, password=tenant.token).refused("401", "network list")
