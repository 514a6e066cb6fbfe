"""The card of hosts that keep too few rules of their benchmark."""

import pytest

from server.automation import service as automation
from server.core.call import Call
from server.settings import service as settings
from tests.conftest import Browser
from tests.factories.compliance import decided, hand_in, scan
from tests.factories.overview import page, tiles
from tests.factories.people import HTML, form_token
from tests.stand_ins.existing_agent import Enrol


@pytest.mark.proves("INV-162", "COMP-125")
async def test_the_card_counts_leads_on_and_goes_with_its_module(as_admin: Browser, call: Call, enrol: Enrol) -> None:
    await automation.publish_builtin(call)
    for passed, failed in ((9, 1), (7, 3), (5, 5)):
        agent, _ = await enrol(f"host-{passed}")
        await hand_in(agent, scan(*decided(passed, failed)))
    token = await form_token(as_admin, "/overview/cards")
    await as_admin.post("/overview/cards", data={"csrf": token, "on": "compliance"}, headers=HTML)
    text = await page(as_admin, "/")
    assert tiles(text) == {"Not compliant": ("2", "/compliance/hosts?status=behind")}
    assert "1 of them critical" in text
    behind = await (await as_admin.get("/compliance/hosts?status=behind", headers=HTML)).text()
    assert ("host-7" in behind, "host-5" in behind, "host-9" in behind) == (True, True, False)
    await settings.change(call, {"disabled_modules": ["compliance"]})
    assert tiles(await page(as_admin, "/")) == {}
