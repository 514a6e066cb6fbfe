"""The live output of a run, as browsers and programs read it."""

import asyncio
import json
from typing import Any

import pytest
from aiohttp import ClientWebSocketResponse, WSMsgType, WSServerHandshakeError
from aiohttp.test_utils import TestServer

from server.core.call import Call
from server.patching import api as doors
from tests.factories.automation import Fleet
from tests.factories.house import Wire
from tests.factories.patching import Patching, change, finish
from tests.factories.scopes import fleet as grouped
from tests.factories.scopes import limited, program_of


def address(api: Patching, run: str) -> str:
    return f"{api.url}/api/v1/patching/runs/{run}/stream"


async def rest(ws: ClientWebSocketResponse) -> list[dict[str, Any]]:
    """Everything until the server closes."""
    async with asyncio.timeout(10):
        return [json.loads(message.data) async for message in ws]


@pytest.mark.proves("PATCH-100", "PATCH-101", "PATCH-102", "PATCH-103", "PATCH-104", "PATCH-106", "PATCH-108")
async def test_every_watcher_reads_the_same_text_once(api: Patching, fleet: Fleet) -> None:
    agent = await fleet.online("web-01")
    made = await api.trigger(fleet.ids["web-01"])
    url = address(api, made["patch_run_id"])
    async with api.session.ws_connect(url, headers=api.headers) as early:
        assert json.loads((await early.receive()).data) == {
            "type": "snapshot", "patch_run_id": made["patch_run_id"], "stage": "queued", "shell_output": "",
            "error_message": "",
        }  # fmt: skip
        held = await agent.job()
        for number in range(5):
            await agent.tell(held, {"event": "live", "stdout": f"line {number}\n"}, source="live")
        await api.becomes(made["patch_run_id"], "running")
        async with api.session.ws_connect(url, headers=api.headers) as late:
            snapshot = json.loads((await late.receive()).data)
            assert snapshot["shell_output"] == "".join(f"line {number}\n" for number in range(5))
            for number in range(5, 40):
                await agent.tell(held, {"event": "live", "stdout": f"line {number}\n"}, source="live")
            await finish(api, agent, held, change("curl"))
            first, second = await rest(early), await rest(late)
    run = await api.becomes(made["patch_run_id"], "completed")
    for messages, before in ((first, ""), (second, snapshot["shell_output"])):
        assert [one["type"] for one in messages] == ["chunk"] * (len(messages) - 1) + ["done"]
        assert before + "".join(one["chunk"] for one in messages[:-1]) == run["shell_output"]
        assert {one["stage"] for one in messages[:-1]} == {"progress"}
        assert (messages[-1]["stage"], messages[-1]["error_message"]) == ("completed", "")
    assert "line 39\n--- Patch run completed at " in run["shell_output"]
    async with api.session.ws_connect(url, headers=api.headers) as after:
        over = await rest(after)
    assert [one["type"] for one in over] == ["snapshot", "done"]
    assert over[0]["shell_output"] == run["shell_output"]


async def test_nobody_watches_without_saying_who_they_are(api: Patching, call: Call) -> None:
    there = await grouped(call)
    made = await api.trigger(there.outside)
    with pytest.raises(WSServerHandshakeError) as refused:
        await api.session.ws_connect(address(api, made["patch_run_id"]))
    assert refused.value.status == 401
    mine = await program_of(call, await limited(call, there.north))
    with pytest.raises(WSServerHandshakeError) as refused:
        await api.session.ws_connect(address(api, made["patch_run_id"]), headers=mine)
    assert refused.value.status == 404


async def test_who_loses_sight_of_the_host_reads_no_further(api: Patching, call: Call) -> None:
    there = await grouped(call)
    mine = await limited(call, there.north)
    made = await api.trigger(there.inside)
    async with api.session.ws_connect(address(api, made["patch_run_id"]), headers=await program_of(call, mine)) as ws:
        assert json.loads((await ws.receive()).data)["type"] == "snapshot"
        await call.db.execute("delete from host_group_members")
        await asyncio.sleep(2.1)
        await api.delete(made["patch_run_id"])
        messages = await rest(ws)
    assert [one["type"] for one in messages] == ["done"]


@pytest.mark.proves("PATCH-105")
async def test_an_idle_stream_is_pinged(api: Patching, fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (doors._PING_SECONDS, doors._WRITE_SECONDS) == (30.0, 10.0)
    monkeypatch.setattr(doors, "_PING_SECONDS", 0.3)
    await fleet.enrol("web-01")
    made = await api.trigger(fleet.ids["web-01"])
    async with api.session.ws_connect(address(api, made["patch_run_id"]), headers=api.headers, autoping=False) as ws:
        async with asyncio.timeout(5):
            while (await ws.receive()).type != WSMsgType.PING:
                pass


async def test_a_deleted_run_ends_its_stream_and_events_say_the_same(api: Patching, fleet: Fleet) -> None:
    await fleet.enrol("web-01")
    made = await api.trigger(fleet.ids["web-01"])
    url = f"{api.url}/api/v1/patching/runs/{made['patch_run_id']}/events/stream"
    async with api.session.get(url, headers=api.headers) as events:
        assert (await events.content.readline()) == b"event: snapshot\n"
        async with api.session.ws_connect(address(api, made["patch_run_id"]), headers=api.headers) as ws:
            await ws.receive()
            await api.delete(made["patch_run_id"])
            assert [(one["type"], one["stage"]) for one in await rest(ws)] == [("done", "cancelled")]
        async with asyncio.timeout(5):
            assert b"event: done" in await events.content.read()


@pytest.mark.proves("PATCH-107")
async def test_a_stream_outlives_a_proxy_that_ends_what_is_idle_and_passes_lines_at_once(
    api: Patching, fleet: Fleet, server: TestServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Pings come every 30 s, and proxies wait for 60 s at least: here all of it is shorter.
    monkeypatch.setattr(doors, "_PING_SECONDS", 0.5)
    proxy = Wire(server.port or 0, idle_seconds=2.5)
    await proxy.start()
    agent = await fleet.online("web-01")
    made = await api.trigger(fleet.ids["web-01"])
    held = await agent.job()
    url = address(api, made["patch_run_id"]).replace(f":{server.port}/", f":{proxy.port}/")
    async with api.session.ws_connect(url, headers=api.headers) as ws:
        assert (await ws.receive_json())["type"] == "snapshot"

        async def say() -> None:
            await asyncio.sleep(6)
            await agent.tell(held, {"event": "live", "stdout": "Setting up curl\n"}, source="live")

        async def read() -> None:
            while "Setting up curl" not in (await ws.receive_json()).get("chunk", ""):
                pass

        async with asyncio.timeout(8):
            await asyncio.gather(say(), read())
    await proxy.close()
