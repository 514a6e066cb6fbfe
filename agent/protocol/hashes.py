"""Section hashes: the digest of each part of a report, the same on the agent and the server, byte for byte."""

from __future__ import annotations

import hashlib
import json
import math
import re
import unicodedata
from json.encoder import encode_basestring as _quoted
from operator import itemgetter
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Tuple

Row = Mapping[str, Any]
Rows = Optional[Sequence[Row]]

# Not str.strip(): that also removes U+001C to U+001F, which are content here.
_BLANK = (
    "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)
_SURROGATE = re.compile("[\ud800-\udfff]")
_MARKUP = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}
_MARKUP_FOUND = re.compile("[<>&\u2028\u2029]")

_TRUTH = {True: "true", False: "false"}
_REPOSITORY_TEXTS = ("name", "url", "distribution", "components", "repoType")
_ADDRESS_TEXTS = ("address", "family", "netmask", "gateway")
_RESULT_TEXTS = (
    "status",
    "severity",
    "section",
    "title",
    "description",
    "finding",
    "actual",
    "expected",
    "remediation",
)
# Per kind of docker object: the key in the hash and on the wire, and what it is sorted by.
_DOCKER: Dict[str, Tuple[Tuple[Tuple[str, str], ...], Tuple[str, ...]]] = {
    "containers": (
        (
            ("containerId", "container_id"),
            ("name", "name"),
            ("imageRepository", "image_repository"),
            ("imageTag", "image_tag"),
            ("imageId", "image_id"),
            ("status", "status"),
            ("state", "state"),
        ),
        ("containerId",),
    ),
    "images": (
        (
            ("repository", "repository"),
            ("tag", "tag"),
            ("imageId", "image_id"),
            ("digest", "digest"),
            ("sizeBytes", "size_bytes"),
        ),
        ("repository", "tag", "imageId"),
    ),
    "volumes": (
        (("volumeId", "volume_id"), ("name", "name"), ("driver", "driver"), ("scope", "scope")),
        ("volumeId",),
    ),
    "networks": (
        (("networkId", "network_id"), ("name", "name"), ("driver", "driver"), ("scope", "scope")),
        ("networkId",),
    ),
    "updates": (
        (
            ("repository", "repository"),
            ("currentTag", "current_tag"),
            ("availableTag", "available_tag"),
            ("currentDigest", "current_digest"),
            ("availableDigest", "available_digest"),
            ("imageId", "image_id"),
        ),
        ("repository", "currentTag", "imageId"),
    ),
}


def packages_hash(packages: Rows) -> str:
    """Return the hash of packages in the report's wire form, before any cleaning."""
    # Thousands of rows on every check-in: written as text at once, which is several times faster than json.dumps.
    rows = [(_clean(row.get("name")), row) for row in packages or ()]
    rows.sort(key=itemgetter(0))
    return _digest_of("[" + ",".join(_package(name, row) for name, row in dict(rows).items()) + "]")


def repositories_hash(repositories: Rows) -> str:
    """Return the hash of repositories in the report's wire form."""
    rows = []
    for row in repositories or ():
        one: Dict[str, Any] = {key: _clean(row.get(key)) for key in _REPOSITORY_TEXTS}
        one["isEnabled"] = bool(row.get("isEnabled"))
        one["isSecure"] = bool(row.get("isSecure"))
        rows.append(one)
    by = itemgetter("url", "distribution", "components")
    rows.sort(key=by)
    return _digest(_last_of_each(rows, lambda row: "|".join(by(row))))


def interfaces_hash(interfaces: Rows) -> str:
    """Return the hash of network interfaces in the report's wire form."""
    rows = []
    for row in interfaces or ():
        addresses = [{key: _clean(item.get(key)) for key in _ADDRESS_TEXTS} for item in row.get("addresses") or ()]
        addresses.sort(key=itemgetter("family", "address"))
        rows.append(
            {
                "name": _clean(row.get("name")),
                "type": _clean(row.get("type")),
                "macAddress": _clean(row.get("macAddress")).lower(),
                "addresses": addresses,
            }
        )
    rows.sort(key=itemgetter("name"))
    return _digest(rows)


def hostname_hash(hostname: str) -> str:
    """Return the hash of the host's name: its bytes, without JSON around them."""
    return hashlib.sha256(_clean(hostname).encode()).hexdigest()


def docker_hash(inventory: Optional[Row]) -> str:
    """Return the hash of a Docker inventory in its wire form (snake case keys)."""
    if inventory is None:
        return _digest(None)
    return _digest({kind: _docker_rows(kind, inventory.get(kind)) for kind in _DOCKER})


def compliance_hash(scans: Rows) -> str:
    """Return the hash of compliance scans in their wire form; times and error texts do not count."""
    rows = []
    for scan in scans or ():
        results = sorted((one.get for one in scan.get("results") or ()), key=compliance_order)
        rows.append({**compliance_head(scan.get), "results": [compliance_result(get) for get in results]})
    rows.sort(key=itemgetter("profileName", "profileType"))
    return _digest({"scans": rows})


