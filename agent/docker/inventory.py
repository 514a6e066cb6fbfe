"""Everything the engine has, in the form the server takes."""

from __future__ import annotations

import json
import socket
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Dict, List, Mapping, Sequence, Tuple

from agent import __version__
from agent.docker.engine import Engine, engine_name
from agent.protocol.hashes import docker_hash

COLLECT_SECONDS = 60.0
#: The server refuses more than 2 MB unless it was told otherwise.
BODY_BYTES = 1_900_000
_MOST = 2000
_LOOKED_AT = 500
_LAYERS = 60
_TEXT = 300
_STATES = {"configured": "created", "initialized": "created", "stopped": "exited", "stopping": "running"}
_STATUSES = ("running", "exited", "created", "restarting", "paused", "dead")
#: What is left out first when a host has more than fits.
_LUXURIES = (("images", "history"), ("images", "labels"), ("containers", "labels"), ("containers", "mounts"))

Row = Dict[str, Any]


@dataclass(frozen=True)
class Inventory:
    """What was found, and its section hash."""

    fields: Row
    hash: str

    def body(self, *, hashed: bool) -> bytes:
        """Return the body of the upload; one that the server asked for carries no hash."""
        fields = {**self.fields, "docker_hash": self.hash} if hashed else dict(self.fields)
        for kind, name in (("", ""), *_LUXURIES):
            if kind:
                fields[kind] = [{key: value for key, value in row.items() if key != name} for row in fields[kind]]
            body = json.dumps(fields, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "replace")
            if len(body) <= BODY_BYTES:
                break
        return body


def collect(engine: Engine) -> Inventory:
    """Ask the engine for everything.

    Raises:
        EngineFailed: it does not answer, or not in time.
    """
    collected_at = datetime.now(timezone.utc).isoformat()
    version = engine.get("/version")
    info = engine.one("/info")
    images = _images(engine)
    containers = _containers(engine, images)
    volumes = engine.get("/volumes")
    found: Row = {
        "containers": containers,
        "images": images,
        "volumes": [_volume(row) for row in _listed(volumes.get("Volumes") if isinstance(volumes, dict) else volumes)],
        "networks": [_network(row) for row in engine.rows("/networks")[:_MOST]],
        "updates": [],
        "daemon_info": {
            "name": engine_name(version),
            "version": str(version.get("Version") or ""),
            "api_version": str(version.get("ApiVersion") or ""),
            "os": str(version.get("Os") or ""),
            "architecture": str(version.get("Arch") or ""),
            "kernel_version": str(version.get("KernelVersion") or info.get("KernelVersion") or ""),
            "total_memory": info.get("MemTotal") or 0,
            "ncpu": info.get("NCPU") or 0,
            "socket": engine.path,
        },
        "hostname": socket.gethostname(),
        "machine_id": _machine_id(),
        "agent_version": __version__,
        "collected_at": collected_at,
    }
    clean = _clean(found)
    return Inventory(clean, docker_hash(clean))


def _machine_id() -> str:
    try:
        return Path("/etc/machine-id").read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return ""


# ------------------------------------------------------------------------------------------------ images


def _images(engine: Engine) -> List[Row]:
    rows: List[Row] = []
    for number, image in enumerate(engine.rows("/images/json")[:_MOST]):
        looked = engine.one(f"/images/{image['Id']}/json") if number < _LOOKED_AT and image.get("Id") else {}
        history = engine.get(f"/images/{image['Id']}/history") if looked else []
        rows += _image(image, looked, history if isinstance(history, list) else [])
    return rows


def _image(image: Row, looked: Row, history: Sequence[Any]) -> List[Row]:
    digests = [str(text) for text in image.get("RepoDigests") or () if "<none>" not in str(text)]
    names = [split(str(text)) for text in image.get("RepoTags") or () if "<none>" not in str(text)]
    # Without a tag it still may have a name, which its digest knows.
    names = names or sorted({(text.partition("@")[0], "<none>") for text in digests}) or [("<none>", "<none>")]
    common = {
        "image_id": _hex(image.get("Id")),
        "size_bytes": int(image.get("Size") or 0),
        "created_at": _moment(image.get("Created")),
        "labels": _texts(image.get("Labels")),
        "architecture": str(looked.get("Architecture") or ""),
        "os": str(looked.get("Os") or ""),
        "history": [_layer(one) for one in history[:_LAYERS] if isinstance(one, dict)],
    }
    rows = []
    for repository, tag in names:
        own = [text.partition("@")[2] for text in digests if text.partition("@")[0] == repository]
        source = source_of(repository) if digests else "local"
        row = {"repository": repository, "tag": tag, "source": source, "digests": own, **common}
        rows.append({**row, "digest": own[0]} if own else row)
    return rows


