"""Sample data for ``tools/preview.py``: each page of the product in the states that matter to the eye."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace as Thing
from typing import Any

from server.core import clock
from server.core.paging import Page, Window
from server.web.fields import Field
from server.web.navigation import Item, Section
from server.web.render import Person, Shell

Context = dict[str, Any]


def samples() -> Iterator[tuple[str, str, Context]]:
    """Yield (name of the picture, template, its fields)."""
    yield from _job_pages()
    yield from _list_pages()
    yield from _host_pages()
    yield from _form_pages()
    yield "styleguide", "styleguide/index.html", _styleguide()


def shell(title: str, path: str, crumbs: tuple[tuple[str, str], ...] = (), **changes: Any) -> Shell:
    """Return the frame of a page, with every entry of the navigation."""
    entries: dict[str, list[tuple[str, str, str, str]]] = {
        "": [("Overview", "/", "layout-dashboard", "")],
        "Fleet": [
            ("Hosts", "/hosts", "server-2", "12"),
            ("Packages", "/packages", "package", ""),
            ("Repositories", "/repositories", "stack-2", ""),
        ],
        "Change": [
            ("Patching", "/patching", "calendar-time", ""),
            ("Jobs", "/jobs", "list-details", "2"),
            ("Playbooks", "/playbooks", "book-2", ""),
        ],
        "System": [("Settings", "/settings", "settings", "")],
    }
    nav = [
        Section(name, [Item(word, url, icon, url != "/" and path.startswith(url), badge) for word, url, icon, badge in rows])
        for name, rows in entries.items()
    ]
    frame = Shell(
        title=title,
        nav=nav,
        person=Person("Ada Lovelace", "AL", "superadmin"),
        csrf="sample-token",
        theme="light",
        flashes=[],
        version="3.0.0",
        path=path,
        search_query="",
        breadcrumbs=crumbs,
    )
    return replace(frame, **changes)


def _before(**amount: float) -> Any:
    return clock.now() - timedelta(**amount)


def _id(number: int) -> str:
    return f"5d1c8a3e-0000-4000-8000-{number:012d}"


def _job(**changes: Any) -> Thing:
    job = Thing(
        id=_id(1), title="Patch web production", playbook="patch", check=True, status="running", state="neutral", live=True,
        created_at=_before(seconds=47), started_at=_before(seconds=42), finished_at=None, duration_seconds=42.0,
        launched_by="ada", host_count=12, counts=[("ok", 9, "good"), ("running", 2, "neutral"), ("failed", 1, "bad")],
        can_stop=True, can_relaunch=False, url=f"/jobs/{_id(1)}",
        variables=[("patch_scope", "security"), ("patch_refresh_cache", "true"),
                   ("patch_packages", "[\n  \"libssl3\",\n  \"openssl\"\n]"), ("vault_password", "••••••••")],
        error_groups=[("E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 8121 (unattended-upgr)",
                       ["web-03"])],
    )  # fmt: skip
    for name, value in changes.items():
        setattr(job, name, value)
    return job


def _job_hosts(selected: int = 2) -> list[Thing]:
    words = {1: ("succeeded", "good"), 2: ("running", "neutral"), 3: ("failed", "bad"), 7: ("queued", "neutral"), 9: ("unreachable", "bad")}
    rows = []
    for number in range(1, 13):
        status, state = words.get(number, ("succeeded", "good"))
        rows.append(
            Thing(
                id=_id(number), name=f"web-{number:02d}", url=f"/jobs/{_id(1)}?host={_id(number)}", status=status, state=state,
                duration_seconds=None if status == "queued" else 8.0 + 3 * number, started_at=_before(seconds=12 + number),
                summary={"succeeded": "6 would change", "failed": "package manager is locked", "running": "Upgrade packages"}.get(status, ""),
                selected=number == selected,
            )  # fmt: skip
        )
    return rows


def _event(position: int, task: str, status: str, seconds: float | None = None, message: str = "", **changes: Any) -> Thing:
    state = {"ok": "good", "changed": "attention", "failed": "bad", "unreachable": "bad", "ignored": "attention"}.get(status, "neutral")
    event = Thing(
        key=f"task-{position}", position=position, kind="task", play="Patch hosts", task=task, status=status, state=state,
        duration_seconds=seconds, at=_before(seconds=11), message=message,
        result_url="" if status in {"running", "skipped"} else f"/jobs/{_id(1)}/results/{position}",
    )  # fmt: skip
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
        _event(5, "patchmon.fleet.patch : Upgrade packages", "failed", 600.4,
               "Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 8121 (unattended-upgr)"),
        _event(6, "patchmon.fleet.patch : Collect the log", "ignored", 2.3, "no such file", kind="result"),
        _event(7, "", "warning", kind="warning", state="attention", message="The output limit of 64 MiB was reached; the run went on."),
        _event(8, "", "Failed", kind="stats", message="4 ok · 1 changed · 1 failed · 1 skipped"),
    ]  # fmt: skip


def _done_events() -> list[Thing]:
    return [
        *_running_events()[:4],
        _event(5, "patchmon.fleet.patch : Upgrade packages", "changed", 10.4, "6 packages would change, 2 of them security"),
        _event(6, "patchmon.fleet.patch : Check whether a reboot is needed", "ok", 0.3, "not needed"),
        _event(8, "", "Succeeded", kind="stats", message="6 ok · 2 changed · 1 skipped · nothing was changed on the host"),
    ]


def _changes() -> list[dict[str, Any]]:
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
        ("runner", "\nTASK [patchmon.fleet.patch : Find the package manager] " + "*" * 24 + "\n\x1b[0;32mok: [web-02]\x1b[0m\n"),
        ("runner", "\nTASK [patchmon.fleet.patch : Refresh the package cache] " + "*" * 23 + "\n"),
        ("live", "$ apt-get update\nHit:1 http://deb.debian.org/debian bookworm InRelease\nGet:2 http://security.debian.org bookworm-security InRelease [48.0 kB]\nFetched 312 kB in 1s (298 kB/s)\n"),
        ("runner", "\x1b[0;33mchanged: [web-02]\x1b[0m\n"),
        ("runner", "\nTASK [patchmon.fleet.patch : Leave out held packages] " + "*" * 25 + "\n\x1b[0;36mskipping: [web-02]\x1b[0m\n"),
        ("runner", "\nTASK [patchmon.fleet.patch : Upgrade packages] " + "*" * 32 + "\n"),
        ("live", "$ apt-get --just-print dist-upgrade\n"),
        *[("live", f"Setting up {row['name']} ({row['to_version']}) ...\n") for row in _changes()],
        ("live", "\x1b[1;31mE: Could not get lock\x1b[0m <script>alert(1)</script>\n"),
    ]  # fmt: skip
    return [Thing(position=number, source=source, text=text) for number, (source, text) in enumerate(parts)]


def _job_page(tab: str, events: list[Thing], **changes: Any) -> Context:
    hosts = _job_hosts()
    job = _job()
    page: Context = {
        "shell": shell("Patch web production", job.url, (("Jobs", "/jobs"), ("Patch web production", ""))),
        "job": job, "hosts": hosts, "selected": hosts[1], "events": events, "console": _console(), "result_tables": [],
        "last_position": 42, "stream_url": f"{job.url}/stream?host={_id(2)}", "tab": tab,
    }  # fmt: skip
    return {**page, **changes}


def _job_pages() -> Iterator[tuple[str, str, Context]]:
    results = [("Would change", _changes())]
    done = _job(status="succeeded", state="good", live=False, can_stop=False, counts=[("ok", 12, "good")], error_groups=[],
                finished_at=_before(minutes=3), duration_seconds=63.0)  # fmt: skip
    failed = _job(check=False, status="failed", state="bad", live=False, can_stop=False, can_relaunch=True,
                  counts=[("ok", 10, "good"), ("failed", 1, "bad"), ("unreachable", 1, "bad")], duration_seconds=612.0)  # fmt: skip
    hosts = _job_hosts(3)
    yield "job-live", "automation/job.html", _job_page("events", _running_events())
    yield "job-output", "automation/job.html", _job_page("output", [])
    yield "job-done", "automation/job.html", _job_page("events", _done_events(), job=done, result_tables=results)
    yield "job-failed", "automation/job.html", _job_page("events", _failed_events(), job=failed, hosts=hosts, selected=hosts[2])
    yield "job-facts", "automation/job.html", _job_page("facts", [], job=done, result_tables=results)
    yield "job-variables", "automation/job.html", _job_page("variables", [], job=done)
    yield "job-waiting", "automation/job.html", _job_page(
        "events", [], hosts=_job_hosts()[:1],
        job=_job(status="queued", started_at=None, host_count=1, counts=[("queued", 1, "neutral")], error_groups=[]))  # fmt: skip
    raw = json.dumps({"changed": True, "changes": _changes()[:2], "manager": "apt"}, indent=2)
    part = {"message": "6 packages would change.", "changes": _changes(), "fields": [("Manager", "apt"), ("Kept back", "none")], "raw": raw}
    yield "result", "automation/result.html", {
        "shell": shell("Result", "/jobs"), "heading": "Upgrade packages on web-02", "back_url": "/jobs", **part}  # fmt: skip


def _jobs() -> list[Thing]:
    return [
        _job(),
        _job(title="Inventory facts", check=False, counts=[("running", 1, "neutral")], launched_by="ci token"),
        _job(title="Patch database hosts", check=False, status="failed", state="bad", live=False, created_at=_before(hours=3),
             counts=[("ok", 3, "good"), ("failed", 1, "bad")], duration_seconds=412.0),
        _job(title="Ping", check=False, status="succeeded", state="good", live=False, created_at=_before(days=1),
             counts=[("ok", 240, "good")], duration_seconds=3.1, launched_by="grace"),
        _job(title="Reboot if required", check=False, status="timed_out", state="attention", live=False, created_at=_before(days=2),
             counts=[("ok", 7, "good"), ("timed out", 2, "attention")], duration_seconds=3661.0),
    ]  # fmt: skip


def _list_pages() -> Iterator[tuple[str, str, Context]]:
    statuses = [("", "All", 128), ("active", "Active", 2), ("failed", "Failed", 9), ("finished", "Finished", 117)]
    jobs: Context = {
        "shell": shell("Jobs", "/jobs"), "jobs": _jobs(), "page": Page([], 128, Window(1, 50)), "search": "", "status": "",
        "statuses": statuses, "sort": "", "direction": "asc", "can_launch": True,
    }  # fmt: skip
    yield "jobs", "automation/jobs.html", jobs
    yield "jobs-empty", "automation/jobs.html", {**jobs, "jobs": [], "page": Page([], 0, Window())}
    playbooks = [
        ("patch", "Patch", "Brings packages up to date: all, security only, or named ones.", "built in"),
        ("ping", "Ping", "Asks whether a host answers and can run playbooks.", "built in"),
        ("inventory_facts", "Inventory facts", "Reads packages, repositories and reboot state afresh.", "built in"),
        ("reboot", "Reboot", "Restarts hosts, if required or always, and waits for them.", "built in"),
    ]
    yield "playbooks", "automation/playbooks.html", {
        "shell": shell("Playbooks", "/playbooks"), "chosen_hosts": [_id(1), _id(2)], "can_launch": True,
        "playbooks": [Thing(name=name, title=title, description=text, source=source, url=f"/playbooks/{name}",
                            last_job_url="/jobs/1" if name == "patch" else "", last_at=_before(hours=3))
                      for name, title, text, source in playbooks],
    }  # fmt: skip
    hosts: Context = {
        "shell": shell("Hosts", "/hosts", flashes=[("good", "The host build-01 was removed.")]), "hosts": _host_rows(),
        "page": Page([], 128, Window(1, 50)), "search": "", "sort": "name", "direction": "asc", "state": "", "group": "web",
        "states": [("", "All", 128), ("online", "Connected", 117), ("offline", "Offline", 11), ("updates", "Updates", 64),
                   ("security", "Security", 12), ("reboot", "Reboot", 3)],
        "chips": [("Group: web", "/hosts")], "counts": Thing(online=117, offline=11, total=128), "can_manage": True, "can_launch": True,
    }  # fmt: skip
    yield "hosts", "hosts/list.html", hosts
    none = Thing(online=0, offline=0, total=0)
    yield "hosts-empty", "hosts/list.html", {
        **hosts, "hosts": [], "counts": none, "chips": [], "page": Page([], 0, Window()), "shell": shell("Hosts", "/hosts")}  # fmt: skip


def _host_rows() -> list[Thing]:
    def row(number: int, name: str, os: str, **changes: Any) -> Thing:
        host = Thing(
            id=_id(number), name=name, hostname=f"{name}.example.net", os=os, state_word="Connected", state="good", online=True, secure=True,
            updates=0, security=0, needs_reboot=False, reboot_reason="", groups=["web", "production"], last_seen_at=_before(seconds=number * 9),
            agent_version="3.0.0", url=f"/hosts/{_id(number)}",
        )  # fmt: skip
        for key, value in changes.items():
            setattr(host, key, value)
        return host

    return [
        row(1, "web-01", "Debian 12.8", updates=6, security=2),
        row(2, "web-02", "Debian 12.8", updates=6, security=2, needs_reboot=True, reboot_reason="Kernel 6.1.0-28 is installed, 6.1.0-26 runs"),
        row(3, "web-03", "Ubuntu 24.04.1", secure=False),
        row(4, "db-primary", "Rocky Linux 9.4", updates=1204, security=31, groups=["database"]),
        row(5, "build-07", "", online=False, state="neutral", state_word="Pending", groups=[], last_seen_at=None, agent_version=""),
        row(6, "a-host-with-a-rather-long-friendly-name-in-frankfurt", "Alpine 3.20", online=False, state_word="Offline", state="attention",
            groups=["edge", "frankfurt", "canary", "wave-1"], last_seen_at=_before(days=3)),
    ]  # fmt: skip


def _host(active: str, **changes: Any) -> Context:
    path = f"/hosts/{_id(2)}"
    tabs = [("summary", "Summary", None), ("packages", "Packages", 412), ("repositories", "Repositories", 7), ("system", "System", None),
            ("network", "Network", None), ("jobs", "Jobs", 18)]  # fmt: skip
    host = Thing(
        id=_id(2), name="web-02", hostname="web-02.example.net", api_id="patchmon_7f3a9c21d4", os="Debian GNU/Linux 12 (bookworm)", ip="10.20.0.12",
        state_word="Connected", state="good", online=True, needs_reboot=True, reboot_reason="Kernel 6.1.0-28 is installed, 6.1.0-26 runs.",
        awaiting_report=True, last_seen_at=_before(seconds=4), last_report_at=_before(minutes=26), groups=["web", "production"],
        notes="Behind the second load balancer.", agent_version="3.0.0", executor_word="on the host",
    )  # fmt: skip
    actions = [
        Thing(title="Patch", method="get", url="/playbooks/patch", kind="primary", confirm="", icon="package"),
        Thing(title="Run playbook", method="get", url="/playbooks", kind="", confirm="", icon="player-play"),
        Thing(title="Delete", method="post", url=path + "/delete", kind="danger",
              confirm="Deletes web-02 with its packages and history. The agent on it is refused from then on.", icon="trash"),
    ]  # fmt: skip
    return {
        "shell": shell("web-02", "/hosts", (("Hosts", "/hosts"), ("web-02", ""))), "host": host, "actions": actions,
        "tabs": [Thing(name=name, title=title, url=path, active=name == active, count=count) for name, title, count in tabs], **changes,
    }  # fmt: skip


def _host_pages() -> Iterator[tuple[str, str, Context]]:
    yield "host", "hosts/summary.html", _host(
        "summary", updates=6, security=2, packages_total=412, repositories_total=7,
        facts=[("Kernel", "6.1.0-26-amd64"), ("Architecture", "x86_64"), ("Uptime", "41 days"), ("Machine ID", "4c4c4544-0051")],
        activity=[(_before(minutes=26), "report", "Reported: 5 packages changed"), (_before(hours=3), "job", "Dry run of Patch succeeded: 6 packages would change"),
                  (_before(days=1), "connect", "Connected again after 2 min"), (_before(days=90), "enrolled", "Enrolled by ada")],
        jobs=_jobs()[2:4])  # fmt: skip
    packages = [
        Thing(name=row["name"], current_version=row["from_version"] or "6.1.112-1", available_version=row["to_version"] if number < 5 else "", description="Secure Sockets Layer toolkit, shared libraries and everything that belongs to them",
              needs_update=number < 5, security=bool(row["security"]), repository=row["repository"])
        for number, row in enumerate(_changes())
    ]  # fmt: skip
    yield "host-packages", "hosts/packages.html", _host(
        "packages", packages=packages, page=Page([], 412, Window(2, 50)), search="", only="", sort="name", direction="asc",
        only_choices=[("", "All", 412), ("updates", "Updates", 6), ("security", "Security", 2)])  # fmt: skip
    repositories = [
        Thing(name="debian bookworm main", url="http://deb.debian.org/debian", distribution="bookworm", components="main contrib", repo_type="deb", enabled=True, secure=False),
        Thing(name="debian-security", url="https://security.debian.org/debian-security", distribution="bookworm-security", components="main", repo_type="deb", enabled=True, secure=True),
        Thing(name="backports", url="https://deb.debian.org/debian", distribution="bookworm-backports", components="main", repo_type="deb", enabled=False, secure=True),
    ]  # fmt: skip
    yield "host-repositories", "hosts/repositories.html", _host("repositories", repositories=repositories)
    yield "host-system", "hosts/system.html", _host("system", groups_of_facts=[
        ("Processor", [("Model", "AMD EPYC 7402P"), ("Sockets", "1"), ("Cores", "4")]), ("Memory", [("Total", "7.8 GiB"), ("Used", "3.1 GiB"), ("Swap", "")]),
        ("Kernel", [("Running", "6.1.0-26-amd64"), ("Installed", "6.1.0-28-amd64"), ("SELinux", "disabled")])])  # fmt: skip
    yield "host-network", "hosts/network.html", _host("network", dns=["10.20.0.1", "9.9.9.9"], gateway="10.20.0.1", interfaces=[
        Thing(name="eth0", kind="ethernet", up=True, mac="52:54:00:aa:bb:01", mtu=1500, speed="10 Gbit/s", duplex="full", primary=True,
              addresses=[("inet", "10.20.0.12", "255.255.255.0", "10.20.0.1"), ("inet6", "2001:db8::12", "64", "")]),
        Thing(name="wg0", kind="wireguard", up=False, mac="", mtu=1420, speed="", duplex="", primary=False, addresses=[])])  # fmt: skip
    yield "host-jobs", "hosts/jobs.html", _host("jobs", jobs=_jobs(), page=Page([], 18, Window(1, 50)))


def _form_pages() -> Iterator[tuple[str, str, Context]]:
    fields = [
        Field("patch_scope", "Scope", "choice", "security", (("all", "all"), ("security", "security"), ("packages", "packages")), "Which updates are installed.", required=True),
        Field("patch_packages", "Packages", "list", "libssl3\nopen ssl", help="One name a line; only for the scope packages.", required=False, complaint="“open ssl” is not a package name."),
        Field("patch_refresh_cache", "Refresh the package cache first", "boolean", True, required=False),
        Field("patch_lock_timeout_seconds", "Wait for the package manager's lock", "number", 600, help="Seconds.", required=False),
        Field("extra", "Extra", "json", '{\n  "region": "eu"\n}', required=False),
    ]  # fmt: skip
    launch: Context = {
        "shell": shell("Run Patch", "/playbooks", (("Playbooks", "/playbooks"), ("Run", ""))),
        "playbook": Thing(name="patch", title="Patch", description="Brings packages up to date: all, security only, or named ones.", url="/playbooks/patch"),
        "fields": fields, "hosts": [(_id(n), f"web-{n:02d}", n != 3) for n in range(1, 10)], "groups": [(_id(50), "web", 9), (_id(51), "database", 1)],
        "chosen_hosts": [_id(1), _id(3)], "chosen_groups": [], "check": True, "sentence": "Dry run of Patch on 2 hosts. Nothing on them is changed.",
        "complaints": [("patch_packages", "Packages: “open ssl” is not a package name.")],
    }  # fmt: skip
    yield "launch", "automation/launch.html", launch
    yield "host-new", "hosts/new.html", {
        "shell": shell("Add a host", "/hosts", (("Hosts", "/hosts"), ("Add", ""))), "complaints": [], "groups": [(_id(50), "web", True), (_id(51), "database", False)],
        "fields": [Field("friendly_name", "Name", placeholder="server.example.com", help="How people call it here.")]}  # fmt: skip
    command = 'curl -s "https://patchmon.example.com/api/v1/hosts/install" -H "X-API-ID: patchmon_7f3a9c21d4" -H "X-API-KEY: 8d1f0c4be6a94d6a0f" | sudo sh'
    yield "host-created", "hosts/created.html", {
        "shell": shell("Connect web-13", "/hosts", (("Hosts", "/hosts"), ("web-13", ""))), "host": Thing(id=_id(13), name="web-13", url="/hosts/13"),
        "api_id": "patchmon_7f3a9c21d4", "api_key": "8d1f0c4be6a94d6a0f", "install_command": command, "connected": False, "reported": False}  # fmt: skip
    nobody = {"person": None, "nav": []}
    yield "login", "identity/login.html", {
        "shell": shell("Sign in", "/login", **nobody), "return_to": "/", "providers": [], "complaints": ["Invalid credentials"],
        "fields": [Field("username", "Username or email", value="ada", autocomplete="username"), Field("password", "Password", "password", autocomplete="current-password")]}  # fmt: skip
    account = [
        Field("first_name", "First name", autocomplete="given-name"), Field("last_name", "Last name", autocomplete="family-name"),
        Field("username", "Username", autocomplete="username"), Field("email", "Email", "email", autocomplete="email"),
        Field("password", "Password", "password", autocomplete="new-password"), Field("confirm", "Password again", "password", autocomplete="new-password"),
    ]  # fmt: skip
    rules = ["at least 8 characters", "an uppercase and a lowercase letter", "a number and a special character"]
    yield "setup", "identity/setup.html", {"shell": shell("Setup", "/setup", **nobody), "fields": account, "rules": rules, "token": "t", "complaints": []}
    yield "setup-closed", "identity/setup.html", {"shell": shell("Setup", "/setup", **nobody), "fields": [], "rules": [], "token": "", "complaints": []}
    yield "profile", "settings/profile.html", {
        "shell": shell("Profile", "/settings"), "profile_fields": account[:4], "profile_complaints": [], "password_fields": account[4:], "password_complaints": [], "rules": rules,
        "sessions": [Thing(id=_id(n), current=n == 1, device=("Firefox on Linux", "Safari on iPhone")[n - 1], address="203.0.113.7", last_seen_at=_before(minutes=n), created_at=_before(days=n)) for n in (1, 2)]}  # fmt: skip
    yield "tokens", "settings/tokens.html", {
        "shell": shell("API tokens", "/settings"), "created": "pm_2f7c1e90ab44d0b7c3", "complaints": [], "fields": [Field("name", "Name", placeholder="CI pipeline")],
        "tokens": [Thing(id=_id(n), name=name, prefix="pm_2f7c", created_at=_before(days=n), last_used_at=used, expires_at=None) for n, name, used in ((1, "CI pipeline", _before(minutes=3)), (2, "laptop", None))]}  # fmt: skip
    yield "error-404", "error.html", {"shell": shell("Error", "/hosts/none"), "status": 404, "text": "Host not found", "details": {}}
    yield "error-500", "error.html", {"shell": shell("Error", "/", **nobody), "status": 500, "text": "Internal Server Error", "details": {}}


def _styleguide() -> Context:
    return {
        "shell": shell("Parts", "/styleguide", (("Development", "/"), ("Parts", "")), flashes=[("attention", "This page shows every part once.")]),
        "fields": [Field(f"f-{kind}", kind.capitalize(), kind, "", (("a", "First"), ("b", "Second")), help="Help for the field.") for kind in ("text", "number", "password", "choice", "boolean", "list")],
        "wrong": Field("wrong", "Wrong", "text", "x y", complaint="A name holds no space."),
        "counts": [("ok", 9, "good"), ("changed", 2, "attention"), ("failed", 1, "bad"), ("waiting", 4, "neutral")],
        "now": clock.now(), "earlier": _before(minutes=17), "page": Page([], 1204, Window(3, 50)),
    }  # fmt: skip