def _package(name: str, row: Row) -> str:
    get = row.get
    if get("wuaGuid") or get("wuaKb") or get("wuaCategories") or get("wuaSeverity") or get("wuaSupportUrl"):
        windows = _json(
            {
                "wuaGuid": _clean(get("wuaGuid")),
                "wuaKb": _clean(get("wuaKb")),
                "wuaSeverity": _clean(get("wuaSeverity")),
                # Sorted as they came, then normalised: the order of the two matters.
                "wuaCategories": [_clean(item) for item in sorted(map(_valid, get("wuaCategories") or ()))] or None,
                "wuaSupportUrl": _clean(get("wuaSupportUrl")),
            }
        )[1:-1]
    else:
        windows = '"wuaGuid":"","wuaKb":"","wuaSeverity":"","wuaCategories":null,"wuaSupportUrl":""'
    return (
        f'{{"name":{_quoted(name)},"description":{_text(get("description"))},"category":{_text(get("category"))},'
        f'"currentVersion":{_text(get("currentVersion"))},"availableVersion":{_text(get("availableVersion"))},'
        f'"needsUpdate":{_TRUTH[bool(get("needsUpdate"))]},"isSecurityUpdate":{_TRUTH[bool(get("isSecurityUpdate"))]},'
        f'"sourceRepository":{_text(get("sourceRepository"))},{windows},'
        f'"wuaRevisionNumber":{int(get("wuaRevisionNumber") or 0)}}}'
    )


def _docker_rows(kind: str, found: Any) -> List[Dict[str, Any]]:
    keys, order = _DOCKER[kind]
    rows = []
    for row in found or ():
        one: Dict[str, Any] = {ours: _clean(row.get(wire)) for ours, wire in keys if ours != "sizeBytes"}
        if kind == "images":
            one["sizeBytes"] = int(row.get("size_bytes") or 0)
        rows.append(one)
    rows.sort(key=itemgetter(*order))
    return rows


def compliance_head(get: Callable[[str], Any]) -> Dict[str, Any]:
    """Return what the hash of compliance scans is made of for one scan, but for its results; ``get`` asks the scan."""
    return {
        "profileName": _clean(get("profile_name")),
        "profileType": _clean(get("profile_type")),
        "status": _clean(get("status")),
        "score": _score(get("score")),
        "totalRules": int(get("total_rules") or 0),
        "passed": int(get("passed") or 0),
        "failed": int(get("failed") or 0),
        "warnings": int(get("warnings") or 0),
        "skipped": int(get("skipped") or 0),
        "notApplicable": int(get("not_applicable") or 0),
        "remediationApplied": bool(get("remediation_applied")),
        "remediationCount": int(get("remediation_count") or 0),
    }


def compliance_result(get: Callable[[str], Any]) -> Dict[str, Any]:
    """Return what the hash is made of for one result; ``get`` asks the result."""
    found = {"ruleRef": _clean(get("rule_ref") or get("rule_id") or get("id"))}
    for key in _RESULT_TEXTS:
        found[key] = _clean(get(key))
    return found


def compliance_order(get: Callable[[str], Any]) -> Tuple[str, str]:
    """Return by what results are sorted."""
    return _clean(get("rule_ref") or get("rule_id") or get("id")), _clean(get("status"))


def _score(value: Any) -> float:
    number = float(value or 0)
    if not math.isfinite(number):
        return 0
    # Half away from zero, which round() is not.
    rounded = math.copysign(math.floor(abs(number) * 10_000 + 0.5) / 10_000, number)
    whole = int(rounded)
    if rounded != whole:
        return rounded
    # Past 2**53 the shortest digits that come back as this number, not its exact ones.
    digits, _, exponent = repr(rounded).partition("e")
    if not exponent:
        return whole
    head, _, tail = digits.partition(".")
    zeros: int = 10 ** (int(exponent) - len(tail))
    return int(head + tail) * zeros


def _text(value: Any) -> str:
    return _quoted(_clean(value)) if value else '""'


def _clean(value: Any) -> str:
    text: str = value or ""
    if text.isascii():
        return text.strip("\t\n\v\f\r ")
    return unicodedata.normalize("NFC", _valid(text)).strip(_BLANK)


def _valid(text: str) -> str:
    return _SURROGATE.sub("\ufffd", text)


def _last_of_each(rows: List[Dict[str, Any]], key: Callable[[Dict[str, Any]], Any]) -> List[Dict[str, Any]]:
    return list({key(row): row for row in rows}.values())


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _digest(value: Any) -> str:
    return _digest_of(_json(value))


def _digest_of(text: str) -> str:
    # Only texts can hold these characters, so replacing them in the finished JSON is safe.
    return hashlib.sha256(_MARKUP_FOUND.sub(lambda found: _MARKUP[found.group()], text).encode()).hexdigest()


def section_hashes(packages: Rows, repositories: Rows, interfaces: Rows, hostname: str) -> Dict[str, str]:
    """Return the four hashes of a report under their wire names."""
    return {
        "packagesHash": packages_hash(packages),
        "reposHash": repositories_hash(repositories),
        "interfacesHash": interfaces_hash(interfaces),
        "hostnameHash": hostname_hash(hostname),
    }