def _layer(one: Row) -> Row:
    return {
        "created_by": str(one.get("CreatedBy") or "")[:_TEXT],
        "size_bytes": int(one.get("Size") or 0),
        "created_at": _moment(one.get("Created")),
    }


def split(name: str) -> Tuple[str, str]:
    """Return repository and tag of a name; ``latest`` is what no tag means."""
    plain = name.partition("@")[0]
    repository, colon, tag = plain.rpartition(":")
    return (repository, tag) if colon and "/" not in tag else (plain, "latest")


def source_of(repository: str) -> str:
    """Return the kind of registry a name belongs to, in the words that agents use."""
    first, slash, _ = repository.partition("/")
    if not slash or not ("." in first or ":" in first or first == "localhost"):
        return "docker-hub"
    if first in ("docker.io", "index.docker.io", "registry-1.docker.io"):
        return "docker-hub"
    return {"ghcr.io": "github", "registry.gitlab.com": "gitlab", "localhost": "local"}.get(first, "private")


# ------------------------------------------------------------------------------------------------ containers


def _containers(engine: Engine, images: Sequence[Row]) -> List[Row]:
    by_id: Dict[str, Row] = {}
    for image in images:
        by_id.setdefault(str(image["image_id"]), image)
    rows = engine.rows("/containers/json?all=true")[:_MOST]
    return [
        _container(row, engine.one(f"/containers/{row['Id']}/json") if number < _LOOKED_AT else {}, by_id)
        for number, row in enumerate(rows)
        if row.get("Id")
    ]


def _container(row: Row, looked: Row, images: Mapping[str, Row]) -> Row:
    state, host = _part(looked, "State"), _part(looked, "HostConfig")
    config = _part(looked, "Config")
    raw = str(row.get("State") or state.get("Status") or "")
    image_id = _hex(row.get("ImageID") or looked.get("Image"))
    repository, tag = _named(str(config.get("Image") or row.get("Image") or ""), image_id, images)
    known = images.get(image_id, {})
    status = _STATES.get(raw.lower(), raw.lower())
    found: Row = {
        "container_id": str(row["Id"]),
        "name": str((row.get("Names") or [looked.get("Name") or ""])[0]).lstrip("/"),
        "image_name": f"{repository}:{tag}",
        "image_tag": tag,
        "image_repository": repository,
        "image_source": "local" if known.get("source") == "local" else source_of(repository),
        "image_id": image_id,
        "status": status if status in _STATUSES else "created",
        "state": raw,
        "ports": _ports(row.get("Ports")),
        "created_at": _moment(row.get("Created")),
        "started_at": _moment(state.get("StartedAt")),
        "labels": _texts(row.get("Labels")),
        "network_mode": str(host.get("NetworkMode") or _part(row, "HostConfig").get("NetworkMode") or ""),
        "restart_count": int(looked.get("RestartCount") or 0),
        "restart_policy": str(_part(host, "RestartPolicy").get("Name") or ""),
        "command": _words(config.get("Cmd")),
        "entrypoint": _words(config.get("Entrypoint")),
        "mounts": [_mount(one) for one in _listed(looked.get("Mounts") or row.get("Mounts"))],
        "networks": _networks(_part(looked, "NetworkSettings") or _part(row, "NetworkSettings")),
    }
    if status == "exited" and isinstance(state.get("ExitCode"), int):
        found["exit_code"] = state["ExitCode"]
    return found


def _named(name: str, image_id: str, images: Mapping[str, Row]) -> Tuple[str, str]:
    if not name or name.startswith("sha256:") or name in image_id:
        # Its tag was given to another image meanwhile.
        known = images.get(image_id)
        return (known["repository"], known["tag"]) if known else ("<none>", "<none>")
    return split(name)


