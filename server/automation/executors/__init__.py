"""How a job host is carried out: one file per way, chosen by what the host's agent can do."""

from dataclasses import dataclass
from typing import Final

from agent.protocol.messages import Hello
from server.automation.executors import native, on_host, relayed

_WAYS: Final = (on_host, relayed, native)
#: The other way a person would think of: for an existing agent its own commands, else the relay.
_SECOND: Final = {True: native.NAME, False: relayed.NAME}


@dataclass(frozen=True, slots=True)
class Choice:
    """The executor for a host, or why there is none."""

    executor: str = ""
    refusal: str = ""


def choose(hello: Hello | None) -> Choice:
    """Return the first way this agent can go; ``None`` is an existing agent that never greeted."""
    refusals = {way.NAME: way.refusal(hello) for way in _WAYS}
    able = next((name for name, refusal in refusals.items() if not refusal), "")
    return (
        Choice(able)
        if able
        else Choice(refusal=f"unsupported: {refusals[on_host.NAME]}; {refusals[_SECOND[hello is None]]}")
    )
