"""From a project's files to what can be launched: requirements, encrypted values apart, checks, one archive."""

from collections.abc import Mapping

from agent.protocol.archive import ArchiveError, digest, pack
from server.automation.service import PROJECT
from server.core.loop import in_thread
from server.core.words import counted
from server.library import plays, tools, vault
from server.library.errors import BadProject
from server.library.models import MOST_BYTES, Built, Files, Finding, Project, Said
from server.library.tools import Say


def origin_of(project: Project) -> str:
    """Return the origin under which automation keeps the project's playbooks."""
    return f"{PROJECT}{project.slug}"


async def build(project: Project, files: Files, said: Mapping[str, Said], say: Say) -> tuple[Built, dict[str, bytes]]:
    """Return the project as it can be launched, and its files as they travel, for ``check``.

    Raises ``BadProject`` when nothing of it can be launched. What cannot be read as YAML is among the findings.
    """
    whole = await tools.with_requirements(files, say) if tools.requirements(files) else dict(files)
    built, travelling = await in_thread(_pack, project, whole, said)
    names = [one.file for one in built.playbooks]
    listed = f"{counted(len(names), 'playbook')}: {', '.join(names)}"
    say(listed if names else "There is no playbook at the top of the project.")
    return built, travelling


async def check(built: Built, travelling: Files, own: Files, say: Say) -> tuple[Finding, ...]:
    """Return what is wrong with single playbooks.

    Args:
        built: the project, published already: checks advise, they do not block.
        travelling: its files with everything that its requirements brought.
        own: its files as their authors wrote them; what is in others is not theirs to mend.
        say: takes the log.
    """
    names = [one.file for one in built.playbooks]
    wrong = [*built.findings, *await tools.syntax(travelling, names)]
    for one in wrong:
        say(f"{one.path}:{one.line}: {one.text}")
    return tuple(one for one in dict.fromkeys(wrong) if one.path in own)


async def hints(files: Files, names: list[str]) -> tuple[Finding, ...]:
    """Return what could be better in playbooks that have no mistake, where something is installed that knows."""
    travelling, _, _ = await in_thread(vault.take_out, files)
    return tuple(await tools.hints(travelling, names))


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
