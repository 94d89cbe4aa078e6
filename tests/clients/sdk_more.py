"""Steps: what remains of the resources, through openstacksdk."""

from harness import check, connection, same


def _refused(error, call, *arguments, **named):
    """Calls what must fail with that error; gives it."""
    try:
        call(*arguments, **named)
    except error as refusal:
        return refusal
    raise SystemExit(f"FAILED: {call.__name__} {arguments} {named} should have failed")


def security():
    """Security groups and rules through openstacksdk."""
    import openstack.exceptions as errors

    net = connection("red").network
    group = net.create_security_group(name="web", description="first")
    same(len(net.get_security_group(group).security_group_rules), 2, "a new group lets everything out")
    rule = net.create_security_group_rule(security_group_id=group.id, direction="ingress", ethertype="IPv4",
                                          protocol="tcp", port_range_min=80, port_range_max=80)
    same([row.id for row in net.security_group_rules(security_group_id=group.id, direction="ingress")], [rule.id],
         "security_group_rules")
    same(net.update_security_group(group, name="www").name, "www", "update_security_group")
    same(net.find_security_group("www").id, group.id, "find_security_group")
    _refused(errors.ConflictException, net.create_security_group_rule, security_group_id=group.id, direction="ingress",
             ethertype="IPv4", protocol="tcp", port_range_min=80, port_range_max=80)
    _refused(errors.NotFoundException, connection("blue").network.get_security_group, group.id)
    net.delete_security_group_rule(rule, ignore_missing=False)
    net.delete_security_group(group, ignore_missing=False)


def outside(run):
    """Routers, gateways, floating IPs and port forwardings through openstacksdk."""
    import openstack.exceptions as errors

    net, operator = connection("red").network, connection("operator").network
    ext = operator.create_network(name=f"sdk-ext-{run}", is_router_external=True, provider_network_type="vlan",
                                  provider_physical_network=f"sdk-{run}", provider_segmentation_id=7)
    ext_sub = operator.create_subnet(network_id=ext.id, ip_version=4, cidr="198.51.100.0/24", is_dhcp_enabled=False)
    network = net.create_network(name="inside")
    subnet = net.create_subnet(network_id=network.id, ip_version=4, cidr="10.4.0.0/24", name="inside-sub")
    port = net.create_port(network_id=network.id, name="server")
    router = net.create_router(name="r", external_gateway_info={"network_id": ext.id})
    net.add_interface_to_router(router, subnet_id=subnet.id)
    same([row.name for row in net.routers(name="r")], ["r"], "routers")
    route = {"destination": "10.9.0.0/16", "nexthop": "10.4.0.9"}
    same(net.add_extra_routes_to_router(router, {"router": {"routes": [route]}}).routes, [route], "extra routes")
    same(net.remove_extra_routes_from_router(router, {"router": {"routes": [route]}}).routes, [], "and none again")
    ip = net.create_ip(floating_network_id=ext.id, port_id=port.id)
    same((ip.fixed_ip_address, ip.router_id), (port.fixed_ips[0]["ip_address"], router.id), "create_ip")
    _refused(errors.ConflictException, net.remove_interface_from_router, router, subnet_id=subnet.id)
    same(net.update_ip(ip, port_id=None).port_id, None, "update_ip")
    forward = net.create_floating_ip_port_forwarding(
        ip, internal_ip_address=port.fixed_ips[0]["ip_address"], internal_port_id=port.id, internal_port=22,
        external_port=2222, protocol="tcp")
    same([row.external_port for row in net.floating_ip_port_forwardings(ip)], [2222], "floating_ip_port_forwardings")
    changed = net.update_floating_ip_port_forwarding(ip, forward, external_port=2223)
    same(changed.external_port, 2223, "update_floating_ip_port_forwarding")
    net.delete_floating_ip_port_forwarding(ip, forward, ignore_missing=False)
    net.delete_ip(ip, ignore_missing=False)
    net.remove_interface_from_router(router, subnet_id=subnet.id)
    net.delete_router(router, ignore_missing=False)
    net.delete_port(port, ignore_missing=False)
    net.delete_network(network, ignore_missing=False)
    operator.delete_subnet(ext_sub, ignore_missing=False)
    operator.delete_network(ext, ignore_missing=False)


