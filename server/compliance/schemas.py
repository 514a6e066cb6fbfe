"""Bodies and answers of compliance's doors."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from pydantic import AliasChoices, Field

from server.compliance import rules
from server.compliance.guides import Offer
from server.compliance.models import (
    DEFAULT_PROFILE,
    PROFILES,
    TITLES,
    Asked,
    Receipt,
    Sought,
    Target,
    Task,
    Triggered,
    Wanted,
)
from server.compliance.service import Board, RuleBoard
from server.web.forms import TextBody

Json = dict[str, Any]


class TriggerBody(TextBody):
    """How to scan; ``fetch_remote_resources`` is taken and means nothing: content comes from this server."""

    profile_type: Asked = "all"
    profile_id: str | None = None
    enable_remediation: bool = False
    fetch_remote_resources: bool = False
    arf: bool = False

    def wanted(self) -> Wanted:
        """Return the scan."""
        return Wanted(self.profile_type, self.profile_id or None, self.enable_remediation, self.arf)


class BulkBody(TriggerBody):
    """How to scan, and where."""

    hosts: list[str] = Field([], validation_alias=AliasChoices("hostIds", "host_ids"))


class RemediateBody(TextBody):
    """Which rule to fix."""

    rule_id: str = ""


class SettingsBody(TextBody):
    """What the fleet scans by; what is left out stays."""

    default_compliance_mode: str | None = None
    compliance_scan_interval: int | None = None
    compliance_remediation_approval: str | None = None


def triggered(made: Triggered) -> Json:
    """Return the answer to one trigger."""
    return {
        "success": True,
        "message": "Compliance scan triggered",
        "jobId": made.task,
        "hostId": made.host,
        "queued_offline": made.offline,
    }


def triggered_many(made: Sequence[Triggered]) -> Json:
    """Return the answer to a bulk trigger; what failed for one host is said there."""
    done = [one for one in made if one.task]
    failed = [one for one in made if not one.task]
    results = [
        {
            "hostId": one.host, "hostName": one.name or None, "success": bool(one.task),
            **({"jobId": one.task, "queued_offline": one.offline} if one.task else {"error": one.error}),
        }
        for one in made
    ]  # fmt: skip
    return {
        "success": not failed,
        "message": f"Compliance scan triggered on {len(done)} of {len(made)} hosts",
        "total": len(made),
        "succeeded": len(done),
        "failed": len(failed),
        "enqueued": len(done),
        "skipped": len(failed),
        "errors": [{"hostId": one.host, "hostName": one.name or None, "error": one.error} for one in failed],
        "results": results,
    }


def receipt(found: Receipt) -> Json:
    """Return the answer to a submission."""
    answer: Json = {
        "message": "Scan results saved successfully",
        "scans_received": found.received,
        "scans": [
            {
                "scan_id": one.scan,
                "profile_name": one.profile_name,
                "status": one.status,
                "score": one.score,
                "stats": dict(one.counts),
                "results_stored": one.results,
            }
            for one in found.scans
        ],
    }
    return {**answer, "rejected": list(found.rejected)} if found.rejected else answer


def scan_view(row: Json) -> Json:
    """Return a scan as the API tells it."""
    duration = (row["completed_at"] - row["started_at"]).total_seconds() if row["completed_at"] else None
    return {
        "id": row["id"],
        "host_id": row["host_id"],
        "host_name": row["host_name"],
        "profile_name": row["profile_name"],
        "profile_type": row["kind"],
        "profile_id": row["profile_id"] or None,
        "status": row["status"],
        "origin": row["origin"],
        "started_at": row["started_at"],
        "completed_at": row["completed_at"],
        "duration_seconds": duration,
        "total_rules": row["total"],
        "passed": row["passed"],
        "failed": row["failed"],
        "warnings": row["warned"],
        "skipped": row["skipped"],
        "not_applicable": row["not_applicable"],
        "errors": row["errors"],
        "score": row["score"],
        # Only a host's newest scans are held against waivers.
        "waived": row.get("waived"),
        "score_with_waivers": None if row.get("waived") is None else rules.waived_score(row),
        "error_message": row["error"] or None,
        "remediation_applied": row["remediation_applied"],
        "remediation_count": row["remediation_count"],
        **({"connected": row["connected"]} if "connected" in row else {}),
        **({"phase": row["phase"], "progress": row["progress"]} if row["status"] == "running" else {}),
    }


def pagination(total: int, limit: int, offset: int) -> Json:
    """Return where a page is."""
    return {
        "total": total, "limit": limit, "offset": offset, "hasMore": offset + limit < total,
        "page": offset // limit + 1, "totalPages": -(-total // limit),
    }  # fmt: skip


def scans_page(rows: Sequence[Json], total: int, sought: Sought) -> Json:
    """Return one page of scans."""
    return {"scans": [scan_view(row) for row in rows], "pagination": pagination(total, sought.limit, sought.offset)}


def result_view(row: Json) -> Json:
    """Return what a scan found of one rule."""
    finding = row["finding"] or []
    said, actual, expected = (*finding, "", "", "")[:3]
    return {
        "rule_id": row["rule_id"],
        "rule_ref": row["ref"],
        "title": row["title"],
        "severity": row["severity"],
        "section": row["section"],
        "status": rules.WORDS[row["state"]],
        "waived_until": row["waived_until"],
        "description": row["description"],
        "rationale": row["rationale"],
        "remediation": row["remediation"],
        "finding": said or None,
        "actual": actual or None,
        "expected": expected or None,
        "why": rules.why(finding) or None,
    }


def rule_view(row: Json) -> Json:
    """Return a rule with on how many hosts it stands how."""
    return {
        "id": row["id"],
        "rule_ref": row["ref"],
        "title": row["title"],
        "severity": row["severity"],
        "section": row["section"],
        "profile_type": row["kind"],
        "hosts_passed": row["passed"],
        "hosts_failed": row["failed"],
        "hosts_warned": row["warned"],
        "hosts_skipped": row["skipped"],
        "hosts_not_applicable": row["not_applicable"],
        "hosts_error": row["errors"],
        "total_hosts": row["total"],
    }


def rule_detail(found: RuleBoard, sought: Sought) -> Json:
    """Return one rule, and hosts with how it stands there."""
    rule, counts = found.rule, found.counts
    return {
        "rule": {
            "id": rule["id"],
            "rule_ref": rule["ref"],
            "title": rule["title"],
            "severity": rule["severity"],
            "section": rule["section"],
            "profile_type": rule["kind"],
            "description": rule["description"],
            "rationale": rule["rationale"],
            "remediation": rule["remediation"] or None,
            "fix": rules.fix_sentence(rule["remediation"]) or None,
        },
        "summary": {
            "affected_hosts": sum(counts.values()),
            "passing": counts.get("p", 0),
            "failing": counts.get("f", 0),
            "warnings": counts.get("w", 0),
        },
        "waived_hosts": found.waived,
        "affected_hosts": [
            {
                "host_id": row["host_id"],
                "host_name": row["host_name"],
                "status": rules.WORDS[row["state"]],
                "waived_until": row["waived_until"],
                "why": rules.why(row["finding"] or []) or None,
                "scan_id": row["scan_id"],
                "completed_at": row["completed_at"],
            }
            for row in found.hosts
        ],
        "pagination": pagination(found.total, sought.limit, sought.offset),
    }


_AGES: Final = ("today", "week", "month", "older")


def dashboard(board: Board) -> Json:
    """Return the overview."""
    s = board.summary
    rule_results = {
        name: int(s[name]) for name in ("passed", "failed", "warnings", "skipped", "not_applicable", "errors")
    }
    severities = [{"severity": name, "count": int(number)} for name, number in board.severities]
    ages = {name: s[name] for name in _AGES}
    panel = {
        "rule_results": rule_results,
        "failures_by_severity": severities,
        "score_distribution": s["scores"],
        "scan_freshness": ages,
    }
    sections = [{"section": one["section"], "warnings": int(one["warned"])} for one in board.sections]
    return {
        "summary": _summary(board),
        "severity_breakdown": severities,
        "profile_distribution": [
            {"profile_type": kind, "name": TITLES[kind], "count": number} for kind, number in board.kinds.items()
        ],
        "last_scan_age": ages,
        "openscap": panel if board.kind != "docker-bench" else None,
        "docker_bench": {**panel, "warnings_by_section": sections} if board.kind != "openscap" else None,
        "top_failing_rules": [rule_view(row) for row in board.top],
        "hosts": [worst_view(row) for row in board.worst],
    }


def _summary(board: Board) -> Json:
    s = board.summary
    average = s["average_score"]
    return {
        **{name: s[name] for name in ("total_hosts", "hosts_compliant", "hosts_warning", "hosts_critical")},
        "unscanned": board.verdicts.unscanned,
        "total_scans": board.scans,
        "average_score": None if average is None else round(float(average), 2),
        "average_score_with_waivers": None if average is None else round(float(s["waived_score"]), 2),
        **{f"total_{name}": int(s[name]) for name in ("passed", "failed", "warnings", "waived")},
        "hosts_waived": s["hosts_waived"],
    }


def worst_view(row: Json) -> Json:
    """Return one of the hosts with the lowest scores."""
    return {
        "id": row["id"], "name": row["name"], "profile_type": row["kind"], "score": row["score"],
        "passed": row["passed"], "failed": row["failed"], "warnings": row["warned"],
        "last_scan_at": row["completed_at"], "status": rules.verdict(row["score"]),
    }  # fmt: skip


def scanner_names(row: Mapping[str, Any]) -> list[str]:
    """Return the scanners that are on for a host."""
    found = ["OpenSCAP"] if row["openscap"] else []
    return [*found, "Docker"] if row["docker_bench"] and row["docker"] else found


def host_view(row: Json) -> Json:
    """Return a host as the Hosts tab shows it."""
    scanned = row["completed_at"] is not None
    names = scanner_names(row)
    return {
        "id": row["id"],
        "name": row["name"],
        "status": rules.verdict(row["score"]),
        "score": row["score"],
        "waived": row["waived"],
        "score_with_waivers": rules.waived_score(row) if scanned else None,
        "last_scan_at": row["completed_at"],
        "profile_type": row["kind"],
        "passed": row["passed"],
        "failed": row["failed"],
        "warnings": row["warned"],
        "skipped": row["skipped"],
        "scanner_status": "Scanned" if scanned else "Enabled" if row["mode"] != "disabled" and names else "-",
        "mode": row["mode"],
        "scanners": names,
        "connected": row["connected"],
        "scanning": row["task_started_at"] is not None,
        "waiting": row["task_status"] is not None and row["task_started_at"] is None,
    }


def profiles(told: Sequence[Mapping[str, Any]] = ()) -> list[Json]:
    """Return the profiles that can be chosen, those of agents behind our own."""
    found = {
        name: {"id": name, "name": title, "type": kind, "default": name == DEFAULT_PROFILE}
        for name, title, kind in PROFILES
    }
    for one in told:
        name = str(one.get("id") or "")
        if rules.PROFILE.fullmatch(name) and name not in found:
            found[name] = {
                "id": name, "name": str(one.get("name") or name)[:200], "type": str(one.get("type") or "openscap"),
                "default": False,
            }  # fmt: skip
    return list(found.values())


def with_offers(found: Sequence[Json], offered: Sequence[Offer]) -> list[Json]:
    """Return the profiles that can be chosen, and behind them those of guides, with the guide's title."""
    names = {one["id"] for one in found}
    more = [
        {"id": each.id, "name": each.title, "type": "openscap", "default": False, "guide": offer.title}
        for offer in offered
        for each in offer.profiles
        if each.id not in names
    ]
    return [*found, *more]


def told_profiles(one: Target) -> list[Mapping[str, Any]]:
    """Return the profiles that a host's agent says it has."""
    info = (one.told or {}).get("scanner_info") or {}
    listed = info.get("available_profiles") if isinstance(info, dict) else None
    return [each for each in listed or () if isinstance(each, dict)]


def task_view(task: Task | None, told: Mapping[str, Any] | None = None) -> Json:
    """Return how far a task is; ``none`` when there never was one."""
    if task is None:
        return {"success": True, "jobId": None, "status": "none", "message": None}
    answer: Json = {
        "success": True,
        "jobId": task.id,
        "status": task.status,
        "message": task.message or None,
        "progress": 100 if task.status == "completed" else task.progress,
        "error": task.message if task.status == "failed" else None,
        "created_at": task.created_at,
        "finished_at": task.finished_at,
    }
    events = (told or {}).get("install_events")
    return {**answer, "install_events": events} if task.kind == "install" and events is not None else answer
