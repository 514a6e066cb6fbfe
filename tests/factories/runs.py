"""Runs in every state, written as they would stand there, without waiting for hosts."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from server.core.call import Call
from server.core.db import as_json
from server.core.ids import new_uuid


@dataclass
class Past:
    """Writes runs as they would stand there."""

    call: Call

    async def host(self, name: str, **more: Any) -> str:
        """Add a host that never spoke; return its UUID."""
        fields = {"name": name, "hostname": name, "platform": "linux", "key": name, **more}
        return str(
            await self.call.db.value(
                """
                insert into hosts (friendly_name, hostname, api_id, api_key, status, expected_platform)
                values (%(name)s, %(hostname)s, 'api-' || %(key)s, 'key', 'active', %(platform)s)
                returning uuid
                """,
                **fields,
            )
        )

    async def run(self, host: str, status: str, **more: Any) -> str:
        """Add a run of a host in this state."""
        run = new_uuid()
        started = None if status in {"queued", "scheduled", "pending_validation", "pending_approval"} else self.call.now
        over = status not in {"queued", "scheduled", "pending_validation", "pending_approval", "running"}
        row = {
            "id": run, "host": host, "status": status, "patch_type": "patch_all", "names": [], "dry": False,
            "batch": new_uuid(), "policy": {"id": None, "name": "Default"}, "packages": [], "extra": False,
            "plan": None, "error": "", "output": "", "by": "anna", "validation": None, "at": self.call.now,
            "scheduled": self.call.now + timedelta(hours=2) if status == "scheduled" else None,
            "started": started, "completed": self.call.now if over else None, **more,
        }  # fmt: skip
        row |= {name: as_json(row[name]) for name in ("policy", "packages")}
        row["plan"] = None if row["plan"] is None else as_json(row["plan"])
        await self.call.db.execute(
            """
            insert into patch_runs (id, host_id, patch_type, package_names, dry_run, status, batch_id, policy_snapshot,
                                    packages_affected, extra_deps, plan, error_message, shell_output, initiated_by,
                                    validation_run_id, created_at, scheduled_at, started_at, completed_at, updated_at)
            select %(id)s, h.id, %(patch_type)s, %(names)s::text[], %(dry)s, %(status)s, %(batch)s, %(policy)s::jsonb,
                   %(packages)s::jsonb, %(extra)s, %(plan)s::jsonb, %(error)s, %(output)s, %(by)s, %(validation)s,
                   %(at)s, %(scheduled)s, %(started)s, %(completed)s, %(at)s
              from hosts h where h.uuid = %(host)s
            """,
            **row,
        )
        return run
