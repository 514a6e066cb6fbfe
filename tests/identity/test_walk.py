"""Every route of docs/routes.md, asked by every kind of asker, answers as the table says."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

import pytest
from aiohttp import ClientResponse

from server.automation import service as automation
from server.automation.models import Order
from server.core.call import Call
from server.identity import scopes, tokens
from server.identity.permissions import BUILT_IN, KEYS
from server.identity.reach import WHOLE_SERVER
from server.patching import service as patching
from server.patching.models import Wanted, Work
from tests.conftest import Browser
from tests.factories.people import person, role_with, sign_in, token_of
from tests.factories.scopes import Fleet, fleet, limited
from tools.route_table import PAGE, Row, written

NOBODYS: Final = "00000000-0000-4000-8000-000000000000"
ROWS: Final = written(PAGE.read_text(encoding="utf-8"))
#: They end the session that asks, so a session walks the others only.
_ENDING: Final = {"/logout", "/api/v1/auth/logout", "/api/v1/auth/oidc/logout"}
#: Of these a part of the path names something of a host, but the caller's own credentials are the gate.
_OWN_CREDENTIALS: Final = ("/api/v1/api/", "/api/v1/agent", "/api/v1/hosts/agent")
#: Bodies that these take; to the others nothing is said.
_BODIES: Final[dict[str, dict[str, Any]]] = {
    "/api/v1/hosts/{host}/groups": {"groupIds": []},
    "/api/v1/hosts/{host}/tags": {"tags": []},
    "/api/v1/hosts/{host}/friendly-name": {"friendly_name": "other"},
    "/api/v1/hosts/{host}/notes": {"notes": "other"},
    "/api/v1/hosts/{host}/primary-interface": {"interface_name": None},
    "/api/v1/hosts/{host}/auto-update": {"auto_update": True},
    "/api/v1/hosts/{host}/host-down-alerts": {"host_down_alerts_enabled": None},
    "/api/v1/compliance/hosts/{host}/baseline": {"scan_id": "00000000-0000-0000-0000-000000000001"},
    "/api/v1/hosts/{host}/integrations/compliance/mode": {"mode": "enabled"},
    "/api/v1/hosts/{host}/integrations/compliance/default-profile": {"profile_id": None},
    "/api/v1/hosts/{host}/integrations/{integration}/toggle": {"enabled": True},
}
#: What is typed into these forms.
_FORMS: Final[dict[str, dict[str, str]]] = {
    "/hosts/{host}/edit": {"friendly_name": "other"},
    "/hosts/{host}/groups": {"group": "{north}"},
    "/hosts/{host}/tags": {"tags": "role=web"},
    "/hosts/{host}/integrations/docker": {"enabled": "true"},
    "/hosts/{host}/integrations/compliance": {"mode": "enabled"},
}
#: Who is limited changes no groups at all, whichever they are.
_GROUPS: Final = re.compile(r"^/(api/v1/host-groups|options|settings/host-groups)/")
#: They answer 503 while nothing is set up that they stand for.
_NOT_SET_UP: Final = re.compile(r"^/api/v1/auth/(oidc|discord)/")

#: Every route there is, one after the other.
pytestmark = pytest.mark.timeout(120)


@dataclass(frozen=True, slots=True)
class Asker:
    """Whoever walks: ``headers`` say who that is, ``held`` what the table has to grant; ``None`` is nobody."""

    headers: dict[str, str]
    held: frozenset[str] | None
    limited: bool = False
    session: bool = False


@dataclass(frozen=True, slots=True)
class Place:
    """What the paths of limited askers name: all of it exists, none of it is theirs."""

    there: Fleet
    job: str
    api_id: str
    run: str


@pytest.fixture
async def place(call: Call) -> Place:
    there = await fleet(call)
    await automation.publish_builtin(call)
    job = await automation.launch(call, Order("ping", hosts=(there.outside,), check=True))
    api_id = await call.db.value("select api_id from hosts where uuid = %(uuid)s", uuid=there.outside)
    wanted = Wanted(Work("patch_all"), (there.outside,), submit=True)
    (run,) = await patching.trigger(call, wanted)
    return Place(there, job.uuid, api_id, run.id)


async def of_role(call: Call, role: str) -> Asker:
    token = await token_of(call, await person(call, role))
    return Asker({"Authorization": f"Bearer {token}"}, BUILT_IN[role])


async def of_scopes(call: Call, name: str) -> Asker:
    granted = {"hosts": frozenset({"can_view_hosts"}), **_presets()}[name]
    token = await token_of(call, await person(call, "admin"), scopes=granted)
    return Asker({"Authorization": f"Bearer {token}"}, BUILT_IN["admin"] if granted is None else granted)


def _presets() -> dict[str, frozenset[str] | None]:
    return {name: granted for name, _, granted in tokens.PRESETS}


async def of_limited_role(call: Call, there: Fleet) -> Asker:
    await role_with(call, "northerners", *KEYS)
    await scopes.limit_role(call, "northerners", [there.north])
    token = await token_of(call, await person(call, "northerners"))
    return Asker({"Authorization": f"Bearer {token}"}, KEYS - WHOLE_SERVER, limited=True)


async def of_limited_person(call: Call, there: Fleet) -> Asker:
    token = await token_of(call, await limited(call, there.north, role="admin"))
    return Asker({"Authorization": f"Bearer {token}"}, BUILT_IN["admin"] - WHOLE_SERVER, limited=True)


async def of_limited_reader(call: Call, there: Fleet) -> Asker:
    token = await token_of(call, await limited(call, there.north, role="admin"), scopes={"can_view_hosts"})
    return Asker({"Authorization": f"Bearer {token}"}, frozenset({"can_view_hosts"}), limited=True)


async def walk(client: Browser, asker: Asker, place: Place) -> list[str]:
    """Ask every route and return what is not as the table says."""
    wrong = []
    form = {"csrf": await form_token_of(client, asker)}
    for row in ROWS:
        if asker.session and row.path in _ENDING:
            continue
        method = "GET" if row.method == "any" else row.method
        path = filled(row.path, place if asker.limited else None)
        sent: dict[str, Any] = {}
        if method != "GET":
            typed = {key: text.format(north=place.there.north) for key, text in _FORMS.get(row.path, {}).items()}
            sent = {"json": _BODIES.get(row.path, {})} if path.startswith("/api/") else {"data": form | typed}
        headers = {"Accept": "application/json", **asker.headers}
        async with client.request(method, path, headers=headers, allow_redirects=False, **sent) as answer:
            if complaint := await judged(row, asker, answer):
                wrong.append(f"{method} {path}: {answer.status} {complaint}")
    return wrong


async def form_token_of(client: Browser, asker: Asker) -> str:
    """Return the token that forms carry for this asker; what is behind the gates must be reached."""
    page = "/login" if asker.held is None else "/styleguide"
    async with client.get(page, headers={"Accept": "text/html", **asker.headers}) as answer:
        found = re.search(r'name="csrf" value="([^"]+)"', await answer.text())
    assert found is not None, f"{answer.status} {page}"
    return found[1]


def filled(path: str, place: Place | None) -> str:
    """Return the path with something that exists outside the asker's groups, or with nothing that exists."""
    names = {"host": NOBODYS, "group": NOBODYS, "job": NOBODYS, "api_id": NOBODYS, "digest": "0" * 64, "position": "1"}
    names |= {"integration": "docker", "kind": "containers", "operation": "exec"}
    if place is not None:
        names |= {"host": place.there.outside, "group": place.there.south, "api_id": place.api_id}
        names |= {"job": place.job} if "/automation/" not in path else {}
        names |= {"run": place.run} if "/patching/" in path else {}
    return re.sub(r"\{(\w+)(:[^}]*)?\}", lambda part: names.get(part[1], NOBODYS), path)


