#!/usr/bin/python3
"""Weft under Mininet: hosts that each run their own Open vSwitch, tenants' workloads behind them, Weft in control.

    tests/mininet/run                the interactive Mininet prompt
    tests/mininet/run --test         checks who reaches whom, and exits 0 only if all is as expected
    tests/mininet/run --by-hand      the same network with flows made by hand instead of Weft

For a Mininet user: the controller is `c0`, the underlay is the switch `ul`, hypervisors are `h1`, `h2`, ..., and a
workload is named after its tenant and its hypervisor: `red1`, `blue1`, `red2`, ...  All tenants use the same subnet.
At the prompt, `h1 ovs-vsctl show`, `red1 ping -c1 10.0.0.12`, `py h1.flows()` and `check` are good starts.
Import it from a script of your own for `build(hosts=3, workloads_per_host=2)`.
"""
import argparse
import collections
import itertools
import json
import os
import shlex
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request

from mininet.cli import CLI
from mininet.log import info, setLogLevel
from mininet.net import Mininet
from mininet.node import Controller, Node, Switch

SCHEMA = "/usr/share/openvswitch/vswitch.ovsschema"
CONTROLLER_IP = "10.99.0.1"
SUBNET = "10.0.0.0/24"
UNDERLAY_MTU = 1600
TENANTS = ("red", "blue", "green", "amber")


def wait_until(what, condition, limit=30.0):
    """Looks at `condition` until it is true; the last error is told when time is up."""
    deadline = time.monotonic() + limit
    last = "the condition was false"
    while time.monotonic() < deadline:
        try:
            if condition():
                return
        except (OSError, RuntimeError) as problem:
            last = str(problem)
        time.sleep(0.05)
    raise RuntimeError("waited %.0f s for %s; at last: %s" % (limit, what, last))


def checked(node, *argv, **kwargs):
    """Runs a command in a node's namespace; a failing one is an error that shows what it said."""
    out, err, code = node.pexec(*argv, **kwargs)
    if code:
        raise RuntimeError("%s: `%s` ended with %s: %s%s" % (node.name, " ".join(argv), code, err, out))
    return out


class Underlay(Switch):
    """The network between the hypervisors: one Linux bridge in a namespace of its own."""

    def __init__(self, name, **params):
        params["inNamespace"] = True
        Switch.__init__(self, name, dpid="ffff", **params)
        self.controlIntf = None

    def start(self, controllers):
        lines = ["link add br0 mtu %d type bridge mcast_snooping 0" % UNDERLAY_MTU, "link set br0 up"]
        for intf in self.intfList():
            lines.append("link set dev %s mtu %d master br0 up" % (intf.name, UNDERLAY_MTU))
        for line in lines:
            checked(self, "ip", *line.split())