def shaping():
    """Trunks and QoS policies through openstacksdk."""
    import openstack.exceptions as errors

    net = connection("red").network
    policy = net.create_qos_policy(name="bronze", description="first")
    rule = net.create_qos_bandwidth_limit_rule(policy, max_kbps=1000, max_burst_kbps=800, direction="egress")
    mark = net.create_qos_dscp_marking_rule(policy, dscp_mark=26)
    same([row.max_kbps for row in net.qos_bandwidth_limit_rules(policy)], [1000], "qos_bandwidth_limit_rules")
    same(net.update_qos_bandwidth_limit_rule(rule, policy, max_kbps=500).max_kbps, 500, "update of a limit")
    same(net.get_qos_dscp_marking_rule(mark, policy).dscp_mark, 26, "get_qos_dscp_marking_rule")
    same(sorted(row.type for row in net.qos_rule_types()), ["bandwidth_limit", "dscp_marking"], "qos_rule_types")
    network = net.create_network(name="shaped", qos_policy_id=policy.id)
    _refused(errors.ConflictException, net.delete_qos_policy, policy, ignore_missing=False)
    parent, child = (net.create_port(network_id=network.id, name=name) for name in ("parent", "child"))
    trunk = net.create_trunk(name="t", port_id=parent.id)
    subport = {"port_id": child.id, "segmentation_type": "vlan", "segmentation_id": 9}
    net.add_trunk_subports(trunk, [subport])
    same(net.get_trunk_subports(trunk), {"sub_ports": [subport]}, "get_trunk_subports")
    net.delete_trunk_subports(trunk, [{"port_id": child.id}])
    net.delete_trunk(trunk, ignore_missing=False)
    for port in (parent, child):
        net.delete_port(port, ignore_missing=False)
    net.delete_network(network, ignore_missing=False)
    net.delete_qos_policy(policy, ignore_missing=False)


def pools(run, tenant):
    """Subnet pools, address scopes, quotas and what operators look at, through openstacksdk."""
    import openstack.exceptions as errors

    net, operator = connection("red").network, connection("operator").network
    scope = net.create_address_scope(name="scope", ip_version=4)
    pool = net.create_subnet_pool(name="pool", prefixes=["10.64.0.0/16"], default_prefix_length=26,
                                  address_scope_id=scope.id)
    network = net.create_network(name="pooled")
    subnet = net.create_subnet(network_id=network.id, ip_version=4, subnet_pool_id=pool.id)
    same(subnet.cidr, "10.64.0.0/26", "a subnet cut out of a pool")
    _refused(errors.BadRequestException, net.delete_subnet_pool, pool, ignore_missing=False)
    found = net.find_network_ip_availability(network.id)
    check(found is None or found.used_ips == 0, f"find_network_ip_availability by a tenant: {found}")
    same(operator.get_network_ip_availability(network.id).total_ips > 0, True, "network_ip_availability")
    net.delete_network(network, ignore_missing=False)
    net.delete_subnet_pool(pool, ignore_missing=False)
    net.delete_address_scope(scope, ignore_missing=False)
    same(operator.update_quota(tenant.id, networks=0).networks, 0, "update_quota")
    refusal = _refused(errors.ConflictException, net.create_network, name="too-many")
    check("Quota" in str(refusal), f"over quota: {refusal}")
    operator.delete_quota(tenant.id)
    same(list(operator.agents()), [], "agents: no host has joined")
    check("router" in {row.alias for row in net.extensions()}, "extensions")
    part = operator.create_network_segment_range(name=f"part-{run}", network_type="geneve", minimum=9000, maximum=9009,
                                                 shared=False, project_id=tenant.id)
    same(operator.get_network_segment_range(part).maximum, 9009, "get_network_segment_range")
    operator.delete_network_segment_range(part, ignore_missing=False)
