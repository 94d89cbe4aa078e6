"""Steps: QoS policies and trunks through the `openstack` command."""

from harness import check, same


def cli_qos(cli):
    """QoS policies and their rules through the CLI."""
    made = cli.json("network qos policy create bronze --description first")
    same((made["name"], made["shared"], made["is_default"], made["rules"]), ("bronze", False, False, []),
         "qos policy create")
    rule = cli.json("network qos rule create bronze --type bandwidth-limit --max-kbps 1000 --max-burst-kbits 200")
    same((rule["max_kbps"], rule["max_burst_kbps"], rule["direction"]), (1000, 200, "egress"), "qos rule create")
    cli.refused("says the same kind of thing",
                "network qos rule create bronze --type bandwidth-limit --max-kbps 7 --egress")
    mark = cli.json("network qos rule create bronze --type dscp-marking --dscp-mark 46")
    same(mark["dscp_mark"], 46, "qos rule create, a mark")
    cli.refused("not supported",
                "network qos rule create bronze --type minimum-bandwidth --min-kbps 7 --egress")
    cli.done(f"network qos rule set bronze {rule['id']} --max-kbps 2000")
    shown = cli.json(f"network qos rule show bronze {rule['id']}")
    same((shown["max_kbps"], shown["max_burst_kbps"]), (2000, 200), "qos rule set")
    same(len(cli.json("network qos rule list bronze")), 2, "qos rule list")
    types = {row["Type"] for row in cli.json("network qos rule type list")}
    same(types, {"bandwidth_limit", "dscp_marking"}, "qos rule type list")
    cli.done("network create qnet --qos-policy bronze")
    cli.done("port create --network qnet qport --qos-policy bronze")
    policy = cli.json("network qos policy show bronze")["id"]
    port = cli.json("port show qport")
    same((port["qos_policy_id"], port["qos_network_policy_id"]), (policy, policy), "port create --qos-policy")
    cli.refused("is used by", "network qos policy delete bronze")
    cli.done("port unset qport --qos-policy")
    same(cli.json("port show qport")["qos_policy_id"], None, "port unset --qos-policy")
    cli.done("network set qnet --no-qos-policy")
    cli.done(f"network qos rule delete bronze {rule['id']}")
    cli.done("network qos policy set bronze --name silver --default")
    same(cli.json("network qos policy show silver")["is_default"], True, "qos policy set --default")
    cli.done("port delete qport")
    cli.done("network delete qnet")
    cli.done("network qos policy delete silver")


def cli_trunks(cli):
    """Trunks and their subports through the CLI."""
    cli.done("network create tnet")
    for name in ("tparent", "tsub1", "tsub2"):
        cli.done(f"port create --network tnet {name}")
    made = cli.json("network trunk create trunk1 --parent-port tparent "
                    "--subport port=tsub1,segmentation-type=vlan,segmentation-id=100")
    same((made["status"], made["is_admin_state_up"]), ("DOWN", True), "trunk create")
    cli.refused("in use", "network trunk create trunk2 --parent-port tparent")
    cli.refused("already in use on trunk",
                "network trunk set trunk1 --subport port=tsub2,segmentation-type=vlan,segmentation-id=100")
    cli.done("network trunk set trunk1 --subport port=tsub2,segmentation-type=vlan,segmentation-id=200")
    tags = {row["Segmentation ID"] for row in cli.json("network subport list --trunk trunk1")}
    same(tags, {100, 200}, "subport list")
    details = cli.json("port show tparent")["trunk_details"]
    check(details and len(details["sub_ports"]) == 2, f"trunk_details of the parent: {details}")
    cli.refused("subport for trunk", "port delete tsub1")
    cli.refused("parent port for trunk", "port delete tparent")
    cli.done("network trunk unset trunk1 --subport tsub2")
    cli.done("network trunk set trunk1 --name trunk9 --description second")
    same([row["Name"] for row in cli.json("network trunk list")], ["trunk9"], "trunk list")
    cli.done("network trunk delete trunk9")
    cli.done("port delete tparent tsub1 tsub2")
    cli.done("network delete tnet")
