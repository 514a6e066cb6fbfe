"""Pure work on snapshots: the rows they become, what differs from what is stored, and what a status means."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from server.docker import references
from server.docker.models import (
    Counts,
    ImageKey,
    Json,
    ReportedContainer,
    ReportedImage,
    ReportedNetwork,
    ReportedVolume,
    Row,
    Snapshot,
)

#: A container with one of these statuses does its work; crossing this line is what alerts are about.
UP: Final = frozenset({"running", "restarting"})
#: What an engine's event makes of a container.
STATUS_OF: Final[Mapping[str, str]] = {
    "container_start": "running",
    "container_stop": "exited",
    "container_die": "exited",
    "container_kill": "exited",
    "container_pause": "paused",
    "container_unpause": "running",
    "container_destroy": "removed",
}
_STACK_LABELS: Final = (
    "com.docker.compose.project", "com.docker.stack.namespace", "io.podman.compose.project",
)  # fmt: skip
# PostgreSQL's indexes take at most some 2,700 bytes; real names are far below these limits.
_NAME: Final = 400
_ID: Final = 200
_TEXT: Final = 2000
_MOST: Final = 200
_INT32: Final = 2**31 - 1
_INT64: Final = 2**63 - 1


class Rows(NamedTuple):
    """A snapshot as it is stored: rows by what names them within their host."""

    images: dict[ImageKey, Row]
    containers: dict[str, Row]
    volumes: dict[str, Row]
    networks: dict[str, Row]


class Change(NamedTuple):
    """How stored rows must change to be the wanted ones: what is written, and the names of what goes."""

    written: list[Row]
    gone: list[str]


def counts(told: Snapshot) -> Counts:
    """Return how much was received."""
    return Counts(
        len(told.containers or ()),
        len(told.images or ()),
        len(told.volumes or ()),
        len(told.networks or ()),
        len(told.updates or ()),
    )


def rows_of(told: Snapshot) -> Rows:
    """Return a snapshot as rows; of two with the same name the last counts."""
    containers = [one for one in told.containers or () if one.container_id]
    mounted = Counter(name for one in containers for name in _mounted(one))
    attached = Counter(name for one in containers for name in _attached(one))
    images = {_key_of(one): _from_container(one) for one in containers}
    images |= {(row["repository"], row["tag"], row["image_id"]): row for row in map(_image, told.images or ())}  # type: ignore[misc]
    return Rows(
        images={key: _printed(row) for key, row in images.items()},
        containers={cut(one.container_id, _ID): _printed(_container(one)) for one in containers},
        volumes={
            str(row["volume_id"]): _printed(row)
            for row in (_volume(one, mounted) for one in told.volumes or ())
            if row["volume_id"]
        },
        networks={
            str(row["network_id"]): _printed(row)
            for row in (_network(one, attached) for one in told.networks or ())
            if row["network_id"]
        },
    )


def difference(stored: Mapping[str, int], wanted: Mapping[str, Row]) -> Change:
    """Return what must be written and what must go; ``stored`` are fingerprints by name."""
    written = [row for name, row in wanted.items() if stored.get(name) != row["fingerprint"]]
    return Change(written, [name for name in stored if name not in wanted])


def crossing(old: str, new: str) -> str:
    """Return ``started`` or ``stopped`` when a container began or ceased to do its work, else nothing."""
    if (old in UP) == (new in UP):
        return ""
    return "started" if new in UP else "stopped"


def cut(text: str, most_bytes: int) -> str:
    """Return text that PostgreSQL stores: without U+0000, cut to a length no real value has."""
    text = text.replace("\0", "").strip()
    raw = text.encode()
    return text if len(raw) <= most_bytes else raw[:most_bytes].decode(errors="ignore")


def moment(text: str) -> datetime | None:
    """Return a time as agents write it; ``None`` for none, nonsense, or the zero time of an engine."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo is not None and found.year > 1980 else None  # noqa: PLR2004 (before any container)


def _iso(text: str) -> str | None:
    found = moment(text)
    return found.isoformat() if found else None


def _printed(row: Row) -> Row:
    text = json.dumps(row, sort_keys=True, default=str)
    digest = hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=8).digest()
    return {**row, "fingerprint": int.from_bytes(digest, signed=True)}


def _key_of(one: ReportedContainer) -> ImageKey:
    repository, tag = _image_name(one)
    return repository, tag, _hex(one.image_id) or "unknown"


def _image_name(one: ReportedContainer) -> tuple[str, str]:
    name = one.image_repository or one.image_name
    head, colon, tail = name.rpartition(":")
    if not one.image_repository and colon and "/" not in tail:
        name = head
    return cut(name.partition("@")[0], _NAME), cut(one.image_tag or "latest", _ID)


def _hex(text: str) -> str:
    return cut(text.removeprefix("sha256:"), _ID)


def _from_container(one: ReportedContainer) -> Row:
    repository, tag, image_id = _key_of(one)
    return _image(
        ReportedImage(repository=repository, tag=tag, image_id=image_id, source=one.image_source),
    )


