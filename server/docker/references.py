"""Names of images: which registry they mean, what kind of place that is, and where a person looks at it."""

import re
from collections.abc import Callable
from typing import Final

from server.docker.models import Reference

HUB: Final = "docker.io"
_HUB_NAMES: Final = frozenset({"", HUB, "index.docker.io", "registry-1.docker.io"})
#: Where the interface of a registry is, when that is another place than its name says.
_DOORS: Final = {HUB: "registry-1.docker.io"}
_ECR: Final = re.compile(r".+\.dkr\.ecr\..+\.amazonaws\.com(\.cn)?$")
_VERSION: Final = re.compile(r"(v?)(\d+)((?:\.\d+){1,3})(.*)$")

#: Value and word of each source, in the order of the filter.
SOURCES: Final = (
    ("docker-hub", "Docker Hub"),
    ("ghcr", "GHCR"),
    ("gitlab", "GitLab"),
    ("quay", "Quay"),
    ("ecr", "ECR"),
    ("acr", "ACR"),
    ("gcr", "GCR"),
    ("private", "Private"),
    ("local", "Local"),
    ("unknown", "Unknown"),
)


def parse(repository: str, tag: str = "") -> Reference | None:
    """Return what a name means; ``None`` for one that means nothing (``<none>``)."""
    name = repository.strip().removeprefix("docker://").partition("@")[0]
    if not name or "<none>" in name or " " in name:
        return None
    first, slash, rest = name.partition("/")
    registry = first.lower() if slash and _is_host(first) else ""
    path = rest if registry else name
    if registry in _HUB_NAMES:
        registry = HUB
        path = path if "/" in path else f"library/{path}"
    if ":" in path.rpartition("/")[2]:
        path, _, tag = path.rpartition(":")
    return Reference(registry, path, "" if tag == "<none>" else tag) if path else None


def _is_host(first: str) -> bool:
    return "." in first or ":" in first or first == "localhost"


def door(registry: str) -> str:
    """Return the host of a registry's interface."""
    return _DOORS.get(registry, registry)


def source_of(repository: str, told: str = "") -> str:
    """Return the kind of place an image comes from; ``told`` is what the agent made of it.

    Only a host knows that no registry has a digest for an image: then, and only then, a plain name is a local one.
    """
    found = parse(repository)
    if found is None:
        return "unknown"
    plain = not _is_host(repository.strip().partition("/")[0])
    if found.registry == "localhost" or (plain and told == "local"):
        return "local"
    return next((kind for kind, matches in _KINDS if matches(found.registry)), "private")


_KINDS: Final[tuple[tuple[str, Callable[[str], bool]], ...]] = (
    ("docker-hub", lambda host: host == HUB),
    ("ghcr", lambda host: host == "ghcr.io"),
    ("gitlab", lambda host: host.startswith("registry.gitlab.")),
    ("quay", lambda host: host == "quay.io"),
    ("ecr", lambda host: host == "public.ecr.aws" or _ECR.match(host) is not None),
    ("acr", lambda host: host.endswith(".azurecr.io")),
    ("gcr", lambda host: host == "gcr.io" or host.endswith((".gcr.io", ".pkg.dev"))),
)


def link_of(repository: str, source: str) -> str:
    """Return the page about an image; empty where there is none that everybody may see."""
    found = parse(repository)
    maker = _PAGES.get(source)
    return maker(found) if found is not None and maker is not None else ""


def _hub(one: Reference) -> str:
    if one.path.startswith("library/"):
        return f"https://hub.docker.com/_/{one.path.removeprefix('library/')}"
    return f"https://hub.docker.com/r/{one.path}"


def _github(one: Reference) -> str:
    return f"https://github.com/{'/'.join(one.path.split('/')[:2])}"


def _gallery(one: Reference) -> str:
    return f"https://gallery.ecr.aws/{one.path}" if one.registry == "public.ecr.aws" else ""


_PAGES: Final[dict[str, Callable[[Reference], str]]] = {
    "docker-hub": _hub,
    "ghcr": _github,
    "gitlab": lambda one: f"https://gitlab.com/{one.path}" if one.registry == "registry.gitlab.com" else "",
    "quay": lambda one: f"https://quay.io/repository/{one.path}",
    "ecr": _gallery,
    "gcr": lambda one: f"https://{one.registry}/{one.path}",
}


def newest_of(tag: str, tags: list[str]) -> str:
    """Return the highest version above ``tag`` that is written like it; empty when there is none, or it is no version.

    ``1.27`` is followed by ``1.28`` and not by ``1.28.1`` or ``1.28-alpine``: who chose a form wants that form.
    """
    form = _VERSION.match(tag)
    if form is None:
        return ""
    best, key = "", _number(form)
    for one in tags:
        other = _VERSION.match(one)
        if other is None or (other[1], other[4]) != (form[1], form[4]) or _parts(other) != _parts(form):
            continue
        if _number(other) > key:
            best, key = one, _number(other)
    return best


def _number(form: re.Match[str]) -> tuple[int, ...]:
    return tuple(int(part) for part in f"{form[2]}{form[3]}".split("."))


def _parts(form: re.Match[str]) -> int:
    return form[3].count(".")
