"""Hosts with existing agents."""

from collections.abc import AsyncIterator

import pytest
from aiohttp import ClientSession
from aiohttp.test_utils import TestServer

from server.automation import rules
from server.core.call import Call
from server.hosts import service as hosts
from server.hosts.models import NewHost
from tests.factories.automation import url_of
from tests.stand_ins.existing_agent import Enrol, ExistingAgent


@pytest.fixture
async def enrol(server: TestServer, call: Call, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Enrol]:
    """Add a host and return its agent, not connected, and the host's id. Nobody waits five seconds for a hello."""
    monkeypatch.setattr(rules, "HELLO_SECONDS", 0.1)
    agents: list[ExistingAgent] = []
    async with ClientSession() as session:

        async def enrol(name: str = "old-01", platform: str = "linux") -> tuple[ExistingAgent, str]:
            made = await hosts.create(call, NewHost(name, expected_platform=platform))  # type: ignore[arg-type]
            agents.append(ExistingAgent(session, url_of(server), made.api_id, made.api_key.reveal()))
            return agents[-1], made.uuid

        yield enrol
        for agent in agents:
            await agent.drop()
