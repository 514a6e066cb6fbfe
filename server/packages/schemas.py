"""What is asked of the room's lists and sent to change records, and how packages and repositories look as JSON."""

from typing import Any, Final

from pydantic import AliasChoices, Field, field_validator

from server.packages.views import (
    Asked,
    Edit,
    PackageHead,
    PackageHost,
    PackageLine,
    RepositoriesAsked,
    Repository,
    RepositoryHost,
    Source,
    Words,
)
from server.web.forms import TextBody
from server.web.tables import Wanted

STATE_WORDS: Final = (("outdated", "Needs updating"), ("security", "Security updates"), ("regular", "Regular updates"))
EXPORTED: Final = ("id", "name", "category", "latest_version", "installs", "outdated", "security", "repositories")
REPOSITORIES_EXPORTED: Final = (
    "id",
    "name",
    "url",
    "distribution",
    "components",
    "type",
    "secure",
    "active",
    "hosts",
    "description",
    "priority",
)
_HIGHEST: Final = 100_000


class RepositoryBody(TextBody):
    """What may be changed of a repository's record."""

    name: str | None = Field(default=None, min_length=1, max_length=255)
    description: str | None = Field(default=None, max_length=4000)
    is_active: bool | None = Field(default=None, validation_alias=AliasChoices("isActive", "is_active"))
    priority: int | None = Field(default=None, ge=0, le=_HIGHEST)

    @field_validator("name")
    @classmethod
    def some_name(cls, value: str | None) -> str | None:
        """Refuse a name of nothing but spaces."""
        if value is not None and not value.strip():
            message = "must not be empty"
            raise ValueError(message)
        return value.strip() if value else value

    def edit(self) -> Edit:
        """Return what is to be changed; only what was sent."""
        return Edit(self.name, self.description, self.is_active, self.priority, "priority" in self.model_fields_set)


class PackageBody(TextBody):
    """What may be said of a package."""

    description: str | None = Field(default=None, max_length=4000)
    category: str | None = Field(default=None, max_length=100)

    def words(self) -> Words:
        """Return what is to be said."""
        return Words(
            None if self.description is None else self.description.strip(),
            None if self.category is None else self.category.strip(),
        )


class FlagBody(TextBody):
    """Whether one host has a repository enabled."""

    is_enabled: bool = Field(validation_alias=AliasChoices("isEnabled", "is_enabled"))


def asked_of(wanted: Wanted, host_id: int | None, repository_id: int | None) -> Asked:
    """Return which packages a list wants."""
    return Asked(
        search=wanted.search,
        category=wanted.value("category"),
        state=wanted.value("filter") if "filter" not in wanted.complaints else "",
        host_id=host_id,
        repository_id=repository_id,
        sort=wanted.sort,
        direction=wanted.direction,
        window=wanted.window,
    )


def repositories_of(wanted: Wanted, host_id: int | None) -> RepositoriesAsked:
    """Return which repositories a list wants."""
    return RepositoriesAsked(
        search=wanted.search,
        security=wanted.value("security") if "security" not in wanted.complaints else "",
        state=wanted.value("status") if "status" not in wanted.complaints else "",
        host_id=host_id,
        sort=wanted.sort,
        direction=wanted.direction,
        window=wanted.window,
    )


def exported(one: PackageLine) -> dict[str, object]:
    """Return a package as a line of a file."""
    values = {name: getattr(one, name) for name in EXPORTED if name != "repositories"}
    return {**values, "repositories": ", ".join(source.label for source in one.sources)}


def repository_exported(one: Repository) -> dict[str, object]:
    """Return a repository as a line of a file."""
    return {name: getattr(one, "repo_type" if name == "type" else name) for name in REPOSITORIES_EXPORTED}


def source(one: Source) -> dict[str, object]:
    """Return where a package comes from, for programs."""
    return {"id": one.id, "name": one.label, "url": one.url, "is_secure": one.secure}


def line(one: PackageLine) -> dict[str, object]:
    """Return a package of the list, for programs."""
    return {
        "id": one.id,
        "name": one.name,
        "description": one.description,
        "category": one.category,
        "latest_version": one.latest_version,
        "needsUpdate": one.outdated > 0,
        "isSecurityUpdate": one.security > 0,
        "stats": _stats(one.installs, one.outdated, one.security),
        "sourceRepos": [source(each) for each in one.sources],
    }


def _stats(installs: int, outdated: int, security: int) -> dict[str, int]:
    return {
        "totalInstalls": installs,
        "updatesNeeded": outdated,
        "securityUpdates": security,
        "upToDate": installs - outdated,
    }


def head(one: PackageHead, hosts: list[PackageHost], systems: list[tuple[str, str, int]]) -> dict[str, object]:
    """Return one package with (the first of) its hosts, for programs."""
    return {
        "id": str(one.key),
        "name": one.name,
        "description": one.description,
        "category": one.category,
        "latest_version": one.latest_version,
        "last_seen": one.seen_at,
        "host_packages": [host(each) for each in hosts],
        "stats": _stats(one.installs, one.outdated, one.security),
        "distributions": [{"os_type": name, "os_version": version, "count": n} for name, version, n in systems],
        "sourceRepos": [source(each) for each in one.sources],
    }


def host(one: PackageHost) -> dict[str, object]:
    """Return a host that has a package, and why it is behind, for programs."""
    return {
        "hostId": one.id,
        "friendlyName": one.name,
        "hostname": one.hostname,
        "os": one.os,
        "currentVersion": one.current_version,
        "availableVersion": one.available_version,
        "needsUpdate": one.needs_update,
        "isSecurityUpdate": one.security,
        "sourceRepository": one.repository,
        "repositoryId": one.source.id if one.source else None,
        "outdatedSince": one.outdated_since,
        "kb": one.kb,
        "severity": one.severity,
        "lastSeen": one.seen_at,
    }


def repository(one: Repository) -> dict[str, Any]:
    """Return a repository, for programs."""
    return {
        "id": one.id,
        "name": one.label,
        "url": one.url,
        "distribution": one.distribution,
        "components": one.components,
        "repo_type": one.repo_type,
        "description": one.description,
        "is_active": one.active,
        "is_secure": one.secure,
        "priority": one.priority,
        "host_count": one.hosts,
        "created_at": one.created_at,
        "updated_at": one.updated_at,
        **({"last_seen": one.seen_at} if one.seen_at else {}),
    }


def repository_host(one: RepositoryHost) -> dict[str, object]:
    """Return a host that uses a repository, for programs."""
    return {
        "host_id": one.id,
        "is_enabled": one.enabled,
        "priority": one.priority,
        "last_checked": one.seen_at,
        "hosts": {"id": one.id, "friendly_name": one.name, "hostname": one.hostname, "ip": one.ip, "os": one.os},
    }
