"""The report of a campaign for an auditor: what was asked for, who signed it, what became of every host."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

import msgspec

from server.audit import service as audit
from server.audit.models import Subject
from server.campaigns import service
from server.campaigns.models import Plan, Row, Share
from server.campaigns.queries import hosts as host_rows
from server.core.call import Call

COLUMNS: Final = (
    "wave", "host", "host_id", "state", "reason", "started_at", "finished_at", "packages", "changes", "run",
    "earlier_runs", "policy",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Report:
    """A campaign on paper.

    Attributes:
        campaign: its row as ``service.fetch`` returns it.
        terms: what was asked for, as pairs of a label and words.
        rows: a host each, under the names of ``COLUMNS``; ``changes`` are ``name from → to``.
        made_at: when the report was made.
        made_by: for whom.
    """

    campaign: Row
    terms: list[tuple[str, str]]
    rows: list[Row]
    made_at: datetime
    made_by: str


async def report_of(call: Call, campaign: str) -> Report:
    """Return the report of a campaign, with the hosts that the asker sees; the audit log notes that it was taken."""
    found = await service.fetch(call, campaign)
    hosts = await host_rows.list_hosts(call.db, call.actor.scope, campaign)
    facts = {row["host_id"]: row for row in await host_rows.list_run_facts(call.db, call.actor.scope, campaign)}
    async with call.transaction() as tx:
        subject = Subject("campaign", found["id"], found["name"])
        await audit.record(tx, call, "campaigns.report_taken", subject, {"hosts": len(hosts)})
    rows = [_row(host, facts.get(host["host_id"])) for host in hosts]
    return Report(found, _terms(found), rows, call.now, call.actor.name)


def _row(host: Row, fact: Row | None) -> Row:
    changes = [_change(one) for one in fact["packages_affected"]] if fact is not None else []
    return {
        "wave": host["wave"],
        "host": host["host_name"],
        "host_id": host["host_id"],
        "state": host["state"],
        "reason": host["reason"],
        "started_at": host["started_at"],
        "finished_at": host["finished_at"],
        "packages": host["packages"],
        "changes": changes,
        "run": host["run_id"],
        "earlier_runs": host["earlier_runs"],
        "policy": fact["policy_name"] if fact is not None else None,
    }


def _change(one: object) -> str:
    if not isinstance(one, dict):
        return str(one)
    versions = [str(one[key]) for key in ("from", "to") if one.get(key)]
    return f"{one.get('name', '')} {' → '.join(versions)}".strip()


def _terms(found: Row) -> list[tuple[str, str]]:
    plan = msgspec.convert(found["plan"], Plan)
    work = plan.work
    what = ", ".join(work.package_names) if work.package_names else "all updates"
    said = {name: value for name, value in work.options.told().items() if value not in (None, "", [])}
    pairs = [
        ("State", service.words(found["status"])),
        ("Reason", found["reason"]),
        ("What", f"dry run of {what}" if plan.dry_run else what),
        ("Options", "; ".join(f"{name}: {_said(value)}" for name, value in said.items())),
        ("Waves", ", ".join(_share(one) for one in plan.waves) or "all at once"),
        ("Between waves", _gate(plan)),
        ("Stops at", f"more than {plan.max_failure_percent} % of a wave failed"),
        ("Maintenance window", found["window_name"]),
        ("Made by", found["created_by"] or (found["window_name"] and "its maintenance window")),
        ("Approved by", found["approved_by"] or ("nobody yet" if found["approve_first"] else "")),
        ("Started", _moment(found["started_at"])),
        ("Ended", _moment(found["finished_at"])),
    ]
    return [(label, str(words)) for label, words in pairs if words]


def _said(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value).replace("_", " ")


def _share(one: Share) -> str:
    if one.host_ids:
        return f"{len(one.host_ids)} named"
    if one.hosts is not None:
        return str(one.hosts)
    return f"{one.percent} %" if one.percent is not None else "the rest"


def _gate(plan: Plan) -> str:
    parts = [
        f"{plan.soak_minutes} minutes" if plan.soak_minutes else "",
        plan.check_playbook and f"check {plan.check_playbook}",
    ]
    return ", then ".join(part for part in parts if part) or "no wait"


def _moment(at: datetime | None) -> str:
    return at.strftime("%Y-%m-%d %H:%M:%S UTC") if at is not None else ""


def as_json(found: Report) -> dict[str, Any]:
    """Return the report as JSON takes it, without what only pages need."""
    campaign = {key: value for key, value in found.campaign.items() if key not in {"progress", "causes", "wave_list"}}
    return {
        "campaign": campaign,
        "terms": dict(found.terms),
        "waves": found.campaign["wave_list"],
        "failures": [asdict(cause) for cause in found.campaign["causes"]],
        "hosts": found.rows,
        "made_at": found.made_at,
        "made_by": found.made_by,
    }