class WeftHost(Switch):
    """A hypervisor: its own ovsdb-server and ovs-vswitchd in its own namespace, and nothing of Weft's.

    To Mininet it is a switch, so that it is started and stopped with the network and can be linked to anything.
    `NAME-ul` is its link to the underlay and `NAME-mg` the one to the controller.
    """

    def __init__(self, name, number=1, **params):
        params["inNamespace"] = True
        Switch.__init__(self, name, dpid="%x" % number, **params)
        self.controlIntf = None
        self.number = number
        self.vtep = "172.31.0.%d" % number
        self.run_dir = os.path.join("/tmp/weft-mn", name)
        names = ("OVS_RUNDIR", "OVS_LOGDIR", "OVS_DBDIR", "OVS_SYSCONFDIR")
        self.env = dict(os.environ, **{variable: self.run_dir for variable in names})
        # So that `h1 ovs-vsctl show` at the prompt means this host.
        self.cmd(" ".join("export %s=%s;" % (variable, self.run_dir) for variable in names))
        # The kernel of this namespace must not answer tenants' ARP requests with addresses of the hypervisor.
        for key in ("ipv4/conf/all/arp_ignore=1", "ipv4/conf/default/arp_ignore=1", "ipv6/conf/default/disable_ipv6=1"):
            path, value = key.split("=")
            self.cmd("echo %s > /proc/sys/net/%s" % (value, path))

    def tool(self, *argv):
        """Runs one of Open vSwitch's commands against this host's daemons."""
        return checked(self, *argv, env=self.env)

    def vsctl(self, *args):
        return self.tool("ovs-vsctl", "--timeout=30", *args)

    def flows(self, bridge="br-int"):
        """The flows of a bridge, for the prompt: `py h1.flows()`."""
        return self.tool("ovs-ofctl", "-O", "OpenFlow15", "--no-stats", "dump-flows", bridge)

    def start(self, controllers):
        self.start_ovs()
        self.start_vtep()
        for controller in controllers:
            self.join("tcp:%s:%d" % (controller.IP(), controller.ovsdb_port))

    def start_ovs(self):
        os.makedirs(self.run_dir)
        database, socket = self.run_dir + "/conf.db", self.run_dir + "/db.sock"
        self.tool("ovsdb-tool", "create", database, SCHEMA)
        common = ("--pidfile", "--log-file", "-vconsole:off", "--detach", "--no-chdir")
        remotes = ("--remote=punix:" + socket, "--remote=db:Open_vSwitch,Open_vSwitch,manager_options")
        self.tool("ovsdb-server", database, *remotes, *common)
        # What the package's start script records, and the daemons by themselves do not.
        version = self.tool("ovs-vswitchd", "--version").splitlines()[0].split()[-1]
        self.vsctl("--no-wait", "init", "--", "set", "Open_vSwitch", ".", "ovs_version=" + version,
                   "external_ids:system-id=" + self.name, "external_ids:hostname=" + self.name)
        self.tool("ovs-vswitchd", "unix:" + socket, "--disable-system", *common)

    def start_vtep(self):
        """`br-phy` owns the link to the underlay and carries the VTEP address, as the userspace datapath wants it."""
        link = self.name + "-ul"
        checked(self, "ip", "link", "set", "dev", link, "mtu", str(UNDERLAY_MTU), "up")
        self.vsctl("add-br", "br-phy", "--", "set", "Bridge", "br-phy", "datapath_type=netdev", "fail_mode=standalone",
                   "other_config:hwaddr=02:aa:00:00:00:%02x" % self.number, "--", "add-port", "br-phy", link)
        checked(self, "ip", "link", "set", "dev", "br-phy", "mtu", str(UNDERLAY_MTU), "up")
        checked(self, "ip", "addr", "add", self.vtep + "/16", "dev", "br-phy")
        management = self.name + "-mg"
        checked(self, "ip", "addr", "add", "10.99.16.%d/16" % self.number, "dev", management)
        checked(self, "ip", "link", "set", "dev", management, "up")

    def join(self, manager):
        """Joins a Weft controller: the one documented line."""
        self.vsctl("set", "Open_vSwitch", ".", "external_ids:weft-encap-ip=" + self.vtep, "--", "set-manager", manager)

    def plug(self, intf, port_id, mac):
        """Binds a link of this host to a tenant's port, as every tool for Open vSwitch does it."""
        checked(self, "ip", "link", "set", "dev", intf.name, "up")
        wait_until("br-int on " + self.name, lambda: "br-int" in self.vsctl("list-br").split())
        self.vsctl("add-port", "br-int", intf.name, "--", "set", "Interface", intf.name,
                   "external_ids:iface-id=" + port_id, 'external_ids:attached-mac="%s"' % mac)

    def ofport(self, interface):
        return int(self.vsctl("get", "Interface", interface, "ofport"))

    def stop(self, deleteIntfs=True):
        for daemon in ("ovs-vswitchd", "ovsdb-server"):
            try:
                with open("%s/%s.pid" % (self.run_dir, daemon)) as pidfile:
                    os.kill(int(pidfile.read()), signal.SIGTERM)
            except (OSError, ValueError):
                pass  # it has ended already
        Switch.stop(self, deleteIntfs)


