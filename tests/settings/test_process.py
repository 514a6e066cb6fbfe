"""The variables of a running server process, as an operator sets them and as its clients feel them."""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from server.core.call import Call
from server.core.secretbox import Secret, SecretBox
from server.settings import service
from tests.factories.automation import Api
from tests.factories.house import BIN, House, Program, ServerProcess, Start
from tests.factories.people import HTML, PASSWORD, bearer, person
from tests.faults.test_what_may_die import connected

Ending = Callable[..., Awaitable[tuple[int, str]]]
LOGIN = "/api/v1/auth/login"


async def ask(server: ServerProcess, path: str, method: str = "GET", **more: Any) -> tuple[int, str, Any]:
    async with (
        aiohttp.ClientSession() as browser,
        browser.request(method, server.url + path, allow_redirects=False, **more) as answer,
    ):
        return answer.status, await answer.text(), answer.headers


class TestRefusedStarts:
    @pytest.mark.proves("ENV-07", "ENV-20", "ENV-21")
    @pytest.mark.parametrize("name", ["DATABASE_URL", "JWT_SECRET"])
    async def test_what_is_required_and_empty_stops_the_start(self, ending: Ending, name: str) -> None:
        status, said = await ending(**{name: ""})
        assert status == 1
        assert f"config: {name} is required" in said

    async def test_every_complaint_comes_at_once(self, ending: Ending) -> None:
        wrong = {
            "PORT": "70000",
            "LOG_LEVEL": "verbose",
            "APP_ENV": "test",
            "TZ": "Mars/Olympus",
            "DB_POOL_TIMEOUT": "0",
            "DB_IDLE_TIMEOUT": "-1",
            "DB_TRANSACTION_TIMEOUT": "fast",
            "REDIS_DB": "16",
            "REDIS_CONNECT_TIMEOUT_MS": "0",
            "JSON_BODY_LIMIT": "5 tons",
            "TRUST_PROXY": "proxy.local",
            "FRONTEND_URL": "not a url",
            "METRICS_API_URL": "ftp://x",
            "GUACD_ADDRESS": "guacd",
            "GUACD_PATH": "bin/guacd",
            "ENABLE_HSTS": "perhaps",
            "MEMSTATS_INTERVAL_SEC": "0",
            "LOG_FORMAT": "xml",
            "RATE_LIMIT_MAX": "none",
            "JWT_EXPIRES_IN": "soon",
        }
        status, said = await ending(**wrong)
        assert status == 1
        assert [name for name in wrong if f"config: {name}: " not in said] == []

    @pytest.mark.proves("ENV-35", "ENV-36")
    async def test_the_tries_and_their_pause(self, ending: Ending) -> None:
        away = {"DATABASE_URL": "postgresql://me:hunter2@127.0.0.1:1/none", "PM_DB_CONN_WAIT_INTERVAL": "0"}
        status, said = await ending(5, PM_DB_CONN_MAX_ATTEMPTS="4", **away)
        assert (status, said.count("database_not_ready")) == (1, 3)
        assert "hunter2" not in said


@pytest.mark.proves("ENV-185", "ENV-170", "ENV-177", "ENV-180")
async def test_the_minimal_file_with_leftovers_of_older_versions_boots(
    house: House, unused_tcp_port: int, tmp_path: Path
) -> None:
    server = house.server(unused_tcp_port)
    given = server.program.environment
    file = tmp_path / "patchmon.env"
    lines = {
        **{name: given.pop(name) for name in ("DATABASE_URL", "AI_ENCRYPTION_KEY", "JWT_SECRET", "REDIS_URL", "PORT")},
        "APP_ENV": "production", "CORS_ORIGIN": f"http://127.0.0.1:{unused_tcp_port}", "ENABLE_HSTS": "true",
        "TRUST_PROXY": "true", "REDIS_HOST": "redis", "REDIS_PORT": "6379", "REDIS_PASSWORD": "x",
        "ENABLE_LOGGING": "true", "LOG_LEVEL": "info", "TZ": "UTC",
        # What a file of version 1.4 or a chart may still carry.
        "NODE_ENV": "test", "SERVER_PROTOCOL": "http", "SERVER_HOST": "localhost", "SERVER_PORT": "3000",
        "TFA_SUSPICIOUS_ACTIVITY_THRESHOLD": "3", "PM_LOG_TO_CONSOLE": "false", "PM_LOG_REQUESTS_IN_DEV": "false",
        "PRISMA_LOG_QUERIES": "false", "VITE_API_URL": "http://old/api", "VITE_ENABLE_LOGGING": "false",
        "BACKEND_HOST": "backend", "BACKEND_PORT": "3001", "DEFAULT_USER_ROLE": "viewer", "API_VERSION": "v1",
        "autoCreateRolePermissions": "false", "logToConsole": "true", "OIDC_CLIENT_ID": "",
    }  # fmt: skip
    file.write_text("".join(f"{name}='{value}'\n" for name, value in lines.items()))
    given["ENV_FILE"] = str(file)
    await server.start()
    status, _, headers = await ask(server, "/login", headers=HTML)
    assert status in {200, 303}
    assert "max-age=31536000" in headers["Strict-Transport-Security"]


