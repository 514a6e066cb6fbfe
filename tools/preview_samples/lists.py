"""Sample lists: jobs, playbooks, hosts."""

from dataclasses import replace
from types import SimpleNamespace as Thing
from typing import Any, Final

from server.core.paging import Page, Window
from server.hosts.listed import Counts, GroupMark, HostRow
from server.hosts.table import TABLE
from server.lists.models import View
from server.web.fields import Field
from server.web.tables import listing, parse
from tools.preview_samples.frame import Context, Sample, before, shell, uuid
from tools.preview_samples.jobs import jobs


def _host_rows() -> list[HostRow]:
    web, production = GroupMark(uuid(50), "web", "#3B82F6"), GroupMark(uuid(51), "production", "#EF4444", "Front ends")

    def row(number: int, name: str, os: str, version: str, **changes: Any) -> HostRow:
        host = HostRow(
            id=uuid(number),
            name=name,
            hostname=f"{name}.example.net",
            ip=f"10.20.0.{number}",
            api_id=f"patchmon_{number:016x}",
            os=os,
            os_version=version,
            agent_version="3.0.0",
            auto_update=True,
            online=True,
            secure=True,
            status="active",
            state="good",
            needs_reboot=False,
            reboot_reason="",
            updates=0,
            security=0,
            packages=412,
            last_seen_at=before(seconds=number * 9),
            created_at=before(hours=240),
            groups=(web, production),
            tags=(("role", "web"), ("canary", "")),
        )
        return replace(host, **changes)

    return [
        row(1, "web-01", "Debian GNU/Linux", "12 (bookworm)", updates=14, security=3),
        row(2, "web-02", "Debian GNU/Linux", "12 (bookworm)", needs_reboot=True, reboot_reason="Kernel 6.1.0-28"),
        row(3, "db-01", "Rocky Linux", "9.4 (Blue Onyx)", secure=False, updates=2),
        row(4, "build-02", "Alpine Linux", "3.19", online=False, status="inactive", state="attention"),
        row(
            5, "new-01", "", "", online=False, status="pending", state="neutral", last_seen_at=None, groups=(), tags=()
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
            "can_write": True,
            "total": 4,
            "groups": [
                (
                    "",
                    [
                        Thing(
                            name=name,
                            title=title,
                            description=text,
                            source=source,
                            url=f"/playbooks/{name}",
                            last_job_url="/jobs/1" if name == "patch" else "",
                            last_at=before(hours=3),
                            may_launch=True,
                        )
                        for name, title, text, source in playbooks
                    ],
                ),
            ],
        },
    )
)
list_of_hosts = parse(TABLE, {"filter": "needsUpdates"})
hosts: Context = {
    "shell": shell("Hosts", "/hosts", flashes=[("good", "The host build-01 was removed.")]),
    "listing": listing(list_of_hosts, 128, may=bool, views=[("Late", "/hosts?filter=stale")]),
    "rows": _host_rows(),
    "counts": Counts(total=128, online=117, updates=64, security=12, reboot=3, pending=1, active=127),
    "note": "",
    "can_manage": True,
}
PAGES.append(("hosts", "hosts/list.html", hosts))
no_hosts = {
    **hosts,
    "listing": listing(parse(replace(TABLE, empty_action=("Add a host", "/hosts/new")), {}), 0, may=bool),
    "rows": [],
    "counts": Counts(),
    "shell": shell("Hosts", "/hosts"),
}
PAGES.append(("hosts-empty", "hosts/list.html", no_hosts))
chosen_hosts: Context = {
    "shell": shell("Chosen hosts", "/hosts", (("Hosts", "/hosts"), ("Chosen hosts", ""))),
    "kind": "groups",
    "back": "/hosts",
    "fields": [("row", uuid(1))],
    "names": [(uuid(1), "web-01"), (uuid(2), "web-02")],
    "total": 14,
    "groups": [(uuid(50), "web", "#3B82F6", ""), (uuid(51), "production", "#EF4444", "Front ends")],
    "tags": ["role=web", "canary"],
    "careful": False,
    "complaints": [],
}
PAGES.append(("hosts-chosen-groups", "hosts/bulk.html", chosen_hosts))
PAGES.append(("hosts-chosen-tags", "hosts/bulk.html", {**chosen_hosts, "kind": "tags"}))
PAGES.append(("hosts-chosen-delete", "hosts/bulk.html", {**chosen_hosts, "kind": "delete", "careful": True}))
one_cell: Context = {
    "shell": shell("Host", "/hosts", (("Hosts", "/hosts"), ("web-01", ""))),
    "kind": "groups",
    "host": _host_rows()[0],
    "groups": [(uuid(50), "web", "#3B82F6", "", True), (uuid(51), "production", "#EF4444", "Front ends", False)],
    "tags": "role=web, canary",
    "back": "/hosts",
    "complaint": "",
}
PAGES.append(("host-cell", "hosts/cell.html", one_cell))
PAGES.append(("host-cell-tags", "hosts/cell.html", {**one_cell, "kind": "tags"}))
sample_group = {"id": uuid(50), "name": "web", "description": "Front ends", "color": "#3B82F6", "_count": {"hosts": 2}}
host_groups: Context = {
    "shell": shell("Host groups", "/options"),
    "home": "/options",
    "groups": [sample_group],
    "can_change": True,
    "fields": [Field("name", "Name"), Field("color", "Color", value="#3B82F6")],
    "complaints": [],
    "editing": None,
    "leaving": None,
    "held": [],
}
PAGES.append(("host-groups", "hosts/groups.html", host_groups))
PAGES.append(("host-groups-new", "hosts/groups.html", {**host_groups, "editing": {"id": ""}}))
held_hosts = [{"id": uuid(1), "friendly_name": "web-01"}]
PAGES.append(("host-groups-delete", "hosts/groups.html", {**host_groups, "leaving": sample_group, "held": held_hosts}))
PAGES.append(
    (
        "views-save",
        "lists/save.html",
        {
            "shell": shell("Save this view", "/views/new"),
            "fields": [Field("name", "Name"), Field("shared", "Share it", "boolean", value=False)],
            "complaints": [],
            "address": "/hosts?filter=stale",
        },
    )
)
kept_view = View(
    uuid(70), "/hosts", "filter=stale", "Late", shared=True, own=True, owner="ana", created_at=before(hours=2)
)
PAGES.append(
    (
        "views",
        "lists/views.html",
        {"shell": shell("Views", "/views"), "views": [kept_view], "can_tidy": False},
    )
)
