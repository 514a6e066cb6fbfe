"""Sample workflows, runs, schedules and webhooks."""

from datetime import timedelta
from typing import Final

from server.core import clock
from server.web.fields import filled
from server.web.tables import Column, Table, listing, parse
from server.webhooks import pages as hooks
from server.webhooks import rules as hook_rules
from server.workflows import drawing
from server.workflows.models import Edge, Graph, Node, Task
from server.workflows.pages import editor, runs, schedules, workflows
from tools.preview_samples.frame import Context, Sample, before, shell, uuid

_GRAPH: Final = Graph(
    (
        Node("check", title="Check the hosts", task=Task("ping", groups=("web",))),
        Node("sign-off", "approval", "Sign off"),
        Node("patch", task=Task("patch", groups=("web",), check=True)),
        Node("undo", title="Put back what was there", task=Task("rollback", groups=("web",))),
        Node("soak", "pause", minutes=30),
    ),
    (Edge("check", "sign-off"), Edge("sign-off", "patch"), Edge("patch", "undo", "failure"), Edge("patch", "soak")),
)
_STATES: Final = {"check": "succeeded", "sign-off": "waiting", "patch": "pending", "undo": "pending", "soak": "pending"}
_WORKFLOW: Final = workflows.WorkflowRow(
    uuid(900), f"/workflows/{uuid(900)}", "Deploy web", "Checks, asks, patches.",
    [node.shown for node in _GRAPH.nodes], f"/workflows/runs/{uuid(910)}", "waiting", "attention", before(minutes=4),
    before(hours=30),
)  # fmt: skip
_NEVER: Final = workflows.WorkflowRow(
    uuid(901), f"/workflows/{uuid(901)}", "Monthly restart", "", ["reboot"], "", "", "neutral", None, before(hours=300)
)
_RUN: Final = runs.RunRow(
    f"/workflows/runs/{uuid(910)}", "Deploy web", "waiting", "attention", True, "", 1, 5, "ada", "schedule Nightly",
    before(minutes=4), None,
)  # fmt: skip
_FAILED: Final = runs.RunRow(
    f"/workflows/runs/{uuid(911)}", "Deploy web", "failed", "bad", False, "patch: web-02: no room on /", 5, 5, "ada",
    "", before(hours=26), 754.0,
)  # fmt: skip
_STEPS: Final = [
    runs.StepRow("check", "Check the hosts", "playbook", "succeeded", "good", "", f"/jobs/{uuid(1)}", before(minutes=4),
                 None, 12.5, ""),
    runs.StepRow("sign-off", "Sign off", "approval", "waiting", "attention", "", "", before(minutes=3), None, None,
                 f"{_RUN.url}/steps/sign-off"),
    runs.StepRow("patch", "patch", "playbook", "pending", "neutral", "", "", None, None, None, ""),
]  # fmt: skip
_SOON: Final = [clock.now() + timedelta(hours=hours) for hours in (9, 33, 57)]
_SCHEDULE: Final = schedules.ScheduleRow(
    uuid(920), f"/schedules/{uuid(920)}", "Nightly", "Deploy web", _WORKFLOW.url, "", "30 2 * * 1-5", "Europe/Berlin",
    True, "once", "ada", _SOON, before(hours=15), "started", "good", "", _RUN.url,
)  # fmt: skip
_PAUSED: Final = schedules.ScheduleRow(
    uuid(921), f"/schedules/{uuid(921)}", "Weekly check", "patch", "/playbooks/patch/launch", "web, db-01", "0 6 * * 1",
    "UTC", False, "record", "grace", [], before(hours=90), "refused", "bad", "The account grace is switched off", "",
)  # fmt: skip
_STARTS: Final = [
    schedules.StartRow(before(hours=15), False, "started", "good", "", _RUN.url),
    schedules.StartRow(before(hours=39), False, "missed", "attention", "no server was running at that time", ""),
    schedules.StartRow(before(hours=63), True, "started", "good", "", _RUN.url),
]
_HOOK: Final = hooks.WebhookRow(
    uuid(930), f"/settings/webhooks/{uuid(930)}", "Release pipeline", "https://ci.example.com/hooks/patchmon",
    ["job.succeeded", "job.failed", "workflow.failed"], True, "", None, "delivered", "good", "", before(minutes=2),
)  # fmt: skip
_OFF: Final = hooks.WebhookRow(
    uuid(931), f"/settings/webhooks/{uuid(931)}", "Old chat", "https://chat.example.com/x", ["job.failed"], False,
    "Switched off: nothing arrived for 3 days. The last attempt: the receiver answered 410", before(hours=80), "failed",
    "bad", "the receiver answered 410", before(hours=8),
)  # fmt: skip
_DELIVERIES: Final = [
    hooks.DeliveryRow(uuid(940), "job.failed", "pending", "attention", 503, "the receiver answered 503", 2, 81,
                      before(minutes=2), _SOON[0], f"{_HOOK.url}/x", '{\n  "event": "job.failed"\n}', False),
    hooks.DeliveryRow(uuid(941), "ping", "delivered", "good", 204, "", 1, 12, before(hours=1), None, f"{_HOOK.url}/y",
                      '{\n  "event": "ping"\n}', True),
]  # fmt: skip
_SENT: Final = Table("deliveries", _HOOK.url, "message", (Column("event", "Event"), *hooks._DELIVERIES[1:]))  # noqa: SLF001


