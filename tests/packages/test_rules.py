"""Hashes, origins and differences of inventories, without a database."""

import hashlib

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.protocol import hashes
from server.packages import rules
from server.packages.models import ReportedPackage, ReportedRepository, Stored, StoredRepository

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | st.sampled_from(
    ["", " a", "a\t", "\x1fa", "\u00a0a", "e\u0301", "é", "<&>", "\u2028", '"\\', "bash", "\x7f", "\u0301a"]
)
PACKAGES = st.lists(
    st.builds(
        ReportedPackage,
        name=TEXTS,
        description=TEXTS,
        category=TEXTS,
        current_version=TEXTS,
        available_version=TEXTS,
        needs_update=st.booleans(),
        is_security_update=st.booleans(),
        source_repository=TEXTS,
        wua_guid=st.just("") | TEXTS,
        wua_categories=st.none() | st.lists(TEXTS, max_size=3),
        wua_revision_number=st.integers(-5, 5),
    ),
    max_size=8,
)


@settings(max_examples=400, deadline=None)
@given(PACKAGES)
def test_the_quick_hash_is_the_agents_hash(packages: list[ReportedPackage]) -> None:
    assert rules.Inventory(packages).section_hash() == hashes.packages_hash(
        [msgspec.to_builtins(one) for one in packages]
    )


def test_the_worked_example() -> None:
    packages = [
        ReportedPackage(name="zlib1g", current_version="1:1.2.13"),
        ReportedPackage(
            name="bash",
            description="shell <GNU> & friends ",
            current_version="5.2.15",
            available_version="5.2.21",
            needs_update=True,
            source_repository="http://deb.debian.org/debian bookworm/main",
        ),
        ReportedPackage(name=" zlib1g", current_version="1:1.3.1"),
    ]
    assert (
        rules.Inventory(packages).section_hash() == "533755a288a9a4d2ccfed0d6f249471ee590ae2cfeb6c1d2f31788821e4b98e2"
    )
    assert rules.Inventory([]).section_hash() == hashlib.sha256(b"[]").hexdigest()


def test_the_contracts_repositories() -> None:
    def source(name: str, components: str, *, enabled: bool = True) -> ReportedRepository:
        return ReportedRepository(name, "http://m/x", "stable", components, "deb", enabled)

    rows = [source("b", "main"), source("a", "contrib"), source("b2", "main", enabled=False)]
    assert rules.repositories_hash(rows) == "05a8e6483a50aff4aca130f3f9a7c821fd359b305dec3b157baac0a32d8fdda1"


def test_only_what_differs_is_written() -> None:
    nowhere = rules.Resolver([])
    named = [ReportedPackage(name=name) for name in "abc"]
    before = rules.Inventory(named).marked(nowhere)
    stored = Stored([10, 11, 12], list(before), [])
    newer = [named[0], ReportedPackage(name="b", current_version="2"), ReportedPackage(name="d")]
    wanted = rules.Inventory(newer).marked(nowhere)
    change = rules.difference(stored, wanted)
    assert [row.n for row in change.written] == ["b", "d"]
    assert change.gone == [11, 12]
    assert rules.difference(stored, before) == ([], [])


def test_another_repository_is_a_difference() -> None:
    inventory = rules.Inventory([ReportedPackage(name="a", source_repository="main")])
    with_it = rules.Resolver([StoredRepository(7, "main", "http://x", "", "")])
    assert set(inventory.marked(rules.Resolver([]))) != set(inventory.marked(with_it))


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [("a\0b", "ab"), ("x" * 50, "x" * 10), ("é" * 10, "é" * 5), ("ok", "ok"), ("1234567890", "1234567890")],
)
def test_text_is_cut_at_whole_characters(text: str, cleaned: str) -> None:
    assert rules.clean(text, 10) == cleaned