@pytest.mark.proves("ENV-26", "ENV-28", "ENV-131")
async def test_mode_and_hsts(start: Start, call: Call) -> None:
    known = {**await bearer(call), **HTML}
    server = await start(NODE_ENV="development", API_VERSION="v7")
    assert (await ask(server, "/styleguide", headers=known))[0] == 200
    status, _, headers = await ask(server, "/api/v1/settings/current-url")
    assert (status, headers.get("Strict-Transport-Security")) == (200, None)
    await server.stop()
    second = await start(APP_ENV="production", NODE_ENV="development", ENABLE_HSTS="true")
    assert (await ask(second, "/styleguide", headers=known))[0] == 404
    assert (await ask(second, "/api/v1/settings/current-url"))[2]["Strict-Transport-Security"]


@pytest.mark.proves("ENV-118", "ENV-119")
async def test_bodies_beyond_their_limit_are_refused(start: Start, call: Call) -> None:
    server = await start(JSON_BODY_LIMIT="1", AGENT_UPDATE_BODY_LIMIT="64kb")
    headers = await bearer(call)
    large = json.dumps({"unknown": "x" * 1536 * 1024})
    assert (await ask(server, "/api/v1/settings", "PATCH", data=large, headers=headers))[0] == 413
    middle = json.dumps({"unknown": "x" * 100 * 1024})
    assert (await ask(server, "/api/v1/settings", "PATCH", data=middle, headers=headers))[0] == 200
    from server.hosts import service as hosts  # noqa: PLC0415
    from server.hosts.models import NewHost  # noqa: PLC0415

    host = await hosts.create(call, NewHost("web-01"))
    agent = {"X-API-ID": host.api_id, "X-API-KEY": host.api_key.reveal(), "Content-Type": "application/json"}
    assert (await ask(server, "/api/v1/hosts/update", "POST", data=middle, headers=agent))[0] == 413
    await server.stop()
    second = await start(JSON_BODY_LIMIT="2mb", AGENT_UPDATE_BODY_LIMIT="1MB")
    assert (await ask(second, "/api/v1/settings", "PATCH", data=large, headers=headers))[0] == 200
    assert (await ask(second, "/api/v1/hosts/update", "POST", data=middle, headers=agent))[0] != 413


@pytest.mark.proves("ENV-46")
async def test_a_pool_without_a_free_connection_names_the_variable(start: Start, call: Call) -> None:
    server = await start(DB_CONNECTION_LIMIT="2", DB_POOL_TIMEOUT="1", PATCHMON_WORKER_INSIDE="false")
    headers = await bearer(call)
    async with call.transaction() as tx:
        await tx.execute("lock table users")
        asked = [asyncio.create_task(ask(server, "/api/v1/auth/profile", headers=headers)) for _ in range(6)]
        await asyncio.sleep(3)
    answers = [status for status, _, _ in await asyncio.gather(*asked)]
    assert 503 in answers
    said = server.program.log.read_text()
    for line in (
        "DATABASE CONNECTION POOL EXHAUSTED!",
        "Current limit: DB_CONNECTION_LIMIT=2",
        "Pool timeout: DB_POOL_TIMEOUT=1s",
        "Suggestion: Increase DB_CONNECTION_LIMIT in your .env file",
    ):
        assert line in said


