"""The scripts that enrol containers and machines, run for real in several shells."""

import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import CompletedProcess, run

import pytest

from server.core.call import Call
from server.core.loop import in_thread
from server.web.render import TEMPLATES
from tests.conftest import Browser
from tests.hosts.test_install import can_unshare, env, machine, on_machine
from tests.integrations.conftest import Maker, Program, said

__all__ = ["env", "machine"]

SCRIPT = "/api/v1/auto-enrollment/script"
SHELLS = [["dash"], ["bash"], ["busybox", "ash"]]
TOOLS = ("curl", "jq", "dash", "bash", "busybox", "shellcheck")

pytestmark = [
    pytest.mark.xdist_group("etc-patchmon"),
    pytest.mark.skipif(os.geteuid() != 0, reason="the scripts demand root"),
    pytest.mark.skipif(any(shutil.which(tool) is None for tool in TOOLS), reason=f"needs {', '.join(TOOLS)}"),
]


@dataclass
class Node:
    """A Proxmox host of our own making; each container is a folder."""

    folder: Path
    containers: list[tuple[str, str, str]] = field(default_factory=list)
    lacks: tuple[str, ...] = ()

    def add(self, vmid: str, name: str, *, running: bool = True, machine_id: str | None = "4c4c") -> Path:
        self.containers.append((vmid, "running" if running else "stopped", name))
        place = self.folder / vmid
        if running:
            (place / "etc" / "patchmon").mkdir(parents=True)
            (place / "bin").mkdir()
            (place / "etc/os-release").write_text('PRETTY_NAME="Debian GNU/Linux 12"\n')
            if machine_id is not None:
                (place / "etc/machine-id").write_text(f"{machine_id}{vmid}\n")
        return place

    def installed(self, vmid: str) -> None:
        """Give a container an agent that can reach the server."""
        place = self.folder / vmid
        for name in ("config.yml", "credentials.yml"):
            (place / "etc/patchmon" / name).touch()
        agent = place / "bin" / "patchmon-agent"
        agent.write_text("#!/bin/sh\nexit 0\n")
        agent.chmod(0o755)

    async def run(
        self, text: str, shell: list[str], *, piped: bool = False, **settings: str
    ) -> "CompletedProcess[str]":
        rows = ["VMID       Status     Lock         Name", *(f"{i:<10} {s:<20} {n}" for i, s, n in self.containers)]
        (self.folder / "list").write_text("\n".join(rows) + "\n")
        (self.folder / "calls").touch()
        (self.folder / "installer").write_text(INSTALLER)
        programs = self.folder / "programs"
        programs.mkdir(exist_ok=True)
        for tool in ("curl", "jq"):
            link = programs / tool
            link.unlink(missing_ok=True)
            if tool not in self.lacks:
                link.symlink_to(str(shutil.which(tool)))
        shutil.copy(Path(__file__).with_name("pct"), programs / "pct")
        script = self.folder / "enrol.sh"
        # The script adds the system's own folders to its path; here it sees only what the node has.
        script.write_text(re.sub(r"^PATH=.*$", f"PATH={programs}:{bare(self.folder)}", text, flags=re.MULTILINE))
        environment = {"PATH": f"{programs}:/usr/bin:/bin", "PCT": str(self.folder), **settings}
        command = shell if piped else [*shell, str(script)]
        given = script.read_text() if piped else ""
        return await in_thread(
            run, command, input=given, env=environment, capture_output=True, text=True, check=False, timeout=60
        )

    def calls(self) -> list[str]:
        return (self.folder / "calls").read_text().splitlines()


#: Looks at the installer that the script fetched for the container, instead of running it.
INSTALLER = """
set -e
grep -q 'BOOTSTRAP_TOKEN=' "$1"
if [ -e "$2/broken" ]; then echo "no space left on device"; exit 7; fi
grep -E '^(FORCE_INSTALL|CURL_FLAGS)=' "$1" >"$2/settings"
echo "SUCCESS: PatchMon Agent installation completed successfully"
"""


