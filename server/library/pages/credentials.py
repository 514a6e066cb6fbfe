"""The list of credentials, and the form that makes or changes one; no value is ever shown."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Final

from aiohttp import web

from server.core.errors import Invalid
from server.library import credentials, rules
from server.library.models import Credential, NewCredential
from server.library.pages.frame import MANAGE, back, many, said, subjects, ticked
from server.library.schemas import users_of
from server.web.fields import Field, complained, filled
from server.web.forms import form_values
from server.web.render import Page, render
from server.web.routing import Routes, call, gated, path_text
from server.web.tables import Column, Listing, Table, listing, parse, settled

routes: Final = Routes()

_CRUMB: Final = ("Credentials", "/credentials")
TABLE: Final = Table(
    name="credentials",
    path="/credentials",
    noun="credential",
    columns=(
        Column("name", "Credential", place="title", fixed=True),
        Column("kind", "Kind", place="state"),
        Column("names", "Holds"),
        Column("who", "Who may use it"),
        Column("uses", "Used in", numeric=True),
        Column("updated", "Changed"),
    ),
    search="Search credentials by name",
    empty="No credential yet. Vault passwords, become passwords, API keys and keys for git are kept here, sealed.",
    empty_icon="key",
)
_KINDS: Final = tuple(rules.KINDS.items())
_ABOUT: Final = (Field("name", "Name"), Field("description", "What it opens", required=False))
_LABELS: Final = {
    "password": Field("password", "Password", "password"),
    "vault_id": Field("vault_id", "Vault id", required=False, help="The label after the algorithm in encrypted files."),
    "user": Field("user", "User to become", required=False, placeholder="root"),
    "username": Field("username", "User name", required=False, placeholder="git"),
    "token": Field("token", "Token or password", "password"),
    "private_key": Field("private_key", "Private key", "list", help="In OpenSSH's format, without a passphrase."),
    "known_hosts": Field("known_hosts", "Known host keys", "list", required=False,
                         help="Lines of known_hosts. Without any the first key that the server shows is taken."),
}  # fmt: skip
_PAIRS: Final = Field(
    "pairs", "Values", "list", help="One per line: NAME=value. Together they take the place of all that are kept."
)


@dataclass(frozen=True, slots=True)
class CredentialsPage(Page):
    """templates/library/credentials.html; rows are the credential and in how many places it is named."""

    template: ClassVar[str] = "library/credentials.html"
    title: ClassVar[str] = "Credentials"
    listing: Listing
    rows: list[tuple[Credential, int]]
    kinds: dict[str, str]


@dataclass(frozen=True, slots=True)
class CredentialFormPage(Page):
    """templates/library/credential_form.html.

    Attributes:
        credential: its id, empty for a new one.
        kind: chosen; empty asks for it first.
        names: of what it holds now.
    """

    template: ClassVar[str] = "library/credential_form.html"
    title: ClassVar[str] = "Credential"
    credential: str
    heading: str
    kind: str
    kinds: list[tuple[str, str]]
    about: list[Field]
    values: list[Field]
    names: list[str]
    shared: bool
    subjects: list[tuple[str, str]]
    users: list[str]
    complaints: Sequence[tuple[str, str] | str]


@routes.get("/credentials")
@gated(MANAGE)
async def show_list(request: web.Request) -> web.Response:
    """Show the credentials that this person may use."""
    asked = call(request)
    wanted = parse(TABLE, request.query)
    headers = settled(request, wanted)
    found = [one for one in await credentials.listed(asked) if wanted.search.lower() in one[0].name.lower()]
    window = wanted.window
    rows = found[window.offset : window.offset + window.size]
    page = CredentialsPage(listing(wanted, len(found), may=asked.actor.may), rows, dict(_KINDS))
    return render(request, page, headers=headers)


@routes.get("/credentials/new")
@gated(MANAGE)
async def new(request: web.Request) -> web.Response:
    """Show the form of a new credential, once its kind is chosen."""
    kind = request.query.get("kind", "")
    return await _form(request, None, kind if kind in rules.KINDS else "", {"shared": "true"}, {})


@routes.post("/credentials/new")
@gated(MANAGE)
async def create(request: web.Request) -> web.Response:
    """Keep a credential."""
    values = await form_values(request)
    kind = str(values.get("kind") or "")
    kind = kind if kind in rules.KINDS else ""
    try:
        await credentials.create(call(request), _wanted(kind, values))
    except Invalid as refused:
        return await _form(request, None, kind, values, said(refused), 400)
    return back("/credentials", request, f"The credential {values.get('name')} is kept.")


@routes.get("/credentials/{credential}")
@gated(MANAGE)
async def edit(request: web.Request) -> web.Response:
    """Show the form of a credential."""
    found = await credentials.fetch(call(request), path_text(request, "credential"))
    values = {
        "name": found.name, "description": found.description, "shared": "true" if found.shared else "false",
        "users": list(found.users),
    }  # fmt: skip
    return await _form(request, found, found.kind, values, {})


@routes.post("/credentials/{credential}")
@gated(MANAGE)
async def change(request: web.Request) -> web.Response:
    """Change a credential; fields that stay empty keep what is stored."""
    found = await credentials.fetch(call(request), path_text(request, "credential"))
    values = await form_values(request)
    try:
        await credentials.change(call(request), found.id, _wanted(found.kind, values))
    except Invalid as refused:
        return await _form(request, found, found.kind, values, said(refused), 400)
    return back("/credentials", request, f"The credential {values.get('name')} was changed.")


@routes.post("/credentials/{credential}/delete")
@gated(MANAGE)
async def delete(request: web.Request) -> web.Response:
    """Forget a credential."""
    await credentials.delete(call(request), path_text(request, "credential"))
    return back("/credentials", request, "The credential was deleted.")


def _wanted(kind: str, values: Mapping[str, Any]) -> NewCredential:
    if kind in rules.FIELDS:
        given = {name: str(values.get(name) or "") for name, _ in rules.FIELDS[kind]}  # type: ignore[index]
    else:
        lines = [line.partition("=") for line in str(values.get("pairs") or "").splitlines() if line.strip()]
        given = {name.strip(): value.strip() for name, _, value in lines}
    return NewCredential(
        str(values.get("name") or "").replace("\0", "").strip(),
        kind,  # type: ignore[arg-type]
        str(values.get("description") or "").replace("\0", "").strip(),
        {name: value for name, value in given.items() if value},
        ticked(values, "shared"),
        users_of(tuple(many(values, "users"))),
    )


async def _form(
    request: web.Request,
    found: Credential | None,
    kind: str,
    values: Mapping[str, Any],
    complaints: Mapping[str, str],
    status: int = 200,
) -> web.Response:
    about = filled(_ABOUT, values, complaints)
    # What was typed into fields of secrets is not repeated, and what is stored is not shown.
    empty = dict.fromkeys((*_LABELS, "pairs"), "")
    fields = _fields(kind, new=found is None)
    shown = filled(fields, empty, {**complaints, "pairs": complaints.get("values", "")})
    named = {
        ("pairs" if name == "values" and kind not in rules.FIELDS else name): text for name, text in complaints.items()
    }
    heading = f"Change {found.name}" if found else f"New {rules.KINDS[kind].lower()}" if kind else "New credential"  # type: ignore[index]
    page = CredentialFormPage(
        found.id if found else "", heading, kind, list(_KINDS), about, shown, list(found.names) if found else [],
        ticked(values, "shared"), await subjects(request), many(values, "users"), complained([*about, *shown], named),
    )  # fmt: skip
    return render(request, page, status=status, breadcrumbs=(_CRUMB, (found.name if found else "New", "")))


def _fields(kind: str, *, new: bool) -> list[Field]:
    if kind and kind not in rules.FIELDS:
        return [replace(_PAIRS, required=new)]
    needed = dict(rules.FIELDS.get(kind, ()))  # type: ignore[call-overload]
    return [replace(_LABELS[name], required=new and must) for name, must in needed.items()]
