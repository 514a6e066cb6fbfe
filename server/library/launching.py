"""Answering for the library's playbooks when they are launched: who may, with which secrets, approved by whom."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

import yaml

from server.automation import service as automation
from server.automation.models import Json, Order, Playbook, Variables
from server.automation.service import Offered, Provided
from server.core.call import Call
from server.core.db import Queries, Tx
from server.core.ids import is_uuid
from server.core.loop import in_thread
from server.core.secretbox import BadSeal
from server.library import credentials, plays, rules, vault
from server.library.models import Credential, Level, Project, Said
from server.library.queries import credentials as credential_rows
from server.library.queries import projects as rows

_WORDS: Final[Mapping[Level, automation.Level]] = {"none": "", "view": "view", "launch": "launch", "edit": "edit"}
_MOST_SECRET_BYTES: Final = 4 * 1024**2
#: Shorter ones stand everywhere.
_SHORTEST_NUMBER: Final = 4


class Shelf:
    """The library, as automation asks it."""

    async def levels(self, db: Queries, call: Call, names: tuple[str, ...]) -> Mapping[str, automation.Level]:
        """Return how far the actor may go with each of these playbooks."""
        projects = {one.slug: one for one in await rows.list_projects(db)}
        grants = await rows.list_all_grants(db)
        found: dict[str, automation.Level] = {}
        for name in names:
            slug, _, stem = name.partition("/")
            if (project := projects.get(slug)) is not None:
                # A grant names the file, a playbook's name leaves its ending out.
                mine = [replace(one, file=one.file.rpartition(".")[0]) for one in grants.get(project.id, ())]
                found[name] = _WORDS[rules.level_of(call.actor, project.default_level, mine, stem)]
        return {name: level for name, level in found.items() if level}

    async def offered(self, call: Call, playbook: Playbook) -> Offered:
        """Return what a launch form offers."""
        kept = [one for one in await credentials.usable(call) if one.kind in rules.FOR_JOBS]
        said, project = await _said(call.db, playbook)
        usual = [*(said.credential_ids if said else ()), *(project.vault_ids if project else ())]
        return Offered(
            tuple((one.id, one.name, rules.KINDS[one.kind]) for one in kept if one.id not in usual),
            (),
            approval=bool(said and said.approval),
        )

    async def provide(self, tx: Tx, call: Call, playbook: Playbook, order: Order) -> Provided:
        """Return the secrets of a launch: of the credentials it names, of those it usually gets, and of its vault."""
        said, project = await _said(tx, playbook)
        named = tuple(dict.fromkeys(order.options.credentials))
        if not all(map(is_uuid, named)):
            return Provided(complaints={"credentials": "are no credentials"})
        usual = tuple(said.credential_ids) if said else ()
        vaults = tuple(project.vault_ids) if project else ()
        found = {one.id: one for one in await credential_rows.find_credentials(tx, (*usual, *vaults, *named))}
        if complaint := _complaint(call, found, named):
            return Provided(complaints={"credentials": complaint})
        # What the launch names comes last and so counts.
        used = [found[one] for one in (*vaults, *usual, *named) if one in found]
        try:
            given = [(one, credentials.values(call, one)) for one in used]
        except BadSeal:
            return Provided(complaints={"credentials": "cannot be opened with this server's key: enter them again"})
        secrets, environment = _merged(given)
        approval = bool(said and said.approval)
        if project is None:
            return Provided(secrets, environment=environment, approval=approval)
        encrypted = await rows.find_encrypted(tx, project.id, playbook.project_digest)
        passwords = {_label(one, values): values["password"] for one, values in given if one.kind == "vault"}
        return await in_thread(_opened, encrypted, passwords, Provided(secrets, {}, environment, approval=approval))


async def _said(db: Queries, playbook: Playbook) -> tuple[Said | None, Project | None]:
    if not playbook.origin.startswith(automation.PROJECT):
        return None, None
    project = await rows.find_project(db, playbook.origin.removeprefix(automation.PROJECT))
    if project is None:
        return None, None
    return (await rows.list_said(db, project.id)).get(playbook.file), project


def _complaint(call: Call, found: Mapping[str, Credential], named: Sequence[str]) -> str:
    for one in named:
        credential = found.get(one)
        if credential is None or not rules.may_use(call.actor, shared=credential.shared, users=credential.users):
            return "One of the credentials does not exist, or is not yours to use"
        if credential.kind not in rules.FOR_JOBS:
            return f"{credential.name} opens repositories; a job cannot be given it"
    return ""


def _merged(given: Sequence[tuple[Credential, Mapping[str, str]]]) -> tuple[Variables, dict[str, str]]:
    secrets: Variables = {}
    environment: dict[str, str] = {}
    for one, values in given:
        if one.kind == "become":
            secrets["ansible_become_password"] = values["password"]
            if values.get("user"):
                secrets["ansible_become_user"] = values["user"]
        elif one.kind == "variables":
            secrets |= dict(values)
        elif one.kind == "environment":
            environment |= values
    return secrets, environment


def _label(one: Credential, values: Mapping[str, str]) -> str:
    return values.get("vault_id") or one.name


def _opened(
    encrypted: tuple[Mapping[str, str], Mapping[str, str]], passwords: Mapping[str, str], given: Provided
) -> Provided:
    """Open what is encrypted in the project; deriving keys takes milliseconds for each value, so in a thread."""
    values, files = encrypted
    opened: dict[str, Json] = {}
    clear: dict[str, str] = {}
    masked: list[str] = []
    what = ""
    try:
        for name, ciphertext in values.items():
            what = "An encrypted value of this project"
            opened[name] = vault.opened(ciphertext, passwords).decode("utf-8")
        for path, ciphertext in files.items():
            what = f"The encrypted file {path}"
            content = vault.opened(ciphertext, passwords)
            clear[path] = base64.b64encode(content).decode()
            masked += _texts(content)
    except vault.NotOpened as error:
        missing = "" if passwords else ": choose a vault password for the project"
        return Provided(complaints={"credentials": f"{what} cannot be opened, {error}{missing}"})
    except UnicodeDecodeError:
        return Provided(complaints={"credentials": f"{what} is no text"})
    if sum(map(len, clear.values())) > _MOST_SECRET_BYTES:
        return Provided(complaints={"credentials": "The encrypted files of the project are larger than 4 MiB"})
    secrets = {**given.secrets, **({vault.VARIABLE: opened} if opened else {})}
    return Provided(secrets, clear, given.environment, tuple(dict.fromkeys(masked)), given.approval)


def _texts(content: bytes) -> list[str]:
    """Return what of an encrypted file is secret: the values of a file of variables, or all of it."""
    try:
        value = plays.read(content)
    except (yaml.YAMLError, UnicodeDecodeError):
        value = None
    if isinstance(value, dict | list):
        return [text for text in _leaves(value) if text]
    try:
        return [content.decode("utf-8").strip()]
    except UnicodeDecodeError:
        return []


def _leaves(value: object) -> list[str]:
    if isinstance(value, dict):
        return [text for one in value.values() for text in _leaves(one)]
    if isinstance(value, list):
        return [text for one in value for text in _leaves(one)]
    if isinstance(value, bool) or value is None:
        return []
    text = str(value)
    return [text] if isinstance(value, str) or len(text) >= _SHORTEST_NUMBER else []


automation.register_librarian(Shelf())
