"""Makes the demonstration fleet's containers: stacks on the application servers, and what is newer than they run."""

import hashlib
import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from server.demo import rules
from server.demo.models import Machine

Rows = list[dict[str, object]]

#: Repository, tag, source, megabytes, and the newer tag, or "build" for a newer image under the same one.
_IMAGES: Final = (
    ("nginx", "1.27", "docker-hub", 192, "1.29"),
    ("redis", "7.4", "docker-hub", 117, "8.2"),
    ("postgres", "17-alpine", "docker-hub", 278, "build"),
    ("traefik", "v3.1", "docker-hub", 157, "v3.5"),
    ("grafana/grafana", "11.2.0", "docker-hub", 453, "11.6.4"),
    ("prom/prometheus", "v2.54.1", "docker-hub", 283, ""),
    ("grafana/loki", "3.1.1", "docker-hub", 76, ""),
    ("rabbitmq", "3.13-management", "docker-hub", 251, "build"),
    ("ghcr.io/example/shop-api", "4.18.2", "ghcr", 214, ""),
    ("ghcr.io/example/shop-web", "4.18.2", "ghcr", 88, ""),
    ("registry.gitlab.com/example/billing", "2.7.0", "gitlab", 341, "2.8.1"),
    ("quay.io/oauth2-proxy/oauth2-proxy", "v7.6.0", "quay", 42, ""),
    ("registry.example.net/platform/worker", "2026.10", "private", 512, ""),
    ("registry.example.net/platform/cron", "2026.10", "private", 167, "build"),
    ("minio/minio", "latest", "docker-hub", 175, "build"),
    ("edge-cache", "dev", "local", 61, ""),
)
#: Stacks as (service, image, port, volume).
_STACKS: Final[dict[str, tuple[tuple[str, str, str, str], ...]]] = {
    "shop": (
        ("web", "ghcr.io/example/shop-web", "8080", ""),
        ("api", "ghcr.io/example/shop-api", "8081", ""),
        ("worker-1", "registry.example.net/platform/worker", "", ""),
        ("worker-2", "registry.example.net/platform/worker", "", ""),
        ("cache", "redis", "", "shop_cache"),
        ("db", "postgres", "", "shop_db"),
        ("proxy", "nginx", "443", ""),
    ),
    "monitoring": (
        ("prometheus", "prom/prometheus", "9090", "monitoring_metrics"),
        ("grafana", "grafana/grafana", "3001", "monitoring_grafana"),
        ("loki", "grafana/loki", "", "monitoring_logs"),
    ),
    "billing": (
        ("app", "registry.gitlab.com/example/billing", "8090", ""),
        ("queue", "rabbitmq", "", "billing_queue"),
        ("db", "postgres", "", "billing_db"),
        ("files", "minio/minio", "9000", "billing_files"),
    ),
    "": (
        ("traefik", "traefik", "80", ""),
        ("oauth2-proxy", "quay.io/oauth2-proxy/oauth2-proxy", "", ""),
        ("cron", "registry.example.net/platform/cron", "", ""),
        ("edge-cache", "edge-cache", "", ""),
    ),
}
_ROLE: Final = "app"
_ENGINE: Final = {"name": "Docker", "version": "27.3.1", "api_version": "1.47", "os": "linux", "architecture": "x86_64"}


def images(now: datetime) -> Rows:
    """Return the images."""
    return [
        {
            "uuid": str(rules.named("image", repository)),
            "name": repository,
            "repository": repository,
            "tag": tag,
            "image_id": _hex(f"{repository}:{tag}"),
            "source": source,
            "size_bytes": megabytes * 1_000_000,
            "digest": "" if source == "local" else _digest(repository),
            "newer_digest": f"sha256:{_hex('newer ' + repository)}" if newer == "build" else "",
            "newer_tag": "" if newer == "build" else newer,
            "built_at": (now - timedelta(days=20 + len(repository))).isoformat(),
            "checked_at": (now - timedelta(hours=2)).isoformat(),
        }
        for repository, tag, source, megabytes, newer in _IMAGES
    ]


def uuids() -> list[str]:
    """Return the ids of the images."""
    return [str(rules.named("image", repository)) for repository, *_ in _IMAGES]


def hosts(machines: Sequence[Machine]) -> list[Machine]:
    """Return the hosts that run containers."""
    return [one for one in machines if one.role == _ROLE]


def engines(machines: Sequence[Machine]) -> Rows:
    """Return the engines of these hosts."""
    return [{"uuid": one.uuid, "engine": _ENGINE, "at": one.reported_at.isoformat()} for one in machines]


def containers(dice: random.Random, machines: Sequence[Machine], keys: dict[str, int]) -> Rows:
    """Return the containers of these hosts; ``keys`` are those of the images by name."""
    rows: Rows = []
    for machine in machines:
        for stack, services in _STACKS.items():
            for service, image, port, volume in services:
                status = dice.choices(("running", "exited", "paused", "restarting"), (94, 4, 1, 1))[0]
                name = f"{stack}-{service}" if stack else service
                at = machine.reported_at - timedelta(hours=dice.randrange(1, 2000))
                rows.append(
                    {
                        "uuid": machine.uuid,
                        "container_id": _hex(f"{machine.uuid} {name}"),
                        "image": keys[image],
                        "name": name,
                        "status": status,
                        "stack": stack,
                        "ports": {f"{port}/tcp": f"0.0.0.0:{port}"} if port else {},
                        "volume": volume or None,
                        "exit_code": dice.choice((0, 1, 137)) if status == "exited" else None,
                        "at": at.isoformat(),
                        "seen_at": machine.reported_at.isoformat(),
                        "digest": "" if image == "edge-cache" else _digest(image),
                    }
                )
    return rows


def _digest(repository: str) -> str:
    return f"sha256:{_hex(repository)}"


def _hex(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
