"""What every step needs: tenants of its own, the `openstack` command, checks that end the run."""

import contextlib
import io
import json
import os
import pathlib
import subprocess
import sys
import urllib.request
import uuid


class Tenant:
    """A tenant of its own for this run, with a token that speaks for it, and users who log in for it."""

    def __init__(self, endpoint, admin, name):
        self.endpoint, self.admin, self.name, self.users = endpoint, admin, name, []
        self.id = self.ask("POST", "/v1/tenants", {"tenant": {"name": name}})["tenant"]["id"]
        self.token = self.ask("POST", f"/v1/tenants/{self.id}/tokens", {"token": {}})["token"]

    def account(self, role):
        """A user with a role for the tenant; gives what a clouds.yaml says of it."""
        name, password = f"{role}-of-{self.name}", uuid.uuid4().hex
        user = self.ask("POST", "/v3/users", {"user": {"name": name, "password": password}})["user"]["id"]
        self.users.append(user)
        self.ask("PUT", f"/v3/projects/{self.id}/users/{user}/roles/{role}")
        return {"auth": {"auth_url": self.endpoint + "/v3", "username": name, "password": password,
                         "project_name": self.name, "user_domain_name": "Default", "project_domain_name": "Default"}}

    def ask(self, method, path, body=None):
        """One request in the administrator's name."""
        request = urllib.request.Request(self.endpoint + path, method=method)
        request.add_header("X-Auth-Token", self.admin)
        data = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(request, data, timeout=30) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def forget(self):
        """Removes the tenant and, should a check have failed, what it left behind."""
        for port in self.ask("GET", f"/v2.0/ports?project_id={self.id}&device_owner=network:router_interface")["ports"]:
            router = f"/v2.0/routers/{port['device_id']}"
            self.ask("PUT", router, {"router": {"routes": []}})
            self.ask("PUT", f"{router}/remove_router_interface", {"port_id": port["id"]})
        for kind in ("floatingips", "trunks", "routers", "ports", "subnets", "networks", "subnetpools", "address-scopes"):
            for row in self.ask("GET", f"/v2.0/{kind}?project_id={self.id}")[kind.replace("-", "_")]:
                self.ask("DELETE", f"/v2.0/{kind}/{row['id']}")
        for user in self.users:
            self.ask("DELETE", f"/v3/users/{user}")
        self.ask("DELETE", f"/v1/tenants/{self.id}")


class Cli:
    """The `openstack` command with one account, or with a cloud of a clouds.yaml. Where no file is named it must see none:
    the only cloud of a file is mixed into whatever account is named."""

    def __init__(self, clouds=os.devnull, **account):
        self.environment = {**os.environ, "OS_CLIENT_CONFIG_FILE": clouds}
        self.account = [part for name, value in account.items() for part in (f"--os-{name.replace('_', '-')}", value)]

    def run(self, line, *more):
        """Runs one command; gives its exit code, output and error output."""
        command = [str(pathlib.Path(sys.executable).parent / "openstack"), *self.account, *line.split(), *more]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=120, env=self.environment)
        return ended.returncode, ended.stdout, ended.stderr

    def json(self, line, *more):
        """Runs one command that must succeed; gives its output, read."""
        code, out, err = self.run(f"{line} -f json", *more)
        check(code == 0, f"openstack {line}: exit code {code}: {err or out}")
        return json.loads(out)

    def done(self, line, *more):
        """Runs one command that must succeed and says nothing."""
        code, out, err = self.run(line, *more)
        check(code == 0, f"openstack {line}: exit code {code}: {err or out}")

    def refused(self, reason, line, *more):
        """Runs one command that must fail and say why."""
        code, out, err = self.run(line, *more)
        check(code != 0, f"openstack {line} should have failed: {out}")
        check(reason in err, f"openstack {line} should say {reason!r}: {err}")


class QuickCli(Cli):
    """The same command inside this process, because it takes longer to start than to do anything. It keeps the first
    account that it sees for good, so there can be only one of these."""

    def run(self, line, *more):
        from openstackclient import shell

        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = shell.main([*self.account, *line.split(), *more])
        return code, out.getvalue(), err.getvalue()


def check(holds, message):
    if not holds:
        raise SystemExit(f"FAILED: {message}")


def same(found, expected, what):
    check(found == expected, f"{what}: {found!r} instead of {expected!r}")


@contextlib.contextmanager
def clouds_of(file):
    """Lets clients in this process find the clouds of that file, and of no other."""
    before = os.environ.get("OS_CLIENT_CONFIG_FILE")
    os.environ["OS_CLIENT_CONFIG_FILE"] = file
    try:
        yield
    finally:
        del os.environ["OS_CLIENT_CONFIG_FILE"]
        if before is not None:
            os.environ["OS_CLIENT_CONFIG_FILE"] = before


def connection(cloud):
    import openstack

    return openstack.connect(cloud=cloud)
