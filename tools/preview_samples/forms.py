"""Sample forms, pages of the signed-out, errors, and the page of all parts."""

from dataclasses import fields as dataclass_fields
from types import SimpleNamespace as Thing
from typing import Any, Final

from multidict import MultiDict

from server.core import clock
from server.dashboard.styleguide import styleguide
from server.identity.codes import picture
from server.web.fields import Field
from tools.preview_samples.frame import PALETTE, Context, Sample, before, shell, uuid

PAGES: Final[list[Sample]] = []
fields = [
    Field(
        "patch_scope",
        "Scope",
        "choice",
        "security",
        (("all", "all"), ("security", "security"), ("packages", "packages")),
        "Which updates are installed.",
        required=True,
    ),
    Field(
        "patch_packages",
        "Packages",
        "list",
        "libssl3\nopen ssl",
        help="One name a line; only for the scope packages.",
        required=False,
        complaint="“open ssl” is not a package name.",
    ),
    Field("patch_refresh_cache", "Refresh the package cache first", "boolean", True, required=False),
    Field(
        "patch_lock_timeout_seconds",
        "Wait for the package manager's lock",
        "number",
        600,
        help="Seconds.",
        required=False,
    ),
    Field("extra", "Extra", "json", '{\n  "region": "eu"\n}', required=False),
]
launch: Context = {
    "shell": shell("Run Patch", "/playbooks", (("Playbooks", "/playbooks"), ("Run", ""))),
    "playbook": Thing(
        name="patch",
        title="Patch",
        description="Brings packages up to date: all, security only, or named ones.",
        url="/playbooks/patch",
    ),
    "fields": fields,
    "hosts": [(uuid(n), f"web-{n:02d}", n % 3 != 0) for n in range(1, 10)],
    "groups": [(uuid(50), "web", 9), (uuid(51), "database", 1)],
    "chosen_hosts": [uuid(1), uuid(3)],
    "chosen_groups": [],
    "check": True,
    "sentence": "Dry run of Patch on 2 hosts. Nothing on them is changed.",
    "complaints": [("patch_packages", "Packages: “open ssl” is not a package name.")],
}
PAGES.append(("launch", "automation/launch.html", launch))
PAGES.append(
    (
        "host-new",
        "hosts/new.html",
        {
            "shell": shell("Add a host", "/hosts", (("Hosts", "/hosts"), ("Add", ""))),
            "complaints": [],
            "groups": [(uuid(50), "web", True), (uuid(51), "database", False)],
            "fields": [
                Field("friendly_name", "Name", placeholder="server.example.com", help="How people call it here.")
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
            "connected": False,
            "reported": False,
        },
    )
)
nobody: dict[str, Any] = {"person": None, "nav": []}
PAGES.append(
    (
        "login",
        "identity/login.html",
        {
            "shell": shell("Sign in", "/login", **nobody),
            "return_to": "/",
            "providers": [],
            "complaints": ["Invalid credentials"],
            "fields": [
                Field("username", "Username or email", value="ada", autocomplete="username"),
                Field("password", "Password", "password", autocomplete="current-password"),
            ],
        },
    )
)
account = [
    Field("first_name", "First name", autocomplete="given-name"),
    Field("last_name", "Last name", autocomplete="family-name"),
    Field("username", "Username", autocomplete="username"),
    Field("email", "Email", "email", autocomplete="email"),
    Field("password", "Password", "password", autocomplete="new-password"),
    Field("confirm", "Password again", "password", autocomplete="new-password"),
]
rules = ["at least 8 characters", "an uppercase and a lowercase letter", "a number and a special character"]
PAGES.append(
    (
        "setup",
        "identity/setup.html",
        {
            "shell": shell("Setup", "/setup", **nobody),
            "fields": account,
            "rules": rules,
            "token": "t",
            "complaints": [],
        },
    )
)
PAGES.append(
    (
        "setup-closed",
        "identity/setup.html",
        {"shell": shell("Setup", "/setup", **nobody), "fields": [], "rules": [], "token": "", "complaints": []},
    )
)
PAGES.append(
    (
        "profile",
        "settings/profile.html",
        {
            "shell": shell("Profile", "/settings"),
            "profile_fields": account[:4],
            "profile_complaints": [],
            "password_fields": account[4:],
            "password_complaints": [],
            "rules": rules,
            "sessions": [
                Thing(
                    id=uuid(n),
                    current=n == 1,
                    device=("Firefox on Linux", "Safari on iPhone")[n - 1],
                    address="203.0.113.7",
                    last_seen_at=before(minutes=n),
                    created_at=before(days=n),
                )
                for n in (1, 2)
            ],
        },
    )
)
PAGES.append(
    (
        "second-step",
        "identity/second_step.html",
        {
            "shell": shell("Two-Factor Authentication", "/login", **nobody),
            "ticket": "t",
            "return_to": "/",
            "complaints": ["Invalid verification code. 4 attempts left."],
            "fields": [
                Field("token", "Verification Code", help="The 6 digits your authenticator shows."),
                Field("remember_me", "Remember me on this computer (skip TFA for 30 days)", "boolean", required=False),
            ],
        },
    )
)
for phase in ("off", "scan", "codes", "on"):
    PAGES.append(
        (
            f"two-factor-{phase}",
            "settings/two_factor.html",
            {
                "shell": shell("Multi-Factor Authentication", "/settings"),
                "phase": phase,
                "fields": [Field("token", "Verification Code") if phase == "scan" else account[4]],
                "complaints": [],
                "picture": picture("JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP", "ada"),
                "secret": "JBSW Y3DP EHPK 3PXP JBSW Y3DP EHPK 3PXP",
                "codes": ["A1B2C3D4", "QWER7T8Z", "ZXCV0912", "PLMK5544"],
                "download": "data:text/plain;base64,QQ==",
                "codes_left": 10,
                "devices": [
                    Thing(
                        id=uuid(n),
                        current=n == 1,
                        label=("Firefox on Linux", "Safari on iPhone")[n - 1],
                        user_agent="Mozilla/5.0",
                        address="203.0.113.7",
                        created_at=before(days=n),
                        last_used_at=before(minutes=n),
                        expires_at=before(days=-29),
                    )
                    for n in (1, 2)
                ],
            },
        )
    )
PAGES.append(
    (
        "tokens",
        "settings/tokens.html",
        {
            "shell": shell("API tokens", "/settings"),
            "created": "pm_2f7c1e90ab44d0b7c3",
            "complaints": [],
            "fields": [Field("name", "Name", placeholder="CI pipeline")],
            "tokens": [
                Thing(
                    id=uuid(n),
                    name=name,
                    prefix="pm_2f7c",
                    created_at=before(days=n),
                    last_used_at=used,
                    expires_at=None,
                )
                for n, name, used in ((1, "CI pipeline", before(minutes=3)), (2, "laptop", None))
            ],
        },
    )
)
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
