"""A real agent, a real server and the real OpenSCAP: scan, fix, scan again, and both stand in the history."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from aiohttp import ClientSession

from server.settings import service as settings
from tests.factories.compliance import Compliance
from tests.factories.house import House
from tests.factories.openscap import RULE, guide, names_here, needs_oscap
from tests.factories.people import bearer


@needs_oscap
@pytest.mark.real
@pytest.mark.proves("COMP-41", "COMP-42", "COMP-55", "COMP-96", "COMP-170", "COMP-171")
async def test_two_rules_fail_one_is_fixed_and_the_next_scan_shows_it(
    house: House, unused_tcp_port_factory: Callable[[], int], tmp_path: Path
) -> None:
    names = names_here()
    if not names:
        pytest.skip("this system has no security guide by name")
    content = tmp_path / "content"
    guide(content, tmp_path / "watched", names[0])
    (content / ".ssg-version").write_text("0.0.1\n", encoding="utf-8")
    running = house.server(unused_tcp_port_factory(), SSG_CONTENT_DIR=str(content))
    await running.start()
    await settings.change(house.call, {"default_compliance_mode": "on-demand"})
    agent = await house.agent("box", running.port)
    await agent.start()
    async with ClientSession() as session:
        api = Compliance(session, running.url, await bearer(house.call))
        host = str(await house.call.db.value("select uuid from hosts"))
        await api.trigger(host)
        first = await api.scanned(1)
        assert (first["status"], first["passed"], first["failed"]) == ("completed", 1, 2), first
        await api.post(f"remediate/{host}", {"rule_id": f"{RULE}fixable"})
        async with asyncio.timeout(60):
            while await house.call.db.value("select count(*) from compliance_tasks where status <> 'completed'"):
                await asyncio.sleep(0.2)
        assert (tmp_path / "watched" / "missing").is_file()
        await api.trigger(host)
        second = await api.scanned(2)
        assert (second["passed"], second["failed"]) == (2, 1)
        assert [scan["failed"] for scan in await api.history()] == [1, 2]
