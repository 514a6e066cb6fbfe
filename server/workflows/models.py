"""Workflows, their runs, and schedules."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal, TypeAlias

from server.automation.models import Variables

Row: TypeAlias = dict[str, Any]
Kind = Literal["playbook", "approval", "pause"]
When = Literal["success", "failure", "always"]
Join = Literal["any", "all"]
Missed = Literal["once", "record"]


class NodeState(StrEnum):
    """Where one step of a run is."""

    PENDING = "pending"
    RUNNING = "running"
    WAITING = "waiting"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"


class RunState(StrEnum):
    """Where a run is; it waits while nothing but people and clocks can move it."""

    RUNNING = "running"
    WAITING = "waiting"
    CANCELLING = "cancelling"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Task:
    """A playbook with its variables and hosts: what a step or a schedule launches.

    Attributes:
        hosts, groups: names or UUIDs, as a launch takes them.
        variables: those that are not secret.
        secret_names: the others; their values are sealed elsewhere.
        options: how ansible-playbook is called, under the names of a launch (``tags``, ``diff``, ``credentials`` …).
    """

    playbook: str = ""
    hosts: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    variables: dict[str, Any] = field(default_factory=dict)
    check: bool = False
    options: dict[str, Any] = field(default_factory=dict)
    deadline_seconds: int = 86_400
    secret_names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Node:
    """One step.

    Attributes:
        key: its name within the workflow.
        task: of a playbook.
        minutes: how long a pause takes, and how long an approval waits before it counts as rejected (0: for ever).
        join: of several ways that lead here, is one enough, or must all be taken?
    """

    key: str
    kind: Kind = "playbook"
    title: str = ""
    task: Task = field(default_factory=Task)
    minutes: int = 0
    join: Join = "any"

    @property
    def shown(self) -> str:
        """What people call it."""
        named = {"playbook": self.task.playbook, "approval": "Approval", "pause": f"Pause of {self.minutes} min"}
        return self.title or named[self.kind] or self.key


@dataclass(frozen=True, slots=True)
class Edge:
    """A way from one step to the next, and when it is taken."""

    origin: str
    target: str
    when: When = "success"


@dataclass(frozen=True, slots=True)
class Graph:
    """The steps of a workflow and the ways between them."""

    nodes: tuple[Node, ...] = ()
    edges: tuple[Edge, ...] = ()

    def into(self, key: str) -> tuple[Edge, ...]:
        """Return the ways that lead to a step."""
        return tuple(edge for edge in self.edges if edge.target == key)

    def out_of(self, key: str) -> tuple[Edge, ...]:
        """Return the ways that lead on from a step."""
        return tuple(edge for edge in self.edges if edge.origin == key)

    def node(self, key: str) -> Node:
        """Return a step by its key."""
        return next(node for node in self.nodes if node.key == key)


@dataclass(frozen=True, slots=True)
class Workflow:
    """A workflow; ``secrets`` are variables by step, given anew or kept."""

    name: str
    description: str = ""
    graph: Graph = field(default_factory=Graph)
    secrets: Mapping[str, Variables] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Starter:
    """In whose name a run goes on while nobody is asking: looked up again at every step.

    Attributes:
        kind: person, token or system.
        id: of the person, or of the owner of the token.
        via: the token.
    """

    kind: str
    id: str
    name: str
    via: str = ""


@dataclass(frozen=True, slots=True)
class Run:
    """A run under lock, as decisions about it need it."""

    id: str
    workflow_id: str | None
    name: str
    graph: Graph
    status: RunState
    starter: Starter
    secrets_sealed: str | None


@dataclass(frozen=True, slots=True)
class Standing:
    """One step of a run.

    Attributes:
        job: the job that carries it.
        job_status: where that is; empty while it has not ended.
        due_at: when a pause is over, or an approval comes too late.
        why: the first host that failed, and its reason.
    """

    key: str
    state: NodeState
    job: str | None = None
    job_status: str = ""
    due_at: datetime | None = None
    reason: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """What follows from where the steps are: which begin, which never will, and where the run is then."""

    start: tuple[str, ...]
    skip: tuple[str, ...]
    status: RunState


@dataclass(frozen=True, slots=True)
class Schedule:
    """What starts by itself.

    Attributes:
        workflow: UUID of the workflow it starts; empty for a playbook.
        task: the playbook it starts.
        missed: times that passed while no server ran are made up for once, or only recorded.
        owner: UUID of the person in whose name it starts.
    """

    id: str
    name: str
    cron: str
    timezone: str = "UTC"
    workflow: str = ""
    task: Task = field(default_factory=Task)
    enabled: bool = True
    missed: Missed = "once"
    owner: str = ""
    secrets: Variables = field(default_factory=dict)