#: What every system has.
BASIC = "awk cat grep hostname id mktemp rm sed sh tail"


def bare(folder: Path) -> Path:
    """Return a folder with what every system has: neither curl nor jq nor pct."""
    place = folder / "system"
    if not place.exists():
        place.mkdir()
        for program in (
            "awk",
            "cat",
            "chmod",
            "grep",
            "hostname",
            "id",
            "ln",
            "mkdir",
            "mktemp",
            "rm",
            "sed",
            "sh",
            "tail",
        ):
            (place / program).symlink_to(str(shutil.which(program)))
    return place


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    folder = tmp_path / "pve"
    folder.mkdir()
    yield Node(folder)
    shutil.rmtree(folder)


async def fetched(token: Program, kind: str = "proxmox-lxc", **more: str) -> str:
    query = {"type": kind, "token_key": token.key, "token_secret": token.secret, **more}
    answer = await token.client.get(SCRIPT, params=query)
    assert answer.status == 200, await answer.text()
    return await answer.text()


# ------------------------------------------------------------------------------------------------ handing out


@pytest.mark.proves("INTG-ENR-04", "INTG-ENR-14", "INTG-PVE-04")
@pytest.mark.parametrize("kind", ["proxmox-lxc", "direct-host"])
async def test_a_script_is_handed_out_to_who_holds_the_token(client: Browser, make: Maker, kind: str) -> None:
    token = await make()
    query = {"type": kind, "token_key": token.key, "token_secret": token.secret}
    answer = await client.get(SCRIPT, params=query)
    text = await answer.text()
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert answer.headers["Cache-Control"] == "no-store, no-cache, must-revalidate"
    assert answer.headers["Pragma"] == "no-cache"
    assert answer.headers["Content-Disposition"] == f'inline; filename="{kind}_auto_enroll.sh"'
    for part in (
        f"http://127.0.0.1:{client.port}",
        token.key,
        token.secret,
        "CURL_FLAGS:--s}",
        "FORCE_INSTALL:-false}",
    ):
        assert part in text, part
    for force, on in (("true", True), ("false", False), ("1", False), ("yes", False)):
        text = await fetched(token, kind, force=force)
        assert ("FORCE_INSTALL=${FORCE_INSTALL:-true}" in text) is on, force


@pytest.mark.proves("INTG-ENR-09")
async def test_self_signed_certificates_are_a_setting_of_the_server(
    client: Browser, make: Maker, admin: dict[str, str]
) -> None:
    token = await make()
    answer = await client.patch("/api/v1/settings", json={"ignore_ssl_self_signed": True}, headers=admin)
    assert answer.status == 200, await answer.text()
    assert "CURL_FLAGS=${CURL_FLAGS:--sk}" in await fetched(token)


@pytest.mark.proves("INTG-ENR-04")
async def test_a_script_is_refused_in_the_contracts_words(client: Browser, make: Maker, admin: dict[str, str]) -> None:
    token = await make()
    good = {"type": "proxmox-lxc", "token_key": token.key, "token_secret": token.secret}
    needed = (401, {"error": "Token key and secret required as query parameters"})
    for query in ({}, {"type": "direct-host"}, {**good, "token_key": ""}, {**good, "token_secret": ""}):
        assert await said(await client.get(SCRIPT, params=query)) == needed
    for query in ({"type": "foo"}, {**good, "type": "windows"}, {**good, "type": ""}):
        status, told = await said(await client.get(SCRIPT, params=query))
        assert (status, "proxmox-lxc" in told["error"], "direct-host" in told["error"]) == (400, True, True)
    unknown = await client.get(SCRIPT, params={**good, "token_key": "patchmon_ae_x"})
    assert await said(unknown) == (401, {"error": "Invalid or inactive token"})
    wrong = await client.get(SCRIPT, params={**good, "token_secret": "x"})
    assert await said(wrong) == (401, {"error": "Invalid token secret"})
    path = f"/api/v1/auto-enrollment/tokens/{token.id}"
    await client.patch(path, json={"expires_at": "2020-01-01T00:00:00Z"}, headers=admin)
    assert await said(await client.get(SCRIPT, params=good)) == (401, {"error": "Token expired"})
    await client.patch(path, json={"is_active": False}, headers=admin)
    assert await said(await client.get(SCRIPT, params=good)) == (401, {"error": "Invalid or inactive token"})


