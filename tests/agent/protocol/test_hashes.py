"""Every worked example of the section hashes, and the rules the examples do not reach."""

from collections.abc import Callable
from typing import Any

import pytest

from agent.protocol.hashes import (
    compliance_hash,
    docker_hash,
    hostname_hash,
    interfaces_hash,
    packages_hash,
    repositories_hash,
)

EMPTY = "4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945"


def test_packages_of_the_worked_example() -> None:
    packages: list[dict[str, object]] = [
        {"name": "zlib1g", "currentVersion": "1:1.2.13"},
        {
            "name": "bash",
            "description": "shell <GNU> & friends ",
            "currentVersion": "5.2.15",
            "availableVersion": "5.2.21",
            "needsUpdate": True,
            "sourceRepository": "http://deb.debian.org/debian bookworm/main",
        },
        {"name": " zlib1g", "currentVersion": "1:1.3.1"},
    ]
    assert packages_hash(packages) == "533755a288a9a4d2ccfed0d6f249471ee590ae2cfeb6c1d2f31788821e4b98e2"


def test_a_windows_package() -> None:
    package = {
        "name": "Cumulative Update",
        "category": "Windows Update",
        "currentVersion": "pending",
        "needsUpdate": True,
        "isSecurityUpdate": True,
        "sourceRepository": "Microsoft Update",
        "wuaGuid": "abc",
        "wuaKb": "KB5",
        "wuaSeverity": "Critical",
        "wuaCategories": ["Windows 11", "Security Updates"],
        "wuaSupportUrl": "https://x/?a=1&b=2",
        "wuaRevisionNumber": 200,
    }
    assert packages_hash([package]) == "558eaa46c6c6215ef92005f1485547b2a7cc25b5121afef17f9128036f011392"


@pytest.mark.parametrize("section", [packages_hash, repositories_hash, interfaces_hash])
@pytest.mark.parametrize("nothing", [[], None])
def test_an_empty_section(section: Callable[[Any], str], nothing: Any) -> None:
    assert section(nothing) == EMPTY


def test_hostnames() -> None:
    assert hostname_hash(" web-01.example.net\n") == "5bfd6a44ec3582b824010c11796386a08e5182477866a634bbcd5c32bf3e39ec"
    assert hostname_hash("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_repositories_keep_the_last_of_each() -> None:
    def repository(name: str, components: str, *, enabled: bool) -> dict[str, Any]:
        return {
            "name": name,
            "url": "http://m/x",
            "distribution": "stable",
            "components": components,
            "repoType": "deb",
            "isEnabled": enabled,
            "isSecure": False,
        }

    repositories = [
        repository("b", "main", enabled=True),
        repository("a", "contrib", enabled=True),
        repository("b2", "main", enabled=False),
    ]
    assert repositories_hash(repositories) == "05a8e6483a50aff4aca130f3f9a7c821fd359b305dec3b157baac0a32d8fdda1"


def test_interfaces() -> None:
    interfaces: list[dict[str, object]] = [
        {"name": "eth1", "type": "ethernet", "addresses": None},
        {
            "name": "eth0",
            "type": "ethernet",
            "macAddress": "0A:1B:2C:3D:4E:5F",
            "mtu": 1500,
            "addresses": [
                {"address": "fe80::1", "family": "inet6", "netmask": "/64"},
                {"address": "192.0.2.7", "family": "inet", "netmask": "/24", "gateway": "192.0.2.1"},
            ],
        },
    ]
    assert interfaces_hash(interfaces) == "f56e29c4de916e7c2f037852f75d20c4481c2cc4a68d9d25a2bf248112ef74c3"


def test_docker() -> None:
    empty: dict[str, list[object] | None] = {
        "containers": [],
        "images": [],
        "volumes": None,
        "networks": [],
        "updates": None,
    }
    assert docker_hash(empty) == "daf4dfc91a1070b973fdea61148215e78034a9415e94c7830e2b08807d1d7dad"
    one = {
        "containers": [
            {
                "container_id": "c1",
                "name": "web",
                "image_repository": "nginx",
                "image_tag": "1.27",
                "image_id": "aa",
                "status": "running",
                "state": "running",
            }
        ],
        "images": [{"repository": "nginx", "tag": "1.27", "image_id": "aa", "size_bytes": 100}],
    }
    assert docker_hash(one) == "956cdc1770d7562187ffa45d87ef49f75d99aae555db376461ead4804998e6be"


def test_compliance() -> None:
    assert compliance_hash([]) == "de5a537b8de7d61070df77d9f03f7c02fa6928ff8f33cf0540526e63359d3f0e"
    scan = {
        "profile_name": "level1_server",
        "profile_type": "openscap",
        "status": "completed",
        "score": 83.333333333,
        "total_rules": 6,
        "passed": 5,
        "failed": 1,
        "started_at": "2026-01-01T00:00:00Z",
        "results": [
            {"rule_ref": "r2", "status": "fail", "severity": "high", "title": "T2"},
            {"rule_id": "r1", "status": "pass", "title": "T1"},
        ],
    }
    assert compliance_hash([scan]) == "3108660d701280c0b387b71c1decbedeee3cc7611cb36fe9c34fa2990a040d81"


@pytest.mark.parametrize(
    ("given", "same_as"),
    [
        ("cafe\u0301", "caf\u00e9"),  # composed
        ("\u00a0name\u3000", "name"),  # every blank of the list is cut
        ("a\ud800b", "a\ufffdb"),  # a lone surrogate is one broken character
        ("\tname\v", "name"),
    ],
)
def test_texts_that_count_as_equal(given: str, same_as: str) -> None:
    assert hostname_hash(given) == hostname_hash(same_as)
    assert packages_hash([{"name": given}]) == packages_hash([{"name": same_as}])


@pytest.mark.parametrize("given", ["\x1cname", "name\u200b", "\ufeffname", "name\x1f"])
def test_what_is_not_a_blank_stays(given: str) -> None:
    assert packages_hash([{"name": given}]) != packages_hash([{"name": "name"}])


def test_names_sort_by_their_bytes() -> None:
    one, other = {"name": "\uffee"}, {"name": "\U0001f600"}
    assert packages_hash([one, other]) == packages_hash([other, one])
    assert packages_hash([{"name": "B"}, {"name": "a"}]) == packages_hash([{"name": "a"}, {"name": "B"}])


def test_a_score_has_no_needless_decimals() -> None:
    scan = {"profile_name": "p", "profile_type": "t", "status": "completed"}
    assert compliance_hash([{**scan, "score": 100.0}]) == compliance_hash([{**scan, "score": 100}])
    assert compliance_hash([{**scan, "score": float("nan")}]) == compliance_hash([scan])
    assert compliance_hash([{**scan, "score": 0.00005}]) == compliance_hash([{**scan, "score": 0.0001}])
