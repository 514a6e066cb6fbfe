"""A program that speaks of compliance, hosts with existing agents, and what scanners report."""

from collections.abc import AsyncIterator

import pytest
from aiohttp import ClientSession
from aiohttp.test_utils import TestServer

from server.automation import rules, service
from server.core.call import Call
from server.hosts import service as hosts
from server.hosts.models import NewHost
from tests.factories.automation import Fleet, url_of
from tests.factories.compliance import Compliance
from tests.factories.people import bearer
from tests.stand_ins.existing_agent import Enrol, ExistingAgent


@pytest.fixture
async def api(server: TestServer, call: Call) -> AsyncIterator[Compliance]:
    """A program that may do everything."""
    await service.publish_builtin(call)
    headers = await bearer(call)
    async with ClientSession() as session:
        yield Compliance(session, url_of(server), headers)


@pytest.fixture
async def fleet(server: TestServer, call: Call) -> AsyncIterator[Fleet]:
    """Hosts with agents of ours."""
    made = Fleet(call, url_of(server))
    yield made
    await made.close()


@pytest.fixture
async def enrol(server: TestServer, call: Call, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Enrol]:
    """Add a host with compliance on and return its agent, not connected, and the host's id."""
    monkeypatch.setattr(rules, "HELLO_SECONDS", 0.1)
    agents: list[ExistingAgent] = []
    async with ClientSession() as session:

        async def enrol(
            name: str = "old-01", mode: str = "on-demand", *, bench: bool = False
        ) -> tuple[ExistingAgent, str]:
            made = await hosts.create(call, NewHost(name))
            await call.db.execute(
                """
                update hosts set compliance_mode = %(mode)s, compliance_docker_bench_enabled = %(bench)s,
                                 docker_enabled = %(bench)s, status = 'active'
                 where uuid = %(host)s
                """,
                mode=mode,
                bench=bench,
                host=made.uuid,
            )
            agents.append(ExistingAgent(session, url_of(server), made.api_id, made.api_key.reveal()))
            return agents[-1], made.uuid

        yield enrol
        for agent in agents:
            await agent.drop()
