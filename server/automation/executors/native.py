"""An existing agent's own commands of the wire contract carry the job."""

from collections.abc import Mapping, Sequence
from typing import Final, Protocol

from agent.protocol.messages import Hello
from server.automation.models import Claimed
from server.core.call import Call

NAME: Final = "native"
#: Existing agents queue their commands and lock nothing: one that changes the host waits for the one before.
CHANGING_AT_ONCE: Final = 1

Command = Mapping[str, object]


class Translator(Protocol):
    """An upper room that says jobs of one playbook in commands of existing agents.

    Attributes:
        playbook: whose jobs it can say.
    """

    playbook: str

    async def begin(self, call: Call, claimed: Sequence[Claimed]) -> dict[str, Command | str]:
        """Return per job host, by its UUID, the command that begins it, or in a sentence why there is none."""

    async def begun(self, call: Call, job_hosts: Sequence[str]) -> None:
        """Hear that the commands of these job hosts are about to be sent."""

    async def stop(self, call: Call, job_hosts: Sequence[str]) -> dict[str, Command]:
        """Return the commands that end those of these job hosts which are this room's."""


def refusal(hello: Hello | None) -> str:
    """Say why the job cannot be carried by an existing agent's commands."""
    if hello is None:
        return "existing agents have no command for this playbook"
    return "the agent is not an existing PatchMon agent"
