"""The refusals of the packages room."""

from server.core.errors import Invalid


class PackagesMismatch(Invalid):
    """The packages are not those the agent's hash was made of."""

    code = "invalid_body"
    text = "packages hash mismatch"


class RepositoriesMismatch(Invalid):
    """The repositories are not those the agent's hash was made of."""

    code = "invalid_body"
    text = "repos hash mismatch"
