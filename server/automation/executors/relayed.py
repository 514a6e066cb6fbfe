"""A worker runs the play and the agent relays its commands: for hosts whose Python is older than 3.11."""

from typing import Final

from agent.protocol.messages import Hello

NAME: Final = "relayed"


def refusal(hello: Hello | None) -> str:
    """Say why plays cannot be relayed through this agent."""
    return "existing agents cannot relay plays" if hello is None else "this server does not relay plays through agents"
