"""The pages of Docker and their API: who sees what, in which order, narrowed how."""

import re
from typing import Any, Final

import pytest

from server.core.call import Call
from tests.conftest import Browser
from tests.docker.fleets import DIGEST, ask, container, image, network, reported, snapshot, tell, uuid_of, volume
from tests.factories.hosts import enrolled
from tests.factories.people import HTML

TABS: Final = ("stacks", "containers", "images", "volumes", "networks", "hosts")


async def page(client: Browser, path: str, status: int = 200) -> str:
    answer = await client.get(path, headers=HTML)
    text = await answer.text()
    assert answer.status == status, text[:2000]
    return text


def shop(number: int, name: str, **more: Any) -> dict[str, Any]:
    return container(number, name, labels={"com.docker.compose.project": "shop"}, **more)


async def two_hosts(call: Call, client: Browser) -> None:
    """Two hosts with the same stack; one of them has everything else as well."""
    images = [
        image(
            "nginx",
            digest=DIGEST,
            architecture="amd64",
            os="linux",
            history=[{"created_by": "COPY . /", "size_bytes": 12}],
        ),
        image("ghcr.io/a/b", "1", source="github", image_id="1" * 64),
        image("quay.io/x/y", "2", source="private", image_id="2" * 64),
        image("123.dkr.ecr.eu-west-1.amazonaws.com/z", "1", source="private", image_id="3" * 64),
        image("r.example.com/q", "1", source="private", image_id="4" * 64),
        image("registry.gitlab.com/g/p", "1", source="gitlab", image_id="5" * 64),
        image("team.azurecr.io/t", "1", source="private", image_id="6" * 64),
        image("europe-docker.pkg.dev/p/i", "1", source="private", image_id="7" * 64),
        image("built-here", "dev", source="local", image_id="8" * 64),
        image("<none>", "<none>", source="local", image_id="9" * 64),
    ]
    first = [
        shop(1, "web", ports={"80/tcp": "0.0.0.0:8080"}, restart_policy="always", command="nginx -g x",
             entrypoint="/init",
             mounts=[{"type": "volume", "name": "data", "destination": "/data", "rw": True}],
             networks=[{"name": "app", "network_id": f"{2:064x}", "ip": "172.18.0.2"}]),
        shop(2, "db", status="exited", state="exited", exit_code=137),
        container(3, "cron", status="paused", state="paused"),
        container(4, "loop", status="restarting", state="restarting"),
    ]  # fmt: skip
    told = snapshot(
        first, images, volumes=[volume("data"), volume("share", driver="nfs", size_bytes=5_000_000)],
        networks=[network("bridge"), network("app", 2, driver="overlay", scope="swarm", internal=True)],
    )  # fmt: skip
    await reported(call, client, "web-01", told)
    await reported(call, client, "web-02", snapshot([shop(1, "web-b")], [image("nginx", digest=DIGEST)]))


@pytest.fixture
async def fleet(call: Call, client: Browser) -> None:
    await two_hosts(call, client)


def names(told: dict[str, Any], kind: str = "containers") -> list[str]:
    return [one["name"] for one in told[kind]]


@pytest.mark.usefixtures("fleet")
@pytest.mark.proves("DOCKER-60", "DOCKER-61", "DOCKER-63", "DOCKER-64", "DOCKER-65", "DOCKER-66", "DOCKER-94")
async def test_every_list_is_searched_filtered_and_sorted(client: Browser, call: Call) -> None:
    async def of(path: str) -> list[str]:
        kind = path.partition("?")[0]
        return names(await ask(client, call, f"/docker/{path}"), kind)

    assert await of("containers") == ["db", "cron", "loop", "web", "web-b"], "by status, then by name"
    assert await of("containers?sort=name&order=desc") == ["web-b", "web", "loop", "db", "cron"]
    assert await of("containers?sort=host&order=desc") == ["web-b", "loop", "cron", "db", "web"]
    assert await of("containers?status=exited") == ["db"]
    assert await of("containers?status=all&search=WEB-02") == ["web-b"], "by the host's name"
    assert await of("containers?search=nginx:1.2&limit=2&page=2") == ["loop", "web"]
    assert await of("containers?search=%25") == [], "what is typed is no pattern"
    one = await uuid_of(call, "web-01")
    assert await of(f"containers?host_id={one}&stack=shop") == ["db", "web"]
    told = await ask(client, call, "/docker/containers?limit=2")
    assert told["pagination"] == {"page": 1, "limit": 2, "total": 5, "pages": 3}
    stacks = (await ask(client, call, "/docker/stacks"))["stacks"]
    of_stack = ("name", "total", "running", "exited")
    assert [(one["host"]["friendly_name"], *(one[name] for name in of_stack)) for one in stacks] == [
        ("web-01", "shop", 2, 1, 1), ("web-02", "shop", 1, 1, 0),
    ]  # fmt: skip
    assert [one["name"] for one in stacks[0]["containers"]] == ["db", "web"]
    assert await of("stacks?search=web-02") == ["shop"]
    assert await of("volumes?driver=nfs") == ["share"]
    assert await of("volumes?search=dat") == ["data"]
    assert await of("networks?driver=overlay") == ["app"]
    assert await of("networks?sort=driver&order=desc") == ["app", "bridge"]
    hosts = (await ask(client, call, "/docker/hosts"))["hosts"]
    assert [(one["friendly_name"], one["totalContainers"], one["totalImages"]) for one in hosts] == [
        ("web-01", 4, 10),
        ("web-02", 1, 1),
    ]
    hits = await ask(client, call, "/search?q=web-b")
    assert [(one["type"], one["name"]) for one in hits] == [("docker_container", "web-b")]
    images = (await ask(client, call, "/docker/images?search=nginx"))["images"]
    assert [(one["repository"], one["host_count"], one["container_count"]) for one in images] == [("nginx", 2, 5)]


