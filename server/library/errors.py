"""What the library refuses."""

from server.core.errors import Conflict, Invalid, Missing, Refused


class ProjectMissing(Missing):
    """No project has this name, or the asker must not see it."""

    code = "project_not_found"
    text = "Project not found"


class FileMissing(Missing):
    """The project has no such file, or no such version of it."""

    code = "file_not_found"
    text = "File {path} not found"


class CredentialMissing(Missing):
    """No credential has this id."""

    code = "credential_not_found"
    text = "Credential not found"


class BadInput(Invalid):
    """What was sent cannot be kept; ``complaints`` says why, field by field."""

    code = "invalid_body"
    text = "{error}"

    @classmethod
    def of(cls, complaints: dict[str, str]) -> "BadInput":
        """Return the refusal that says the first complaint and carries all of them."""
        return cls(complaints, error=next(iter(complaints.values())))


class BadFile(Invalid):
    """A file, or an archive of files, is not one that a project can have."""

    code = "bad_file"
    text = "{reason}"


class MayNot(Refused):
    """The asker may see the project, not do this to it."""

    code = "project_forbidden"
    text = "This needs the right to {level} the project {project}"


class Changed(Conflict):
    """Somebody else saved the file meanwhile."""

    code = "file_changed"
    text = "Somebody saved {path} since you opened it"


class NotWritable(Conflict):
    """Files of a git project are changed in git."""

    code = "not_writable"
    text = "The files of this project come from git; change them there"


class NothingToSync(Conflict):
    """A project that is written here has nowhere to come from."""

    code = "nothing_to_sync"
    text = "This project is written here; there is nothing to synchronise"


class WebhookRefused(Refused):
    """The call does not know the project's secret."""

    code = "webhook_refused"
    text = "The signature of this call is not right"


class BadProject(Exception):
    """What a project holds, or where it is, cannot be used; the text is for its log and page."""
