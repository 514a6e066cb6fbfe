"""Bodies and answers of patching's doors, in the words of the contract."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal

from pydantic import AliasChoices, Field, field_validator

from server.patching.models import DelayType, Policy, Preview, Reboot, RunOptions, Started, Status, Wanted, Work
from server.patching.rules import FAILED_KINDS
from server.web.forms import TextBody


def _also(*names: str) -> Any:
    return AliasChoices(*names)


class RollbackBody(TextBody):
    """Whether to look first, which is the default, and whether a part is better than nothing."""

    dry_run: bool = Field(default=True, validation_alias=_also("dry_run", "dryRun"))
    partial: bool = False


class OptionsBody(TextBody):
    """How far a run goes and what surrounds it; null, like what is left out, is not said."""

    security_only: bool | None = Field(None, validation_alias=_also("security_only", "securityOnly"))
    hold_patterns: list[str] | None = Field(None, validation_alias=_also("hold_patterns", "holdPatterns"))
    allow_patterns: list[str] | None = Field(None, validation_alias=_also("allow_patterns", "allowPatterns"))
    full_upgrade: bool | None = Field(None, validation_alias=_also("full_upgrade", "fullUpgrade"))
    reboot: Reboot | None = None
    snapshot: bool | None = None
    pre_playbook: str | None = Field(None, validation_alias=_also("pre_playbook", "prePlaybook"))
    post_playbook: str | None = Field(None, validation_alias=_also("post_playbook", "postPlaybook"))

    def options(self) -> RunOptions:
        """Return what is said of the options."""
        return RunOptions(
            self.security_only, _texts(self.hold_patterns), _texts(self.allow_patterns), self.full_upgrade, self.reboot,
            self.snapshot, _text(self.pre_playbook), _text(self.post_playbook),
        )  # fmt: skip


def _texts(values: list[str] | None) -> tuple[str, ...] | None:
    return None if values is None else tuple(dict.fromkeys(one.strip() for one in values if one.strip()))


def _text(value: str | None) -> str | None:
    return None if value is None else value.strip()


class TriggerBody(OptionsBody):
    """What to run where; singular and plural names are both taken."""

    host_id: str | None = Field(None, validation_alias=_also("host_id", "hostId"))
    host_ids: list[str] = Field([], validation_alias=_also("host_ids", "hostIds"))
    host_group_id: str | None = Field(None, validation_alias=_also("host_group_id", "hostGroupId"))
    host_group_ids: list[str] = Field([], validation_alias=_also("host_group_ids", "hostGroupIds"))
    patch_type: Literal["patch_all", "patch_package"] = Field(validation_alias=_also("patch_type", "patchType"))
    package_name: str | None = Field(None, validation_alias=_also("package_name", "packageName"))
    package_names: list[str] = Field([], validation_alias=_also("package_names", "packageNames"))
    dry_run: bool = Field(default=False, validation_alias=_also("dry_run", "dryRun"))
    validate_only: bool = Field(default=False, validation_alias=_also("validate_only", "validateOnly"))
    submit_for_approval: bool = Field(
        default=False,
        validation_alias=_also("submit_for_approval", "pending_approval", "submitForApproval", "pendingApproval"),
    )
    schedule_override: Literal["immediate", ""] | None = Field(
        None, validation_alias=_also("schedule_override", "scheduleOverride")
    )

    def wanted(self) -> Wanted:
        """Return what is asked for."""
        names = dict.fromkeys([*([self.package_name] if self.package_name else []), *self.package_names])
        work = Work(self.patch_type, tuple(names), self.dry_run, self.options())
        return Wanted(
            work,
            (*([self.host_id] if self.host_id else []), *self.host_ids),
            (*([self.host_group_id] if self.host_group_id else []), *self.host_group_ids),
            validate_only=self.validate_only,
            submit=self.submit_for_approval,
            immediately=self.schedule_override == "immediate",
        )


class ApproveBody(TextBody):
    """Whether to wait for the policy's time."""

    schedule_override: Literal["immediate", ""] | None = Field(
        None, validation_alias=_also("schedule_override", "scheduleOverride")
    )