@pytest.mark.usefixtures("fleet")
@pytest.mark.proves("DOCKER-12", "DOCKER-90")
async def test_every_image_says_where_it_comes_from(client: Browser, call: Call) -> None:
    told = (await ask(client, call, "/docker/images"))["images"]
    assert {one["repository"]: (one["source"], one["registry_link"]) for one in told} == {
        "nginx": ("docker-hub", "https://hub.docker.com/_/nginx"),
        "ghcr.io/a/b": ("ghcr", "https://github.com/a/b"),
        "quay.io/x/y": ("quay", "https://quay.io/repository/x/y"),
        "123.dkr.ecr.eu-west-1.amazonaws.com/z": ("ecr", None),
        "r.example.com/q": ("private", None),
        "registry.gitlab.com/g/p": ("gitlab", "https://gitlab.com/g/p"),
        "team.azurecr.io/t": ("acr", None),
        "europe-docker.pkg.dev/p/i": ("gcr", "https://europe-docker.pkg.dev/p/i"),
        "built-here": ("local", None),
        "<none>": ("unknown", None),
    }
    assert [one["repository"] for one in (await ask(client, call, "/docker/images?source=ecr"))["images"]] == [
        "123.dkr.ecr.eu-west-1.amazonaws.com/z"
    ]


