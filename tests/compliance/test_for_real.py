"""A real agent, a real server and the real OpenSCAP: scan, fix, scan again, and both stand in the history."""

import asyncio
import gzip
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as ET

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


@needs_oscap
@pytest.mark.real
async def test_the_scanners_own_result_is_there_for_scans_that_were_asked_for_with_it(
    house: House, unused_tcp_port_factory: Callable[[], int], tmp_path: Path
) -> None:
    async with scanned(house, unused_tcp_port_factory(), tmp_path) as box:
        api, host = box.api, box.host
        (plain,) = await api.history()
        await api.get(f"results/{plain['id']}/arf.xml.gz", status=404)
        await api.trigger(host, arf=True)
        second = await api.scanned(2)
        assert (second["passed"], second["failed"]) == (1, 2)
        url = f"{api.url}/api/v1/compliance/results/{second['id']}/arf.xml.gz"
        async with api.session.get(url, headers=api.headers) as answer:
            assert (answer.status, answer.headers["Content-Type"]) == (200, "application/gzip")
            assert answer.headers["Content-Disposition"].endswith('.arf.xml.gz"')
            told = ET.fromstring(gzip.decompress(await answer.read()))
        assert told.tag == "{http://scap.nist.gov/schema/asset-reporting-format/1.1}asset-report-collection"
        results = told.iter("{http://checklists.nist.gov/xccdf/1.2}rule-result")
        found = {one.get("idref", ""): one.findtext("{http://checklists.nist.gov/xccdf/1.2}result") for one in results}
        assert found[f"{RULE}fixable"] == "fail"
        assert found[f"{RULE}passes"] == "pass"
