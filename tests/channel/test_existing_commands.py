"""Commands of existing agents, byte for byte: their fields have the types without which an agent drops the message."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiohttp import ClientSession
from aiohttp.test_utils import TestServer

from server.channel import service as channel
from server.core.call import Call
from server.core.ids import HostId
from server.hosts import service as hosts
from server.hosts.models import NewHost
from tests.factories.automation import Api, url_of
from tests.factories.people import bearer
from tests.stand_ins.existing_agent import ExistingAgent


async def online(call: Call, host: HostId) -> None:
    """Wait until the server knows that the agent is there."""
    async with asyncio.timeout(10):
        while host not in await channel.online(call, [host]):
            await asyncio.sleep(0.02)


@pytest.fixture
async def api(server: TestServer, call: Call) -> AsyncIterator[Api]:
    async with ClientSession() as session:
        yield Api(session, url_of(server), await bearer(call))


async def test_every_command_an_operator_gives_is_the_contracts(api: Api, call: Call) -> None:
    made = await hosts.create(call, NewHost("old-01"))
    agent = ExistingAgent(api.session, api.url, made.api_id, made.api_key.reveal())
    await agent.connect()
    await online(call, HostId(made.host_id))
    here = f"/hosts/{made.uuid}"
    try:
        for path, kind in (
            ("fetch-report", "report_now"),
            ("update-agent", "update_agent"),
            ("refresh-integration-status", "refresh_integration_status"),
        ):
            await api.ask("POST", f"{here}/{path}")
            await agent.until(lambda body, kind=kind: body["type"] == kind)  # type: ignore[misc]
            assert agent.raw[-1] == f'{{"type":"{kind}"}}'
        await api.ask("POST", f"{here}/integrations/docker/toggle", {"enabled": True})
        await api.ask("POST", f"{here}/integrations/apply-pending-config")
        sent = await agent.until(lambda body: body["type"] == "apply_config")
        compliance = {"enabled": False, "openscap_enabled": True, "docker_bench_enabled": False}
        assert sent == {"type": "apply_config", "config": {"docker": True, "compliance": compliance}}
        # Nothing else ever reaches such an agent: no message of the job channel.
        assert len(agent.raw) == 4
    finally:
        await agent.drop()
