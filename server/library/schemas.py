"""What the library's doors take and hand out."""

from typing import Any

from pydantic import Field

from server.library import rules
from server.library.models import (
    Credential,
    CredentialKind,
    FileEntry,
    Finding,
    Grant,
    Kind,
    Level,
    Listed,
    NewCredential,
    NewProject,
    Project,
    Said,
    SubjectKind,
    Sync,
    Version,
)
from server.web.forms import Body, TextBody


class ProjectBody(TextBody):
    """What a person or a program says about a project."""

    slug: str = Field(default="", max_length=100)
    title: str = Field(default="", max_length=200)
    description: str = Field(default="", max_length=2000)
    kind: Kind = "own"
    url: str = Field(default="", max_length=1000)
    branch: str = Field(default="", max_length=300)
    credential_id: str = Field(default="", max_length=36)
    vault_ids: tuple[str, ...] = Field(default=(), max_length=20)
    every_minutes: int = 0
    default_level: Level = "edit"

    def wanted(self) -> NewProject:
        """Return it as the service takes it; without a name of its own it is called like its title."""
        title = self.title.strip() or self.slug
        return NewProject(
            self.slug.strip() or slug_of(title), title, self.description.strip(), self.kind, self.url.strip(),
            self.branch.strip(), self.credential_id or None, tuple(one for one in self.vault_ids if one),
            self.every_minutes, self.default_level,
        )  # fmt: skip


def slug_of(title: str) -> str:
    """Return a title as the name of a project."""
    plain = "".join(one if one.isascii() and one.isalnum() else "-" for one in title.lower())
    return "-".join(part for part in plain.split("-") if part)[:40].strip("-")


class FileBody(Body):
    """A file's text; ``version`` is the one it was made from, 0 for a new file."""

    text: str
    version: int = 0
    why: str = Field(default="", max_length=500)


class PlaybookBody(TextBody):
    """What is said about a playbook beside its text."""

    title: str = Field(default="", max_length=200)
    description: str = Field(default="", max_length=2000)
    approval: bool = False
    credentials: tuple[str, ...] = Field(default=(), max_length=20)
    survey: tuple[dict[str, Any], ...] = Field(default=(), max_length=100)

    def said(self, file: str, survey: list[dict[str, object]]) -> Said:
        """Return it as the service takes it."""
        chosen = [one for one in self.credentials if one]
        return Said(file, self.title.strip(), self.description.strip(), survey, self.approval, chosen)


class GrantBody(TextBody):
    """Who may do what."""

    file: str = Field(default="", max_length=100)
    subject_kind: SubjectKind = "role"
    subject: str = Field(default="", max_length=100)
    level: Level = "view"

    def grant(self) -> Grant:
        """Return it as the service takes it."""
        return Grant(self.file, self.subject_kind, self.subject, self.level)


class CredentialBody(Body):
    """A credential; its values are only ever taken in."""

    name: str = Field(default="", max_length=200)
    kind: CredentialKind
    description: str = Field(default="", max_length=1000)
    values: dict[str, str] = Field(default_factory=dict, max_length=100)
    shared: bool = True
    users: tuple[str, ...] = Field(default=(), max_length=200)

    def wanted(self) -> NewCredential:
        """Return it as the service takes it."""
        values = {name: value for name, value in self.values.items() if value}
        plain = self.name.replace("\0", "").strip(), self.description.replace("\0", "").strip()
        return NewCredential(plain[0], self.kind, plain[1], values, self.shared, users_of(self.users))


def users_of(given: tuple[str, ...]) -> tuple[str, ...]:
    """Return those that name a role or a person."""
    return tuple(one for one in given if one.partition(":")[0] in {"role", "person"} and one.partition(":")[2])


# ---------------------------------------------------------------- out


def project_view(project: Project) -> dict[str, Any]:
    """Return a project as programs see it."""
    return {
        "slug": project.slug,
        "title": project.title,
        "description": project.description,
        "kind": project.kind,
        "url": project.url,
        "branch": project.branch,
        "credential_id": project.credential_id,
        "vault_ids": project.vault_ids,
        "every_minutes": project.every_minutes,
        "webhook": project.webhook_sealed is not None,
        "default_level": project.default_level,
        "digest": project.digest,
        "revision": project.revision,
        "synced_at": project.synced_at,
        "created_by": project.created_by,
        "created_at": project.created_at,
        "updated_at": project.updated_at,
    }


def listed_view(one: Listed) -> dict[str, Any]:
    """Return a project of the list as programs see it."""
    return {
        **project_view(one.project),
        "playbooks": one.playbooks,
        "problems": one.problems,
        "sync": {"status": one.sync, "reason": one.sync_reason} if one.sync else None,
    }


def file_view(file: FileEntry) -> dict[str, Any]:
    """Return a file of a project."""
    return {"path": file.path, "size": file.size, "version": file.version}


def version_view(version: Version) -> dict[str, Any]:
    """Return a version of a file, without its content."""
    return {
        "version": version.version,
        "deleted": version.content is None,
        "why": version.why,
        "by": version.made_by,
        "at": version.made_at,
    }


def finding_view(finding: Finding) -> dict[str, Any]:
    """Return what was found."""
    return {name: getattr(finding, name) for name in Finding.__slots__}


def sync_view(sync: Sync) -> dict[str, Any]:
    """Return how a synchronisation went."""
    return {name: getattr(sync, name) for name in Sync.__slots__ if name != "project_id"}


def credential_view(credential: Credential, uses: int = 0) -> dict[str, Any]:
    """Return a credential: the names of its values, never one of them."""
    return {
        "id": credential.id,
        "name": credential.name,
        "kind": credential.kind,
        "kind_name": rules.KINDS[credential.kind],
        "description": credential.description,
        "names": credential.names,
        "shared": credential.shared,
        "users": credential.users,
        "uses": uses,
        "created_by": credential.created_by,
        "created_at": credential.created_at,
        "updated_at": credential.updated_at,
    }


def said_view(said: Said) -> dict[str, Any]:
    """Return what is said about a playbook."""
    return {
        "file": said.file,
        "title": said.title,
        "description": said.description,
        "survey": said.survey,
        "approval": said.approval,
        "credentials": said.credential_ids,
    }


def grant_view(grant: Grant) -> dict[str, Any]:
    """Return who may do what."""
    return {name: getattr(grant, name) for name in Grant.__slots__}
