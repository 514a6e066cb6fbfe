"""Collectors against recorded hosts, and the runner that none of them can stop."""

import subprocess
import time
from pathlib import Path

import pytest

from agent.collect import COLLECTORS, Collector, Fields, Host, run
from agent.collect.uptime import spoken
from tests.agent.conftest import ROOT

RECORDED = ROOT / "tests" / "fixtures" / "os"
OF_FILES = ("os", "hostname", "machine", "kernel", "selinux", "uptime", "hardware", "memory", "network")


def found(name: str) -> Fields:
    return run([one for one in COLLECTORS if one.name in OF_FILES], Host(RECORDED / name)).fields


@pytest.mark.proves("INV-10")
def test_a_debian_machine() -> None:
    fields = found("debian-12")
    interfaces = fields.pop("networkInterfaces")
    fields.pop("architecture")
    assert fields == {
        "osType": "Debian GNU/Linux",
        "osVersion": "12 (bookworm)",
        "hostname": "web-01",
        "machineId": "4fd1ab2f9a7b4b0a8c1d5e6f70819203",
        "kernelVersion": "6.1.0-30-amd64",
        "installedKernelVersion": "6.1.0-31-amd64",
        "selinuxStatus": "enabled",
        "systemUptime": "3 days, 4 hours, 5 minutes",
        "bootTime": "2026-01-01T00:00:00Z",
        "loadAverage": [0.15, 0.2, 0.25],
        "cpuModel": "Intel(R) Xeon(R) CPU E5-2680 v4 @ 2.40GHz",
        "cpuCores": 2,
        "cpuSockets": 2,
        "cpuMhz": 3300,
        # What the maker never filled in is no serial number.
        "hardwareVendor": "Dell Inc.",
        "hardwareProduct": "PowerEdge R640",
        "ramInstalled": 3.84,
        "ramUsed": 0.84,
        "ramFree": 3.0,
        "swapSize": 1.0,
        "gatewayIp": "192.0.2.1",
        "dnsServers": ["192.0.2.53", "2001:db8::53"],
        "ip": "",
    }
    assert interfaces == [
        {"name": "br0", "type": "bridge", "status": "down", "linkSpeed": -1, "addresses": []},
        {
            "name": "eth0",
            "type": "ethernet",
            "macAddress": "52:54:00:AB:CD:EF",
            "mtu": 1500,
            "status": "up",
            "linkSpeed": 10000,
            "duplex": "full",
            "addresses": [],
        },
        {"name": "wlan0", "type": "wifi", "status": "down", "linkSpeed": -1, "addresses": []},
    ]


def test_an_ubuntu_container() -> None:
    fields = found("ubuntu-24.04")
    assert (fields["osType"], fields["osVersion"]) == ("Ubuntu", "24.04.3 LTS (Noble Numbat)")
    # Its own uptime, not the machine's; no kernel is installed in it.
    assert fields["systemUptime"] == "1 hours, 5 minutes"
    assert fields["bootTime"] == "2026-01-04T03:00:00Z"
    assert "installedKernelVersion" not in fields
    assert fields["selinuxStatus"] == "disabled"
    assert fields["cpuModel"] == "Raspberry Pi 4 Model B Rev 1.4"
    assert (fields["ramInstalled"], fields["swapSize"]) == (2.0, 0)
    # The stub's own servers, not the stub.
    assert fields["dnsServers"] == ["198.51.100.1"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(59, "0 minutes"), (60, "1 minutes"), (3600, "1 hours, 0 minutes"), (86400, "1 days, 0 hours, 0 minutes")],
)
def test_uptime_in_words(seconds: int, text: str) -> None:
    assert spoken(seconds) == text


def test_this_machine_agrees_with_its_own_tools() -> None:
    fields = run([one for one in COLLECTORS if one.name in ("network", "disks", "kernel")], Host()).fields
    listed = subprocess.run(["ip", "-o", "address"], capture_output=True, text=True, check=True).stdout
    theirs = {line.split()[3] for line in listed.splitlines() if line.split()[1] != "lo"}
    interfaces = fields["networkInterfaces"]
    assert isinstance(interfaces, list)
    ours = {f"{one['address']}{one['netmask']}" for row in interfaces for one in row["addresses"]}
    assert ours == {address for address in theirs if not address.startswith("127.")}
    uname = subprocess.run(["uname", "-r"], capture_output=True, text=True, check=True).stdout.strip()
    assert fields["kernelVersion"] == uname
    disks = fields["diskDetails"]
    assert isinstance(disks, list)
    assert "/" in {row["mountpoint"] for row in disks}
    for row in disks:
        assert row["size"].count("GB") == 3
        assert row["size"].endswith("% used)")


def test_one_that_fails_or_hangs_stops_nobody() -> None:
    def explode(_host: Host) -> Fields:
        raise KeyError("lost")

    def hang(_host: Host) -> Fields:
        time.sleep(30)
        return {"never": 1}

    def answer(_host: Host) -> Fields:
        return {"here": 1}

    begun = time.monotonic()
    collectors = [
        Collector("hangs", hang, deadline_seconds=0.2),
        Collector("explodes", explode, fatal=True),
        Collector("answers", answer),
    ]
    outcome = run(collectors, Host(Path("/nowhere")))
    assert time.monotonic() - begun < 5
    assert outcome.fields == {"here": 1}
    assert [(note.collector, note.fatal) for note in outcome.notes] == [("hangs", False), ("explodes", True)]
    assert [note.collector for note in outcome.fatal] == ["explodes"]
    assert "no answer within 0.2 s" in outcome.notes[0].text
