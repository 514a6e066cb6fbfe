"""The card of the patch runs that run now."""

from server.core.call import Call
from tests.conftest import Browser
from tests.factories.hosts import added
from tests.factories.overview import page, tiles
from tests.factories.people import HTML, form_token


async def test_the_card_of_patch_runs_counts_and_leads_to_them(as_admin: Browser, call: Call) -> None:
    made = [await added(call, f"web-{number}") for number in range(3)]
    wanted = {"host_ids": [one.uuid for one in made], "patch_type": "patch_all"}
    assert (await as_admin.post("/api/v1/patching/trigger", json=wanted)).status == 200
    token = await form_token(as_admin, "/overview/cards")
    arranged = await as_admin.post("/overview/cards", data={"csrf": token, "on": "patchRuns"}, headers=HTML)
    assert arranged.status == 200
    await call.db.execute("update patch_runs set status = 'running' where id = (select id from patch_runs limit 1)")
    text = await page(as_admin, "/")
    assert tiles(text) == {"Patch runs": ("1", "/patching?tab=runs&status=active")}
    assert "2 queued" in text
    assert (await as_admin.get("/patching?tab=runs&status=active", headers=HTML)).status == 200