async def test_a_missing_script_is_said_so(
    client: Browser, make: Maker, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    token = await make()
    monkeypatch.setattr("server.integrations.api.enrolment.SCRIPTS", tmp_path)
    query = {"type": "proxmox-lxc", "token_key": token.key, "token_secret": token.secret}
    answer = await client.get(SCRIPT, params=query)
    assert await said(answer) == (404, {"error": "Enrollment script not found: proxmox-lxc"})


@pytest.mark.parametrize("kind", ["proxmox-lxc", "direct-host"])
async def test_the_scripts_are_clean_in_every_shell(make: Maker, kind: str, tmp_path: Path) -> None:
    path = tmp_path / "script.sh"
    path.write_text(await fetched(await make(), kind))
    for shell in ("sh", "bash", "dash"):
        done = await in_thread(run, ["shellcheck", "-s", shell, str(path)], capture_output=True, text=True, check=False)
        assert done.stdout == ""
    for command in SHELLS:
        done = await in_thread(run, [*command, "-n", str(path)], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, ""), command


# ------------------------------------------------------------------------------------------------ Proxmox


@pytest.mark.proves(
    "INTG-PVE-01", "INTG-PVE-02", "INTG-PVE-05", "INTG-PVE-08", "INTG-PVE-10", "INTG-PVE-11", "INTG-PVE-19"
)
@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
async def test_running_containers_are_enrolled(call: Call, make: Maker, node: Node, shell: list[str]) -> None:
    token = await make(token_name="pve1")
    text = await fetched(token)
    node.add("101", "web")
    node.add("102", "db", running=False)
    node.add("103", "mail")
    done = await node.run(text, shell, piped=shell == ["bash"], HOST_PREFIX="proxmox-")
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"Successfully Enrolled:\s+2\b", done.stdout)
    assert re.search(r"Failed:\s+0\b", done.stdout)
    assert "[INFO] Found 3 LXC container(s)" in done.stdout
    assert "[INFO] Processing LXC 102: db (status: stopped)" in done.stdout
    assert "[SUCCESS] Agent installed successfully in web" in done.stdout
    assert "\033" not in done.stdout + done.stderr
    rows = await call.db.all("select friendly_name, machine_id, status from hosts order by id")
    assert rows == [
        {"friendly_name": "proxmox-web", "machine_id": "4c4c101", "status": "pending"},
        {"friendly_name": "proxmox-mail", "machine_id": "4c4c103", "status": "pending"},
    ]
    # Nothing secret is an argument, and what was installed carried the container's own credentials.
    told = done.stdout + done.stderr + "\n".join(node.calls())
    assert token.secret not in told
    assert not any(" 102 " in f" {line} " for line in node.calls())
    assert {line.split()[0] for line in node.calls()} == {"list", "exec"}
    for vmid in ("101", "103"):
        assert "FORCE_INSTALL=false" in (node.folder / vmid / "settings").read_text()
    for vmid in ("101", "103"):
        node.installed(vmid)
    again = await node.run(text, shell)
    assert again.returncode == 0
    kept = "[INFO] ✓ Host already enrolled and agent ping successful - skipping enrollment"
    assert again.stdout.count(kept) == 2
    assert await call.db.value("select count(*) from hosts") == 2


