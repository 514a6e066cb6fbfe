"""The refusals of the docker room."""

from server.core.errors import Conflict, Invalid, Missing, Problem


class BadInventory(Invalid):
    """A body that is not an inventory."""

    code = "invalid_body"
    text = "Invalid JSON body"


class InventoryMismatch(Invalid):
    """The inventory is not the one the agent's hash was made of."""

    code = "invalid_body"
    text = "docker hash mismatch"


class ContainerMissing(Missing):
    """No such container, or on none of the hosts that are seen."""

    text = "Container not found"


class ImageMissing(Missing):
    """No such image, or on none of the hosts that are seen."""

    text = "Image not found"


class VolumeMissing(Missing):
    """No such volume, or on none of the hosts that are seen."""

    text = "Volume not found"


class NetworkMissing(Missing):
    """No such network, or on none of the hosts that are seen."""

    text = "Network not found"


class DockerHostMissing(Missing):
    """The host never reported Docker."""

    text = "Docker host not found"


class AgentAway(Conflict):
    """Nothing is deleted while nobody is there to do it."""

    code = "agent_offline"
    text = "Agent is not currently connected"


class AgentTooOld(Conflict):
    """Existing agents only report; they delete nothing."""

    code = "agent_too_old"
    text = (
        "The agent on {host} (version {version}) cannot delete. Delete it on the host, or forget the record here: it "
        "comes back with the next report while it exists."
    )


class EngineRefused(Conflict):
    """The host's engine would not delete it; the text is the engine's own."""

    code = "engine_refused"
    text = "{reason}"


class ManyHosts(Conflict):
    """An image is on several hosts: one of them has to be named."""

    code = "host_needed"
    text = "This image is on {count} hosts. Name the one it is to be deleted from."


class ImageUsed(Conflict):
    """A record that a container needs."""

    code = "image_used"
    text = "Containers use this image. Its record goes when they do."


class NoAnswer(Problem):
    """The agent took the command and said nothing in time."""

    code = "no_answer"
    text = "The agent did not answer within {seconds} seconds. What became of it shows in the next report."
