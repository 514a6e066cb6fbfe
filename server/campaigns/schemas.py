"""Bodies and answers of the doors of campaigns and windows."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, date, datetime
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, AwareDatetime, Field

from server.campaigns.calendar import Calendar
from server.campaigns.models import Blackout, Listed, NewCampaign, Occurrence, Plan, Row, Share, Targets, Window, Work
from server.patching.models import RunOptions
from server.web.forms import TextBody

_YEARS: Final = range(2000, 2201)


def _sane(moment_at: datetime | None) -> datetime | None:
    if moment_at is not None and moment_at.year not in _YEARS:
        raise ValueError("The year is out of range")
    return moment_at


Moment = Annotated[AwareDatetime, AfterValidator(_sane)]


class ShareBody(TextBody):
    """A wave: so many hosts, so many percent of all, these hosts (canaries), or with nothing the rest."""

    hosts: int | None = Field(None, ge=-1, le=1_000_000)
    percent: int | None = Field(None, ge=-1, le=1000)
    host_ids: list[str] = Field([], max_length=1000)
    rest: bool = False

    def share(self) -> Share:
        """Return the wave's share."""
        return Share(self.hosts, self.percent, tuple(dict.fromkeys(self.host_ids)))


class PlanBody(TextBody):
    """What is done, on which hosts, in which waves."""

    patch_type: Literal["patch_all", "patch_package"] = "patch_all"
    package_names: list[str] = Field([])
    security_only: bool | None = None
    hold_patterns: list[str] | None = None
    allow_patterns: list[str] | None = None
    full_upgrade: bool | None = None
    reboot: Literal["never", "if_required", "always"] | None = None
    snapshot: bool | None = None
    pre_playbook: str | None = None
    post_playbook: str | None = None
    dry_run: bool = False
    host_ids: list[str] = Field([])
    host_group_ids: list[str] = Field([])
    tags: list[str] = Field([])
    all_hosts: bool = False
    waves: list[ShareBody] = Field([], max_length=51)
    soak_minutes: int = Field(0, ge=-1, le=1_000_000)
    max_failure_percent: int = Field(10, ge=-1, le=1000)
    check_playbook: str = ""

    def plan(self) -> Plan:
        """Return how to go about it."""
        options = RunOptions(
            security_only=self.security_only,
            hold_patterns=_texts(self.hold_patterns),
            allow_patterns=_texts(self.allow_patterns),
            full_upgrade=self.full_upgrade,
            reboot=self.reboot,
            snapshot=self.snapshot,
            pre_playbook=self.pre_playbook,
            post_playbook=self.post_playbook,
        )
        work = Work(self.patch_type, tuple(dict.fromkeys(self.package_names)), options)
        waves = tuple(wave.share() for wave in self.waves)
        return Plan(work, waves, self.soak_minutes, self.max_failure_percent, self.check_playbook, self.dry_run)

    def targets(self) -> Targets:
        """Return which hosts are meant."""
        return Targets(
            tuple(dict.fromkeys(self.host_ids)),
            tuple(dict.fromkeys(self.host_group_ids)),
            tuple(dict.fromkeys(tag.strip() for tag in self.tags)),
            self.all_hosts,
        )


def _texts(values: list[str] | None) -> tuple[str, ...] | None:
    return None if values is None else tuple(dict.fromkeys(one.strip() for one in values if one.strip()))


class CampaignBody(PlanBody):
    """A campaign to be made."""

    name: str
    draft: bool = False
    approve_first: bool = False
    starts_at: Moment | None = None
    ends_at: Moment | None = None

    def wanted(self) -> NewCampaign:
        """Return what is asked for."""
        return NewCampaign(
            self.name, self.plan(), self.targets(), self.draft, self.approve_first, self.starts_at, self.ends_at
        )


class BlackoutBody(TextBody):
    """Days on which a window does not open."""

    first: date
    last: date | None = None
    name: str = Field("", max_length=255)

    def blackout(self) -> Blackout:
        """Return the days; without a last one it is a single day."""
        return Blackout(self.first, self.last or self.first, self.name.strip())


