"""The pages of accounts: everybody, a new one, one to change."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import ClassVar, Final

from aiohttp import web

from server.core.call import Call
from server.core.errors import Problem
from server.identity import accounts, factors, forms, permissions, ranks, rules, schemas, scopes, service
from server.identity.errors import SignupOff
from server.identity.models import Enrolment, User
from server.identity.pages.scopes import HostGroups, form_of_user
from server.identity.sso import avatars, discovery, linked
from server.settings import service as settings
from server.web import flash
from server.web.fields import Field, complained, filled
from server.web.forms import read_form
from server.web.navigation import Entry
from server.web.problems import status_of
from server.web.render import Page, render
from server.web.routing import Routes, call, gated, open_to_all, path_text

routes: Final = Routes()
ENTRIES: Final = (
    Entry(
        "Settings", "Users", "/settings/users", "users", order=10, permission="can_view_users", group="User Management"
    ),
)

_HOME: Final = "/settings/users"
Complaints = Sequence[tuple[str, str] | str]


@dataclass(frozen=True, slots=True)
class UsersPage(Page):
    """templates/settings/users.html.

    Attributes:
        own_id: who looks at it.
        enrolments: by id, who still has to set up a second factor.
        synced: groups at the identity provider decide about roles, so nobody is added or given a role here.
        pictured: the ids of people who have a picture.
    """

    template: ClassVar[str] = "settings/users.html"
    title: ClassVar[str] = "Users"
    users: Sequence[User]
    role_words: dict[str, str]
    own_id: str
    may_manage: bool
    touchable: frozenset[str]
    registration: Sequence[Field]
    complaints: Complaints = ()
    enrolments: Mapping[str, Enrolment] = field(default_factory=dict)
    synced: bool = False
    pictured: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class SignUpPage(Page):
    """templates/identity/sign_up.html."""

    template: ClassVar[str] = "identity/sign_up.html"
    title: ClassVar[str] = "Sign up"
    fields: list[Field]
    complaints: Complaints
    rules: list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class NewUserPage(Page):
    """templates/settings/users_new.html."""

    template: ClassVar[str] = "settings/users_new.html"
    title: ClassVar[str] = "Add User"
    fields: list[Field]
    complaints: Complaints
    rules: list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class UserPage(Page):
    """templates/settings/users_edit.html; what one may not do is left out.

    ``subject`` is as whom the identity provider knows the person; ``None`` while there is no provider.
    """

    template: ClassVar[str] = "settings/users_edit.html"
    title: ClassVar[str] = "User"
    user: User
    role_word: str
    own: bool
    fields: list[Field]
    complaints: Complaints
    password_fields: list[Field]
    password_complaints: Complaints
    rules: list[tuple[str, str]]
    host_groups: HostGroups | None
    subject: str | None = None


@routes.get("/settings/users")
@gated("can_view_users")
async def users(request: web.Request) -> web.Response:
    """Show everybody who has an account."""
    return render(request, await _users_page(call(request)))


@routes.post("/settings/users/registration")
@gated("can_manage_settings")
async def choose_registration(request: web.Request) -> web.StreamResponse:
    """Decide whether people may register themselves."""
    asked = call(request)
    form = await read_form(request, schemas.Registration)
    try:
        await accounts.choose_registration(asked, form.default_user_role, enabled=form.enabled)
    except Problem as refused:
        return render(request, await _users_page(asked, str(refused)), status=status_of(refused))
    raise _back(request, _HOME, "The registration settings are saved.")


@routes.get("/signup")
@open_to_all("people register themselves where the operator allows it")
async def sign_up_form(request: web.Request) -> web.Response:
    """Show the form for one's own account."""
    asked = call(request)
    if not (await settings.effective(asked)).signup_enabled or await discovery.local_is_closed(asked):
        raise SignupOff
    return render(request, SignUpPage(list(forms.SIGN_UP), (), await _policy(asked)))


@routes.post("/signup")
@open_to_all("people register themselves where the operator allows it", limit="auth")
async def sign_up(request: web.Request) -> web.StreamResponse:
    """Make one's own account and lead to the sign-in."""
    asked = call(request)
    form = await read_form(request, schemas.SignUp)
    try:
        forms.demand_same(form.password, form.confirm, "confirm")
        await accounts.register(asked, form.person())
    except SignupOff:
        raise
    except Problem as refused:
        wrong = forms.complaints_of(refused)
        fields = filled(forms.SIGN_UP, form.model_dump(), wrong)
        page = SignUpPage(fields, complained(fields, wrong), await _policy(asked))
        return render(request, page, status=status_of(refused))
    raise _back(request, "/login", "Your account is ready. Sign in with it.")


@routes.get("/settings/users/new")
@gated("can_manage_users")
async def new_user(request: web.Request) -> web.Response:
    """Show the form for another account."""
    return render(request, await _new_page(call(request), {}, {}))


@routes.post("/settings/users")
@gated("can_manage_users")
async def create_user(request: web.Request) -> web.StreamResponse:
    """Make an account that works at once."""
    asked = call(request)
    form = await read_form(request, schemas.NewUser)
    try:
        user = await accounts.create(asked, form.person(), form.role)
    except Problem as refused:
        page = await _new_page(asked, form.model_dump(), forms.complaints_of(refused))
        return render(request, page, status=status_of(refused))
    raise _back(request, _HOME, f"{user.username} can sign in now.")


