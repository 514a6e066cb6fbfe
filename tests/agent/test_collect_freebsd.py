"""FreeBSD by answers written down in its programs' documented forms; the system itself is unproven."""

import re
from collections.abc import Sequence
from pathlib import Path

from agent.collect import Host, run
from agent.collect.freebsd import FreeBsd
from agent.system.run import CommandFailed

IFCONFIG = """\
em0: flags=1008843<UP,BROADCAST,RUNNING,SIMPLEX,MULTICAST,LOWER_UP> metric 0 mtu 1500
\toptions=481009b<RXCSUM,TXCSUM,VLAN_MTU>
\tether 08:00:27:AA:BB:CC
\tinet 192.0.2.7 netmask 0xffffff00 broadcast 192.0.2.255
\tinet6 fe80::a00:27ff:feaa:bbcc%em0 prefixlen 64 scopeid 0x1
\tmedia: Ethernet autoselect (1000baseT <full-duplex>)
\tstatus: active
\tnd6 options=23<PERFORMNUD,ACCEPT_RTADV,AUTO_LINKLOCAL>
igb1: flags=8802<BROADCAST,SIMPLEX,MULTICAST> metric 0 mtu 9000
\tether 08:00:27:aa:bb:cd
\tmedia: Ethernet autoselect
\tstatus: no carrier
lo0: flags=8049<UP,LOOPBACK,RUNNING,MULTICAST> metric 0 mtu 16384
\tinet 127.0.0.1 netmask 0xff000000
wg0: flags=80c1<UP,RUNNING,NOARP,MULTICAST> metric 0 mtu 1420
\tinet 10.8.0.2 netmask 0xffffffff
"""
ANSWERS = {
    "sysctl -n kern.hostuuid": "4c4c4544-0051-3510-8052-b4c04f4e4e31\n",
    "sysctl -n kern.osrelease": "14.1-RELEASE-p3\n",
    "freebsd-version -k": "14.1-RELEASE-p5\n",
    "sysctl -n kern.boottime": "{ sec = 1767225600, usec = 53321 } Thu Jan  1 00:00:00 2026\n",
    "sysctl -n vm.loadavg": "{ 0.15 0.20 0.25 }\n",
    "sysctl -n hw.model": "AMD EPYC 7402P 24-Core Processor               \n",
    "sysctl -n hw.ncpu": "4\n",
    "sysctl -n hw.physmem": "8557060096\n",
    "sysctl -n vm.swap_total": "2147483648\n",
    "sysctl -n hw.clockrate": "2794\n",
    "sysctl -n vm.stats.vm.v_free_count": "200000\n",
    "sysctl -n vm.stats.vm.v_inactive_count": "62144\n",
    "sysctl -n hw.pagesize": "4096\n",
    "kenv -q smbios.system.maker": "Supermicro\n",
    "kenv -q smbios.system.product": "Super Server\n",
    "kenv -q smbios.system.serial": "0123456789\n",
    "df -k -T": (
        "Filesystem         Type   1024-blocks    Used    Avail Capacity  Mounted on\n"
        "/dev/gpt/rootfs    ufs       41943040 10485760 28101837    27%    /\n"
        "devfs              devfs            1        1        0   100%    /dev\n"
        "zroot/var my data  zfs        1048576        0  1048576     0%    /var/my data\n"
        "zroot/data         zfs        1048576   524288   524288    50%    /srv/my data\n"
    ),
    "ifconfig -a": IFCONFIG,
    "route -n get default": "   route to: default\ndestination: default\n    gateway: 192.0.2.1\n  interface: em0\n",
}


def answered(argv: Sequence[str]) -> str:
    try:
        return ANSWERS[" ".join(argv)]
    except KeyError as error:
        raise CommandFailed(f"{argv[0]} ended with 1: no such thing") from error


def test_a_freebsd_machine(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/resolv.conf").write_text("nameserver 192.0.2.53\n", encoding="ascii")
    outcome = run(FreeBsd(answered).collectors(), Host(tmp_path))
    assert outcome.notes == []
    fields = outcome.fields
    assert re.fullmatch(r"\d+ days, \d+ hours, \d+ minutes", str(fields.pop("systemUptime")))
    interfaces = fields.pop("networkInterfaces")
    assert fields == {
        "machineId": "4c4c4544-0051-3510-8052-b4c04f4e4e31", "kernelVersion": "14.1-RELEASE-p3",
        "installedKernelVersion": "14.1-RELEASE-p5", "selinuxStatus": "disabled", "bootTime": "2026-01-01T00:00:00Z",
        "loadAverage": [0.15, 0.2, 0.25], "cpuModel": "AMD EPYC 7402P 24-Core Processor", "cpuCores": 4,
        "cpuMhz": 2794, "hardwareVendor": "Supermicro", "hardwareProduct": "Super Server",
        "ramInstalled": 7.97, "ramUsed": 6.97, "ramFree": 1.0, "swapSize": 2.0, "ip": "192.0.2.7",
        "gatewayIp": "192.0.2.1",
        "dnsServers": ["192.0.2.53"],
        "diskDetails": [
            {"name": "/dev/gpt/rootfs", "size": "40.00GB (10.00GB used, 26.80GB free, 27.2% used)", "mountpoint": "/"},
            {"name": "zroot/var my data", "size": "1.00GB (0.00GB used, 1.00GB free, 0.0% used)",
             "mountpoint": "/var/my data"},
            {"name": "zroot/data", "size": "1.00GB (0.50GB used, 0.50GB free, 50.0% used)",
             "mountpoint": "/srv/my data"},
        ],
    }  # fmt: skip
    assert interfaces == [
        {"name": "em0", "type": "ethernet", "mtu": 1500, "status": "up", "linkSpeed": 1000, "duplex": "full",
         "macAddress": "08:00:27:AA:BB:CC",
         "addresses": [
             {"address": "192.0.2.7", "family": "inet", "netmask": "/24", "gateway": "192.0.2.1"},
             {"address": "fe80::a00:27ff:feaa:bbcc", "family": "inet6", "netmask": "/64"},
         ]},
        {"name": "igb1", "type": "ethernet", "mtu": 9000, "status": "down", "linkSpeed": -1,
         "macAddress": "08:00:27:aa:bb:cd", "addresses": []},
        {"name": "wg0", "type": "tunnel", "mtu": 1420, "status": "up", "linkSpeed": -1,
         "addresses": [{"address": "10.8.0.2", "family": "inet", "netmask": "/32"}]},
    ]  # fmt: skip


def test_what_it_cannot_tell_is_a_note_and_costs_nothing_else() -> None:
    def silent(argv: Sequence[str]) -> str:
        if argv[0] in {"ifconfig", "route"}:
            return answered(argv) if argv[0] == "ifconfig" else answered(("route", "none"))
        raise CommandFailed(f"{argv[0]} ended with 1")

    outcome = run(FreeBsd(silent).collectors(), Host())
    assert {note.collector for note in outcome.notes} == {"machine", "kernel", "uptime", "hardware", "memory", "disks"}
    assert outcome.fatal == ()
    assert (outcome.fields["ip"], outcome.fields["gatewayIp"]) == ("192.0.2.7", "")
