"""The real guide for Debian 12, evaluated by the real OpenSCAP against a real Debian 12: every result is kept."""

import os
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from aiohttp import ClientSession

from server.settings import service as settings
from tests.conftest import Browser
from tests.factories.compliance import Compliance
from tests.factories.debian_root import NoRoot, debian
from tests.factories.house import House
from tests.factories.openscap import names_here, needs_oscap
from tests.factories.people import HTML, bearer, sign_in_as
from tests.factories.real_guide import NAME, debian12

_PROFILE = "xccdf_org.ssgproject.content_profile_anssi_bp28_high"
#: How the words of XCCDF are kept; what the profile leaves out is not.
_KEPT = {"pass": "pass", "fail": "fail", "error": "error", "unknown": "error", "notapplicable": "notapplicable",
         "notchecked": "skipped", "informational": "skipped"}  # fmt: skip


def _instead(folder: Path, root: Path, kept: Path) -> Path:
    """Put an ``oscap`` first on the path that looks at another root, and keeps what it wrote about it."""
    folder.mkdir()
    program = folder / "oscap"
    program.write_text(
        f"""#!/bin/sh
export OSCAP_PROBE_ROOT={root}
{shutil.which("oscap")} "$@"
code=$?
while [ $# -gt 1 ]; do
  [ "$1" = --results ] && cp "$2" {kept}
  shift
done
exit $code
""",
        encoding="utf-8",
    )
    program.chmod(0o755)
    return folder


def _counted(results: Path) -> dict[str, tuple[str, str]]:
    """Return state and severity of each rule, by OpenSCAP's own result."""
    name = "{http://checklists.nist.gov/xccdf/1.2}"
    found = {}
    for one in ET.parse(results).getroot().iter(f"{name}rule-result"):
        told = one.findtext(f"{name}result", "")
        if told != "notselected":
            found[one.attrib["idref"]] = (_KEPT[told], one.attrib.get("severity", "unknown"))
    return found


async def _everything(api: Compliance, scan: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    while True:
        page = await api.get(f"results/{scan}?limit=100&offset={len(found)}")
        found += page["results"]
        if not page["pagination"]["hasMore"]:
            return found


@needs_oscap
@pytest.mark.real
@pytest.mark.xdist_group("debian-roots")
@pytest.mark.proves("COMP-11", "COMP-20", "COMP-41", "COMP-42", "COMP-55", "COMP-147", "COMP-157")
async def test_every_result_of_the_real_guide_is_kept_and_can_be_drilled_into(
    house: House,
    client: Browser,
    unused_tcp_port_factory: Callable[[], int],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    pytestconfig: pytest.Config,
) -> None:
    if NAME not in names_here():
        pytest.skip("this system is no Debian 12")
    try:
        guide, root = debian12(pytestconfig.cache), debian(pytestconfig.cache)
    except NoRoot as error:
        pytest.skip(str(error))
    content, kept = tmp_path / "content", tmp_path / "results.xml"
    content.mkdir()
    (content / NAME).symlink_to(guide)
    monkeypatch.setenv("PATH", f"{_instead(tmp_path / 'bin', root, kept)}:{os.environ['PATH']}")
    running = house.server(unused_tcp_port_factory(), SSG_CONTENT_DIR=str(content))
    await running.start()
    await settings.change(house.call, {"default_compliance_mode": "on-demand"})
    agent = await house.agent("bookworm", running.port)
    await agent.start()
    async with ClientSession() as session:
        api = Compliance(session, running.url, await bearer(house.call))
        host = str(await house.call.db.value("select uuid from hosts"))
        await api.trigger(host, profile_id=_PROFILE)
        scan = await api.scanned(1, seconds=200)
        assert (scan["status"], scan["profile_id"]) == ("completed", _PROFILE), scan
        true = _counted(kept)
        numbers = Counter(state for state, _ in true.values())
        assert len(true) > 300
        assert min(numbers["pass"], numbers["fail"], numbers["notapplicable"]) > 0, numbers
        columns = {"passed": "pass", "failed": "fail", "skipped": "skipped", "not_applicable": "notapplicable",
                   "errors": "error"}  # fmt: skip
        assert {name: scan[name] for name in columns} == {name: numbers[state] for name, state in columns.items()}
        assert scan["total_rules"] == len(true)

        stored = await _everything(api, scan["id"])
        assert {one["rule_ref"]: (one["status"], one["severity"]) for one in stored} == true
        assert all(one["title"] and one["description"] for one in stored)
        severe = Counter(severity for state, severity in true.values() if state == "fail")
        assert (await api.get(f"results/{scan['id']}?limit=1"))["severity_breakdown"] == dict(severe)
        narrowed = await api.get(f"results/{scan['id']}?status=fail&severity=medium&limit=1")
        assert narrowed["pagination"]["total"] == severe["medium"]

        worst = next(one for one in stored if one["status"] == "fail" and one["remediation"])
        detail = await api.get(f"rules/{worst['rule_ref']}")
        assert (detail["rule"]["remediation"], detail["summary"]["failing"]) == (worst["remediation"], 1)
    await sign_in_as(client, house.call, "superadmin")
    for path, words in {
        f"/compliance/hosts/{host}?status=fail": [str(numbers["fail"]), worst["severity"].capitalize()],
        f"/compliance/rules/{worst['rule_id']}": [worst["rule_ref"], "bookworm", "Remediation"],
        "/compliance/history": ["bookworm", str(len(true))],
    }.items():
        answer = await client.get(path, headers=HTML)
        text = await answer.text()
        assert answer.status == 200, text[-2000:]
        for word in words:
            assert word in text, (path, word)