class Workload(Node):
    """A tenant's workload. Its one link has the name `NAME-eth0`."""

    tenant = None
    host = None

    def address(self, mac, ip, prefix):
        """Takes the addresses that its port was given."""
        name = self.defaultIntf().name
        # Nobody fills in checksums that are left to hardware: ping would work and TCP would not.
        checked(self, "ethtool", "-K", name, "tx", "off", "tso", "off")
        self.setMAC(mac)
        self.setIP(ip, prefix)

    def reaches(self, ip):
        """The MAC that answered for `ip`, or None when nothing did."""
        self.cmd("ip neigh flush all")
        if " 0% packet loss" not in self.cmd("ping -n -q -c 2 -i 0.1 -W 1 %s" % ip):
            return None
        for line in self.cmd("ip neigh show %s" % ip).splitlines():
            words = line.split()
            if "lladdr" in words:
                return words[words.index("lladdr") + 1]
        return None


class WeftController(Controller):
    """A Weft controller as a Mininet controller: REST on 9696, OVSDB on 6640, OpenFlow on 6653."""

    ovsdb_port = 6640

    def __init__(self, name, program="weft-controller", arguments="", **params):
        self.data_dir = "/tmp/weft-mn/" + name
        self.program = program
        self.arguments = arguments
        self.api = "http://127.0.0.1:9696"
        self.process = None
        Controller.__init__(self, name, ip=CONTROLLER_IP, port=6653, **params)

    def checkListening(self):
        """Nothing to check: the network namespace of this Mininet is new."""

    def start(self):
        os.makedirs(self.data_dir, exist_ok=True)
        self.log = open(self.data_dir + "/controller.log", "ab")
        argv = [self.program, "--data-dir", self.data_dir, "--underlay-mtu", str(UNDERLAY_MTU)]
        argv += shlex.split(self.arguments)
        self.process = subprocess.Popen(argv, stdout=self.log, stderr=self.log, start_new_session=True)
        wait_until("the controller to be ready", self.is_ready)

    def is_ready(self):
        if self.process.poll() is not None:
            with open(self.log.name) as log:
                sys.exit("the controller ended with %s:\n%s" % (self.process.returncode, log.read()))
        with urllib.request.urlopen(self.api + "/readyz", timeout=2) as answer:
            return answer.status == 200

    def stop(self, *args, **kwargs):
        if self.process:
            self.process.terminate()
            self.process.wait(timeout=20)
        Node.stop(self, *args, **kwargs)


class Rest:
    """Weft's API: networks, subnets and ports in the words of OpenStack Networking v2.0, tenants in Weft's own."""

    def __init__(self, api, token):
        self.api = api
        self.token = token

    def post(self, path, body):
        request = urllib.request.Request(self.api + path, json.dumps(body).encode(), method="POST")
        request.add_header("Content-Type", "application/json")
        if self.token:
            request.add_header("X-Auth-Token", self.token)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as problem:
            raise RuntimeError("POST %s: %s %s" % (path, problem.code, problem.read().decode())) from problem

    def as_tenant(self, name):
        """Creates a tenant and returns the API as that tenant sees it."""
        tenant = self.post("/v1/tenants", {"tenant": {"name": name}})["tenant"]
        answer = self.post("/v1/tenants/%s/tokens" % tenant["id"], {"token": {"description": "Mininet"}})
        return Rest(self.api, answer["token"])


Port = collections.namedtuple("Port", "id mac ip prefix")


class Weft:
    """Ports made by a Weft controller."""

    def __init__(self, controller, token_file):
        self.admin = Rest(controller.api, read_token(token_file or controller.data_dir + "/admin.token"))
        self.networks = {}

    def port(self, tenant, name, ip):
        if tenant not in self.networks:
            rest = self.admin.as_tenant(tenant)
            network = rest.post("/v2.0/networks", {"network": {"name": tenant}})["network"]
            subnet = {"network_id": network["id"], "ip_version": 4, "cidr": SUBNET, "name": tenant}
            subnet = rest.post("/v2.0/subnets", {"subnet": subnet})["subnet"]
            self.networks[tenant] = rest, network["id"], subnet["id"]
        rest, network, subnet = self.networks[tenant]
        wanted = {"network_id": network, "name": name, "fixed_ips": [{"subnet_id": subnet, "ip_address": ip}]}
        port = rest.post("/v2.0/ports", {"port": wanted})["port"]
        return Port(port["id"], port["mac_address"], port["fixed_ips"][0]["ip_address"], SUBNET.split("/")[1])

    def settle(self, net):
        """Flows come by themselves; `check` waits for them."""


