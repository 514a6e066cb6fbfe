"""An existing agent's own commands of the wire contract carry the job."""

from typing import Final

from agent.protocol.messages import Hello

NAME: Final = "native"


def refusal(hello: Hello | None) -> str:
    """Say why the job cannot be carried by an existing agent's commands."""
    if hello is None:
        return "this server does not translate playbooks into existing agents' commands"
    return "the agent is not an existing PatchMon agent"