async def judged(row: Row, asker: Asker, answer: ClientResponse) -> str:
    """Return what is wrong with an answer; empty when nothing is."""
    # A stream that opened passed its gate; it would go on for ever.
    status, text = answer.status, "" if answer.content_type == "text/event-stream" else await answer.text()
    refused = status == 403 and '"code":"forbidden"' in text
    if status >= 500 and not (status == 503 and _NOT_SET_UP.match(row.path)):
        return "the server failed"
    if row.gate == "open" or ((asker.held is None or row.gate == "agent") and status == 401):
        return ""
    if asker.held is None or row.gate == "agent":
        return "expected 401"
    may_pass = row.gate != "permission" or bool(asker.held & set(row.permissions))
    if status == 401 or refused is may_pass:
        return "expected to pass the gate" if may_pass else "expected the gate to refuse"
    if may_pass and asker.limited and addresses_a_host(row) and status != 404:
        return "expected 404 for what is not of the asker's groups"
    return ""


def addresses_a_host(row: Row) -> bool:
    # What the relay is asked for is read before its host is looked for; tests/ansible/test_relay.py asks properly.
    if row.path.startswith((*_OWN_CREDENTIALS, "/api/v1/relay/")) or "/automation/" in row.path:
        return False
    if row.method != "GET" and _GROUPS.match(row.path):
        return False
    return bool(re.search(r"\{(host|job|group|api_id)\}|/patching/runs/\{run\}", row.path))


