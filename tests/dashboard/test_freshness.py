"""The overview says who was not patched lately, and why patching fails."""

from datetime import timedelta

from server.core.call import Call
from server.hosts import service as hosts
from server.hosts.models import NewHost
from tests.conftest import Browser
from tests.factories.people import HTML


async def test_the_tile_leads_to_the_hosts_and_the_panel_groups_failures_by_cause(
    as_admin: Browser, call: Call
) -> None:
    for name in ("old", "full-1", "full-2", "locked", "fresh"):
        await hosts.create(call, NewHost(name))
    await call.db.execute("update hosts set status = 'active', last_update = now()")
    empty = await (await as_admin.get("/", headers=HTML)).text()
    assert "The last patch run of every host went well." in empty
    await call.db.execute(
        """
        insert into host_patching (host_id, last_success_at, last_attempt_at, last_status, consecutive_failures, cause)
        select id, %(now)s - case friendly_name when 'old' then interval '45 days' else interval '1 day' end, %(now)s,
               'failed', case when friendly_name in ('old', 'fresh') then 0 else 3 end,
               case when friendly_name like 'full%%' then 'Disk full'
                    when friendly_name = 'locked' then 'Package manager locked' else '' end
          from hosts
        """,
        now=call.now - timedelta(minutes=5),
    )
    page = await (await as_admin.get("/", headers=HTML)).text()
    assert 'href="/hosts?filter=patchStale"' in page
    assert "3 hosts failing" in page
    tile = page[page.index("/hosts?filter=patchStale") :]
    assert tile[: tile.index("</a>")].count('tile-value num">1<') == 1
    panel = page[page.index('id="panel-patchFailures"') :]
    assert panel.index("Disk full") < panel.index("2 hosts") < panel.index("Package manager locked")
    assert 'href="/hosts?filter=patchFailing"' in panel