@pytest.mark.proves("INTG-PVE-06", "INTG-PVE-07")
async def test_only_a_working_agent_counts_as_enrolled(call: Call, make: Maker, node: Node) -> None:
    text = await fetched(await make())
    place = node.add("101", "web")
    node.installed("101")
    (place / "bin/patchmon-agent").write_text("#!/bin/sh\nexit 1\n")
    assert (await node.run(text, ["dash"])).returncode == 0
    assert await call.db.value("select count(*) from hosts") == 1
    # Set up anew: the host deleted, its folder emptied.
    await call.db.execute("delete from hosts")
    shutil.rmtree(place / "etc/patchmon")
    (place / "bin/patchmon-agent").write_text("#!/bin/sh\nexit 0\n")
    assert (await node.run(text, ["dash"])).returncode == 0
    assert await call.db.value("select count(*) from hosts") == 1


@pytest.mark.proves("INTG-PVE-09")
@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
async def test_a_dry_run_changes_nothing(call: Call, make: Maker, node: Node, shell: list[str]) -> None:
    text = await fetched(await make())
    node.add("101", "webserver")
    done = await node.run(text, shell, DRY_RUN="true", HOST_PREFIX="lab-")
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    for line in (
        "[INFO] Found 1 LXC container(s)",
        "[INFO] Processing LXC 101: webserver (status: running)",
        "[INFO]   [DRY RUN] Would enroll: lab-webserver",
        "[INFO] Successfully Enrolled:  1 (dry run)",
    ):
        assert line in lines, done.stdout
    assert await call.db.value("select count(*) from hosts") == 0
    assert not (node.folder / "101/script").exists()


@pytest.mark.proves("INTG-PVE-12", "INTG-PVE-11", "INTG-PVE-23")
async def test_failures_are_told_and_the_loop_goes_on(
    call: Call, make: Maker, node: Node, client: Browser, admin: dict[str, str]
) -> None:
    token = await make(max_hosts_per_day=1)
    text = await fetched(token)
    for vmid in ("101", "102", "103"):
        node.add(vmid, f"ct{vmid}")
    done = await node.run(text, ["dash"])
    assert done.returncode == 1
    assert done.stderr.count("[ERROR] Rate limit exceeded - maximum hosts per day reached") == 2
    assert re.search(r"Successfully Enrolled:\s+1\b", done.stdout)
    assert re.search(r"Failed:\s+2\b", done.stdout)
    await client.patch(f"/api/v1/auto-enrollment/tokens/{token.id}", json={"is_active": False}, headers=admin)
    done = await node.run(text, ["dash"])
    assert "[ERROR] Failed to enroll ct101 - HTTP 401" in done.stderr
    assert 'Response: {"error":"Invalid or inactive token"}' in done.stderr
    assert done.returncode == 1
    away = await node.run(text, ["dash"], PATCHMON_URL="http://127.0.0.1:9")
    assert "HTTP 000" in away.stderr
    assert away.returncode == 1
    # And after the failure simply again.
    await client.patch(
        f"/api/v1/auto-enrollment/tokens/{token.id}", json={"is_active": True, "max_hosts_per_day": 9}, headers=admin
    )
    node.installed("101")
    assert (await node.run(text, ["dash"])).returncode == 0
    assert await call.db.value("select count(*) from hosts") == 3


@pytest.mark.proves("INTG-PVE-13", "INTG-PVE-08", "INTG-PVE-16")
async def test_an_agent_that_cannot_be_installed_is_a_warning(call: Call, make: Maker, node: Node) -> None:
    text = await fetched(await make())
    broken = node.add("101", "web", machine_id=None)
    (broken / "broken").touch()
    node.add("102", "db", running=False)
    (broken / "var/lib/dbus").mkdir(parents=True)
    (broken / "var/lib/dbus/machine-id").write_text("from-dbus\n")
    done = await node.run(text, ["dash"], SKIP_STOPPED="false")
    assert done.returncode == 0
    assert "[WARN] Failed to install agent in web (exit: 7)" in done.stdout
    assert "Install output: no space left on device" in done.stdout
    assert "[WARN] Failed to install agent in db (exit: 255)" in done.stdout
    ids = await call.db.column("select machine_id from hosts order by id")
    assert ids[0] == "from-dbus"
    assert re.fullmatch(r"proxmox-lxc-102-[0-9a-f-]{36}", ids[1])