@pytest.mark.usefixtures("fleet")
@pytest.mark.proves("DOCKER-72", "DOCKER-73", "DOCKER-74", "DOCKER-75", "DOCKER-76", "DOCKER-70", "DOCKER-62")
async def test_everything_about_one_of_each(as_admin: Browser, client: Browser, call: Call) -> None:
    listed = {one["name"]: one for one in (await ask(client, call, "/docker/containers"))["containers"]}
    told = await ask(client, call, f"/docker/containers/{listed['web']['id']}")
    assert sorted(names(told, "similarContainers")) == ["cron", "db", "loop", "web-b"]
    one = told["container"]
    assert (one["restart_policy"], one["command"], one["entrypoint"], one["ports"]) == (
        "always", "nginx -g x", "/init", {"80/tcp": "0.0.0.0:8080"},
    )  # fmt: skip
    text = await page(as_admin, f"/docker/containers/{listed['web']['id']}")
    for seen in (
        "nginx -g x",
        "0.0.0.0:8080 → 80/tcp",
        "Similar containers",
        "172.18.0.2",
        "com.docker.compose.project",
        "Mounts",
    ):
        assert seen in text, seen
    assert "137" in await page(as_admin, f"/docker/containers/{listed['db']['id']}")
    (nginx,) = (await ask(client, call, "/docker/images?search=nginx"))["images"]
    told = await ask(client, call, f"/docker/images/{nginx['id']}")
    assert (told["totalContainers"], told["totalHosts"], told["updates"]) == (5, 2, [])
    assert [(one["friendly_name"], one["tag"], one["digests"]) for one in told["hosts"]] == [
        ("web-01", "1.25", [DIGEST]), ("web-02", "1.25", [DIGEST]),
    ]  # fmt: skip
    assert (told["image"]["architecture"], told["image"]["os"]) == ("amd64", "linux")
    text = await page(as_admin, f"/docker/images/{nginx['id']}")
    for seen in ("Hosts with this image", "Containers using this image", "COPY . /", "Layers", "Docker Hub"):
        assert seen in text, seen
    volumes = {one["name"]: one["id"] for one in (await ask(client, call, "/docker/volumes"))["volumes"]}
    told = await ask(client, call, f"/docker/volumes/{volumes['data']}")
    assert (names(told), told["volume"]["container_count"], told["hosts"][0]["friendly_name"]) == (["web"], 1, "web-01")
    assert "5.0 MB" in await page(as_admin, f"/docker/volumes/{volumes['share']}")
    networks = {one["name"]: one["id"] for one in (await ask(client, call, "/docker/networks"))["networks"]}
    told = await ask(client, call, f"/docker/networks/{networks['app']}")
    assert (names(told), told["network"]["internal"], told["network"]["ipam"]["config"][0]["gateway"]) == (
        ["web"],
        True,
        "172.17.0.1",
    )
    assert "172.18.0.0/16" in await page(as_admin, f"/docker/networks/{networks['app']}")
    host = await uuid_of(call, "web-01")
    told = await ask(client, call, f"/docker/hosts/{host}")
    assert [len(told[kind]) for kind in ("stacks", "containers", "images", "volumes", "networks")] == [1, 4, 10, 2, 2]
    numbers = {"runningContainers": 1, "exitedContainers": 1, "pausedContainers": 1, "totalContainers": 4}
    assert told["stats"].items() >= numbers.items()
    for path in ("", "/containers", "/images", "/volumes", "/networks"):
        there = await page(as_admin, f"/docker/hosts/{host}{path}")
        assert f"/hosts/{host}" in there
        tab = await page(as_admin, f"/hosts/{host}/docker{path}")
        rows = [re.findall(r'class="row-link[^"]*" href="([^"]+)"', text) for text in (there, tab)]
        assert rows[0] == rows[1] != [], "the same from both sides"
    colours = await page(as_admin, "/docker/containers")
    for word, state in (("Running", "good"), ("Exited", "bad"), ("Paused", "attention"), ("Restarting", "live")):
        assert re.search(rf'class="state is-{state}[^>]*>.*?</span>{word}', colours), word
    for kind in ("containers", "images", "volumes", "networks", "hosts"):
        for missing in ("00000000-0000-4000-8000-000000000000", "nonsense"):
            assert (await ask(client, call, f"/docker/{kind}/{missing}", 404))["error"].endswith("not found")
            await page(as_admin, f"/docker/{kind}/{missing}", 404)


@pytest.mark.proves("DOCKER-50", "DOCKER-51", "DOCKER-52", "DOCKER-53", "DOCKER-54", "DOCKER-55", "DOCKER-56")
async def test_six_tabs_with_numbers_above_them(as_admin: Browser, client: Browser, call: Call) -> None:
    for tab in TABS:
        assert "empty-state" in await page(as_admin, f"/docker/{tab}"), "nothing there is no error"
        assert (await ask(client, call, f"/docker/{tab}"))[tab] == []
    await two_hosts(call, client)
    for asked, lands in (
        ("", "stacks"),
        ("?tab=images", "images"),
        ("?tab=nonsense", "stacks"),
        ("?tab=images&updates=1", "images?updates=1"),
    ):
        answer = await as_admin.get(f"/docker{asked}", headers=HTML, allow_redirects=False)
        assert (answer.status, answer.headers["Location"]) == (303, f"/docker/{lands}")
    text = await page(as_admin, "/docker/stacks")
    counted = re.findall(r'id="tab-(\w+)"[^>]*>\s*[A-Za-z]+\s*<span class="tab-count">(\d+)<', text)
    assert counted == [
        ("stacks", "2"),
        ("containers", "5"),
        ("images", "10"),
        ("volumes", "2"),
        ("networks", "2"),
        ("hosts", "2"),
    ]
    cards = await page(as_admin, "/docker/cards")
    assert 'hx-trigger="every 30s"' in cards
    assert 'href="/docker/images?updates=1"' in cards
    assert "2 / 5" in cards
    await tell(await enrolled(call, client, "web-03", docker_enabled=True), snapshot([container(9, "new")]))
    assert "3 / 6" in await page(as_admin, "/docker/cards")
    updates = await page(as_admin, "/docker/images?updates=1&search=x")
    assert re.search(
        r'class="btn" href="/docker/images\?search=x"[^>]*>\s*<svg.*?</svg>\s*Refresh', updates, re.DOTALL
    ), "Refresh drops the filter"
    assert 'href="/docker/containers"' in updates, "a tab takes no search along"
