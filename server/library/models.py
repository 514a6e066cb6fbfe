"""Projects, their files and playbooks, credentials, and who may do what."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal

from server.automation.models import Playbook

Kind = Literal["own", "git"]
Level = Literal["none", "view", "launch", "edit"]
CredentialKind = Literal["vault", "become", "environment", "variables", "git_token", "git_key"]
SubjectKind = Literal["role", "person"]
SyncStatus = Literal["queued", "running", "succeeded", "failed"]
Files = Mapping[str, bytes]

LEVELS: Final[tuple[Level, ...]] = ("none", "view", "launch", "edit")
#: Everything of one project together; agents take no more.
MOST_BYTES: Final = 32 * 1024**2
MOST_FILES: Final = 5000
MOST_FILE_BYTES: Final = 8 * 1024**2
#: What the editor opens.
MOST_TEXT_BYTES: Final = 512 * 1024


@dataclass(frozen=True, slots=True)
class Project:
    """Playbooks and files that belong together.

    Attributes:
        slug: first part of its playbooks' names.
        url, branch, credential_id: where a git project comes from, and what opens it.
        vault_ids: credentials whose passwords open what is encrypted in it.
        every_minutes: how often it is synchronised by itself; 0 is never.
        webhook_sealed: the sealed secret of its webhook; ``None`` while it has none.
        default_level: what people who manage automation may do with it.
        digest: of the archive that can be launched; empty before the first one.
        revision: where that comes from: a commit, or the number of changes.
    """

    id: str
    slug: str
    title: str
    description: str
    kind: Kind
    url: str
    branch: str
    credential_id: str | None
    vault_ids: list[str]
    every_minutes: int
    webhook_sealed: str | None = field(repr=False)
    default_level: Level
    digest: str
    revision: str
    synced_at: datetime | None
    changed: int
    created_by: str
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Listed:
    """A project in the list: how many playbooks it has, how its last synchronisation went."""

    project: Project
    playbooks: int
    problems: int
    sync: SyncStatus | None
    sync_reason: str


@dataclass(frozen=True, slots=True)
class NewProject:
    """What a person says about a project."""

    slug: str
    title: str
    description: str = ""
    kind: Kind = "own"
    url: str = ""
    branch: str = ""
    credential_id: str | None = None
    vault_ids: tuple[str, ...] = ()
    every_minutes: int = 0
    default_level: Level = "edit"


@dataclass(frozen=True, slots=True)
class FileEntry:
    """A file of a project, without its content."""

    path: str
    size: int
    version: int


@dataclass(frozen=True, slots=True)
class Version:
    """A version of a file; without content it was deleted."""

    path: str
    version: int
    content: bytes | None = field(repr=False)
    why: str
    made_by: str
    made_at: datetime


@dataclass(frozen=True, slots=True)
class Finding:
    """Something about a file that its author should look at; line and place count from 1, 0 is the whole file."""

    path: str
    line: int
    place: int
    kind: Literal["error", "hint"]
    text: str


@dataclass(frozen=True, slots=True)
class Sync:
    """One time that a project was fetched, checked and published."""

    id: str
    project_id: str
    status: SyncStatus
    cause: str
    asked_by: str
    asked_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    revision: str
    reason: str
    log: str


@dataclass(frozen=True, slots=True)
class Built:
    """What became of a project's files: the archive and what can be launched.

    Attributes:
        vaulted: encrypted values, by the name under which they travel.
        files: whole files that are encrypted, by their path.
    """

    digest: str
    content: bytes = field(repr=False)
    playbooks: tuple[Playbook, ...] = ()
    findings: tuple[Finding, ...] = ()
    vaulted: Mapping[str, str] = field(default_factory=dict, repr=False)
    files: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Said:
    """What people say about a playbook beside its text; empty texts leave those of the playbook."""

    file: str
    title: str = ""
    description: str = ""
    survey: list[dict[str, object]] = field(default_factory=list)
    approval: bool = False
    credential_ids: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Grant:
    """What somebody may do with a project (``file`` is empty) or with one of its playbooks."""

    file: str
    subject_kind: SubjectKind
    subject: str
    level: Level


@dataclass(frozen=True, slots=True)
class Credential:
    """Secret values under a name; only the names of the values are ever shown.

    Attributes:
        names: of its values: variables, environment variables, or the fields of its kind.
        shared: everybody may use it who may launch; else only whom it names.
    """

    id: str
    name: str
    kind: CredentialKind
    description: str
    names: list[str]
    sealed: str = field(repr=False)
    shared: bool
    created_by: str
    created_at: datetime
    updated_at: datetime
    users: list[str]


@dataclass(frozen=True, slots=True)
class NewCredential:
    """What a person says about a credential; without values the stored ones stay."""

    name: str
    kind: CredentialKind
    description: str = ""
    values: Mapping[str, str] = field(default_factory=dict, repr=False)
    shared: bool = True
    users: tuple[str, ...] = ()
