"""Tokens of programs, made through the front door, and what acts with them."""

import base64
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest
from aiohttp import ClientResponse

from server.core.call import Call
from tests.conftest import Browser
from tests.factories.people import bearer

TOKENS = "/api/v1/auto-enrollment/tokens"
ENROL = "/api/v1/auto-enrollment/enroll"


@dataclass(frozen=True)
class Program:
    """Somebody else's program: a token's key and secret over one client."""

    client: Browser
    id: str
    key: str
    secret: str

    @property
    def basic(self) -> dict[str, str]:
        return {"Authorization": basic(self.key, self.secret)}

    @property
    def headers(self) -> dict[str, str]:
        return {"X-Auto-Enrollment-Key": self.key, "X-Auto-Enrollment-Secret": self.secret}

    async def get(self, path: str, **options: Any) -> ClientResponse:
        return await self.client.get(f"/api/v1{path}", headers=self.basic, **options)

    async def read(self, path: str) -> Any:
        """Read what has to be there."""
        answer = await self.get(path)
        assert answer.status == 200, await answer.text()
        assert answer.content_type == "application/json"
        return await answer.json()

    async def enrol(self, body: Any) -> ClientResponse:
        return await self.client.post(ENROL, json=body, headers=self.headers)


def basic(key: str, secret: str) -> str:
    return "Basic " + base64.b64encode(f"{key}:{secret}".encode()).decode()


async def said(answer: ClientResponse) -> tuple[int, Any]:
    """Return an answer's status and body."""
    return answer.status, await answer.json()


Maker = Callable[..., Awaitable[Program]]


@pytest.fixture
async def admin(call: Call) -> dict[str, str]:
    """The headers of an administrator's program."""
    return await bearer(call, "admin")


@pytest.fixture
def make(client: Browser, admin: dict[str, str]) -> Maker:
    """Make a token through the API; ``usage`` is its integration type."""

    async def make_it(usage: str = "proxmox-lxc", **body: Any) -> Program:
        told: dict[str, Any] = {"token_name": f"{usage} token", "metadata": {"integration_type": usage}}
        if usage == "api":
            told["scopes"] = {"host": ["get"]}
        answer = await client.post(TOKENS, json={**told, **body}, headers=admin)
        assert answer.status == 201, await answer.text()
        token = (await answer.json())["token"]
        return Program(client, token["id"], token["token_key"], token["token_secret"])

    return make_it