def _step(number: int, node: Node, after: list[tuple[str, str]], complaints: list[str]) -> editor.StepForm:
    others = [(one.key, one.shown) for one in _GRAPH.nodes if one.key != node.key]
    return editor.StepForm(
        number, node.key, node.kind, {"playbook": "Playbook", "approval": "Approval", "pause": "Pause"}[node.kind],
        node.title, node.task.playbook, "", ", ".join(node.task.groups), "patch_scope: some" if complaints else "", "",
        False, "", "any", [*after, ("", "success")], others, complaints,
    )  # fmt: skip


_EDITOR: Final[Context] = {
    "shell": shell("Workflow", "/workflows/new"), "workflow": "", "name": "Deploy web", "description": "",
    "steps": [
        _step(0, _GRAPH.nodes[0], [], []),
        _step(1, _GRAPH.nodes[1], [("check", "success")], []),
        _step(2, _GRAPH.nodes[2], [("sign-off", "success")], ["variables.patch_scope: must be one of all, security"]),
    ],
    "playbooks": [("ping", "Ping (ping)"), ("patch", "Patch (patch)")], "drawing": drawing.drawn(_GRAPH),
    "name_complaint": "", "complaints": [],
}  # fmt: skip
_FORM: Final = {"name": "Nightly", "cron": "often", "starts": "playbook:patch", "hosts": "web-01"}


def _yes(_: str) -> bool:
    return True


PAGES: Final[list[Sample]] = [
    ("workflows", "workflows/list.html", {
        "shell": shell("Workflows", "/workflows"), "listing": listing(parse(workflows.TABLE, {}), 2, may=_yes),
        "rows": [_WORKFLOW, _NEVER], "can_change": True,
    }),
    ("workflow", "workflows/workflow.html", {
        "shell": shell("Deploy web", _WORKFLOW.url), "workflow": _WORKFLOW, "created_by": "ada", "graph": _GRAPH,
        "drawing": drawing.drawn(_GRAPH), "runs": [_RUN, _FAILED], "total": 2, "can_change": True, "can_launch": True,
        "can_schedule": True,
    }),
    ("workflow-editor", "workflows/editor.html", _EDITOR),
    ("workflow-runs", "workflows/runs.html", {
        "shell": shell("Workflow runs", "/workflows/runs"), "listing": listing(parse(runs.TABLE, {}), 2, may=_yes),
        "rows": [_RUN, _FAILED],
    }),
    ("workflow-run", "workflows/run.html", {
        "shell": shell("Deploy web", _RUN.url), "run": _RUN, "id": uuid(910), "workflow_url": _WORKFLOW.url,
        "earlier_url": _FAILED.url, "drawing": drawing.drawn(_GRAPH, _STATES, {"check": f"/jobs/{uuid(1)}"}),
        "steps": _STEPS, "can_cancel": True, "can_relaunch": False,
    }),
    ("schedules", "workflows/schedules.html", {
        "shell": shell("Schedules", "/schedules"), "listing": listing(parse(schedules.TABLE, {}), 2, may=_yes),
        "rows": [_SCHEDULE, _PAUSED],
    }),
    ("schedule", "workflows/schedule.html", {
        "shell": shell("Nightly", _SCHEDULE.url), "schedule": _SCHEDULE, "starts": _STARTS,
    }),
    ("schedule-form", "workflows/schedule_form.html", {
        "shell": shell("Schedule", "/schedules/new"), "schedule": "",
        "when": filled(schedules._FIELDS, _FORM, {"cron": "must have five fields"}),  # noqa: SLF001
        "what": filled(schedules._WHAT, _FORM, {}), "task": filled(schedules._TASK, _FORM, {}),  # noqa: SLF001
        "complaints": [("cron", "When must have five fields")],
    }),
    ("webhooks", "webhooks/list.html", {
        "shell": shell("Webhooks", "/settings/webhooks"), "rows": [_HOOK, _OFF],
    }),
    ("webhook", "webhooks/webhook.html", {
        "shell": shell("Release pipeline", _HOOK.url), "webhook": _HOOK, "secret": "whsec_0123456789abcdef",
        "listing": listing(parse(_SENT, {}), 2, may=_yes), "rows": _DELIVERIES,
    }),
    ("webhook-form", "webhooks/form.html", {
        "shell": shell("Webhook", "/settings/webhooks/new"), "webhook": "", "fields": filled(hooks._FIELDS, {}, {}),  # noqa: SLF001
        "events": [(event, text, event == "job.failed") for event, text in hook_rules.EVENTS.items()],
        "events_complaint": "Choose at least one event", "complaints": [("events", "Choose at least one event")],
    }),
]  # fmt: skip
