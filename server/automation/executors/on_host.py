"""The host runs the play itself: the bundle is pushed, events come back; the server spends nothing per task."""

from dataclasses import dataclass
from typing import Final

from agent.protocol.messages import Content, Hello, JobOffer
from server.automation import bundle
from server.automation.models import Claimed, Variables

NAME: Final = "on_host"


@dataclass(frozen=True, slots=True)
class Prepared:
    """An offer and the spec it names; the spec may hold secrets and is kept only until the host has it."""

    offer: JobOffer
    spec: bytes


def refusal(hello: Hello | None) -> str:
    """Say why this agent cannot run plays itself; empty when it can."""
    if hello is None:
        return (
            "this host runs an existing PatchMon agent, which cannot run playbooks; install this server's agent on it"
        )
    if NAME in hello.executors:
        return ""
    return f"the agent cannot run plays itself (Python {hello.python or 'unknown'}, 3.11 is needed)"


def prepare(claimed: Claimed, secrets: Variables) -> Prepared:
    """Return what is offered to the host."""
    spec = bundle.spec(claimed, secrets)
    offer = JobOffer(
        job=claimed.uuid,
        playbook=claimed.playbook,
        project=Content(claimed.project_digest, claimed.project_size),
        spec=bundle.content(spec),
        check=claimed.check_mode,
        timeout_seconds=claimed.number("timeout_seconds", 3600),
        grace_seconds=claimed.number("grace_seconds", 30),
        request_id=claimed.request_id,
    )
    return Prepared(offer, spec)