@pytest.mark.proves("INTG-PVE-03")
async def test_what_the_node_lacks_is_named(make: Maker, node: Node) -> None:
    text = await fetched(await make())
    node.lacks = ("jq",)
    done = await node.run(text, ["dash"])
    assert done.returncode == 1
    assert done.stderr == "[ERROR] Required command 'jq' not found. Please install it first.\n"
    node.lacks = ("curl",)
    assert "[ERROR] Required command 'curl' not found" in (await node.run(text, ["dash"])).stderr
    path = node.folder / "enrol.sh"
    path.write_text(text)
    done = await in_thread(run, ["dash", str(path)], capture_output=True, text=True, check=False)
    assert done.stderr == "[ERROR] This script must run on a Proxmox host (pct command not found)\n"


@pytest.mark.proves("INTG-PVE-04", "INTG-PVE-17", "INTG-PVE-21", "INTG-PVE-22")
async def test_the_script_is_a_plain_file_too(call: Call, make: Maker, node: Node, client: Browser) -> None:
    token = await make()
    text = (TEMPLATES / "integrations/proxmox_auto_enroll.sh").read_text()
    names = ("PATCHMON_URL", "AUTO_ENROLLMENT_KEY", "AUTO_ENROLLMENT_SECRET", "CURL_FLAGS", "DRY_RUN", "HOST_PREFIX",
             "SKIP_STOPPED", "FORCE_INSTALL")  # fmt: skip
    for name in names:
        assert re.search(rf"^{name}=", text, re.MULTILINE), name
    for part in ("while IFS= read -r line; do", "install_url=", "vmid=", "name="):
        assert part in text
    node.add("101", "web")
    done = await node.run(text, ["bash"])
    assert "PATCHMON_URL, AUTO_ENROLLMENT_KEY and AUTO_ENROLLMENT_SECRET must be set" in done.stderr
    # As cron runs it: variables from its table, next to no path. A second node has a key of its own.
    given = {
        "PATCHMON_URL": f"http://127.0.0.1:{client.port}/",
        "AUTO_ENROLLMENT_KEY": token.key,
        "AUTO_ENROLLMENT_SECRET": token.secret,
        "CURL_FLAGS": "-s -k",
    }
    done = await node.run(text, ["bash"], piped=False, **given)
    assert done.returncode == 0, done.stdout + done.stderr
    assert await call.db.value("select count(*) from hosts") == 1
    injected = await fetched(await make(token_name="other"))
    done = await node.run(injected, ["bash"], AUTO_ENROLLMENT_KEY=token.key, AUTO_ENROLLMENT_SECRET=token.secret)
    assert done.returncode == 0
    notes = await call.db.column("select notes from hosts")
    assert all(note.startswith("Auto-enrolled via proxmox-lxc token on") for note in notes)
    wrong = await node.run(injected, ["bash"], AUTO_ENROLLMENT_SECRET="0" * 64)
    assert "HTTP 401" in wrong.stderr


@pytest.mark.proves("INTG-PVE-15")
async def test_debugging_says_more_but_nothing_secret(make: Maker, node: Node) -> None:
    token = await make()
    text = await fetched(token)
    node.add("101", "web")
    done = await node.run(text, ["dash"], DEBUG="true")
    assert done.returncode == 0, done.stderr
    assert '"friendly_name":"web"' in done.stderr
    assert "[DEBUG] HTTP 201" in done.stderr
    assert "< HTTP/1.1 201 Created" in done.stderr
    key = re.search(r"API_KEY='([0-9a-f]{64})'", (node.folder / "101/script").read_text())
    assert key is not None
    assert key[1] not in done.stdout + done.stderr
    assert token.secret not in done.stdout + done.stderr


