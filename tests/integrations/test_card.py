"""The card of a dashboard, and what published clients make of the API."""

import os
import shutil
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from subprocess import CompletedProcess, run
from typing import Any

import pytest

from server.core.call import Call
from server.core.loop import in_thread
from tests.conftest import Browser
from tests.factories.hosts import added, enrolled, full_report, package, repository
from tests.integrations.conftest import Maker, said
from tests.integrations.test_tokens import group


async def fleet(call: Call, client: Browser) -> None:
    """Three kinds of systems on seven hosts, and one that never reported."""
    systems = ("Ubuntu", "Ubuntu", "Ubuntu", "Debian", "Debian", "Alpine", "Fedora")
    for number, name in enumerate(systems):
        agent = await enrolled(call, client, f"h{number}")
        packages = [package("bash", "5.2")]
        if number < 3:
            packages.append(package("openssl", "3.0.1", "3.0.2", isSecurityUpdate=True))
        if number < 5:
            packages.append(package("curl", "7.88", "8.0"))
        report = full_report(packages, [repository()], osType=name, osVersion="24.04" if number else "22.04")
        assert (await agent.update(report)).status == 200
    await added(call, "silent")


@pytest.mark.proves("INTG-GH-01", "INTG-GH-04", "INTG-GH-08", "INTG-DIFF-08", "INV-164")
async def test_the_figures(client: Browser, call: Call, make: Maker) -> None:
    token = await make("gethomepage")
    await fleet(call, client)
    told = await token.read("/gethomepage/stats")
    made = datetime.fromisoformat(told.pop("last_updated"))
    assert abs(datetime.now(UTC) - made) < timedelta(seconds=30)
    distribution = [
        {"name": "Ubuntu", "count": 3, "os_type": "Ubuntu", "os_version": "24.04"},
        {"name": "Debian", "count": 2, "os_type": "Debian", "os_version": "24.04"},
        {"name": "Alpine", "count": 1, "os_type": "Alpine", "os_version": "24.04"},
        {"name": "Fedora", "count": 1, "os_type": "Fedora", "os_version": "24.04"},
    ]
    assert told == {
        "total_hosts": 7,
        "hosts_needing_updates": 5,
        "up_to_date_hosts": 2,
        "awaiting_data_hosts": 1,
        "hosts_with_security_updates": 3,
        "security_updates": 3,
        "total_outdated_packages": 8,
        "total_repos": 1,
        "recent_updates_24h": 7,
        "os_distribution": distribution,
        "top_os_1_name": "Ubuntu",
        "top_os_1_count": 3,
        "top_os_2_name": "Debian",
        "top_os_2_count": 2,
        "top_os_3_name": "Alpine",
        "top_os_3_count": 1,
    }
    assert told["hosts_needing_updates"] + told["up_to_date_hosts"] == told["total_hosts"]
    assert sum(one["count"] for one in told["os_distribution"]) == told["total_hosts"]
    await call.db.execute("delete from hosts where os_type = 'Ubuntu'")
    told = await token.read("/gethomepage/stats/")
    assert (told["top_os_1_name"], told["top_os_3_name"], told["recent_updates_24h"]) == ("Debian", "Fedora", 4)
    # Reading changes nothing but when the key was last used.
    assert await call.db.value("select count(*) from hosts") == 5


async def test_an_empty_fleet_has_figures_too(make: Maker) -> None:
    told = await (await make("gethomepage")).read("/gethomepage/stats")
    assert told["os_distribution"] == []
    assert [told[f"top_os_{place}_name"] for place in (1, 2, 3)] == ["None"] * 3
    assert {told[name] for name in told if name.endswith(("_count", "_hosts", "_updates", "_repos"))} == {0}


@pytest.mark.proves("INTG-GH-01", "INTG-GH-02", "INTG-GH-03", "INTG-DIFF-12")
async def test_the_health_names_the_key(client: Browser, call: Call, make: Maker) -> None:
    token = await make("gethomepage", token_name="Living room")
    told = await token.read("/gethomepage/health")
    assert abs(datetime.now(UTC) - datetime.fromisoformat(told.pop("timestamp"))) < timedelta(seconds=30)
    assert told == {"status": "ok", "api_key": "Living room"}
    wrong = await client.get("/api/v1/gethomepage/health", headers=(await make("api")).basic)
    assert await said(wrong) == (401, {"error": "Invalid API key type"})
    await call.db.execute("alter table repositories rename to elsewhere")
    answer = await token.get("/gethomepage/stats")
    assert await said(answer) == (500, {"error": "Failed to fetch statistics"})


