"""What can keep the embedded services from running, in sentences a person can act on."""

from server.core.errors import Conflict, Unavailable


class EmbeddedFailure(Unavailable):
    """The embedded services cannot run; ``reason`` says why and what to do."""

    code = "embedded_services"
    text = "The embedded services cannot run: {reason}"


class PlaceRefused(EmbeddedFailure):
    """A directory or file is not safe, or not reachable, for what would be kept in it."""

    text = "{path} cannot be used: {reason}"


class WrongMajor(EmbeddedFailure):
    """The data directory was made by another PostgreSQL major; nothing was touched."""

    code = "wrong_postgresql_major"
    text = (
        "{directory} was made by PostgreSQL {found}, but this version of PatchMon brings PostgreSQL {ours}. "
        "Nothing was changed. With the previous version of PatchMon run `patchmon backup FILE`, move {directory} "
        "away, then run `patchmon restore FILE` with this version."
    )


class AlreadyRunning(Conflict):
    """Another server process owns the data directory."""

    code = "already_running"
    text = "Another PatchMon server (process {pid}) is using {path}"


class SecretsMissing(EmbeddedFailure):
    """There is a database but not the secrets that open it; new ones would make stored secrets unreadable."""

    code = "secrets_missing"
    text = (
        "{path} is missing or incomplete, but the database beside it exists. "
        "Put the file back (a backup holds a copy), or move {directory} away to begin with an empty database."
    )


class ServiceFailed(EmbeddedFailure):
    """One of the programs did not start or ended with an error."""

    code = "service_failed"
    text = "{name} failed: {reason}"
