"""Sample containers, images, volumes and networks."""

from dataclasses import replace
from typing import Any, Final

from server.docker.pages.frame import fleet_tabs
from server.docker.pages.tables import TABLES
from server.docker.views import (
    Container,
    ContainerRow,
    Dashboard,
    HostMark,
    Image,
    ImageHost,
    ImageRow,
    Member,
    Network,
    NetworkRow,
    StackRow,
    Volume,
    VolumeRow,
)
from server.web.tables import listing, parse
from tools.preview_samples.frame import Context, Sample, before, shell, uuid

_WEB, _DB = HostMark(uuid(1), "web-01"), HostMark(uuid(3), "db-01.production.example.net")
_DIGEST: Final = "sha256:" + "5d" * 32


def _container(number: int, name: str, status: str, **changes: Any) -> ContainerRow:
    row = ContainerRow(
        id=uuid(500 + number),
        container_id=f"{number:064x}",
        name=name,
        image="ghcr.io/example/shop-api",
        tag="4.18.2",
        image_id=uuid(600),
        source="ghcr",
        status=status,
        stack="shop",
        ports={"8081/tcp": "0.0.0.0:8081"},
        created_at=before(hours=200),
        status_at=before(seconds=number * 400),
        update=False,
        host=_WEB,
    )
    return replace(row, **changes)


_CONTAINERS: Final = [
    _container(1, "shop-api", "running", update=True),
    _container(2, "shop-worker-with-quite-a-long-name-1", "exited", ports={}),
    _container(3, "cron", "paused", stack="", host=_DB),
    _container(4, "queue", "restarting", image="rabbitmq", tag="3.13-management", source="docker-hub"),
    _container(5, "left-over", "created", image="<none>", tag="<none>", image_id=None, source="unknown", ports={}),
]


def _image(number: int, repository: str, tag: str, source: str, **changes: Any) -> ImageRow:
    row = ImageRow(
        id=uuid(600 + number),
        repository=repository,
        tag=tag,
        image_id="1f" * 32,
        source=source,
        size_bytes=187_000_000 * number + 9000,
        created_at=before(hours=900),
        hosts=12,
        containers=31,
        available_tag="",
        available_digest="",
        checked_at=before(hours=2),
        problem="",
    )
    return replace(row, **changes)


_IMAGES: Final = [
    _image(0, "ghcr.io/example/shop-api", "4.18.2", "ghcr", available_tag="4.19.0"),
    _image(1, "postgres", "17-alpine", "docker-hub", available_digest=_DIGEST),
    _image(
        2, "registry.example.net/platform/worker", "2026.10", "private", problem="wants a sign-in", hosts=1, host=_WEB
    ),
    _image(3, "edge-cache", "dev", "local", checked_at=None, hosts=1, host=_DB, containers=0),
    _image(4, "quay.io/oauth2-proxy/oauth2-proxy", "v7.6.0", "quay"),
]
_VOLUME: Final = VolumeRow(
    uuid(700),
    "shop_db",
    "local",
    "/var/lib/docker/volumes/shop_db/_data",
    "local",
    5_300_000_000,
    1,
    before(hours=90),
    _WEB,
)
_NETWORK: Final = NetworkRow(
    uuid(800), "0d" * 32, "shop_default", "bridge", "local", "172.18.0.0/16", "172.18.0.1", 5, before(hours=90), _WEB
)
_STACK: Final = StackRow(
    "shop",
    _WEB,
    5,
    3,
    1,
    1,
    tuple(Member(one.id, one.name, f"{one.image}:{one.tag}", one.image_id, one.status) for one in _CONTAINERS),
)
_COUNTS: Final = Dashboard(
    hosts=40,
    enabled=41,
    containers=720,
    running=683,
    exited=24,
    paused=9,
    images=16,
    updates=9,
    volumes=320,
    networks=160,
    stacks=120,
)
_ROWS: Final[dict[str, list[Any]]] = {
    "stacks": [_STACK],
    "containers": _CONTAINERS,
    "images": _IMAGES,
    "volumes": [_VOLUME],
    "networks": [_NETWORK],
}


def _list(tab: str, rows: list[Any], counts: Dashboard = _COUNTS) -> Context:
    path = f"/docker/{tab}"
    return {
        "shell": shell("Docker", path, (("Docker", "/docker/stacks"), (tab.capitalize(), ""))),
        "tab": tab,
        "tabs": fleet_tabs(counts, tab),
        "listing": listing(parse(TABLES[tab], {}), len(rows), may=bool),
        "rows": rows,
        "counts": counts,
        "can_manage": True,
    }


def _one(kind: str, thing: object) -> Sample:
    context: Context = {"shell": shell("Docker", f"/docker/{kind}s"), kind: thing, "can_manage": True}
    return f"docker-{kind}", f"docker/{kind}.html", context


PAGES: Final[list[Sample]] = [(f"docker-{tab}", "docker/list.html", _list(tab, rows)) for tab, rows in _ROWS.items()]
PAGES.append(("docker-empty", "docker/list.html", _list("containers", [], Dashboard())))
_troubled = replace(
    _COUNTS, troubled=(("docker.io", "docker.io asks us to wait: too many requests", before(hours=-1)),)
)
PAGES.append(("docker-troubled", "docker/list.html", _list("images", _IMAGES, _troubled)))
PAGES.append(("docker-off", "docker/off.html", {"shell": shell("Docker", "/docker"), "can_switch": True}))
PAGES.append(
    _one(
        "container",
        Container(
            row=_CONTAINERS[0],
            host_key=1,
            state="running",
            started_at=before(hours=3),
            exit_code=None,
            restart_policy="unless-stopped",
            restart_count=2,
            network_mode="shop_default",
            command="serve --workers 4 --listen 0.0.0.0:8081",
            entrypoint="/usr/bin/tini --",
            labels={"com.docker.compose.project": "shop", "org.opencontainers.image.revision": "0f" * 20},
            mounts=[{"type": "volume", "name": "shop_cache", "source": "/x", "destination": "/var/cache", "rw": True}],
            networks=[{"name": "shop_default", "network_id": "0d" * 32, "ip": "172.18.0.4"}],
            similar=tuple(_CONTAINERS[1:3]),
        ),
    )
)
PAGES.append(
    _one(
        "image",
        Image(
            row=_IMAGES[1],
            key=1,
            architecture="amd64",
            os="linux",
            labels={"maintainer": "somebody"},
            history=[{"created_by": "COPY docker-entrypoint.sh /usr/local/bin/ # buildkit", "size_bytes": 12_014}],
            current_digest="sha256:" + "4c" * 32,
            found_at=before(hours=2),
            found_by="registry",
            hosts=(ImageHost(_WEB, "17-alpine", ("sha256:" + "4c" * 32,), 3, before(hours=1)),),
            containers=tuple(_CONTAINERS[:2]),
        ),
    )
)
PAGES.append(_one("volume", Volume(_VOLUME, 1, {"a": "b"}, {}, tuple(_CONTAINERS[:1]))))
PAGES.append(
    _one(
        "network",
        Network(
            _NETWORK,
            1,
            {"internal": True, "ipv6_enabled": False},
            {"driver": "default", "config": [{"subnet": "172.18.0.0/16", "gateway": "172.18.0.1"}]},
            {},
            {},
            tuple(_CONTAINERS[:2]),
        ),
    )
)
