"""What the server's log says about runs, for whoever looks for one."""

import pytest

from tests.factories.automation import Fleet
from tests.factories.patching import Patching, change, finish


@pytest.mark.proves("PATCH-39")
async def test_every_step_of_a_run_is_found_by_its_task(
    api: Patching, fleet: Fleet, capsys: pytest.CaptureFixture[str]
) -> None:
    agent = await fleet.online("web-01")
    made = await api.trigger(fleet.ids["web-01"])
    other = await api.trigger(fleet.ids["web-01"], patch_type="patch_package", package_name="curl")
    await finish(api, agent, await agent.job(), change("openssl"))
    await api.becomes(made["patch_run_id"], "completed")
    lines = [line for line in capsys.readouterr().out.splitlines() if f"patch-run-{made['patch_run_id']}" in line]
    assert len(lines) >= 2, "released and ended"
    assert all("patching:" in line for line in lines)
    assert not any(other["patch_run_id"] in line for line in lines)
