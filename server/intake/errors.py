"""The refusals of the letterbox, word for word as agents and people have always read them."""

from server.core.errors import Invalid


class BadReport(Invalid):
    """A body that is not a report."""

    code = "invalid_body"
    text = "Invalid request body"


class NoKnownSection(Invalid):
    """A partial report that claims nothing we know."""

    code = "invalid_body"
    text = "sections must contain at least one of packages, repos, interfaces, hostname"


class ClaimedPackagesEmpty(Invalid):
    """A partial report that claims packages and brings none."""

    code = "invalid_body"
    text = "sections claims 'packages' but packages array is empty"


class UnclaimedPackages(Invalid):
    """A partial report that brings packages it does not claim."""

    code = "invalid_body"
    text = "packages provided but 'packages' not in sections"


class UnclaimedRepositories(Invalid):
    """A partial report that brings repositories it does not claim."""

    code = "invalid_body"
    text = "repositories provided but 'repos' not in sections"


class PackagesNeeded(Invalid):
    """A full report without packages."""

    code = "invalid_body"
    text = "Packages array is required"


class TooManyPackages(Invalid):
    """More packages than any host has."""

    code = "invalid_body"
    text = "Packages array exceeds maximum size"


class HashMismatch(Invalid):
    """A section is not what the agent's hash was made of."""

    code = "invalid_body"
    text = "{section} hash mismatch"


class BadInterfaces(Invalid):
    """Network interfaces that are not a list of interfaces."""

    code = "invalid_body"
    text = "invalid networkInterfaces"
