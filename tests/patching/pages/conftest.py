"""Runs in every state, without waiting for hosts, and pages read as browsers without scripts read them."""

import re
from dataclasses import dataclass
from datetime import timedelta
from html import unescape
from typing import Any

import pytest

from server.core.call import Call
from server.core.ids import new_uuid
from tests.conftest import Browser
from tests.factories.people import HTML, form_token


@dataclass
class Reader:
    """A browser without scripts."""

    browser: Browser

    async def page(self, url: str, status: int = 200) -> str:
        """Return a page as it came."""
        async with self.browser.get(url, headers=HTML) as answer:
            text = await answer.text()
            assert answer.status == status, text[-3000:]
            return text

    async def words(self, url: str, status: int = 200) -> str:
        """Return what stands in the middle of a page, without tags."""
        return plain(await self.page(url, status))

    async def send(self, page: str, url: str, status: int = 303, **fields: Any) -> str:
        """Post a form with the token of a page; return where it leads, or the page that came instead."""
        data = {"csrf": await form_token(self.browser, page), **fields}
        async with self.browser.post(url, data=data, headers=HTML, allow_redirects=False) as answer:
            text = await answer.text()
            assert answer.status == status, text[-3000:]
            return answer.headers["Location"] if status == 303 else text


def plain(text: str) -> str:
    """Return the words of a page's main part."""
    main = text.partition("<main")[2].partition("</main>")[0] or text
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", main)).split())


@dataclass
class Past:
    """Writes runs as they would stand there."""

    call: Call

    async def host(self, name: str, **more: Any) -> str:
        """Add a host that never spoke; return its UUID."""
        fields = {"name": name, "hostname": more.get("hostname", name), "platform": more.get("platform", "linux")}
        return str(
            await self.call.db.value(
                """
                insert into hosts (friendly_name, hostname, api_id, api_key, status, expected_platform)
                values (%(name)s, %(hostname)s, 'api-' || %(name)s, 'key', 'active', %(platform)s)
                returning uuid
                """,
                **fields,
            )
        )

    async def run(self, host: str, status: str, **more: Any) -> str:
        """Add a run of a host in this state."""
        run = new_uuid()
        started = None if status in {"queued", "scheduled", "pending_validation", "pending_approval"} else self.call.now
        over = status not in {"queued", "scheduled", "pending_validation", "pending_approval", "running"}
        row = {
            "id": run, "host": host, "status": status, "patch_type": "patch_all", "names": [], "dry": False,
            "batch": new_uuid(), "policy": {"id": None, "name": "Default"}, "packages": [], "extra": False,
            "plan": None, "error": "", "output": "", "by": "anna", "validation": None, "at": self.call.now,
            "scheduled": self.call.now + timedelta(hours=2) if status == "scheduled" else None,
            "started": started, "completed": self.call.now if over else None, **more,
        }  # fmt: skip
        from server.core.db import as_json  # noqa: PLC0415 (only here)

        row |= {name: as_json(row[name]) for name in ("policy", "packages")}
        row["plan"] = None if row["plan"] is None else as_json(row["plan"])
        await self.call.db.execute(
            """
            insert into patch_runs (id, host_id, patch_type, package_names, dry_run, status, batch_id, policy_snapshot,
                                    packages_affected, extra_deps, plan, error_message, shell_output, initiated_by,
                                    validation_run_id, created_at, scheduled_at, started_at, completed_at, updated_at)
            select %(id)s, h.id, %(patch_type)s, %(names)s::text[], %(dry)s, %(status)s, %(batch)s, %(policy)s::jsonb,
                   %(packages)s::jsonb, %(extra)s, %(plan)s::jsonb, %(error)s, %(output)s, %(by)s, %(validation)s,
                   %(at)s, %(scheduled)s, %(started)s, %(completed)s, %(at)s
              from hosts h where h.uuid = %(host)s
            """,
            **row,
        )
        return run


@pytest.fixture
def reader(as_admin: Browser) -> Reader:
    return Reader(as_admin)


@pytest.fixture
def past(call: Call) -> Past:
    return Past(call)
