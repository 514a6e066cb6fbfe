"""Sample forms, errors, and the page of all parts."""

from dataclasses import fields as dataclass_fields
from types import SimpleNamespace as Thing
from typing import Any, Final

from multidict import MultiDict

from server.core import clock
from server.dashboard.styleguide import styleguide
from server.web.fields import Field
from tools.preview_samples.frame import PALETTE, Sample, before, shell, uuid

PAGES: Final[list[Sample]] = []
PAGES.append(
    (
        "host-new",
        "hosts/new.html",
        {
            "shell": shell("Add a host", "/hosts", (("Hosts", "/hosts"), ("Add", ""))),
            "complaints": [],
            "platform": "linux",
            "systems": [],
            "groups": [(uuid(50), "web", "#3B82F6", True), (uuid(51), "database", "#EF4444", False)],
            "fields": [
                Field("friendly_name", "Name", placeholder="server.example.com", help="How people call it here."),
                Field("docker_enabled", "Docker", "boolean", value=False),
            ],
            "command_fields": [],
        },
    )
)
PAGES.append(
    (
        "host-new-windows",
        "hosts/new.html",
        {
            "shell": shell("Add a host", "/hosts", (("Hosts", "/hosts"), ("Add", ""))),
            "complaints": [],
            "platform": "windows",
            "systems": [],
            "groups": [],
            "fields": [
                Field("friendly_name", "Name", placeholder="server.example.com", help="How people call it here."),
            ],
            "command_fields": [
                Field("bypass_ssl", "Self-signed certificate (SSL bypass)", "boolean", value=False),
                Field("with_curl", "Use curl instead of Invoke-WebRequest", "boolean", value=False),
            ],
        },
    )
)
command = (
    'curl -s "https://patchmon.example.com/api/v1/hosts/install" -H "X-API-ID: patchmon_7f3a9c21d4" '
    '-H "X-API-KEY: 8d1f0c4be6a94d6a0f" | sudo sh'
)
PAGES.append(
    (
        "host-created",
        "hosts/created.html",
        {
            "shell": shell("Connect web-13", "/hosts", (("Hosts", "/hosts"), ("web-13", ""))),
            "host": Thing(id=uuid(13), name="web-13", url="/hosts/13"),
            "api_id": "patchmon_7f3a9c21d4",
            "api_key": "8d1f0c4be6a94d6a0f",
            "install_command": command,
            "is_windows": False,
            "stage": "connected",
            "stages": [
                ("waiting", "Waiting for connection", "wifi", "done"),
                ("connected", "Connected", "plug-connected", "now"),
                ("receiving", "Receiving initial report", "download", "later"),
                ("done", "Done", "circle-check", "later"),
            ],
        },
    )
)
nobody: dict[str, Any] = {"person": None, "nav": []}
PAGES.append(
    (
        "error-404",
        "error.html",
        {"shell": shell("Error", "/hosts/none"), "status": 404, "text": "Host not found", "details": {}},
    )
)
PAGES.append(
    (
        "error-500",
        "error.html",
        {"shell": shell("Error", "/", **nobody), "status": 500, "text": "Internal Server Error", "details": {}},
    )
)
_GUIDE: Final = styleguide(MultiDict({"page": "2", "state": "good"}), clock.now())
PAGES.append(
    (
        "styleguide",
        "styleguide/index.html",
        {
            **{one.name: getattr(_GUIDE, one.name) for one in dataclass_fields(_GUIDE)},
            "shell": shell(
                "Parts",
                "/styleguide",
                (("Development", "/"), ("Parts", "")),
                flashes=[("attention", "This page shows every part.")],
                palette=PALETTE,
            ),
        },
    )
)
PAGES.append(
    (
        "agent-versions",
        "hosts/rollouts.html",
        {
            "shell": shell("Agent versions", "/settings/agent-versions"),
            "home": "/settings/agent-versions",
            "words": {"first": ("First hosts", "attention"), "stopped": ("Stopped", "bad")},
            "complaints": [],
            "fields": [
                Field("first_percent", "Hosts that come first, of a hundred", "number", value=10),
                Field("wait_minutes", "Minutes before the others follow", "number", value=60),
            ],
            "folder": "/opt/patchmon/agents",
            "files": [
                (
                    "linux",
                    "amd64",
                    Thing(name="patchmon-agent.pyz", version="3.1.0", size_bytes=2_739_074, sha256="4fd1ab2f9a7b" * 6),
                ),
                ("windows", "arm64", None),
            ],
            "rollouts": [
                (
                    Thing(
                        id=1,
                        file="patchmon-agent.pyz",
                        version="3.1.0",
                        state="stopped",
                        reason="web-13 took version 3.1.0 back",
                        begun_at=before(hours=2),
                        offered=12,
                        back=11,
                        failed=1,
                    ),
                    [
                        Thing(
                            id=uuid(13),
                            name="web-13",
                            agent_version="3.0.0",
                            offered_at=before(hours=1),
                            failed_at=before(minutes=5),
                        )
                    ],
                ),
                (
                    Thing(
                        id=2,
                        file="patchmon-agent-linux-amd64",
                        version="2.1.5",
                        state="first",
                        reason="",
                        begun_at=before(hours=2),
                        offered=4,
                        back=3,
                        failed=0,
                    ),
                    [
                        Thing(
                            id=uuid(14),
                            name="db-2",
                            agent_version="2.1.4",
                            offered_at=before(minutes=9),
                            failed_at=None,
                        )
                    ],
                ),
            ],
        },
    )
)
