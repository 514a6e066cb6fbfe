"""What import-linter cannot say: rooms are entered by four doors, and each driver has one owner."""

from typing import Final

import grimp
import pytest

DOORS: Final = {"service", "models", "events", "errors"}
ASSEMBLERS: Final = {"app", "cli", "worker", "serve", "quickstart"}
OWNERS: Final = {
    "aiopg": {"server.core.db", "server.core.pool"},
    "psycopg2": {"server.core.db", "server.core.pool"},
    "redis": {"server.core.redis"},
    "taskiq": {"server.core.queue"},
    "taskiq_redis": {"server.core.queue"},
    "structlog": {"server.core.log"},
    "bcrypt": {"server.core.passwords"},
    "ansible_runner": {"server.automation.executors.relayed"},
}


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    # Without the cache: it misses a change made within the same second.
    return grimp.build_graph("server", include_external_packages=True, cache_dir=None)


def room(module: str) -> str | None:
    parts = module.split(".")
    return parts[1] if parts[0] == "server" and len(parts) > 1 else None


def door(module: str) -> str:
    """Return the drawer a module belongs to: a drawer may be a package."""
    parts = module.split(".")
    return parts[2] if len(parts) > 2 else ""


def trespasses(graph: grimp.ImportGraph) -> list[str]:
    return [
        f"{importer} -> {imported}"
        for importer in sorted(graph.modules)
        if room(importer) not in {None, *ASSEMBLERS}
        for imported in sorted(graph.find_modules_directly_imported_by(importer))
        if room(imported) not in {None, room(importer), "core", "web"} and door(imported) not in DOORS
    ]


def test_rooms_enter_each_other_only_by_the_doors(graph: grimp.ImportGraph) -> None:
    assert trespasses(graph) == []


def test_a_trespass_would_be_seen() -> None:
    graph = grimp.ImportGraph()
    for module in ("server.hosts.service", "server.packages.queries"):
        graph.add_module(module)
    graph.add_import(importer="server.hosts.service", imported="server.packages.queries")
    assert trespasses(graph) == ["server.hosts.service -> server.packages.queries"]


@pytest.mark.parametrize("driver", OWNERS)
def test_each_driver_has_one_owner(graph: grimp.ImportGraph, driver: str) -> None:
    importers = graph.find_modules_that_directly_import(driver) if driver in graph.modules else set()
    assert importers <= OWNERS[driver]
