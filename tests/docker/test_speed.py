"""Ten thousand hosts with twenty containers each: no list keeps anybody waiting."""

import time
from typing import Final

import pytest

from server.core.call import Call
from server.docker.queries import storage
from tests.conftest import Browser
from tests.factories.people import bearer

pytestmark = pytest.mark.real
_MOST_MS: Final = 150
_ASKED: Final = 8
#: What people ask for most; each sorts, filters, searches or pages differently.
ADDRESSES: Final = (
    "/docker/dashboard",
    "/docker/containers",
    "/docker/containers?sort=name&order=desc",
    "/docker/containers?sort=image",
    "/docker/containers?sort=host",
    "/docker/containers?status=exited",
    "/docker/containers?search=web-0042",
    "/docker/containers?search=nothing",
    "/docker/containers?search=service-1",
    "/docker/volumes?search=thing",
    "/docker/containers?page=40",
    "/docker/images",
    "/docker/images?updates=true",
    "/docker/images?search=image-7",
    "/docker/stacks",
    "/docker/volumes",
    "/docker/volumes?driver=nfs",
    "/docker/networks",
    "/docker/networks?sort=driver",
    "/docker/hosts",
)


async def fill(call: Call) -> None:
    """Make them by the handful, in the database."""
    await call.db.execute(
        """
        insert into hosts (uuid, friendly_name, api_id, api_key, docker_enabled, docker_reported_at)
        select gen_random_uuid(), 'web-' || lpad(n::text, 5, '0'), 'speed_' || n, 'x', true, now()
          from generate_series(1, 10000) n
        """
    )
    await call.db.execute(
        """
        insert into docker_images (repository, tag, image_id, source, size_bytes)
        select 'registry.example.net/image-' || n, '1.' || n % 7, md5(n::text), 'private', n * 1000
          from generate_series(1, 600) n
        """
    )
    await call.db.execute(
        """
        insert into docker_hosts (host_id, received_at, changed_at, containers, running, images, volumes, networks,
                                  stacks)
        select id, now(), now(), 20, 18, 10, 5, 3, 4 from hosts
        """
    )
    await call.db.execute(
        """
        insert into docker_host_images (host_id, image, fingerprint, digests, seen_at)
        select h.id, 1 + (h.id * 7 + n * 53) % 600, 0, '{sha256:1}', now()
          from hosts h, generate_series(1, 10) n
            on conflict do nothing
        """
    )
    await call.db.execute(
        """
        insert into docker_containers (host_id, container_id, image, fingerprint, status_at, first_seen_at, name,
                                       status,
                                       image_name, image_tag, stack, words)
        select h.id, md5(h.id || 'c' || n), i.id, 0, now(), now(), 'service-' || n || '-' || h.id % 97,
               (array['running', 'running', 'running', 'exited'])[1 + (h.id + n) % 4], i.repository, i.tag,
               'stack-' || n % 4, 'service-' || n || '-' || h.id % 97 || ' ' || i.repository || ':' || i.tag
          from hosts h, generate_series(1, 20) n
          join docker_images i on i.id = 1 + (n * 53) % 600
        """
    )
    for kind, column in (("volumes", "volume_id"), ("networks", "network_id")):
        await call.db.execute(
            f"""
            insert into docker_{kind} (host_id, {column}, fingerprint, name, driver, words)
            select h.id, 'v' || n, 0, 'thing-' || n || '-' || h.id % 31, (array['local', 'nfs', 'bridge'])[1 + n % 3],
                   'thing'
              from hosts h, generate_series(1, 4) n
            """
        )
    await call.db.execute(
        """
        insert into docker_updates (image, found_at, found_by)
        select id, now(), 'agent' from docker_images where id % 5 = 0
        """
    )
    for table in (
        "hosts",
        "docker_hosts",
        "docker_images",
        "docker_host_images",
        "docker_containers",
        "docker_volumes",
        "docker_networks",
    ):
        await call.db.execute(f"vacuum (analyze) {table}")


async def test_lists_of_a_large_fleet_are_quick(client: Browser, call: Call) -> None:
    await fill(call)
    assert await call.db.value("select count(*) from docker_containers") == 200_000
    headers = await bearer(call)
    slow = {}
    for address in ADDRESSES:
        took = []
        for _ in range(_ASKED):
            began = time.perf_counter()
            async with client.get(f"/api/v1{address}", headers=headers) as answer:
                await answer.read()
                assert answer.status == 200, address
            took.append((time.perf_counter() - began) * 1000)
        print(f"{address}: best {min(took):.0f} ms, worst {max(took):.0f} ms")
        # The best of some: what else this machine does is not the list's fault.
        if min(took) > _MOST_MS:
            slow[address] = round(min(took))
    assert slow == {}
    # A whole snapshot's own transaction on such tables.
    async with call.transaction(long=True) as tx:
        began = time.perf_counter()
        await storage.fetch_stored(tx, 5000)
        await storage.count_again(tx, 5000, call.now)
        assert (time.perf_counter() - began) * 1000 < _MOST_MS