async def untouched(call: Call, place: Place) -> bool:
    """Whether the host outside is as it was."""
    groups = await call.db.column(
        "select g.name from host_group_members m join host_groups g on g.id = m.host_group_id "
        "join hosts h on h.id = m.host_id where h.uuid = %(uuid)s",
        uuid=place.there.outside,
    )
    api_id = await call.db.value("select api_id from hosts where uuid = %(uuid)s", uuid=place.there.outside)
    status = await call.db.column("select status from job_hosts")
    return (groups, api_id, status) == (["south"], place.api_id, ["queued"])


async def test_nobody(client: Browser, call: Call, place: Place) -> None:
    await person(call, "superadmin")
    assert await walk(client, Asker({}, None), place) == []
    assert await untouched(call, place)


@pytest.mark.parametrize("role", BUILT_IN)
async def test_each_built_in_role(client: Browser, call: Call, place: Place, role: str) -> None:
    await person(call, "superadmin")
    assert await walk(client, await of_role(call, role), place) == []


@pytest.mark.parametrize("role", ["superadmin", "readonly"])
async def test_a_session(client: Browser, call: Call, place: Place, role: str) -> None:
    opened = await sign_in(client, (await person(call, role)).username)
    client.session.cookie_jar.clear()
    asker = Asker({"Authorization": f"Bearer {opened['token']}"}, BUILT_IN[role], session=True)
    assert await walk(client, asker, place) == []


@pytest.mark.parametrize("name", ["all", "read", "run", "hosts"])
async def test_a_token_of_each_scope(client: Browser, call: Call, place: Place, name: str) -> None:
    assert await walk(client, await of_scopes(call, name), place) == []


@pytest.mark.parametrize("make", [of_limited_role, of_limited_person, of_limited_reader])
async def test_who_is_limited_to_one_group(
    client: Browser, call: Call, place: Place, make: Callable[[Call, Fleet], Awaitable[Asker]]
) -> None:
    await person(call, "superadmin")
    assert await walk(client, await make(call, place.there), place) == []
    assert await untouched(call, place)


async def test_the_same_paths_exist_for_who_sees_the_whole_fleet(client: Browser, call: Call, place: Place) -> None:
    asker = await of_role(call, "superadmin")
    missing = []
    for row in ROWS:
        elsewhere = row.path.endswith("/stream") or re.search("digest|position|reports/|/docker|/latest$", row.path)
        if row.method == "GET" and addresses_a_host(row) and not elsewhere:
            path = filled(row.path, place) + ("?host=outside" if row.path.endswith("/output") else "")
            async with client.get(path, headers={"Accept": "application/json", **asker.headers}) as answer:
                if answer.status != 200:
                    missing.append(f"{path}: {answer.status}")
    assert missing == []


def test_the_table_is_long_enough_to_be_true() -> None:
    assert len(ROWS) > 150
    assert sum(addresses_a_host(row) for row in ROWS) > 20