class PolicyBody(OptionsBody):
    """A policy."""

    name: str = ""
    description: str | None = ""
    patch_delay_type: DelayType = Field(validation_alias=_also("patch_delay_type", "patchDelayType"))
    delay_minutes: int | None = Field(None, validation_alias=_also("delay_minutes", "delayMinutes"))
    fixed_time_utc: str | None = Field(None, validation_alias=_also("fixed_time_utc", "fixedTimeUtc"))
    timezone: str | None = None

    @field_validator("description", mode="after")
    @classmethod
    def no_null(cls, value: str | None) -> str:
        """Take null for empty."""
        return value or ""

    def policy(self, policy_id: str = "") -> Policy:
        """Return the policy it describes."""
        return Policy(
            policy_id, self.name, self.patch_delay_type, self.delay_minutes, self.fixed_time_utc, self.timezone,
            self.description or "", self.options(),
        )  # fmt: skip


class AssignmentBody(TextBody):
    """Whom to give a policy to."""

    target_type: Literal["host", "host_group"] = Field(validation_alias=_also("target_type", "targetType"))
    target_id: str = Field(validation_alias=_also("target_id", "targetId"))


class ExclusionBody(TextBody):
    """Whom to leave out."""

    host_id: str = Field(validation_alias=_also("host_id", "hostId"))


_HOST_KEYS: Final = ("friendly_name", "hostname")


def run_view(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a run for programs."""
    host = {"id": row["host_id"], **{key: row[key] for key in _HOST_KEYS}}
    shown = {
        key: value for key, value in row.items() if key not in {*_HOST_KEYS, "host_last_update", "package_manager"}
    }
    names = row["package_names"]
    return {
        **shown,
        "package_name": names[0] if len(names) == 1 else None,
        "hosts": {**host, "last_update": row["host_last_update"], "package_manager": row["package_manager"]},
        "host": host,
    }


def page_view(rows: Sequence[Mapping[str, Any]], total: int, limit: int, offset: int) -> dict[str, Any]:
    """Return a page of runs."""
    pages = -(-total // limit)
    pagination = {
        "total": total,
        "limit": limit,
        "offset": offset,
        "page": offset // limit + 1,
        "pages": pages,
        "has_more": offset + len(rows) < total,
    }
    return {"runs": [run_view(row) for row in rows], "total": total, "pagination": pagination}


def trigger_view(made: Sequence[Started], wanted: Wanted) -> dict[str, Any]:
    """Return what became of a trigger; the fields beside ``runs`` are about the first run."""
    first = made[0]
    message = {
        Status.PENDING_APPROVAL: "Patch run submitted for approval",
        Status.PENDING_VALIDATION: "Validation queued",
        Status.SCHEDULED: "Patch run scheduled",
    }.get(first.status, "Patch run queued")
    return {
        "message": message if len(made) == 1 else f"{len(made)} patch runs created",
        "patch_run_id": first.id,
        "job_id": None if wanted.submit else f"patch-run-{first.id}",
        "status": first.status,
        "run_at": first.run_at,
        "queued": not wanted.submit,
        "pending_approval": wanted.submit,
        "runs": [
            {
                "patch_run_id": one.id,
                "host_id": one.host_id,
                "host_name": one.host_name,
                "status": one.status,
                "run_at": one.run_at,
            }
            for one in made
        ],
    }


def preview_view(found: Preview) -> dict[str, Any]:
    """Return when a run would begin."""
    policy = found.policy
    return {
        "host_id": found.target.uuid,
        "host_name": found.target.name,
        "run_at_iso": found.run_at,
        "policy_id": policy.id or None,
        "policy_name": policy.name,
        "patch_delay_type": policy.patch_delay_type,
        "delay_minutes": policy.delay_minutes,
        "fixed_time_utc": policy.fixed_time_utc,
        "timezone": policy.timezone,
        "options": found.options.told(),
        "notes": list(found.notes),
    }


def summary(counts: Mapping[str, int]) -> dict[str, Any]:
    """Return the tiles: every state, the sum, and with the failed those that ended without a word."""
    states = {str(status): counts.get(status, 0) for status in Status}
    failed = sum(counts.get(status, 0) for status in FAILED_KINDS)
    return {**states, "failed": failed, "total": sum(counts.values()), "total_runs": sum(counts.values())}


def policy_view(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a policy for programs."""
    shown = {key: value for key, value in row.items() if key not in {"assignments_count", "exclusions_count"}}
    counts = {"assignments": row["assignments_count"], "exclusions": row["exclusions_count"]}
    return {**shown, "_count": counts}
