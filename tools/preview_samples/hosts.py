"""Sample host with each of its tabs."""

from types import SimpleNamespace as Thing
from typing import Any, Final

from server.core.paging import Page, Window
from tools.preview_samples.frame import Context, Sample, before, shell, uuid
from tools.preview_samples.jobs import changes, jobs


def _host(active: str, **changes: Any) -> Context:
    path = f"/hosts/{uuid(2)}"
    tabs = [
        ("summary", "Summary", None),
        ("packages", "Packages", 412),
        ("repositories", "Repositories", 7),
        ("system", "System", None),
        ("network", "Network", None),
        ("jobs", "Jobs", 18),
    ]
    host = Thing(
        id=uuid(2),
        name="web-02",
        hostname="web-02.example.net",
        api_id="patchmon_7f3a9c21d4",
        os="Debian GNU/Linux 12 (bookworm)",
        ip="10.20.0.12",
        state_word="Connected",
        state="good",
        online=True,
        needs_reboot=True,
        reboot_reason="Kernel 6.1.0-28 is installed, 6.1.0-26 runs.",
        awaiting_report=True,
        last_seen_at=before(seconds=4),
        last_report_at=before(minutes=26),
        groups=["web", "production"],
        notes="Behind the second load balancer.",
        agent_version="3.0.0",
        executor_word="on the host",
    )
    actions = [
        Thing(title="Patch", method="get", url="/playbooks/patch", kind="primary", confirm="", icon="package"),
        Thing(title="Run playbook", method="get", url="/playbooks", kind="", confirm="", icon="player-play"),
        Thing(
            title="Delete",
            method="post",
            url=path + "/delete",
            kind="danger",
            confirm="Deletes web-02 with its packages and history. The agent on it is refused from then on.",
            icon="trash",
        ),
    ]
    return {
        "shell": shell("web-02", "/hosts", (("Hosts", "/hosts"), ("web-02", ""))),
        "host": host,
        "actions": actions,
        "tabs": [
            Thing(name=name, title=title, url=path, active=name == active, count=count) for name, title, count in tabs
        ],
        **changes,
    }


PAGES: Final[list[Sample]] = []
PAGES.append(
    (
        "host",
        "hosts/summary.html",
        _host(
            "summary",
            updates=6,
            security=2,
            packages_total=412,
            repositories_total=7,
            facts=[
                ("Kernel", "6.1.0-26-amd64"),
                ("Architecture", "x86_64"),
                ("Uptime", "41 days"),
                ("Machine ID", "4c4c4544-0051"),
            ],
            activity=[
                (before(minutes=26), "report", "Reported: 5 packages changed"),
                (before(hours=3), "job", "Dry run of Patch succeeded: 6 packages would change"),
                (before(days=1), "connect", "Connected again after 2 min"),
                (before(days=90), "enrolled", "Enrolled by ada"),
            ],
            jobs=jobs()[2:4],
        ),
    )
)
packages = [
    Thing(
        name=row["name"],
        current_version=row["from_version"] or "6.1.112-1",
        available_version=row["to_version"] if number % 5 != 0 else "",
        description="Secure Sockets Layer toolkit, shared libraries and everything that belongs to them",
        needs_update=number % 5 != 0,
        security=bool(row["security"]),
        repository=row["repository"],
    )
    for number, row in enumerate(changes())
]
PAGES.append(
    (
        "host-packages",
        "hosts/packages.html",
        _host(
            "packages",
            packages=packages,
            page=Page([], 412, Window(2, 50)),
            search="",
            only="",
            sort="name",
            direction="asc",
            only_choices=[("", "All", 412), ("updates", "Updates", 6), ("security", "Security", 2)],
        ),
    )
)
repositories = [
    Thing(
        name="debian bookworm main",
        url="http://deb.debian.org/debian",
        distribution="bookworm",
        components="main contrib",
        repo_type="deb",
        enabled=True,
        secure=False,
    ),
    Thing(
        name="debian-security",
        url="https://security.debian.org/debian-security",
        distribution="bookworm-security",
        components="main",
        repo_type="deb",
        enabled=True,
        secure=True,
    ),
    Thing(
        name="backports",
        url="https://deb.debian.org/debian",
        distribution="bookworm-backports",
        components="main",
        repo_type="deb",
        enabled=False,
        secure=True,
    ),
]
PAGES.append(("host-repositories", "hosts/repositories.html", _host("repositories", repositories=repositories)))
PAGES.append(
    (
        "host-system",
        "hosts/system.html",
        _host(
            "system",
            groups_of_facts=[
                ("Processor", [("Model", "AMD EPYC 7402P"), ("Sockets", "1"), ("Cores", "4")]),
                ("Memory", [("Total", "7.8 GiB"), ("Used", "3.1 GiB"), ("Swap", "")]),
                ("Kernel", [("Running", "6.1.0-26-amd64"), ("Installed", "6.1.0-28-amd64"), ("SELinux", "disabled")]),
            ],
        ),
    )
)
PAGES.append(
    (
        "host-network",
        "hosts/network.html",
        _host(
            "network",
            dns=["10.20.0.1", "9.9.9.9"],
            gateway="10.20.0.1",
            interfaces=[
                Thing(
                    name="eth0",
                    kind="ethernet",
                    up=True,
                    mac="52:54:00:aa:bb:01",
                    mtu=1500,
                    speed="10 Gbit/s",
                    duplex="full",
                    primary=True,
                    addresses=[
                        ("inet", "10.20.0.12", "255.255.255.0", "10.20.0.1"),
                        ("inet6", "2001:db8::12", "64", ""),
                    ],
                ),
                Thing(
                    name="wg0",
                    kind="wireguard",
                    up=False,
                    mac="",
                    mtu=1420,
                    speed="",
                    duplex="",
                    primary=False,
                    addresses=[],
                ),
            ],
        ),
    )
)
PAGES.append(("host-jobs", "hosts/jobs.html", _host("jobs", jobs=jobs(), page=Page([], 18, Window(1, 50)))))
