"""Sample jobs: running, finished, failed, waiting."""

import json
from types import SimpleNamespace as Thing
from typing import Any, Final

from tools.preview_samples.frame import Context, Sample, before, shell, uuid


def _job(**changes: Any) -> Thing:
    job = Thing(
        id=uuid(1),
        title="Patch web production",
        playbook="patch",
        check=True,
        status="running",
        state="neutral",
        live=True,
        created_at=before(seconds=47),
        started_at=before(seconds=42),
        finished_at=None,
        duration_seconds=42.0,
        launched_by="ada",
        host_count=12,
        only_host="",
        counts=[("ok", 9, "good"), ("running", 2, "neutral"), ("failed", 1, "bad")],
        can_stop=True,
        can_relaunch=False,
        can_approve=False,
        needs_other=False,
        url=f"/jobs/{uuid(1)}",
        variables=[
            ("patch_scope", "security"),
            ("patch_refresh_cache", "true"),
            ("patch_packages", '[\n  "libssl3",\n  "openssl"\n]'),
            ("vault_password", "••••••••"),
        ],
        error_groups=[
            (
                "E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 8121 (unattended-upgr)",
                ["web-03"],
            )
        ],
    )
    for name, value in changes.items():
        setattr(job, name, value)
    return job


def _job_hosts(selected: int = 2) -> list[Thing]:
    words = {
        1: ("succeeded", "good"),
        2: ("running", "neutral"),
        3: ("failed", "bad"),
        7: ("queued", "neutral"),
        9: ("unreachable", "bad"),
    }
    rows = []
    for number in range(1, 13):
        status, state = words.get(number, ("succeeded", "good"))
        rows.append(
            Thing(
                id=uuid(number),
                name=f"web-{number:02d}",
                url=f"/jobs/{uuid(1)}?host={uuid(number)}",
                status=status,
                state=state,
                duration_seconds=None if status == "queued" else 8.0 + 3 * number,
                started_at=before(seconds=12 + number),
                summary={
                    "succeeded": "6 would change",
                    "failed": "package manager is locked",
                    "running": "Upgrade packages",
                }.get(status, ""),
                selected=number == selected,
            )
        )
    return rows


def _event(
    position: int, task: str, status: str, seconds: float | None = None, message: str = "", **changes: Any
) -> Thing:
    state = {"ok": "good", "changed": "attention", "failed": "bad", "unreachable": "bad", "ignored": "attention"}.get(
        status, "neutral"
    )
    event = Thing(
        key=f"task-{position}",
        position=position,
        kind="task",
        play="Patch hosts",
        task=task,
        status=status,
        state=state,
        duration_seconds=seconds,
        at=before(seconds=11),
        message=message,
        result_url="" if status in {"running", "skipped"} else f"/jobs/{uuid(1)}/results/{position}",
    )
    for name, value in changes.items():
        setattr(event, name, value)
    return event


def _running_events() -> list[Thing]:
    return [
        _event(1, "", "", kind="play"),
        _event(2, "patchmon.fleet.patch : Find the package manager", "ok", 0.4, "apt 2.6.1"),
        _event(3, "patchmon.fleet.patch : Refresh the package cache", "changed", 1.2, "7 sources, 2 changed"),
        _event(4, "patchmon.fleet.patch : Leave out held packages", "skipped", 0.1),
        _event(5, "patchmon.fleet.patch : Upgrade packages", "running"),
    ]


def _failed_events() -> list[Thing]:
    return [
        *_running_events()[:4],
        _event(
            5,
            "patchmon.fleet.patch : Upgrade packages",
            "failed",
            600.4,
            "Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 8121 (unattended-upgr)",
        ),
        _event(6, "patchmon.fleet.patch : Collect the log", "ignored", 2.3, "no such file", kind="result"),
        _event(
            7,
            "",
            "warning",
            kind="warning",
            state="attention",
            message="The output limit of 64 MiB was reached; the run went on.",
        ),
        _event(8, "", "Failed", kind="stats", message="4 ok · 1 changed · 1 failed · 1 skipped"),
    ]


def _done_events() -> list[Thing]:
    return [
        *_running_events()[:4],
        _event(
            5, "patchmon.fleet.patch : Upgrade packages", "changed", 10.4, "6 packages would change, 2 of them security"
        ),
        _event(6, "patchmon.fleet.patch : Check whether a reboot is needed", "ok", 0.3, "not needed"),
        _event(
            8, "", "Succeeded", kind="stats", message="6 ok · 2 changed · 1 skipped · nothing was changed on the host"
        ),
    ]


def changes() -> list[dict[str, Any]]:
    """Return packages as a result table shows them."""
    rows = [
        ("libssl3", "3.0.14-1~deb12u2", "3.0.15-1~deb12u1", "security.debian.org bookworm-security/main", True, True),
        ("openssl", "3.0.14-1~deb12u2", "3.0.15-1~deb12u1", "security.debian.org bookworm-security/main", True, True),
        ("curl", "7.88.1-10+deb12u7", "7.88.1-10+deb12u8", "deb.debian.org bookworm/main", False, True),
        ("libcurl4", "7.88.1-10+deb12u7", "7.88.1-10+deb12u8", "deb.debian.org bookworm/main", False, False),
        ("tzdata", "2024a-0+deb12u1", "2024b-0+deb12u1", "deb.debian.org bookworm-updates/main", False, True),
        ("linux-image-6.1.0-28-amd64", "", "6.1.119-1", "security.debian.org bookworm-security/main", True, False),
    ]
    keys = ("name", "from_version", "to_version", "repository", "security", "requested")
    return [dict(zip(keys, row, strict=True)) for row in rows]


