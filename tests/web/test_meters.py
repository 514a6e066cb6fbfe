"""What monitoring reads, and who may."""

from dataclasses import replace

import pytest

from server.core.env import Env
from server.core.secretbox import Secret
from tests.conftest import Browser

TOKEN = {"Authorization": "Bearer monitoring token"}


class TestWithToken:
    @pytest.fixture
    def env(self, env: Env) -> Env:
        return replace(env, metrics_token=Secret("monitoring token"))

    async def test_requests_are_counted_by_route(self, client: Browser) -> None:
        await client.get("/api/v1/hosts/7")
        await client.get("/api/v1/hosts/8")
        await client.get("/nowhere/1")
        await client.get("/login", allow_redirects=False)
        answer = await client.get("/metrics", headers=TOKEN)
        assert (answer.status, answer.content_type) == (200, "text/plain")
        lines = (await answer.text()).splitlines()
        assert 'patchmon_http_requests_total{method="GET",route="/api/v1/hosts/{host}",status="401"} 2.0' in lines
        assert 'patchmon_http_requests_total{method="GET",route="other",status="404"} 1.0' in lines
        assert 'patchmon_http_requests_total{method="GET",route="/login",status="303"} 1.0' in lines
        assert any(line.startswith("patchmon_http_request_seconds_bucket") for line in lines)
        assert not any("_created" in line for line in lines)
        assert not any("nowhere" in line for line in lines)

    async def test_the_fleet_the_jobs_and_the_queue_are_there(self, client: Browser) -> None:
        lines = (await (await client.get("/metrics", headers=TOKEN)).text()).splitlines()
        for line in (
            "patchmon_hosts 0.0",
            "patchmon_agents_connected 0.0",
            'patchmon_unfinished_job_hosts{state="queued"} 0.0',
            'patchmon_unfinished_job_hosts{state="running"} 0.0',
            "patchmon_queued_tasks 0.0",
        ):
            assert line in lines

    @pytest.mark.parametrize("given", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "Bearer "}])
    async def test_only_the_token_opens_it(self, client: Browser, given: dict[str, str]) -> None:
        answer = await client.get("/metrics", headers=given)
        assert (answer.status, answer.headers["WWW-Authenticate"]) == (401, "Bearer")


async def test_without_a_token_there_is_nothing_to_read(client: Browser) -> None:
    assert (await client.get("/metrics")).status == 404
    assert (await client.get("/metrics", headers={"Authorization": "Bearer "})).status == 404
