"""The refusals of the packages room."""

from server.core.errors import Invalid, Missing, Refused


class PackagesMismatch(Invalid):
    """The packages are not those the agent's hash was made of."""

    code = "invalid_body"
    text = "packages hash mismatch"


class RepositoriesMismatch(Invalid):
    """The repositories are not those the agent's hash was made of."""

    code = "invalid_body"
    text = "repos hash mismatch"


class PackageMissing(Missing):
    """No such package, or none of the hosts that are seen has it."""

    text = "Package not found"


class RepositoryMissing(Missing):
    """No such repository, or none of the hosts that are seen uses it."""

    text = "Repository not found"


class RepositoryNotUsed(Missing):
    """The host does not use the repository, or one of them does not exist."""

    text = "Host repository not found"


class PackageShared(Refused):
    """What is said of a package is said for hosts that the asker does not see."""

    code = "whole_fleet_only"
    text = "Only people who see the whole fleet can change what is said about packages"


class WholeFleetNeeded(Refused):
    """A repository's record is shared by hosts that the asker does not see."""

    code = "whole_fleet_only"
    text = "Only people who see the whole fleet can change or delete repositories"