@pytest.mark.proves("INTG-GH-06")
@pytest.mark.parametrize("name", ["favicon.svg", "logo_dark.png", "logo_light.png"])
async def test_dashboards_find_our_pictures(client: Browser, name: str) -> None:
    answer = await client.get(f"/assets/{name}")
    assert (answer.status, answer.content_type) == (200, "image/svg+xml")
    assert (await client.get("/assets/other.svg")).status == 404


# ------------------------------------------------------------------------------------------------ clients

#: What the manual's inventory script does with the API, in our own words.
SCRIPT = """
import base64, json, os, sys, urllib.request
pair = base64.b64encode(f"{os.environ['KEY']}:{os.environ['SECRET']}".encode()).decode()
request = urllib.request.Request(os.environ["URL"] + "/api/v1/api/hosts", headers={"Authorization": "Basic " + pair})
hosts = json.load(urllib.request.urlopen(request, timeout=10))["hosts"]
inventory = {"_meta": {"hostvars": {}}, "all": {"hosts": []}}
for host in hosts:
    name = host["friendly_name"]
    inventory["all"]["hosts"].append(name)
    inventory["_meta"]["hostvars"][name] = {
        "ansible_host": host["ip"], "patchmon_id": host["id"], "patchmon_hostname": host["hostname"]}
    for group in host["host_groups"]:
        known = group["name"].lower().replace(" ", "_").replace("-", "_")
        inventory.setdefault(known, {"hosts": [], "vars": {"patchmon_group_id": group["id"]}})["hosts"].append(name)
print(json.dumps(inventory))
"""


async def ran(folder: Path, command: list[str], **environment: str) -> "CompletedProcess[str]":
    given = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "HOME": str(folder), **environment}
    return await in_thread(run, command, capture_output=True, text=True, check=False, env=given, cwd=folder, timeout=60)


