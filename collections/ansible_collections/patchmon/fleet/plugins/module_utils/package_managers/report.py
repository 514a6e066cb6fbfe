"""Turns what the drivers found into the rows of a host's report, so that agent and playbooks never disagree."""

from __future__ import annotations

from typing import Optional, Sequence, TypedDict

from .base import Installed, PackageManager, Reboot, Repository, Update


class PackageRow(TypedDict, total=False):
    """One package on the wire; keys that would be empty are left out."""

    name: str
    description: str
    category: str
    currentVersion: str
    availableVersion: str
    needsUpdate: bool
    isSecurityUpdate: bool
    sourceRepository: str


class RepositoryRow(TypedDict):
    """One package source on the wire."""

    name: str
    url: str
    distribution: str
    components: str
    repoType: str
    isEnabled: bool
    isSecure: bool


class Inventory(TypedDict):
    """Everything a package manager contributes to a report."""

    packageManager: str
    packages: list[PackageRow]
    repositories: list[RepositoryRow]
    needsReboot: bool
    rebootReason: str


def inventory(manager: PackageManager) -> Inventory:
    """Ask the manager for everything."""
    reboot: Reboot = manager.reboot()
    return Inventory(
        packageManager=manager.name,
        packages=package_rows(manager.installed(), manager.updates()),
        repositories=repository_rows(manager.repositories()),
        needsReboot=reboot.required,
        rebootReason=reboot.reason,
    )


def package_rows(installed: Sequence[Installed], updates: Sequence[Update]) -> list[PackageRow]:
    """One row per installed package, with its update where one waits."""
    waiting = {update.name: update for update in updates}
    return [_package_row(package, waiting.get(package.name)) for package in installed]


def repository_rows(repositories: Sequence[Repository]) -> list[RepositoryRow]:
    """One row per source."""
    return [
        RepositoryRow(
            name=repository.name,
            url=repository.url,
            distribution=repository.distribution,
            components=repository.components,
            repoType=repository.repo_type,
            isEnabled=repository.enabled,
            isSecure=repository.secure,
        )
        for repository in repositories
    ]


def _package_row(package: Installed, update: Optional[Update]) -> PackageRow:
    row = PackageRow(
        name=package.name,
        currentVersion=package.version,
        needsUpdate=update is not None,
        isSecurityUpdate=update is not None and update.security,
    )
    if package.description:
        row["description"] = package.description
    if package.category:
        row["category"] = package.category
    if update is not None:
        row["availableVersion"] = update.available
    repository = update.repository if update is not None else package.repository
    if repository:
        row["sourceRepository"] = repository
    return row