class ByHand:
    """Ports and flows made here: what the Mininet part is tested with on its own."""

    def __init__(self):
        self.ports = {}

    def port(self, tenant, name, ip):
        port = Port("port-" + name, "02:0b:00:00:00:%02x" % (len(self.ports) + 1), ip, SUBNET.split("/")[1])
        self.ports[name] = port
        return port

    def settle(self, net):
        hypervisors = net.hypervisors
        for host, peer in itertools.permutations(hypervisors, 2):
            tunnel = "vx%d" % peer.number
            host.vsctl("add-port", "br-int", tunnel, "--", "set", "Interface", tunnel, "type=vxlan", "options:key=flow",
                       "options:remote_ip=" + peer.vtep, "ofport_request=%d" % (1000 + peer.number))
        for host in hypervisors:
            flows = self.flows(net, host)
            path = host.run_dir + "/flows"
            with open(path, "w") as file:
                file.write("\n".join(flows) + "\n")
            host.tool("ovs-ofctl", "-O", "OpenFlow15", "add-flows", "br-int", path)

    def flows(self, net, host):
        """Table 0 finds the network, table 1 the destination. What came out of a tunnel goes into none."""
        lines = []
        for number, tenant in enumerate(net.tenants):
            vni = 5000 + number
            members = [w for w in net.hosts if w.tenant == tenant]
            here = {w: host.ofport(w.cable.name) for w in members if w.host is host}
            tunnels = sorted({1000 + w.host.number for w in members if w.host is not host})
            for port in here.values():
                lines.append("table=0,in_port=%d,actions=set_field:%d->tun_id,resubmit(,1)" % (port, vni))
            for tunnel in tunnels:
                lines.append("table=0,in_port=%d,tun_id=%d,actions=resubmit(,1)" % (tunnel, vni))
            for member in members:
                out = here[member] if member in here else 1000 + member.host.number
                lines.append("table=1,tun_id=%d,dl_dst=%s,actions=output:%d" % (vni, self.ports[member.name].mac, out))
            local = ",".join("output:%d" % port for port in here.values()) or "drop"
            far = ",".join("output:%d" % port for port in [*here.values(), *tunnels]) or "drop"
            group = "table=1,tun_id=%d,dl_dst=ff:ff:ff:ff:ff:ff" % vni
            lines.append("priority=100,%s,actions=%s" % (group, far))
            lines += ["priority=200,%s,in_port=%d,actions=%s" % (group, tunnel, local) for tunnel in tunnels]
        return lines


def read_token(path):
    """The administrator's token: WEFT_TOKEN, or the file that the controller wrote at its first start."""
    if os.environ.get("WEFT_TOKEN"):
        return os.environ["WEFT_TOKEN"]
    with open(path) as file:
        return file.read().strip()


def build(hosts=3, workloads_per_host=2, controller=None, token_file=None):
    """Builds and starts the network. `controller` is a dict for WeftController, or None for flows by hand.

    Workload `<tenant><n>` runs on host n. Every tenant gives the same address to its workload on the same host, but
    on the last host, where each has an address that no other tenant has: an answer from there tells tenants apart.
    """
    if not 1 <= workloads_per_host <= len(TENANTS) or not 2 <= hosts <= 40:
        raise ValueError("2 to 40 hosts and 1 to %d workloads for each" % len(TENANTS))
    net = Mininet(controller=None, waitConnected=False)
    net.tenants = TENANTS[:workloads_per_host]
    net.hypervisors = []
    if controller is not None:
        net.addController("c0", controller=WeftController, **controller)
    underlay = net.addSwitch("ul", cls=Underlay)
    management = net.management = Node("mg", inNamespace=False)
    checked(management, "ip", "link", "add", "mgmt0", "type", "bridge")
    checked(management, "ip", "addr", "add", CONTROLLER_IP + "/16", "dev", "mgmt0")
    checked(management, "ip", "link", "set", "dev", "mgmt0", "up")
    for number in range(1, hosts + 1):
        host = net.addSwitch("h%d" % number, cls=WeftHost, number=number)
        net.hypervisors.append(host)
        net.addLink(host, underlay, intfName1=host.name + "-ul", intfName2="ul-" + host.name)
        link = net.addLink(host, management, intfName1=host.name + "-mg", intfName2="mg-" + host.name)
        checked(management, "ip", "link", "set", "dev", link.intf2.name, "master", "mgmt0", "up")
        for tenant in net.tenants:
            workload = net.addHost("%s%d" % (tenant, number), cls=Workload, ip=None)
            workload.tenant, workload.host = tenant, host
            workload.cable = net.addLink(workload, host).intf2
    net.start()
    provision(net, Weft(net.controllers[0], token_file) if controller is not None else ByHand())
    return net


