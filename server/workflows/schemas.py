"""Bodies and answers of the doors of workflows and schedules."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from server.web.forms import Body
from server.workflows.models import Edge, Graph, Node, Row, Schedule, Task, Workflow
from server.workflows.ordering import MASK


def _storable(text: str) -> str:
    if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise ValueError("must not contain U+0000 or half a character")
    return text


Text = Annotated[str, AfterValidator(_storable)]


class TaskBody(Body):
    """A playbook with its variables and hosts."""

    playbook: Text = Field(default="", max_length=200)
    hosts: tuple[Text, ...] = Field(default=(), max_length=5000)
    groups: tuple[Text, ...] = Field(default=(), max_length=1000)
    variables: dict[Text, Any] = Field(default_factory=dict)
    check: bool = False
    options: dict[Text, Any] = Field(default_factory=dict)
    deadline_seconds: int = Field(default=86_400, ge=1, le=90 * 86_400)

    def task(self) -> Task:
        """Return it as it is checked next."""
        return Task(
            self.playbook, self.hosts, self.groups, self.variables, self.check, self.options, self.deadline_seconds
        )


class NodeBody(TaskBody):
    """A step; a playbook's fields stand beside the others."""

    key: Text = Field(max_length=40)
    kind: Literal["playbook", "approval", "pause"] = "playbook"
    title: Text = Field(default="", max_length=200)
    minutes: int = 0
    join: Literal["any", "all"] = "any"

    def node(self) -> Node:
        """Return the step."""
        task = self.task() if self.kind == "playbook" else Task()
        return Node(self.key, self.kind, self.title.strip(), task, self.minutes, self.join)


class EdgeBody(Body):
    """A way from one step to the next."""

    origin: Text = Field(alias="from", max_length=40)
    target: Text = Field(alias="to", max_length=40)
    when: Literal["success", "failure", "always"] = "success"


class WorkflowBody(Body):
    """A workflow."""

    name: Text = Field(max_length=400)
    description: Text = Field(default="", max_length=2000)
    nodes: tuple[NodeBody, ...] = Field(default=(), max_length=200)
    edges: tuple[EdgeBody, ...] = Field(default=(), max_length=1000)

    def workflow(self) -> Workflow:
        """Return what is wanted."""
        nodes = tuple(node.node() for node in self.nodes)
        edges = tuple(Edge(edge.origin, edge.target, edge.when) for edge in self.edges)
        return Workflow(self.name, self.description, Graph(nodes, edges))


class ScheduleBody(TaskBody):
    """A schedule, of a workflow or of a playbook whose fields stand beside the others."""

    name: Text = Field(max_length=400)
    cron: Text = Field(max_length=200)
    timezone: Text = Field(default="UTC", max_length=100)
    workflow: Text = Field(default="", max_length=40)
    enabled: bool = True
    missed: Literal["once", "record"] = "once"

    def schedule(self, schedule_id: str = "") -> Schedule:
        """Return what is wanted."""
        return Schedule(
            schedule_id,
            self.name,
            self.cron,
            self.timezone,
            self.workflow,
            Task() if self.workflow else self.task(),
            self.enabled,
            self.missed,
        )


# ---------------------------------------------------------------- answers


def task_view(task: Task) -> dict[str, Any]:
    """Return a task under the names of its body; secrets are only named."""
    shown = asdict(task)
    names = shown.pop("secret_names")
    return {**shown, "variables": {**shown["variables"], **dict.fromkeys(names, MASK)}}


def graph_view(graph: Graph) -> dict[str, Any]:
    """Return a graph under the names of its body."""
    return {
        "nodes": [
            {
                "key": node.key,
                "kind": node.kind,
                "title": node.title,
                "minutes": node.minutes,
                "join": node.join,
                **(task_view(node.task) if node.kind == "playbook" else {}),
            }
            for node in graph.nodes
        ],
        "edges": [{"from": way.origin, "to": way.target, "when": way.when} for way in graph.edges],
    }


def workflow_view(row: Row) -> dict[str, Any]:
    """Return a workflow for programs."""
    shown = {key: row[key] for key in ("id", "name", "description", "created_by", "created_at", "updated_at")}
    last = {"id": row["last_run"], "status": row["last_status"], "created_at": row["last_at"]}
    return {**shown, **graph_view(row["graph"]), "last_run": last if row["last_run"] else None}


def run_view(row: Row) -> dict[str, Any]:
    """Return a run with its steps for programs."""
    shown = ("id", "workflow_id", "name", "status", "reason", "cause", "relaunch_of", "created_at", "finished_at")
    return {
        **{key: row[key] for key in shown},
        "started_by": row["starter"]["name"],
        "nodes": row["nodes"],
        "edges": graph_view(row["graph"])["edges"],
    }


def schedule_view(row: Row) -> dict[str, Any]:
    """Return a schedule for programs."""
    shown = ("id", "name", "cron", "timezone", "enabled", "missed", "owner", "upcoming", "created_at", "updated_at")
    last: Mapping[str, Any] | None = None
    if row["last_outcome"]:
        last = {key.removeprefix("last_"): row[key] for key in row if key.startswith("last_")}
    return {
        **{key: row[key] for key in shown},
        "workflow": row["workflow_id"],
        "workflow_name": row["workflow_name"],
        **({} if row["workflow_id"] else task_view(row["schedule"].task)),
        "last": last,
        **({"starts": row["starts"]} if "starts" in row else {}),
    }