def _console() -> list[Thing]:
    parts = [
        ("runner", "\nPLAY [Patch hosts] " + "*" * 60 + "\n"),
        (
            "runner",
            "\nTASK [patchmon.fleet.patch : Find the package manager] "
            + "*" * 24
            + "\n\x1b[0;32mok: [web-02]\x1b[0m\n",
        ),
        ("runner", "\nTASK [patchmon.fleet.patch : Refresh the package cache] " + "*" * 23 + "\n"),
        (
            "live",
            "$ apt-get update\nHit:1 http://deb.debian.org/debian bookworm InRelease\nFetched 312 kB in 1s\n",
        ),
        ("runner", "\x1b[0;33mchanged: [web-02]\x1b[0m\n"),
        (
            "runner",
            "\nTASK [patchmon.fleet.patch : Leave out held packages] "
            + "*" * 25
            + "\n\x1b[0;36mskipping: [web-02]\x1b[0m\n",
        ),
        ("runner", "\nTASK [patchmon.fleet.patch : Upgrade packages] " + "*" * 32 + "\n"),
        ("live", "$ apt-get --just-print dist-upgrade\n"),
        *[("live", f"Setting up {row['name']} ({row['to_version']}) ...\n") for row in changes()],
        ("live", "\x1b[1;31mE: Could not get lock\x1b[0m <script>alert(1)</script>\n"),
    ]
    return [Thing(position=number, source=source, text=text) for number, (source, text) in enumerate(parts)]


def _job_page(tab: str, events: list[Thing], **changes: Any) -> Context:
    hosts = _job_hosts()
    shown = _job()
    page: Context = {
        "shell": shell("Patch web production", shown.url, (("Jobs", "/jobs"), ("Patch web production", ""))),
        "job": shown,
        "hosts": hosts,
        "selected": hosts[1],
        "events": events,
        "console": _console(),
        "result_tables": [],
        "last_position": 42,
        "forgotten": False,
        "stream_url": f"{shown.url}/stream?host={uuid(2)}",
        "tab": tab,
    }
    return {**page, **changes}


def jobs() -> list[Thing]:
    """Return a list of jobs, one of each kind."""
    return [
        _job(),
        _job(title="Inventory facts", check=False, counts=[("running", 1, "neutral")], launched_by="ci token"),
        _job(
            title="Patch database hosts",
            check=False,
            status="failed",
            state="bad",
            live=False,
            created_at=before(hours=3),
            counts=[("ok", 3, "good"), ("failed", 1, "bad")],
            duration_seconds=412.0,
        ),
        _job(
            title="Ping",
            check=False,
            status="succeeded",
            state="good",
            live=False,
            created_at=before(days=1),
            counts=[("ok", 240, "good")],
            duration_seconds=3.1,
            launched_by="grace",
        ),
        _job(
            title="Reboot if required",
            check=False,
            status="timed_out",
            state="attention",
            live=False,
            created_at=before(days=2),
            counts=[("ok", 7, "good"), ("timed out", 2, "attention")],
            duration_seconds=3661.0,
        ),
    ]


PAGES: Final[list[Sample]] = []
results = [("Would change", changes())]
done = _job(
    status="succeeded",
    state="good",
    live=False,
    can_stop=False,
    counts=[("ok", 12, "good")],
    error_groups=[],
    finished_at=before(minutes=3),
    duration_seconds=63.0,
)
failed = _job(
    check=False,
    status="failed",
    state="bad",
    live=False,
    can_stop=False,
    can_relaunch=True,
    counts=[("ok", 10, "good"), ("failed", 1, "bad"), ("unreachable", 1, "bad")],
    duration_seconds=612.0,
)
hosts = _job_hosts(3)
PAGES.append(("job-live", "automation/job.html", _job_page("events", _running_events())))
PAGES.append(("job-output", "automation/job.html", _job_page("output", [])))
PAGES.append(("job-done", "automation/job.html", _job_page("events", _done_events(), job=done, result_tables=results)))
PAGES.append(
    (
        "job-failed",
        "automation/job.html",
        _job_page("events", _failed_events(), job=failed, hosts=hosts, selected=hosts[2]),
    )
)
PAGES.append(("job-facts", "automation/job.html", _job_page("facts", [], job=done, result_tables=results)))
PAGES.append(("job-variables", "automation/job.html", _job_page("variables", [], job=done)))
PAGES.append(
    (
        "job-waiting",
        "automation/job.html",
        _job_page(
            "events",
            [],
            hosts=_job_hosts()[:1],
            job=_job(
                status="queued",
                started_at=None,
                host_count=1,
                only_host="web-01",
                counts=[("queued", 1, "neutral")],
                error_groups=[],
            ),
        ),
    )
)
raw = json.dumps({"changed": True, "changes": changes()[:2], "manager": "apt"}, indent=2)
part = {
    "message": "6 packages would change.",
    "changes": changes(),
    "fields": [("Manager", "apt"), ("Kept back", "none")],
    "raw": raw,
}
PAGES.append(
    (
        "result",
        "automation/result.html",
        {"shell": shell("Result", "/jobs"), "heading": "Upgrade packages on web-02", "back_url": "/jobs", **part},
    )
)
