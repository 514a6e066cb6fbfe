"""Sample pages of the system: the audit log, the environment, what holds for all agents."""

from dataclasses import replace
from typing import Final
from urllib.parse import parse_qsl

from multidict import MultiDict

from server.audit.models import Entry
from server.audit.pages import TABLE
from server.settings.models import StoredPicture, Variable
from server.settings.pages.branding import Slot
from server.web.fields import Field
from server.web.tables import listing, parse
from tools.preview_samples.frame import Context, Sample, before, shell


def _entry(number: int, action: str, subject: tuple[str, str, str], **changes: str) -> Entry:
    return Entry(
        id=number,
        at=before(minutes=number * 17),
        actor_kind=changes.get("actor_kind", "person"),
        actor_id="1",
        actor_name=changes.get("actor_name", "ada"),
        via="",
        via_name="",
        address=changes.get("address", "203.0.113.7"),
        action=action,
        subject_kind=subject[0],
        subject_id=subject[1],
        subject_name=subject[2],
        detail={},
        request_id="0f" * 16,
    )


def _audit(rows: list[tuple[Entry, str]], query: str = "", total: int = 0) -> Context:
    wanted = parse(TABLE, MultiDict(parse_qsl(query)))
    return {
        "shell": shell("Audit log", "/audit"),
        "listing": listing(wanted, total, may=lambda _: True),
        "rows": rows,
    }


_ENTRIES: Final = [
    (_entry(1, "settings.changed", ("setting", "update_interval", "update_interval")), "60 → 30"),
    (_entry(2, "hosts.created", ("host", "7", "web-01")), "api id: patchmon_0f5bf7223ce22d62, platform: linux"),
    (_entry(3, "audit.pruned", ("", "", ""), actor_kind="system", actor_name="settings.prune_audit", address=""), ""),
]

_LIMIT: Final = Variable(
    key="RATE_LIMIT_MAX",
    category="Rate limits",
    description="Requests of people and their tokens from one address within the window",
    effective_value="5000",
    source="env",
    default="5000",
    database_value="10",
    conflict=True,
    editable=True,
    sensitive=False,
    requires_restart=False,
    type="number",
)
_SECRET: Final = replace(
    _LIMIT,
    key="JWT_SECRET",
    description="Signs sign-ins; another one signs everybody out",
    effective_value="••••••••",
    default=None,
    database_value=None,
    conflict=False,
    editable=False,
    requires_restart=True,
)
_STORED: Final = replace(_LIMIT, key="RATE_LIMIT_WINDOW_MS", source="database", conflict=False)
_VALUE: Final = Field("value", _LIMIT.description, "number", value="10", help="Default: 5000. From 1 to 10000000.")
_INTERVAL: Final = Field("update_interval", "Minutes between two reports", "number", value=60, help="From 5 to 1440.")

_MARK: Final = "/static/icons/favicon.svg"
_LOGO: Final = StoredPicture("light", "harbour.png", "image/png", "0" * 64, 480, 120, before(days=2), b"", 4096)

PAGES: Final[tuple[Sample, ...]] = (
    ("audit", "audit/log.html", _audit(_ENTRIES, total=90)),
    ("audit-many", "audit/log.html", _audit(_ENTRIES, "page=7&size=25&who=ada", total=10_000)),
    ("audit-wrong", "audit/log.html", _audit([], "who=ada&since=yesterday")),
    ("audit-empty", "audit/log.html", _audit([])),
    ("api-docs", "dashboard/api_docs.html", {"shell": shell("API", "/api/v1/api-docs/")}),
    (
        "environment",
        "settings/environment.html",
        {
            "shell": shell("Environment", "/settings/environment"),
            "groups": [("Authentication", [_SECRET]), ("Rate limits", [_STORED, _LIMIT])],
        },
    ),
    (
        "environment-variable",
        "settings/variable.html",
        {
            "shell": shell("Environment", "/settings/environment/RATE_LIMIT_MAX"),
            "variable": _LIMIT,
            "field": replace(_VALUE, value="0", complaint="must be a whole number from 1 to 10000000"),
            "complaints": [("value", "must be a whole number from 1 to 10000000")],
        },
    ),
    (
        "agent-config",
        "settings/agent_config.html",
        {"shell": shell("Agents", "/settings/agent-config"), "fields": [_INTERVAL], "complaints": []},
    ),
    (
        "branding",
        "settings/branding.html",
        {
            "shell": shell("Branding", "/settings/branding"),
            "fields": [
                Field("brand_name", "Name", value="Harbour"),
                Field("brand_accent", "Accent colour", value="#a00"),
            ],
            "complaints": [("dark", "This is no PNG, JPEG, WebP, GIF, ICO or SVG file.")],
            "slots": [
                Slot("light", "Logo for the light theme", "In the bar.", _MARK, _LOGO),
                Slot("dark", "Logo for the dark theme", "In the bar.", _MARK, None, "This is no PNG file."),
                Slot("favicon", "Favicon", "In the tab.", _MARK, None),
            ],
            "accent": "#aa0000",
        },
    ),
)