def _image(one: ReportedImage) -> Row:
    repository = cut(one.repository or "<none>", _NAME)
    digests = sorted({_digest(text) for text in (one.digest, *(one.digests or ())) if _digest(text)})
    return {
        "repository": repository,
        "tag": cut(one.tag or "<none>", _ID),
        "image_id": _hex(one.image_id) or "unknown",
        "source": references.source_of(repository, one.source),
        "digests": digests[:_MOST],
        "architecture": cut(one.architecture, _ID),
        "os": cut(one.os, _ID),
        "size_bytes": max(0, min(one.size_bytes, _INT64)),
        "created_at": _iso(one.created_at),
        "labels": _texts(one.labels),
        "history": [_plain(each) for each in (one.history or ())[:_MOST]],
    }


def _digest(text: str) -> str:
    found = text.strip().rpartition("@")[2]
    return cut(found, _ID) if found.startswith("sha256:") else ""


def _container(one: ReportedContainer) -> Row:
    repository, tag, image_id = _key_of(one)
    labels = _texts(one.labels)
    name = cut(one.name.lstrip("/") or one.container_id[:12], _NAME)
    status = cut((one.status or one.state or "unknown").lower(), _ID)
    return {
        "container_id": cut(one.container_id, _ID),
        "repository": repository,
        "tag": tag,
        "image_id": image_id,
        "name": name,
        "status": status,
        "state": cut(one.state or status, _ID),
        "stack": next((cut(labels[key], _NAME) for key in _STACK_LABELS if labels.get(key)), ""),
        "network_mode": cut(one.network_mode, _ID),
        "restart_policy": cut(one.restart_policy, _ID),
        "restart_count": max(0, min(one.restart_count, _INT32)),
        "exit_code": one.exit_code if one.exit_code is not None and abs(one.exit_code) <= _INT32 else None,
        "command": cut(one.command, _TEXT),
        "entrypoint": cut(one.entrypoint, _TEXT),
        "created_at": _iso(one.created_at),
        "started_at": _iso(one.started_at),
        "words": f"{name} {repository}:{tag}".lower(),
        "ports": _texts(one.ports),
        "labels": labels,
        "mounts": [_plain(each) for each in (one.mounts or ())[:_MOST]],
        "networks": [_plain(each) for each in (one.networks or ())[:_MOST]],
    }


def _volume(one: ReportedVolume, mounted: Mapping[str, int]) -> Row:
    key = cut(one.volume_id or one.name, _NAME)
    name = cut(one.name or key, _NAME)
    size = one.size_bytes if one.size_bytes is not None and 0 <= one.size_bytes <= _INT64 else None
    return {
        "volume_id": key,
        "name": name,
        "driver": cut(one.driver or "local", _ID),
        "mountpoint": cut(one.mountpoint, _TEXT),
        "scope": cut(one.scope or "local", _ID),
        "size_bytes": size,
        "used_by": max(mounted.get(name, 0), min(max(0, one.ref_count), _INT32)),
        "created_at": _iso(one.created_at),
        "words": f"{name} {one.mountpoint}".lower()[:_TEXT],
        "labels": _texts(one.labels),
        "options": _texts(one.options),
    }


def _network(one: ReportedNetwork, attached: Mapping[str, int]) -> Row:
    ipam = _plain(one.ipam or {})
    pools = ipam.get("config")
    first = next((pool for pool in pools if isinstance(pool, dict)), {}) if isinstance(pools, list) else {}
    name = cut(one.name, _NAME)
    subnet, gateway = cut(str(first.get("subnet") or ""), _ID), cut(str(first.get("gateway") or ""), _ID)
    flags = ("ipv6_enabled", "internal", "attachable", "ingress", "config_only")
    return {
        "network_id": cut(one.network_id or one.name, _ID),
        "name": name,
        "driver": cut(one.driver or "local", _ID),
        "scope": cut(one.scope or "local", _ID),
        "subnet": subnet,
        "gateway": gateway,
        "used_by": max(attached.get(name, 0), min(max(0, one.container_count), _INT32)),
        "created_at": _iso(one.created_at),
        "words": f"{name} {subnet}".lower(),
        "flags": {flag: getattr(one, flag) for flag in flags},
        "ipam": ipam,
        "labels": _texts(one.labels),
        "options": _texts(one.options),
    }


def _mounted(one: ReportedContainer) -> set[str]:
    return {str(mount["name"]) for mount in one.mounts or () if mount.get("type") == "volume" and mount.get("name")}


def _attached(one: ReportedContainer) -> set[str]:
    return {str(network["name"]) for network in one.networks or () if network.get("name")}


def _texts(told: Mapping[str, str] | None) -> dict[str, str]:
    pairs: Iterable[tuple[str, str]] = sorted((told or {}).items())[:_MOST]
    return {cut(key, _NAME): cut(value, _TEXT) for key, value in pairs}


def _plain(value: Any, depth: int = 4) -> Any:
    """Return JSON from an agent as it is stored: bounded in every direction."""
    if isinstance(value, str):
        return cut(value, _TEXT)
    if isinstance(value, dict) and depth:
        return {cut(str(key), _NAME): _plain(each, depth - 1) for key, each in list(value.items())[:_MOST]}
    if isinstance(value, Sequence) and depth:
        return [_plain(each, depth - 1) for each in value[:_MOST]]
    return value if isinstance(value, int | float | bool) else None


def engine_of(told: Json | None) -> Json:
    """Return what an agent says of the engine, as it is stored."""
    found = _plain(told or {})
    return found if isinstance(found, dict) else {}