class WindowBody(PlanBody):
    """A maintenance window."""

    name: str
    description: str = Field("", max_length=2000)
    cron: str = Field(max_length=200)
    timezone: str = "UTC"
    duration_minutes: int
    blackouts: list[BlackoutBody] = Field([])
    approve_first: bool = False
    notice_hours: int = 0
    enabled: bool = True

    def window(self, window_id: str = "") -> Window:
        """Return the window it describes."""
        return Window(
            window_id,
            self.name,
            self.cron,
            self.timezone,
            self.duration_minutes,
            self.plan(),
            self.targets(),
            tuple(one.blackout() for one in self.blackouts),
            self.description,
            self.approve_first,
            self.notice_hours,
            self.enabled,
        )


class OpeningsBody(TextBody):
    """When a window would open that is not made yet."""

    cron: str = Field(max_length=200)
    timezone: str = "UTC"
    duration_minutes: int = 60
    blackouts: list[BlackoutBody] = Field([])

    def window(self) -> Window:
        """Return a window that opens then."""
        blackouts = tuple(one.blackout() for one in self.blackouts)
        return Window("", "", self.cron, self.timezone, self.duration_minutes, Plan(), Targets(), blackouts)


# ---------------------------------------------------------------- answers


def plan_view(plan: Mapping[str, Any], targets: Mapping[str, Any]) -> dict[str, Any]:
    """Return a plan and its targets under the names of the bodies."""
    work = plan["work"]
    return {
        "patch_type": work["patch_type"],
        "package_names": work["package_names"],
        **work["options"],
        "dry_run": plan["dry_run"],
        "host_ids": targets["hosts"],
        "host_group_ids": targets["groups"],
        "tags": targets["tags"],
        "all_hosts": targets["everyone"],
        "waves": plan["waves"],
        "soak_minutes": plan["soak_minutes"],
        "max_failure_percent": plan["max_failure_percent"],
        "check_playbook": plan["check_playbook"],
    }


def campaign_view(row: Row) -> dict[str, Any]:
    """Return a campaign for programs, with waves, progress and causes where they were read."""
    shown = {
        key: value
        for key, value in row.items()
        if key not in {"plan", "targets", "waves", "wave_list", "progress", "causes"}
    }
    more: dict[str, Any] = {"wave_count": row["waves"], "plan": plan_view(row["plan"], row["targets"])}
    if "wave_list" in row:
        more |= {
            "waves": row["wave_list"],
            "progress": asdict(row["progress"]),
            "failures": [
                {
                    "cause": cause.text,
                    "hint": cause.hint,
                    "sample": cause.sample,
                    "count": len(cause.hosts),
                    "hosts": [{"id": host, "name": name} for host, name in cause.hosts],
                }
                for cause in row["causes"]
            ],
        }
    return {**shown, **more}


def page_view(rows: Sequence[Row], total: int, asked: Listed) -> dict[str, Any]:
    """Return a page of campaigns."""
    pagination = {"total": total, "limit": asked.limit, "offset": asked.offset}
    return {"campaigns": [campaign_view(row) for row in rows], "total": total, "pagination": pagination}


def window_view(row: Row) -> dict[str, Any]:
    """Return a window for programs."""
    shown = {
        key: value
        for key, value in row.items()
        if key not in {"plan", "targets", "considered_until", "announced_until", "next_occurrences"}
    }
    return {
        **shown,
        **plan_view(row["plan"], row["targets"]),
        "next_occurrences": [occurrence_view(one) for one in row["next_occurrences"]],
    }


def occurrence_view(one: Occurrence) -> dict[str, Any]:
    """Return one opening."""
    return {"starts_at": one.starts_at, "ends_at": one.ends_at}


def calendar_view(found: Calendar) -> dict[str, Any]:
    """Return a calendar."""
    return {
        "from": found.since,
        "to": found.until,
        "entries": [asdict(one) for one in found.entries],
        "conflicts": [asdict(one) for one in found.conflicts],
        "blackouts": [asdict(one) for one in found.blackouts],
    }


def moment(text: str, default: datetime) -> datetime | None:
    """Return the moment an address names, the default for nothing, ``None`` for what is none; days are UTC."""
    if not text:
        return default
    try:
        found = datetime.fromisoformat(text)
        aware = found.astimezone(UTC) if found.tzinfo is not None else found.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
    return aware if aware.year in _YEARS else None