def _ports(told: Any) -> Dict[str, str]:
    found: Dict[str, List[str]] = {}
    for port in _listed(told):
        inner = f"{port.get('PrivatePort')}/{port.get('Type') or 'tcp'}"
        outer = f"{port.get('IP') or '0.0.0.0'}:{port['PublicPort']}" if port.get("PublicPort") else ""  # noqa: S104 (what the engine means)
        found.setdefault(inner, [])
        if outer and outer not in found[inner]:
            found[inner].append(outer)
    return {inner: ", ".join(outer) for inner, outer in found.items()}


def _mount(one: Row) -> Row:
    return {
        "type": str(one.get("Type") or ""),
        "name": str(one.get("Name") or ""),
        "source": str(one.get("Source") or ""),
        "destination": str(one.get("Destination") or ""),
        "rw": bool(one.get("RW")),
    }


def _networks(settings: Row) -> List[Row]:
    joined = settings.get("Networks")
    return [
        {"name": str(name), "network_id": str(one.get("NetworkID") or ""), "ip": str(one.get("IPAddress") or "")}
        for name, one in sorted((joined if isinstance(joined, dict) else {}).items())
        if isinstance(one, dict)
    ]


# ------------------------------------------------------------------------------------------------ volumes, networks


def _volume(row: Row) -> Row:
    usage = _part(row, "UsageData")
    found: Row = {
        "volume_id": str(row.get("Name") or ""),
        "name": str(row.get("Name") or ""),
        "driver": str(row.get("Driver") or "local"),
        "mountpoint": str(row.get("Mountpoint") or ""),
        "scope": str(row.get("Scope") or "local"),
        "labels": _texts(row.get("Labels")),
        "options": _texts(row.get("Options")),
        "created_at": _moment(row.get("CreatedAt")),
    }
    if isinstance(usage.get("Size"), int) and usage["Size"] >= 0:
        found["size_bytes"] = usage["Size"]
    return found


def _network(row: Row) -> Row:
    ipam = _part(row, "IPAM")
    return {
        "network_id": str(row.get("Id") or ""),
        "name": str(row.get("Name") or ""),
        "driver": str(row.get("Driver") or ""),
        "scope": str(row.get("Scope") or "local"),
        "ipv6_enabled": bool(row.get("EnableIPv6")),
        "internal": bool(row.get("Internal")),
        "attachable": bool(row.get("Attachable")),
        "ingress": bool(row.get("Ingress")),
        "config_only": bool(row.get("ConfigOnly")),
        "labels": _texts(row.get("Labels")),
        "options": _texts(row.get("Options")),
        "ipam": {
            "driver": str(ipam.get("Driver") or ""),
            "config": [_pool(one) for one in _listed(ipam.get("Config"))],
            "options": _texts(ipam.get("Options")),
        },
        "created_at": _moment(row.get("Created")),
    }


def _pool(one: Row) -> Row:
    names = {"Subnet": "subnet", "Gateway": "gateway", "IPRange": "ip_range"}
    return {ours: str(one[theirs]) for theirs, ours in names.items() if one.get(theirs)}


# ------------------------------------------------------------------------------------------------ values


def _listed(told: Any) -> List[Row]:
    return [one for one in told[:_MOST] if isinstance(one, dict)] if isinstance(told, list) else []


def _part(row: Row, name: str) -> Row:
    found = row.get(name)
    return found if isinstance(found, dict) else {}


def _texts(told: Any) -> Dict[str, str]:
    return {str(key): str(value) for key, value in told.items()} if isinstance(told, dict) else {}


def _words(told: Any) -> str:
    return " ".join(str(one) for one in told) if isinstance(told, list) else str(told or "")


def _hex(text: Any) -> str:
    return str(text or "").replace("sha256:", "", 1)


def _moment(told: Any) -> str:
    """Return a time in RFC 3339; engines say it in seconds or in words, and the year 1 for never."""
    if isinstance(told, (int, float)) and told > 0:
        return datetime.fromtimestamp(told, timezone.utc).isoformat()
    text = str(told or "")
    return text if text[:4].isdigit() and not text.startswith("0001") else ""


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-8", "replace").decode("utf-8", "replace")
    if isinstance(value, dict):
        return {_clean(key): _clean(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_clean(item) for item in value]
    return value
