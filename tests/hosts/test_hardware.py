"""What a machine is made of: from our agent's report and its check-ins to the page and to programs."""

import re

import pytest

from server.core.call import Call
from tests.factories.hosts import Browser, enrolled, full_report, package
from tests.hosts.test_host_page import host_of, page

MACHINE = {
    "cpuSockets": 2, "cpuMhz": 3300, "ramInstalled": 15.5, "ramUsed": 3.25, "ramFree": 12.25, "swapSize": 2.0,
    "hardwareVendor": "Dell <Inc.>", "hardwareProduct": "PowerEdge R640", "hardwareSerial": "7CX\0ZK2",
}  # fmt: skip


@pytest.mark.proves("INV-10", "INV-80")
async def test_the_system_page_shows_what_the_machine_is_made_of(
    as_admin: Browser, client: Browser, call: Call
) -> None:
    agent = await enrolled(call, client, compliance_enabled=True)
    report = full_report([package("a")])
    assert (await agent.update({**report, **MACHINE, "packageManager": "apt", "cpuCores": 8})).status == 200
    status = {
        "integration": "compliance", "enabled": True, "status": "ready", "message": "", "components": {},
        "scanner_info": {"openscap_available": True, "ssg_version": "0.1.76"},
    }  # fmt: skip
    assert (await agent.post("/hosts/integration-status", json=status)).status == 200
    _, uuid = await host_of(call)

    async def shown() -> dict[str, str]:
        text = await page(as_admin, f"/hosts/{uuid}/system")
        pairs = re.findall(r"<dt>(.*?)</dt>\s*<dd>\s*(.*?)\s*</dd>", text, re.DOTALL)
        return dict(pairs)

    told = await shown()
    wanted = {
        "Sockets": "2", "Cores": "8", "Frequency": "3.30 GHz", "Total": "15.5 GiB", "Used": "3.2 GiB",
        "Free": "12.2 GiB", "Swap": "2.0 GiB", "Vendor": "Dell &lt;Inc.&gt;", "Product": "PowerEdge R640",
        "Serial": "7CXZK2", "SSG version": "0.1.76", "Package manager": "apt",
    }  # fmt: skip
    assert {name: told.get(name) for name in wanted} == wanted
    assert {"Running", "SELinux", "Architecture", "Model"} <= set(told)
    # A check-in says only what changes; the rest stays.
    beat = {"metrics": {"ramUsed": 4.0, "ramFree": 11.5, "cpuMhz": 1e300, "ramInstalled": 15.5}, "agentVersion": "9"}
    assert (await agent.ping(beat)).status == 200
    told = await shown()
    assert (told["Used"], told["Free"], told["Serial"], told["Frequency"]) == (
        "4.0 GiB", "11.5 GiB", "7CXZK2", "3.30 GHz",
    )  # fmt: skip
    host = await (await as_admin.get(f"/api/v1/hosts/{uuid}")).json()
    assert host["hardware"]["vendor"] == "Dell <Inc.>"
    # An existing agent says nothing of it.
    assert (await agent.update(report)).status == 200
    assert (await shown())["Vendor"] == "Dell &lt;Inc.&gt;"
