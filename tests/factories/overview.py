"""Hosts with packages, and what the overview shows of them."""

import re
from collections.abc import Sequence
from datetime import timedelta

from server.core import clock
from server.core.call import Call
from tests.conftest import Browser
from tests.factories.people import HTML


async def add_host(
    call: Call,
    name: str,
    *,
    packages: Sequence[tuple[str, str]] = (),
    reboot: bool = False,
    hours_silent: float | None = 0,
    group: str = "",
    system: tuple[str, str] = ("Debian", "12"),
) -> str:
    """Return the UUID of a new host; packages are (name, "" or "update" or "security")."""
    host = await call.db.one(
        """
        insert into hosts (friendly_name, hostname, api_id, api_key, needs_reboot, last_update, status, os_type,
                           os_version)
        values (%(name)s, %(name)s, %(name)s, 'x', %(reboot)s,
                now() - make_interval(secs => %(silent)s::float * 3600),
                case when %(silent)s::float is null then 'pending' else 'active' end, %(os)s, %(version)s)
        returning id, uuid::text as uuid
        """,
        name=name,
        reboot=reboot,
        silent=hours_silent,
        os=system[0],
        version=system[1],
    )
    assert host is not None
    if hours_silent is not None:
        await call.db.execute(
            "insert into host_inventory (host_id, packages, updates, security_updates, updated_at)"
            " values (%(host)s, %(packages)s, %(updates)s, %(security)s, %(at)s)",
            host=host["id"],
            at=clock.now() - timedelta(hours=hours_silent),
            packages=len(packages),
            updates=sum(1 for _, needs in packages if needs),
            security=sum(1 for _, needs in packages if needs == "security"),
        )
    for package, needs in packages:
        await call.db.execute(
            """
            with known as (insert into packages (name) values (%(name)s)
                               on conflict (name) do update set name = excluded.name returning id)
            insert into host_packages (host_id, package_id, needs_update, is_security_update, fingerprint, last_checked)
            select %(host)s, id, %(needs)s <> '', %(needs)s = 'security', 1, now() from known
            """,
            name=package,
            host=host["id"],
            needs=needs,
        )
    if group:
        await call.db.execute(
            "insert into host_group_members (host_id, host_group_id)"
            " select %(host)s, id from host_groups where uuid::text = %(group)s",
            host=host["id"],
            group=group,
        )
    return str(host["uuid"])


async def page(browser: Browser, path: str) -> str:
    """Return a page with its spaces made one."""
    answer = await browser.get(path, headers=HTML)
    text = await answer.text()
    assert answer.status == 200, text[:2000]
    return " ".join(text.split())


def tiles(text: str) -> dict[str, tuple[str, str]]:
    """Return the tiles of a page in their order: label to (number, address)."""
    found = re.findall(
        r'class="tile is-\w+" href="([^"]+)"> <span class="tile-label">([^<]+)</span> '
        r'<span class="tile-value num">([^<]+)<',
        text,
    )
    return {label: (number, url.replace("&amp;", "&")) for url, label, number in found}


def panels(text: str) -> list[str]:
    """Return the ids of the panels in their order."""
    return re.findall(r'aria-labelledby="panel-(\w+)"', text)
