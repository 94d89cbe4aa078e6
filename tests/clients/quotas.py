"""Steps: quotas and the audit log."""

from harness import check, same


def cli_quotas(cli, operator, tenant):
    """Quotas through the CLI: set, shown with what is used, held against, and taken away."""
    def rows(command):
        return {row["Resource"]: row for row in operator.json(f"quota show --network {command} {tenant.id}")}

    same({rows("--default")[kind]["Limit"] for kind in ("networks", "ports", "floating_ips", "security_groups")}, {-1},
         "quota show --default")
    operator.done(f"quota set --networks 2 --ports 5 {tenant.id}")
    shown = rows("")
    same((shown["networks"]["Limit"], shown["ports"]["Limit"], shown["routers"]["Limit"]), (2, 5, -1), "quota set")
    cli.done("network create q1")
    cli.done("network create q2")
    cli.refused("Quota exceeded for resources: ['network']", "network create q3")
    used = rows("--usage")["networks"]
    same((used["Limit"], used["In Use"], used["Reserved"]), (2, 2, 0), "quota show --usage")
    operator.refused("must be at least 2", f"quota set --networks 1 --check-limit {tenant.id}")
    operator.done(f"quota set --networks 1 --force {tenant.id}")
    same(rows("")["networks"]["Limit"], 1, "quota set --force")
    operator.done(f"quota delete --network {tenant.id}")
    same(rows("")["networks"]["Limit"], -1, "quota delete")
    cli.done("network create q3")
    cli.done("network delete q1 q2 q3")


def audit(tenant):
    """The audit log has what the steps before did, and who did it."""
    page = tenant.ask("GET", f"/v1/audit?project_id={tenant.id}&kind=quotas")
    told = [(change["verb"], change["id"]) for entry in page["entries"] for change in entry["changes"]]
    same(told, [("delete", tenant.id), ("update", tenant.id), ("create", tenant.id)], "the audit log of quotas")
    same(page["entries"][1]["changes"][0]["before"]["limits"], {"network": 2, "port": 5}, "before")
    check(all(entry["author"]["role"] == "admin" and entry["request_id"].startswith("req-")
              for entry in page["entries"]), f"who set quotas: {page}")
