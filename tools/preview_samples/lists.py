"""Sample lists: jobs, playbooks, hosts."""

from types import SimpleNamespace as Thing
from typing import Any, Final

from server.core.paging import Page, Window
from tools.preview_samples.frame import Context, Sample, before, shell, uuid
from tools.preview_samples.jobs import jobs


def _host_rows() -> list[Thing]:
    def row(number: int, name: str, os: str, **changes: Any) -> Thing:
        host = Thing(
            id=uuid(number),
            name=name,
            hostname=f"{name}.example.net",
            os=os,
            state_word="Connected",
            state="good",
            online=True,
            secure=True,
            updates=0,
            security=0,
            needs_reboot=False,
            reboot_reason="",
            groups=["web", "production"],
            last_seen_at=before(seconds=number * 9),
            agent_version="3.0.0",
            url=f"/hosts/{uuid(number)}",
        )
        for key, value in changes.items():
            setattr(host, key, value)
        return host

    return [
        row(1, "web-01", "Debian 12.8", updates=6, security=2),
        row(
            2,
            "web-02",
            "Debian 12.8",
            updates=6,
            security=2,
            needs_reboot=True,
            reboot_reason="Kernel 6.1.0-28 is installed, 6.1.0-26 runs",
        ),
        row(3, "web-03", "Ubuntu 24.04.1", secure=False),
        row(4, "db-primary", "Rocky Linux 9.4", updates=1204, security=31, groups=["database"]),
        row(
            5,
            "build-07",
            "",
            online=False,
            state="neutral",
            state_word="Pending",
            groups=[],
            last_seen_at=None,
            agent_version="",
        ),
        row(
            6,
            "a-host-with-a-rather-long-friendly-name-in-frankfurt",
            "Alpine 3.20",
            online=False,
            state_word="Offline",
            state="attention",
            groups=["edge", "frankfurt", "canary", "wave-1"],
            last_seen_at=before(days=3),
        ),
    ]


PAGES: Final[list[Sample]] = []
statuses = [("", "All", 128), ("active", "Active", 2), ("failed", "Failed", 9), ("finished", "Finished", 117)]
job_list: Context = {
    "shell": shell("Jobs", "/jobs"),
    "jobs": jobs(),
    "page": Page([], 128, Window(1, 50)),
    "search": "",
    "status": "",
    "statuses": statuses,
    "sort": "",
    "direction": "asc",
    "can_launch": True,
}
PAGES.append(("jobs", "automation/jobs.html", job_list))
PAGES.append(("jobs-empty", "automation/jobs.html", {**job_list, "jobs": [], "page": Page([], 0, Window())}))
playbooks = [
    ("patch", "Patch", "Brings packages up to date: all, security only, or named ones.", "built in"),
    ("ping", "Ping", "Asks whether a host answers and can run playbooks.", "built in"),
    ("inventory_facts", "Inventory facts", "Reads packages, repositories and reboot state afresh.", "built in"),
    ("reboot", "Reboot", "Restarts hosts, if required or always, and waits for them.", "built in"),
]
PAGES.append(
    (
        "playbooks",
        "automation/playbooks.html",
        {
            "shell": shell("Playbooks", "/playbooks"),
            "chosen_hosts": [uuid(1), uuid(2)],
            "can_launch": True,
            "playbooks": [
                Thing(
                    name=name,
                    title=title,
                    description=text,
                    source=source,
                    url=f"/playbooks/{name}",
                    last_job_url="/jobs/1" if name == "patch" else "",
                    last_at=before(hours=3),
                )
                for name, title, text, source in playbooks
            ],
        },
    )
)
hosts: Context = {
    "shell": shell("Hosts", "/hosts", flashes=[("good", "The host build-01 was removed.")]),
    "hosts": _host_rows(),
    "page": Page([], 128, Window(1, 50)),
    "search": "",
    "sort": "name",
    "direction": "asc",
    "state": "",
    "group": "web",
    "states": [
        ("", "All", 128),
        ("online", "Connected", 117),
        ("offline", "Offline", 11),
        ("updates", "Updates", 64),
        ("security", "Security", 12),
        ("reboot", "Reboot", 3),
    ],
    "chips": [("Group: web", "/hosts")],
    "counts": Thing(online=117, offline=11, total=128),
    "can_manage": True,
    "can_launch": True,
}
PAGES.append(("hosts", "hosts/list.html", hosts))
none = Thing(online=0, offline=0, total=0)
PAGES.append(
    (
        "hosts-empty",
        "hosts/list.html",
        {
            **hosts,
            "hosts": [],
            "counts": none,
            "chips": [],
            "page": Page([], 0, Window()),
            "shell": shell("Hosts", "/hosts"),
        },
    )
)