class TestLog:
    @pytest.mark.proves("ENV-98", "ENV-99")
    async def test_the_switch_and_the_level_count_at_once(self, start: Start, call: Call) -> None:
        server = await start()
        headers = await bearer(call)
        log = server.program.log
        assert "listening" in log.read_text()
        assert "[migrate] already up to date" in log.read_text()
        assert "event=request" not in log.read_text()
        for change in ({"enable_logging": True}, {"log_level": "debug"}):
            status, _, _ = await ask(server, "/api/v1/settings", "PATCH", json=change, headers=headers)
            assert status == 200
        async with asyncio.timeout(5):
            while "path=/api/v1/settings/current-url" not in log.read_text():
                await ask(server, "/api/v1/settings/current-url")
        url = "/api/v1/settings/environment/LOG_LEVEL"
        status, text, _ = await ask(server, url, "PATCH", json={"value": "loud"}, headers=headers)
        assert (status, "must be debug, info, warn or error" in text) == (400, True)
        assert (await service.anew(call)).log_level == "debug"
        await ask(server, url, "PATCH", json={"value": "error"}, headers=headers)
        await asyncio.sleep(0.5)
        before = log.read_text()
        await ask(server, "/api/v1/settings/current-url")
        assert log.read_text() == before

    @pytest.mark.proves("ENV-174")
    async def test_statements_are_logged_without_their_values(self, start: Start) -> None:
        server = await start(PRISMA_LOG_QUERIES="true", LOG_LEVEL="debug", ENABLE_LOGGING="true")
        await ask(server, LOGIN, "POST", json={"username": "canary-name", "password": "canary-word"})
        said = server.program.log.read_text()
        assert "event=statement" in said
        assert "canary" not in said

    async def test_a_warn_level_leaves_infos_out(self, start: Start) -> None:
        server = await start(LOG_LEVEL="warn", ENABLE_LOGGING="true")
        await ask(server, "/health")
        assert "level=info" not in server.program.log.read_text()

    @pytest.mark.real
    async def test_one_id_leads_through_server_worker_and_agent(
        self, house: House, unused_tcp_port: int, call: Call
    ) -> None:
        loud = {"LOG_LEVEL": "debug", "ENABLE_LOGGING": "true", "LOG_FORMAT": "json"}
        server = house.server(unused_tcp_port, PATCHMON_WORKER_INSIDE="false", **loud)
        await server.start()
        environment = {**server.program.environment, **loud}
        worker = Program([str(BIN / "patchmon"), "work"], environment, house.folder / "worker.log")
        house.programs.append(worker)
        await worker.start()
        agent = await house.agent("web-01", unused_tcp_port)
        await agent.start()
        async with aiohttp.ClientSession() as session:
            api = Api(session, server.url, await bearer(call))
            await connected(api, agent)
            api.headers["X-Request-ID"] = "follow-me-7f3a"
            job = await api.launch(agent.uuid, playbook="ping")
            await api.until(job, lambda found: found["status"] == "succeeded", 60)
            await call.world.queue.put("settings.prune_audit", request_id="follow-me-7f3a")
        async with asyncio.timeout(10):
            while "follow-me-7f3a" not in worker.log.read_text():
                await asyncio.sleep(0.1)
        assert "request_id=follow-me-7f3a" in agent.said()
        assert "Job ended" in next(line for line in reversed(agent.said().splitlines()) if "follow-me-7f3a" in line)
        lines = [json.loads(line) for line in server.program.log.read_text().splitlines() if "follow-me-7f3a" in line]
        assert {"request", "job_offered", "job_ended"} <= {line["event"] for line in lines}

    @pytest.mark.proves("OPS-35")
    async def test_a_connecting_agent_leaves_its_protocol(self, start: Start, house: House) -> None:
        server = await start(ENABLE_LOGGING="true")
        agent = await house.agent("web-01", server.port)
        await agent.start()
        async with asyncio.timeout(20):
            while not re.search(r"protocol=ws\b", server.program.log.read_text()):
                await asyncio.sleep(0.1)


