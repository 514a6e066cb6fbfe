"""The refusals of the commands room."""

from server.core.errors import Conflict, Invalid, Unavailable


class AgentAway(Conflict):
    """Commands are not kept for later: they are for who is there."""

    code = "agent_offline"
    text = "Agent is not currently connected"


class CannotApply(Unavailable):
    """What waits goes on waiting until the agent is there."""

    code = "agent_offline"
    text = "Agent is not currently connected. The change waits until it is."


class DockerOff(Invalid):
    """There is no inventory to ask for."""

    code = "docker_off"
    text = "Docker integration is not enabled for this host"


class HostsNeeded(Invalid):
    """Nobody was named."""

    code = "invalid_body"
    text = "hostIds must name at least one host"
