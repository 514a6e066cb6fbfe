"""A real agent, a real server and the real OpenSCAP: scan, fix, scan again, and both stand in the history."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.factories.house import House
from tests.factories.openscap import RULE, needs_oscap, scanned


@needs_oscap
@pytest.mark.real
@pytest.mark.proves("COMP-41", "COMP-42", "COMP-55", "COMP-96", "COMP-170", "COMP-171")
async def test_two_rules_fail_one_is_fixed_and_the_next_scan_shows_it(
    house: House, unused_tcp_port_factory: Callable[[], int], tmp_path: Path
) -> None:
    async with scanned(house, unused_tcp_port_factory(), tmp_path) as box:
        api, host = box.api, box.host
        await api.post(f"remediate/{host}", {"rule_id": f"{RULE}fixable"})
        async with asyncio.timeout(60):
            while await house.call.db.value("select count(*) from compliance_tasks where status <> 'completed'"):
                await asyncio.sleep(0.2)
        assert (tmp_path / "watched" / "missing").is_file()
        await api.trigger(host)
        second = await api.scanned(2)
        assert (second["passed"], second["failed"]) == (2, 1)
        assert [scan["failed"] for scan in await api.history()] == [1, 2]