class TestStored:
    @pytest.mark.proves("ENV-146")
    async def test_a_stored_value_counts_from_the_next_start_unless_the_environment_decides(
        self, start: Start, call: Call
    ) -> None:
        headers = await bearer(call)
        server = await start()
        url = "/api/v1/settings/environment"
        assert (await ask(server, f"{url}/ENABLE_HSTS", "PATCH", json={"value": "true"}, headers=headers))[0] == 200
        changes = {"DB_CONNECTION_LIMIT": "3", "JSON_BODY_LIMIT": "64kb"}
        for key, value in changes.items():
            assert (await ask(server, f"{url}/{key}", "PATCH", json={"value": value}, headers=headers))[0] == 200
        assert "Strict-Transport-Security" not in (await ask(server, "/health"))[2]
        await server.stop()
        second = await start()
        assert "Strict-Transport-Security" in (await ask(second, "/health"))[2]
        large = json.dumps({"unknown": "x" * 100 * 1024})
        assert (await ask(second, "/api/v1/settings", "PATCH", data=large, headers=headers))[0] == 413
        rows = {one["key"]: one for one in json.loads((await ask(second, url, headers=headers))[1])["variables"]}
        assert rows["JSON_BODY_LIMIT"]["source"] == "database"
        # The house sets this one itself.
        limit = rows["DB_CONNECTION_LIMIT"]
        assert (limit["effective_value"], limit["source"], limit["conflict"]) == ("10", "env", True)
        await second.stop()
        third = await start(JSON_BODY_LIMIT="2mb")
        assert (await ask(third, "/api/v1/settings", "PATCH", data=large, headers=headers))[0] == 200

    async def test_what_cannot_be_used_any_more_is_left_out(self, start: Start, call: Call) -> None:
        await call.db.execute("insert into settings values ('DB_POOL_TIMEOUT', '\"forever\"', now())")
        server = await start()
        assert "stored_variables_unusable" in server.program.log.read_text()


class TestProfiling:
    @pytest.mark.proves("ENV-100", "ENV-101", "OPS-37")
    async def test_administrators_look_into_the_process_only_while_it_is_on(self, start: Start, call: Call) -> None:
        headers = await bearer(call)
        server = await start()
        assert (await ask(server, "/debug/pprof/heap", headers=headers))[0] == 404
        await server.stop()
        on = {"ENABLE_PPROF": "true", "MEMSTATS_INTERVAL_SEC": "1", "ENABLE_LOGGING": "true"}
        second = await start(**on)
        assert (await ask(second, "/debug/pprof/heap"))[0] == 401
        assert (await ask(second, "/debug/pprof/heap", headers=await bearer(call, "user")))[0] == 403
        status, text, _ = await ask(second, "/debug/pprof/heap", headers=headers)
        assert (status, "resident_kib=" in text) == (200, True)
        status, text, _ = await ask(second, "/debug/pprof/profile?seconds=1", headers=headers)
        assert status == 200
        assert re.search(r"^\S+;\S+ \d+$", text, re.MULTILINE)
        await asyncio.sleep(1.5)
        assert second.program.log.read_text().count("event=memory") >= 2


class TestKeys:
    @pytest.mark.proves("ENV-113", "ENV-114")
    async def test_without_a_key_it_comes_from_the_database_and_the_log_warns(
        self, house: House, unused_tcp_port: int
    ) -> None:
        server = house.server(unused_tcp_port)
        del server.program.environment["AI_ENCRYPTION_KEY"]
        await server.start()
        assert "encryption key derived from DATABASE_URL" in server.program.log.read_text()
        await server.stop()
        server.program.environment["SESSION_SECRET"] = "another"
        server.program.log.write_text("")
        await server.start()
        assert "derived" not in server.program.log.read_text()

    async def test_a_session_of_before_another_jwt_secret_is_over(self, start: Start, call: Call) -> None:
        user = await person(call, "admin")
        server = await start(JWT_SECRET="one")
        body = {"username": user.username, "password": PASSWORD}
        status, text, _ = await ask(server, LOGIN, "POST", json=body)
        assert status == 200
        token = {"Authorization": f"Bearer {json.loads(text)['token']}"}
        assert (await ask(server, "/api/v1/settings", headers=token))[0] == 200
        await server.stop()
        second = await start(JWT_SECRET="two")
        assert (await ask(second, "/api/v1/settings", headers=token))[0] == 401


def test_the_box_seals_under_the_documented_key() -> None:
    assert SecretBox(Secret("a" * 64)).open(SecretBox(Secret("A" * 64)).seal("x")) == "x"


async def test_the_start_says_when_the_fleet_outgrew_the_pool(start: Start, call: Call) -> None:
    await call.db.execute(
        """
        insert into hosts (friendly_name, api_id, api_key)
        select 'h' || n, 'patchmon_' || n, 'x' from generate_series(1, 51) n
        """
    )
    small = await start(DB_CONNECTION_LIMIT="70", ENABLE_LOGGING="false")
    said = small.program.log.read_text()
    assert "event=database_pool_small" in said
    assert "advised=80" in said
    await small.stop()
    enough = await start(DB_CONNECTION_LIMIT="80")
    assert "event=database_pool_small" not in enough.program.log.read_text()
