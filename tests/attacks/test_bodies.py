"""Bodies that are too large, too deep, too many, or say one thing and are another."""

import asyncio
import gzip
import json
import zlib
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from aiohttp.test_utils import TestServer

from server.core.call import Call
from server.core.env import Env
from server.hosts import service as hosts
from server.hosts.models import NewHost
from tests.attacks.wire import Wire, head
from tests.conftest import Browser
from tests.factories.people import HTML, bearer

MIB = 1024**2
LOGIN = "/api/v1/auth/login"


@pytest.fixture
async def agent(call: Call) -> dict[str, str]:
    host = await hosts.create(call, NewHost("web-01"))
    return {"X-API-ID": host.api_id, "X-API-KEY": host.api_key.reveal()}


@pytest.mark.proves("OPS-73")
async def test_each_door_has_its_limit_before_anything_is_parsed(
    client: Browser, call: Call, env: Env, agent: dict[str, str]
) -> None:
    headers = {**await bearer(call), "Content-Type": "application/json"}
    for url, sender, limit in (
        ("/api/v1/host-groups", headers, env.body_limit_bytes),
        ("/api/v1/hosts/update", agent, env.update_body_limit_bytes),
    ):
        # Not JSON at all: were it parsed, the answer would be 400.
        over = await client.post(url, data=b"{" * (limit + 1), headers=sender)
        assert (over.status, (await over.json())["error"]) == (413, "Request Entity Too Large"), url
        under = await client.post(url, data=b"{" * (limit - 1), headers=sender)
        assert under.status == 400, url
    assert env.body_limit_bytes == 5 * MIB


class TestSmallReports:
    @pytest.fixture
    def env(self, env: Env) -> Env:
        return replace(env, update_body_limit_bytes=2 * MIB)

    @pytest.mark.proves("OPS-73")
    async def test_the_limit_of_reports_is_its_own(self, client: Browser, call: Call, agent: dict[str, str]) -> None:
        body = b"{" * (2 * MIB + 1)
        assert (await client.post("/api/v1/hosts/update", data=body, headers=agent)).status == 413
        assert (await client.post("/api/v1/host-groups", data=body, headers=await bearer(call))).status == 400


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 100_000,
        b'{"username":' * 100_000,
        b"[" * 100_000 + b"]" * 100_000,
        b"9" * 100_000,
        b'{"username":' + b"9" * 5_000 + b"}",
        b'{"username":1e999999}',
        b'{"username":"\\ud800"}',
        b'{"username":"\xff\xfe"}',
        b"\xef\xbb\xbf{}",
        b"",
        b"null",
        b"NaN",
        b'{"a":1}{"b":2}',
        b'"' + b"\\u0000" * 1000 + b'"',
    ],
    ids=lambda body: repr(body[:16]),
)
async def test_json_that_no_program_means_is_refused(client: Browser, call: Call, body: bytes) -> None:
    headers = {**await bearer(call), "Content-Type": "application/json"}
    for method, url in (
        ("POST", LOGIN), ("POST", "/api/v1/jobs"), ("PATCH", "/api/v1/settings"), ("POST", "/api/v1/host-groups"),
        ("PUT", "/api/v1/permissions/roles/x"), ("POST", "/api/v1/hosts"),
    ):  # fmt: skip
        answer = await client.request(method, url, data=body, headers=headers)
        assert 400 <= answer.status < 500, (method, url, answer.status)


@pytest.mark.parametrize("number", [2**31, 2**63, 2**64, -(2**63) - 1, 10**40, 1e308, -1, 0])
async def test_numbers_of_any_size_break_nothing(client: Browser, call: Call, number: float) -> None:
    headers = await bearer(call)
    for path in ("/api/v1/jobs", "/api/v1/audit", "/api/v1/hosts/admin/list", "/hosts", "/jobs", "/audit"):
        for name in ("page", "limit", "pageSize", "size", "after"):
            answer = await client.get(path, params={name: str(number)}, headers=headers)
            assert answer.status == 200, (path, name)
    orders = [{"playbook": "ping", "hosts": ["x"], name: number} for name in ("timeout_seconds", "verbosity")]
    for url, body in [("/api/v1/jobs", order) for order in orders]:
        assert (await client.post(url, json=body, headers=headers)).status < 500
    assert (await client.patch("/api/v1/settings", json={"rate_limit_max": number}, headers=headers)).status < 500


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
async def test_a_packed_bomb_is_stopped_at_the_limit(client: Browser, call: Call, coding: str) -> None:
    pack = gzip.compress if coding == "gzip" else zlib.compress
    bomb = pack(b" " * (200 * MIB), 9)
    assert len(bomb) < MIB
    headers = {**await bearer(call), "Content-Encoding": coding, "Content-Type": "application/json"}
    answer = await client.post("/api/v1/host-groups", data=bomb, headers=headers)
    assert answer.status in {400, 413}
    fine = await client.post("/api/v1/host-groups", data=pack(json.dumps({"name": "A"}).encode()), headers=headers)
    assert fine.status == 201


async def test_packed_nonsense_is_refused(client: Browser, call: Call) -> None:
    headers = {**await bearer(call), "Content-Encoding": "gzip", "Content-Type": "application/json"}
    answer = await client.post("/api/v1/host-groups", data=b"not gzip at all", headers=headers)
    assert answer.status == 400


async def test_an_endless_body_in_pieces_is_cut_off(client: Browser, call: Call) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += MIB
            yield b" " * MIB

    try:
        answer = await client.post("/api/v1/host-groups", data=endless(), headers=await bearer(call))
        assert answer.status == 413
    except ConnectionError:
        pass
    assert sent < 60 * MIB


async def test_lengths_that_lie_harm_nobody(server: TestServer, client: Browser) -> None:
    # More announced than sent: the door waits, others are served meanwhile, and the connection ends with its sender.
    async with Wire(server) as wire:
        await wire.send(head("POST", LOGIN, {"Content-Type": "application/json", "Content-Length": "1000"}) + b"{}")
        assert (await client.get("/health")).status == 200
    # Far more announced than any door takes: refused before a byte of it is read.
    async with Wire(server) as wire:
        await wire.send(head("POST", LOGIN, {"Content-Type": "application/json", "Content-Length": str(10**15)}))
        assert (await wire.status()) == 413
    # Less announced than sent: the rest is the next request, and none.
    async with Wire(server) as wire:
        await wire.send(head("POST", LOGIN, {"Content-Type": "application/json", "Content-Length": "2"}) + b"{}GARBAGE")
        assert (await wire.status()) in {400, 401}
    assert (await client.get("/health")).status == 200


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/x-www-form-urlencoded", b"a=1&" * 1_000_000),
        ("application/x-www-form-urlencoded", b"&" * 4_000_000),
        ("multipart/form-data; boundary=b", b"--b\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n" * 60_000),
    ],
    ids=["fields", "signs", "parts"],
)
async def test_a_form_of_a_million_fields_is_refused_at_once(client: Browser, kind: str, body: bytes) -> None:
    async with asyncio.timeout(5):
        answer = await client.post("/login", data=body, headers={**HTML, "Content-Type": kind})
    assert answer.status in {400, 403, 413}
