"""From a project's files to what can be launched: requirements, encrypted values apart, checks, one archive."""

from collections.abc import Mapping

from agent.protocol.archive import ArchiveError, digest, pack
from server.automation.librarian import PROJECT
from server.core.loop import in_thread
from server.library import plays, tools, vault
from server.library.errors import BadProject
from server.library.models import MOST_BYTES, Built, Files, Finding, Project, Said
from server.library.tools import Say


def origin_of(project: Project) -> str:
    """Return the origin under which automation keeps the project's playbooks."""
    return f"{PROJECT}{project.slug}"


async def build(project: Project, files: Files, said: Mapping[str, Said], say: Say) -> Built:
    """Return the project as it can be launched; what is wrong with single playbooks is among the findings.

    Raises ``BadProject`` when nothing of it can be.
    """
    whole = await tools.with_requirements(files, say) if tools.requirements(files) else dict(files)
    built, checked = await in_thread(_pack, project, whole, said)
    names = [one.file for one in built.playbooks]
    say(f"{len(names)} playbooks: {', '.join(names)}" if names else "There is no playbook at the top of the project.")
    found = [*built.findings, *await tools.syntax(checked, names), *await tools.hints(checked, names)]
    for one in found:
        if one.kind == "error":
            say(f"{one.path}:{one.line}: {one.text}")
    return Built(
        built.digest, built.content, built.playbooks, tuple(_of_files(found, files)), built.vaulted, built.files
    )


def _pack(project: Project, files: Files, said: Mapping[str, Said]) -> tuple[Built, dict[str, bytes]]:
    if sum(map(len, files.values())) > MOST_BYTES:
        raise BadProject(f"The project is larger than {MOST_BYTES // 1024**2} MiB")
    try:
        travelling, values, whole = vault.take_out(files)
        content = pack(travelling)
    except (ArchiveError, ValueError) as error:
        raise BadProject(str(error)) from error
    name = digest(content)
    found, wrong = plays.playbooks(project.slug, files, said, name, origin_of(project))
    return Built(name, content, found, wrong, values, whole), travelling


def _of_files(found: list[Finding], files: Files) -> list[Finding]:
    # What stands in roles that were installed is their authors' to mend.
    return [one for one in dict.fromkeys(found) if one.path in files]
