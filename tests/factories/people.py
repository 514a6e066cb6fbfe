"""People with a role, and browsers and programs that are signed in as them."""

import re
from collections.abc import Iterable
from itertools import count
from typing import Any, Final

import bcrypt
from aiohttp import ClientResponse
from aiohttp.test_utils import TestClient

from server.core.bus import announce
from server.core.call import Actor, Call
from server.identity import people, queries, scopes, tokens
from server.identity.events import UserCreated
from server.identity.models import NewPerson, NewToken, Profile, User
from server.identity.permissions import KEYS

PASSWORD: Final = "Correct-Horse-7"
#: Thousands of tests sign in; the cost of a real hash is for those that ask what it is for.
_FAST: Final = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()
HTML: Final = {"Accept": "text/html"}
_numbers = count(1)


async def person(call: Call, role: str = "user", username: str = "", password_hash: str = _FAST) -> User:
    """Return a new person with this role; the password is ``PASSWORD``, behind a hash that takes no time."""
    name = username or f"{role.replace('_', '.')}{next(_numbers)}"
    profile = Profile(name, f"{name}@example.com", name.title(), "Example")
    async with call.transaction() as tx:
        user = await people.insert(tx, NewPerson(profile, PASSWORD), password_hash, role, call.now)
        await scopes.pass_on(tx, call, user.id)
        tx.after_commit(announce(UserCreated(user.id, user.username, call.actor.address, call.actor.name)))
    return user


async def sign_in_as(browser: TestClient[Any, Any], call: Call, role: str) -> User:
    """Sign the browser in as a new person with this role."""
    user = await person(call, role)
    await sign_in(browser, user.username)
    return user


async def sign_in(browser: TestClient[Any, Any], username: str, password: str = PASSWORD) -> dict[str, Any]:
    """Sign the browser in and return the answer; its cookies are the browser's from here on."""
    answer = await browser.post("/api/v1/auth/login", json={"username": username, "password": password})
    body: dict[str, Any] = await answer.json()
    assert answer.status == 200, body
    return body


async def bearer(call: Call, role: str = "superadmin") -> dict[str, str]:
    """Return the headers of a program that acts for a new person with this role."""
    return {"Authorization": f"Bearer {await token_of(call, await person(call, role))}"}


async def token_of(call: Call, owner: User, days: int | None = 30, scopes: Iterable[str] | None = None) -> str:
    """Return a personal API token of this person, with all of their permissions or some."""
    wanted = NewToken("tests", days, None if scopes is None else frozenset(scopes))
    _, secret = await tokens.create(call, owner, wanted)
    return secret


async def role_with(call: Call, name: str, *permissions: str) -> None:
    """Make a role of its own with these permissions."""
    assert set(permissions) <= KEYS
    await call.db.execute(
        "insert into role_permissions (role, permissions) values (%(name)s, %(permissions)s)",
        name=name,
        permissions=list(permissions),
    )


async def acting(call: Call, user: User) -> Call:
    """Return a call made by this person, for use cases tested without HTTP."""
    found = await queries.find_user(call.db, user.id)
    assert found is not None
    return call.acting_as(Actor("person", user.id, user.username, user.role, KEYS, via="test"))


async def form_token(browser: TestClient[Any, Any], page: str) -> str:
    """Return the token that the forms of a page carry."""
    answer = await browser.get(page, headers=HTML)
    text = await answer.text()
    found = re.search(r'name="csrf" value="([^"]+)"', text)
    assert found is not None, f"{answer.status} {page}: no form"
    return found[1]


async def post_form(
    browser: TestClient[Any, Any], page: str, url: str, fields: dict[str, str] | None = None
) -> ClientResponse:
    """Fill in a form of ``page`` as a person would and send it to ``url``; redirects are not followed."""
    token = await form_token(browser, page)
    return await browser.post(url, data={"csrf": token, **(fields or {})}, headers=HTML, allow_redirects=False)