@routes.get("/settings/users/{user_id}")
@gated("can_manage_users")
async def show_user(request: web.Request) -> web.Response:
    """Show one account and what can be done about it."""
    asked = call(request)
    return render(request, await _user_page(asked, await accounts.find(asked, path_text(request, "user_id"))))


@routes.post("/settings/users/{user_id}")
@gated("can_manage_users")
async def change_user(request: web.Request) -> web.StreamResponse:
    """Change an account; another role and deactivation sign its owner out."""
    asked = call(request)
    user = await accounts.find(asked, path_text(request, "user_id"))
    form = await read_form(request, schemas.UserForm)
    try:
        await accounts.change(asked, user.id, form.change())
    except Problem as refused:
        page = await _user_page(asked, user, typed=form.model_dump(), wrong=forms.complaints_of(refused))
        return render(request, page, status=status_of(refused))
    raise _back(request, _HOME, f"{user.username} is saved.")


@routes.post("/settings/users/{user_id}/reset-password")
@gated("can_manage_users")
async def reset_password(request: web.Request) -> web.StreamResponse:
    """Give somebody another password."""
    asked = call(request)
    user = await accounts.find(asked, path_text(request, "user_id"))
    form = await read_form(request, schemas.NewPassword)
    try:
        forms.demand_same(form.new_password, form.confirm, "confirm")
        await accounts.reset_password(asked, user.id, form.new_password)
    except Problem as refused:
        page = await _user_page(asked, user, password_wrong=forms.complaints_of(refused))
        return render(request, page, status=status_of(refused))
    raise _back(request, _HOME, f"{user.username} has another password and is signed out everywhere.")


@routes.post("/settings/users/{user_id}/delete")
@gated("can_manage_users")
async def delete_user(request: web.Request) -> web.StreamResponse:
    """Remove an account for good."""
    asked = call(request)
    user = await accounts.find(asked, path_text(request, "user_id"))
    try:
        await accounts.remove(asked, user.id)
    except Problem as refused:
        page = await _user_page(asked, user, wrong={"": str(refused)})
        return render(request, page, status=status_of(refused))
    raise _back(request, _HOME, f"{user.username} is deleted.")


async def _users_page(asked: Call, wrong: str = "") -> UsersPage:
    found, _ = await accounts.everybody(asked)
    beyond = await scopes.beyond(asked, [one.id for one in found])
    registration: Sequence[Field] = ()
    if asked.actor.may("can_manage_settings"):
        decided = await settings.effective(asked)
        now = {"signup_enabled": decided.signup_enabled, "default_user_role": decided.default_user_role}
        choices = await _choices(asked, decided.default_user_role)
        fields = [replace(one, choices=choices) if one.kind == "choice" else one for one in forms.REGISTRATION]
        registration = filled(fields, now, {})
    return UsersPage(
        found,
        {one.role: permissions.word(one.role) for one in found},
        asked.actor.id,
        asked.actor.may("can_manage_users"),
        frozenset(one.id for one in found if ranks.may_touch(asked.actor, one.role) and one.id not in beyond),
        registration,
        (wrong,) if wrong else (),
        await factors.enrolments(asked),
        await discovery.roles_are_synced(asked),
        await avatars.pictured(asked),
    )


async def _new_page(asked: Call, typed: dict[str, object], wrong: dict[str, str]) -> NewUserPage:
    default = (await settings.effective(asked)).default_user_role
    fields = [
        replace(one, choices=await _choices(asked), value=default) if one.name == "role" else one
        for one in forms.NEW_USER
    ]
    fields = filled(fields, typed, wrong)
    return NewUserPage(fields, complained(fields, wrong), await _policy(asked))


async def _user_page(
    asked: Call,
    user: User,
    typed: dict[str, object] | None = None,
    wrong: dict[str, str] | None = None,
    password_wrong: dict[str, str] | None = None,
) -> UserPage:
    own = user.id == asked.actor.id
    choices = await _choices(asked, user.role)
    fields = [
        replace(one, choices=choices) if one.name == "role" else one
        for one in forms.USER
        # Nobody may change these of themselves, so the form does not offer it.
        if not (own and one.name in {"role", "is_active"})
        and not (one.name == "role" and await discovery.roles_are_synced(asked))
    ]
    fields = filled(fields, {**asdict(user), **(typed or {})}, wrong or {})
    password = filled(forms.RESET, {}, password_wrong or {})
    return UserPage(
        user,
        permissions.word(user.role),
        own,
        fields,
        complained(fields, wrong or {}),
        password,
        complained(password, password_wrong or {}),
        await _policy(asked),
        await form_of_user(asked, user),
        await linked.subject_of(asked, user.id),
    )


async def _choices(asked: Call, current: str = "") -> list[tuple[str, str]]:
    found = await service.roles(asked)
    return [
        (one.role, permissions.word(one.role))
        for one in sorted(found, key=lambda one: (-ranks.rank(one.role), one.role))
        if one.role == current or ranks.may_give(asked.actor, one.role, one.permissions)
    ]


async def _policy(asked: Call) -> list[tuple[str, str]]:
    return rules.policy(await settings.effective(asked))


def _back(request: web.Request, target: str, text: str) -> web.HTTPSeeOther:
    answer = web.HTTPSeeOther(target)
    flash.say(answer, request, "good", text)
    return answer