async def test_an_inventory_script_feeds_ansible(
    client: Browser, call: Call, make: Maker, admin: dict[str, str], tmp_path: Path
) -> None:
    import json  # noqa: PLC0415

    token = await make("api")
    lab = await group(client, admin, "Lab Ulm")
    agent = await enrolled(call, client, "web-01", group_ids=(lab["id"],))
    assert (await agent.update(full_report([package("bash", "5.2")]))).status == 200
    script = tmp_path / "patchmon_inventory.py"
    script.write_text(f"#!{sys.executable}\n{SCRIPT}")
    script.chmod(0o755)
    url = f"http://127.0.0.1:{client.port}"
    done = await ran(
        tmp_path, ["ansible-inventory", "-i", str(script), "--list"], URL=url, KEY=token.key, SECRET=token.secret
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    assert found["lab_ulm"] == {"hosts": ["web-01"]}
    variables = found["_meta"]["hostvars"]["web-01"]
    assert (variables["ansible_host"], variables["patchmon_hostname"]) == ("10.20.0.12", "web-01.example.net")
    assert variables["patchmon_group_id"] == lab["id"]
    refused = await ran(tmp_path, [sys.executable, str(script)], URL=url, KEY=token.key, SECRET="0" * 64)
    assert "HTTP Error 401" in refused.stderr


#: How the manual's playbook uses the administration of tokens and the enrolment.
PLAYBOOK = """
- hosts: localhost
  gather_facts: false
  tasks:
    - uri:
        url: "{{ url }}/api/v1/auto-enrollment/tokens"
        method: POST
        headers: {Authorization: "Bearer {{ login }}"}
        body_format: json
        body: {token_name: From Ansible, max_hosts_per_day: 10, metadata: {integration_type: proxmox-lxc}}
        status_code: 201
      register: made
    - uri:
        url: "{{ url }}/api/v1/auto-enrollment/tokens"
        headers: {Authorization: "Bearer {{ login }}"}
        status_code: 200
      register: listed
    - uri:
        url: "{{ url }}/api/v1/auto-enrollment/enroll"
        method: POST
        headers:
          X-Auto-Enrollment-Key: "{{ made.json.token.token_key }}"
          X-Auto-Enrollment-Secret: "{{ made.json.token.token_secret }}"
        body_format: json
        body: {friendly_name: from-ansible}
        status_code: 201
      register: host
    - get_url:
        url: >-
          {{ url }}/api/v1/auto-enrollment/script?type=proxmox-lxc&token_key={{ made.json.token.token_key
          }}&token_secret={{ made.json.token.token_secret }}&force=false
        dest: "{{ folder }}/proxmox_auto_enroll.sh"
        mode: "0700"
    - assert:
        that:
          - listed.json | length == 1
          - host.json.host.api_id is match('patchmon_')
"""


@pytest.mark.proves("INTG-ANS-17", "INTG-ENR-10", "INTG-ENR-11", "INTG-ENR-14")
@pytest.mark.timeout(120)
async def test_a_playbook_makes_a_token_and_enrols(
    client: Browser, call: Call, admin: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "play.yml").write_text(PLAYBOOK)
    login = admin["Authorization"].removeprefix("Bearer ")
    told = [f"url=http://127.0.0.1:{client.port}", f"login={login}", f"folder={tmp_path}"]
    extra = [part for one in told for part in ("-e", one)]
    python = f"ansible_python_interpreter={sys.executable}"
    done = await ran(
        tmp_path,
        ["ansible-playbook", "-i", "localhost,", "-c", "local", "-e", python, *extra, "play.yml"],
        ANSIBLE_LOCALHOST_WARNING="false",
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert await call.db.column("select friendly_name from hosts") == ["from-ansible"]
    script = (tmp_path / "proxmox_auto_enroll.sh").read_text()
    assert "FORCE_INSTALL=${FORCE_INSTALL:-false}" in script


#: Every running container in one request, as people do who have no agent to install in them yet.
BULK = """
- hosts: localhost
  gather_facts: false
  tasks:
    - shell: |
        pct list | awk 'NR > 1 && $2 == "running" {print $1, $NF}' | while read -r id name; do
            machine=$(pct exec "$id" -- sh -c "cat /etc/machine-id" </dev/null)
            jq -n --arg name "$name" --arg machine "$machine" '{friendly_name: $name, machine_id: $machine}'
        done | jq -s .
      register: containers
      changed_when: false
    - uri:
        url: "{{ url }}/api/v1/auto-enrollment/enroll/bulk"
        method: POST
        headers:
          X-Auto-Enrollment-Key: "{{ key }}"
          X-Auto-Enrollment-Secret: "{{ secret }}"
        body_format: json
        body:
          hosts: "{{ containers.stdout | from_json }}"
        status_code: 201
      register: enrolled
    - uri:
        url: "{{ url }}/api/v1/hosts/install"
        headers:
          X-API-ID: "{{ item.api_id }}"
          X-API-KEY: "{{ item.api_key }}"
        return_content: true
      loop: "{{ enrolled.json.results.success }}"
      register: scripts
    - assert:
        that:
          - "enrolled.json.message == 'Bulk enrollment completed: 2 succeeded, 0 failed, 0 skipped'"
          - scripts.results | map(attribute='content') | select('search', '^#!/bin/sh') | length == 2
"""


@pytest.mark.proves("INTG-DIFF-10", "INTG-DIFF-11", "INTG-ENR-13")
@pytest.mark.timeout(120)
async def test_a_playbook_enrols_every_container_of_a_node_at_once(
    client: Browser, call: Call, make: Maker, tmp_path: Path
) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    shutil.copy(Path(__file__).with_name("pct"), programs / "pct")
    listed = ("VMID Status Lock Name", "101 running web", "102 stopped old", "103 running mail")
    (tmp_path / "list").write_text("".join(f"{row}\n" for row in listed))
    for container in ("101", "103"):
        (tmp_path / container / "etc").mkdir(parents=True)
        (tmp_path / container / "etc" / "machine-id").write_text(f"4c4c{container}\n")
    (tmp_path / "play.yml").write_text(BULK)
    token = await make()
    told = [f"url=http://127.0.0.1:{client.port}", f"key={token.key}", f"secret={token.secret}"]
    extra = [part for one in told for part in ("-e", one)]
    python = f"ansible_python_interpreter={sys.executable}"
    done = await ran(
        tmp_path,
        ["ansible-playbook", "-i", "localhost,", "-c", "local", "-e", python, *extra, "play.yml"],
        ANSIBLE_LOCALHOST_WARNING="false",
        PCT=str(tmp_path),
        PATH=f"{programs}:{Path(sys.executable).parent}:{os.environ['PATH']}",
    )
    assert done.returncode == 0, done.stdout + done.stderr
    rows = await call.db.all("select friendly_name, machine_id from hosts order by friendly_name")
    assert [(row["friendly_name"], row["machine_id"]) for row in rows] == [("mail", "4c4c103"), ("web", "4c4c101")]