def provision(net, source):
    """Gives every workload a port of its tenant and plugs it in."""
    last = len(net.hypervisors)
    if isinstance(source, ByHand):
        for host in net.hypervisors:
            host.vsctl("add-br", "br-int", "--", "set", "Bridge", "br-int", "datapath_type=netdev", "fail_mode=secure")
    for workload in net.hosts:
        number = workload.host.number
        shared = number if number < last else 100 * (1 + net.tenants.index(workload.tenant)) % 250
        port = source.port(workload.tenant, workload.name, "10.0.0.%d" % (10 + shared))
        workload.address(port.mac, port.ip, port.prefix)
        workload.host.plug(workload.cable, port.id, port.mac)
    source.settle(net)


def check(net):
    """Every workload pings every address of every tenant: its own tenant's must answer, with the right MAC, and no
    other's may. Returns how many pairs were not as expected, and prints them."""
    addresses = sorted({w.IP() for w in net.hosts})
    passed = failed = 0
    for workload in net.hosts:
        own = {w.IP(): w.MAC() for w in net.hosts if w.tenant == workload.tenant}
        for ip in addresses:
            if ip == workload.IP():
                continue
            wanted = own.get(ip)
            if wanted:
                try:
                    wait_until("an answer", lambda: workload.reaches(ip), limit=15)
                except RuntimeError:
                    pass  # told below
            got = workload.reaches(ip)
            if got == wanted:
                passed += 1
                print("  ok    %-7s -> %-11s %s" % (workload.name, ip, "answered by " + got if got else "no answer"))
            else:
                failed += 1
                print("  WRONG %-7s -> %-11s answered by %s, expected %s" % (workload.name, ip, got, wanted))
    print("%d passed, %d failed" % (passed, failed), flush=True)
    return failed


class Prompt(CLI):
    """Mininet's prompt and one command more."""

    prompt = "weft> "

    def do_check(self, _line):
        """Check who reaches whom."""
        check(self.mn)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hosts", type=int, default=3, help="hypervisors (default 3)")
    parser.add_argument("--workloads", type=int, default=2, help="workloads, each of another tenant, on every host")
    parser.add_argument("--test", action="store_true", help="check who reaches whom, then end")
    parser.add_argument("--by-hand", action="store_true", help="flows made by hand, no controller")
    parser.add_argument("--controller", default="weft-controller", help="the controller's program")
    parser.add_argument("--controller-args", default="", help="arguments added for it, in one word")
    parser.add_argument("--token-file", help="the administrator's token, unless WEFT_TOKEN holds it")
    return parser.parse_args()


def main():
    options = arguments()
    setLogLevel("output" if options.test else "info")
    controller = None
    if not options.by_hand:
        controller = {"program": options.controller, "arguments": options.controller_args}
    net = build(options.hosts, options.workloads, controller, options.token_file)
    try:
        if options.test:
            return 1 if check(net) else 0
        info("*** Workloads: %s\n" % " ".join("%s=%s" % (w.name, w.IP()) for w in net.hosts))
        info("*** Try: h1 ovs-vsctl show; %s ping -c2 %s; check\n"
             % (net.hosts[0].name, net.hosts[-len(net.tenants)].IP()))
        Prompt(net)
        return 0
    finally:
        net.stop()
        net.management.stop()


if __name__ == "__main__":
    sys.exit(main())