@pytest.mark.proves("INTG-PVE-14", "INTG-PVE-18")
@pytest.mark.parametrize(
    ("manager", "force"),
    [("apt-get", "true"), ("apt-get", "false"), ("dnf", "false"), ("yum", "false"), ("apk", "true"), ("apk", "false")],
)
async def test_missing_tools_are_installed_inside(make: Maker, node: Node, manager: str, force: str) -> None:
    text = await fetched(await make(), force=force)
    place = node.add("101", "web")
    stand_in = place / "bin" / manager
    # Installing is making the program appear; a broken archive makes every update fail.
    stand_in.write_text(f"""#!/bin/sh
echo "$0 $*" >>'{place}/installed'
case " $* " in
    *" update "*) [ ! -e '{place}/broken-archive' ] ;;
    *) for last; do :; done; printf '#!/bin/sh\\nexec /usr/bin/%s "$@"\\n' "$last" >'{place}/bin/'"$last"
       chmod +x '{place}/bin/'"$last" ;;
esac
""")
    stand_in.chmod(0o755)
    if force == "true":
        (place / "broken-archive").touch()
    (place / "minimal").touch()
    done = await node.run(text, ["dash"])
    asked = (place / "installed").read_text()
    if manager == "apt-get" and force == "true":
        assert "update" not in asked
        assert "install --fix-broken --yes -q curl" in asked
    if manager == "apt-get" and force == "false":
        assert asked.index("update") < asked.index("install -y -q curl")
    assert ("jq" in asked) is (force == "true")
    assert "curl" in asked
    assert "[SUCCESS] Agent installed successfully in web" in done.stdout, done.stdout
    assert f"FORCE_INSTALL={force}" in (place / "settings").read_text()


# ------------------------------------------------------------------------------------------------ this machine


@pytest.mark.skipif(not can_unshare(), reason="needs root and namespaces of mounts and processes")
@pytest.mark.proves("INTG-ENR-10", "INTG-ENR-13")
async def test_a_machine_enrols_itself_once(call: Call, make: Maker, machine: Path) -> None:
    token = await make("direct-host")
    text = await fetched(token, "direct-host")
    named = f"FRIENDLY_NAME='build \"host\"'\n{text}"
    dry = await on_machine(machine, f"DRY_RUN=true\n{named}")
    assert '[INFO] [DRY RUN] Would enroll: build "host"' in dry.stdout
    assert await call.db.value("select count(*) from hosts") == 0
    done = await on_machine(machine, named)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "PatchMon Agent installation completed successfully" in done.stdout
    assert token.secret not in done.stdout + done.stderr
    row = await call.db.one("select friendly_name, status, api_id from hosts")
    assert row is not None
    assert (row["friendly_name"], row["status"]) == ('build "host"', "active")
    assert row["api_id"] in (machine / "etc-patchmon/credentials.yml").read_text()
    again = await on_machine(machine, named)
    assert again.returncode == 0
    assert "Host already enrolled and agent ping successful" in again.stdout
    assert await call.db.value("select count(*) from hosts") == 1


@pytest.mark.skipif(not can_unshare(), reason="needs root and namespaces of mounts and processes")
async def test_a_machine_that_is_refused_says_why(
    client: Browser, call: Call, make: Maker, admin: dict[str, str], machine: Path
) -> None:
    token = await make("direct-host", max_hosts_per_day=1)
    text = await fetched(token, "direct-host")
    assert (await token.enrol({"friendly_name": "first"})).status == 201
    full = await on_machine(machine, text)
    assert (full.returncode, "[ERROR] Rate limit exceeded" in full.stderr) == (1, True)
    await client.patch(f"/api/v1/auto-enrollment/tokens/{token.id}", json={"is_active": False}, headers=admin)
    refused = await on_machine(machine, text)
    assert "HTTP 401" in refused.stderr
    assert 'Response: {"error":"Invalid or inactive token"}' in refused.stderr
    assert await call.db.value("select count(*) from hosts") == 1
