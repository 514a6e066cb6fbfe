"""The plain model: what a report costs a program that stores it the obvious way.

Same PostgreSQL, same driver, same HTTP library, one transaction per report: each package is upserted by name (its key
is needed), the host's rows are deleted and inserted again in statements of a hundred rows, keys are UUID text, four
indexes on the table of host packages, nothing is compared. No authentication but a look-up. Several reports are stored
at the same time, each on a connection of its own. A second door, ``/batched``, upserts a hundred packages in a
statement too.

``python -m benchmarks.plain_model DSN PORT`` serves it.
"""

import asyncio
import sys
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import orjson
import psycopg2
import uvloop
from aiohttp import web
from psycopg2.extras import execute_values

SCHEMA: Final = """
create table if not exists plain_hosts (id text primary key, api_id text unique, last_update timestamptz);
create table if not exists plain_packages (
    id text primary key, name text not null unique, description text, category text, latest_version text,
    created_at timestamptz not null default now(), updated_at timestamptz not null default now());
create table if not exists plain_host_packages (
    id text primary key, host_id text not null references plain_hosts (id) on delete cascade,
    package_id text not null references plain_packages (id) on delete cascade,
    current_version text not null, available_version text, needs_update boolean not null,
    is_security_update boolean not null, source_repository text, last_checked timestamptz not null default now(),
    unique (host_id, package_id));
create index if not exists plain_by_host on plain_host_packages (host_id);
create index if not exists plain_by_package on plain_host_packages (package_id);
create index if not exists plain_by_update on plain_host_packages (needs_update);
create index if not exists plain_by_security on plain_host_packages (is_security_update);
"""
_UPSERT: Final = """
insert into plain_packages (id, name, description, category, latest_version) values {values}
    on conflict (name) do update set description = excluded.description, category = excluded.category,
       latest_version = excluded.latest_version, updated_at = now()
returning id, name
"""
_INSERT: Final = """
insert into plain_host_packages (id, host_id, package_id, current_version, available_version, needs_update,
                                 is_security_update, source_repository) values %s
"""


class PlainModel:
    """One connection per thread, one report at a time on each."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._mine = threading.local()
        with self._connection() as connection, connection.cursor() as cursor:
            cursor.execute(SCHEMA)

    def _connection(self) -> Any:
        if not hasattr(self._mine, "connection"):
            self._mine.connection = psycopg2.connect(self._dsn)
        return self._mine.connection

    def store(self, api_id: str, body: bytes, *, batched: bool) -> int:
        """Parse and store a report; return how many packages it had."""
        report: dict[str, Any] = orjson.loads(body)
        # In one order, so that two reports cannot wait for each other.
        packages = sorted(report.get("packages") or [], key=lambda package: str(package["name"]))
        with self._connection() as connection, connection.cursor() as cursor:
            host = self._host(cursor, api_id)
            rows = [
                (str(uuid.uuid4()), p["name"], p.get("description"), p.get("category"), p.get("availableVersion"))
                for p in packages
            ]
            ids = self._batched(cursor, rows) if batched else self._one_by_one(cursor, rows)
            cursor.execute("delete from plain_host_packages where host_id = %s", (host,))
            execute_values(cursor, _INSERT, [self._row(host, ids, package) for package in packages])
            cursor.execute("update plain_hosts set last_update = now() where id = %s", (host,))
        return len(packages)

    @staticmethod
    def _one_by_one(cursor: Any, rows: list[tuple[Any, ...]]) -> dict[str, str]:
        ids = {}
        for row in rows:
            cursor.execute(_UPSERT.format(values="(%s, %s, %s, %s, %s)"), row)
            key, name = cursor.fetchone()
            ids[name] = key
        return ids

    @staticmethod
    def _batched(cursor: Any, rows: list[tuple[Any, ...]]) -> dict[str, str]:
        return {name: key for key, name in execute_values(cursor, _UPSERT.format(values="%s"), rows, fetch=True)}

    @staticmethod
    def _row(host: str, ids: dict[str, str], package: dict[str, Any]) -> tuple[Any, ...]:
        return (
            str(uuid.uuid4()),
            host,
            ids[package["name"]],
            package["currentVersion"],
            package.get("availableVersion"),
            package["needsUpdate"],
            package["isSecurityUpdate"],
            package.get("sourceRepository"),
        )

    @staticmethod
    def _host(cursor: Any, api_id: str) -> str:
        cursor.execute("select id from plain_hosts where api_id = %s", (api_id,))
        found = cursor.fetchone()
        if found is None:
            key = str(uuid.uuid4())
            cursor.execute("insert into plain_hosts (id, api_id) values (%s, %s)", (key, api_id))
            return key
        return str(found[0])


async def serve(dsn: str, port: int) -> None:
    model = PlainModel(dsn)
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(4))

    async def update(request: web.Request) -> web.Response:
        body = await request.read()
        batched = request.path == "/batched"
        count = await asyncio.to_thread(model.store, request.headers["X-API-ID"], body, batched=batched)
        return web.json_response({"packagesProcessed": count})

    app = web.Application(client_max_size=16 * 1024**2)
    app.router.add_post("/update", update)
    app.router.add_post("/batched", update)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as main:
        main.run(serve(sys.argv[1], int(sys.argv[2])))
