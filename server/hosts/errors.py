"""The refusals of the hosts room."""

from server.core.errors import Conflict, Invalid, Missing, Refused, Unavailable, Unknown


class HostMissing(Missing):
    """No such host."""

    text = "Host not found"


class BadHostId(Invalid):
    """The id in the path is not one of ours."""

    code = "invalid_body"
    text = "Invalid host ID format"


class CredentialsNeeded(Unknown):
    """A header with the host's credentials is missing or empty."""

    text = "API credentials required"


class CredentialsWrong(Unknown):
    """Unknown id or wrong key: which of the two is not said."""

    text = "Invalid API credentials"


class NameNeeded(Invalid):
    """A host has no name."""

    code = "invalid_body"
    text = "Friendly name is required"


class GroupMissing(Invalid):
    """A named group does not exist."""

    code = "invalid_body"
    text = "One or more host groups not found"


class OwnGroupNeeded(Invalid):
    """Whoever is limited to host groups would lose sight of the host."""

    code = "invalid_body"
    text = "You are limited to some host groups: choose at least one of them"


class WholeFleetOnly(Refused):
    """A new group is in nobody's limits, so who is limited would never see it."""

    code = "whole_fleet_only"
    text = "Only people who see the whole fleet can make host groups"


class NoSuchGroup(Missing):
    """No such group."""

    text = "Host group not found"


class GroupNameTaken(Invalid):
    """Groups are addressed by name, so names are unique whatever their case."""

    code = "invalid_body"
    text = "A host group with this name already exists"


class GroupInUse(Invalid):
    """A group with hosts is not deleted: they would lose something that decides about them."""

    code = "group_in_use"
    text = "This group still has hosts: {hosts}"


class WholeFleetGroups(Refused):
    """A group may hold hosts that who is limited does not see."""

    code = "whole_fleet_only"
    text = "Only people who see the whole fleet can change host groups"


class BadTag(Invalid):
    """Not a tag."""

    code = "bad_tag"
    text = "{tag} is no tag: write a word of letters, digits and . _ / - or word=value"


class TooManyTags(Invalid):
    """Nobody reads that many tags."""

    code = "too_many_tags"
    text = "A host can have at most {most} tags"


class TooManyHosts(Invalid):
    """More hosts were chosen than can be done at once."""

    code = "too_many_hosts"
    text = "At most {most} hosts at once"


class BootstrapTokenNeeded(Invalid):
    """The exchange was asked for without a token."""

    code = "invalid_body"
    text = "Bootstrap token required"


class BootstrapTokenWrong(Unknown):
    """Expired, used or never issued."""

    text = "Invalid or expired bootstrap token"


class BootstrapDown(Unavailable):
    """Tokens live in Redis only."""

    text = "Bootstrap service unavailable"


class BadSystem(Invalid):
    """Not an operating system agents exist for."""

    code = "invalid_body"
    text = "Invalid os. Must be one of: linux, freebsd, windows"


class BadArchitecture(Invalid):
    """Not an architecture agents exist for on this system."""

    code = "invalid_body"
    text = "Invalid architecture for {system}. Must be one of: {architectures}"


class AgentFileMissing(Missing):
    """The server holds no agent for this system."""

    text = "Agent binary not found for {system}/{architecture}. Build it with: make agent"


class NoSuchRollout(Missing):
    """Not a version that was offered to the fleet."""

    text = "Roll-out not found"


class HostGone(Conflict):
    """The host was deleted while its report was being stored."""

    code = "host_gone"
    text = "This host was deleted"


class NoSuchInterface(Invalid):
    """The host reported no interface of this name."""

    code = "invalid_body"
    text = "Network interface not found"


class AddressFromInterface(Conflict):
    """A chosen interface gives the address, so nobody types it."""

    code = "address_from_interface"
    text = "The address comes from {interface}; choose no primary interface to type another one"


class NothingPending(Invalid):
    """There is nothing to apply."""

    code = "nothing_pending"
    text = "No pending configuration changes"


class UnknownIntegration(Invalid):
    """Not an integration hosts have."""

    code = "invalid_body"
    text = "Unknown integration. Must be one of: docker, compliance"
