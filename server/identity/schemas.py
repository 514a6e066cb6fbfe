"""What comes in and goes out at the doors of identity."""

from typing import Any
from urllib.parse import urlsplit

from pydantic import AliasChoices, Field, field_validator

from server.identity import permissions, rules
from server.identity.models import (
    Change,
    NewPerson,
    Profile,
    Role,
    SecondStep,
    Session,
    SignedIn,
    TrustedDevice,
    User,
)
from server.settings.models import Settings
from server.web.forms import Body as AnyBody


class Body(AnyBody):
    """A body whose texts the database can take: U+0000 is in no name that exists, so it is left out."""

    @field_validator("*", mode="before")
    @classmethod
    def without_nul(cls, value: object) -> object:
        """Leave out U+0000."""
        return value.replace("\x00", "") if isinstance(value, str) else value


class Login(Body):
    """A name (or email address) and a password."""

    username: str = Field("", max_length=300)
    password: str = Field("", max_length=1000)


class Code(Body):
    """A code, and the ticket of the first step where it belongs to one."""

    ticket: str = Field("", max_length=200, validation_alias=AliasChoices("tfa_ticket", "tfaTicket", "ticket"))
    token: str = Field("", max_length=40)
    remember_me: bool = Field(default=False, validation_alias=AliasChoices("remember_me", "rememberMe"))


class CodeForm(Code):
    """The page's form of the second step; a ticked box comes after its unticked twin."""

    remember_me: bool | list[str] = False  # type: ignore[assignment]
    return_to: str = "/"
    has_passkeys: bool = False

    @property
    def remembers(self) -> bool:
        """Whether the box is ticked."""
        return self.remember_me[-1] == "true" if isinstance(self.remember_me, list) else self.remember_me


class OwnPassword(Body):
    """The asker's password, for what must not be done from an open screen."""

    password: str = Field("", max_length=1000)


class PasskeyEntrance(Body):
    """A sign-in by passkey: the ceremony, what the browser answered, and the ticket where a password came first."""

    ceremony: str = Field("", max_length=64)
    credential: dict[str, Any] = Field(default_factory=dict)
    ticket: str = Field("", max_length=200)
    remember_me: bool = False
    return_to: str = Field("/", max_length=2000)


class NewPasskey(Body):
    """What the browser made, and how its owner calls it."""

    ceremony: str = Field("", max_length=64)
    name: str = Field("", max_length=300)
    credential: dict[str, Any] = Field(default_factory=dict)
    transports: list[str] = Field(default_factory=list, max_length=20)


class PasskeyName(Body):
    """How a passkey is called."""

    name: str = Field("", max_length=300)


class FirstAdmin(Body):
    """The first administrator; unknown fields such as a role are ignored."""

    first_name: str = Field("", validation_alias=AliasChoices("firstName", "first_name"))
    last_name: str = Field("", validation_alias=AliasChoices("lastName", "last_name"))
    username: str = ""
    email: str = ""
    password: str = Field("", max_length=1000)
    confirm: str = ""
    token: str = ""
    server_url: str = Field("", validation_alias=AliasChoices("serverUrl", "server_url"))

    def person(self) -> NewPerson:
        """Return the person meant."""
        profile = Profile(self.username.strip(), self.email.strip(), self.first_name.strip(), self.last_name.strip())
        return NewPerson(profile, self.password)


class SetupUrl(Body):
    """The step of the set-up that asks under which URL the server is reached."""

    server_protocol: str = Field("", max_length=10)
    server_host: str = Field("", max_length=300)
    server_port: str = Field("", max_length=10)
    ignore_ssl_self_signed: bool | list[str] = False

    @property
    def self_signed(self) -> bool:
        """Whether the box is ticked."""
        return ticked(self.ignore_ssl_self_signed)

    def url(self) -> str:
        """Return the URL meant."""
        host = self.server_host.strip()
        if set(host) & set("@/?#\\"):
            return ""  # it would be read as another host
        host = f"[{host}]" if ":" in host and not host.startswith("[") else host
        return f"{self.server_protocol.strip()}://{host}" + (f":{self.server_port.strip()}" if self.server_port else "")

    def values(self) -> dict[str, object]:
        """Return what was typed, for showing it again."""
        return {**self.model_dump(), "ignore_ssl_self_signed": self.self_signed}


class Newsletter(Body):
    """The step of the set-up that offers the newsletter."""

    newsletter: bool | list[str] = False

    @property
    def wanted(self) -> bool:
        """Whether the box is ticked."""
        return ticked(self.newsletter)


class LooksForm(Body):
    """How pages look, and where signing in leads."""

    theme: str = Field("auto", max_length=10)
    landing: str = Field("", max_length=20)


def ticked(value: bool | list[str]) -> bool:
    """Tell whether a box is ticked: a ticked one comes after its unticked twin."""
    return value[-1] == "true" if isinstance(value, list) else value


def url_values(url: str, self_signed: bool) -> dict[str, object]:
    """Return the fields of the set-up's URL step for a URL."""
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:
        port = None
    return {
        "server_protocol": parts.scheme,
        "server_host": parts.hostname or "",
        "server_port": port or (443 if parts.scheme == "https" else 80),
        "ignore_ssl_self_signed": self_signed,
    }


class ProfileForm(Body):
    """What a person changes about themselves."""

    username: str = ""
    email: str = ""
    first_name: str = Field("", validation_alias=AliasChoices("first_name", "firstName"))
    last_name: str = Field("", validation_alias=AliasChoices("last_name", "lastName"))

    def profile(self) -> Profile:
        """Return the profile meant."""
        return Profile(self.username.strip(), self.email.strip(), self.first_name.strip(), self.last_name.strip())


class PasswordForm(Body):
    """The current password, and the new one."""

    current_password: str = Field(
        "", max_length=1000, validation_alias=AliasChoices("currentPassword", "current_password")
    )
    new_password: str = Field("", max_length=1000, validation_alias=AliasChoices("newPassword", "new_password"))
    confirm: str = ""


class NewUser(Body):
    """Another account; without a role it gets the default one."""

    username: str = ""
    email: str = ""
    first_name: str = Field("", validation_alias=AliasChoices("first_name", "firstName"))
    last_name: str = Field("", validation_alias=AliasChoices("last_name", "lastName"))
    password: str = Field("", max_length=1000)
    role: str = Field("", max_length=100)

    def person(self) -> NewPerson:
        """Return the person meant."""
        profile = Profile(self.username.strip(), self.email.strip(), self.first_name.strip(), self.last_name.strip())
        return NewPerson(profile, self.password)


class SignUp(NewUser):
    """One's own account; a role that is sent along counts for nothing."""

    confirm: str = ""


class Registration(Body):
    """Whether people may register themselves, and in which role."""

    signup_enabled: bool | list[str] = False
    default_user_role: str = Field("", max_length=100)

    @property
    def enabled(self) -> bool:
        """Whether the box is ticked."""
        return self.signup_enabled[-1] == "true" if isinstance(self.signup_enabled, list) else self.signup_enabled


class UserChange(Body):
    """What to change about an account; what is not named stays."""

    username: str | None = None
    email: str | None = None
    first_name: str | None = Field(None, validation_alias=AliasChoices("first_name", "firstName"))
    last_name: str | None = Field(None, validation_alias=AliasChoices("last_name", "lastName"))
    role: str | None = Field(None, max_length=100)
    is_active: bool | None = Field(None, validation_alias=AliasChoices("is_active", "isActive"))

    def change(self) -> Change:
        """Return the change meant."""
        return Change(**self.model_dump())


class UserForm(Body):
    """The page's form of an account; a ticked box comes after its unticked twin, an emptied name not at all."""

    username: str = ""
    email: str = ""
    first_name: str = ""
    last_name: str = ""
    role: str | None = None
    is_active: list[str] | str | None = None

    def change(self) -> Change:
        """Return the change meant."""
        active = self.is_active[-1] if isinstance(self.is_active, list) else self.is_active
        return Change(**self.model_dump(exclude={"is_active"}), is_active=None if active is None else active == "true")


class NewPassword(Body):
    """Another password for somebody."""

    new_password: str = Field("", max_length=1000, validation_alias=AliasChoices("newPassword", "new_password"))
    confirm: str = ""


class SecurityForm(Body):
    """Who has to have a second factor."""

    two_factor_required: str = Field("nobody", max_length=20)
    two_factor_roles: list[str] = Field(default_factory=list, max_length=200)
    two_factor_grace_days: str = Field("", max_length=10)


class RoleForm(Body):
    """A role's name, where it is new, and the permissions that are ticked."""

    role: str = Field("", max_length=100)
    permissions: list[str] = Field(default_factory=list)


def user(one: User) -> dict[str, Any]:
    """Return a person as JSON."""
    return {
        "id": one.id,
        "username": one.username,
        "email": one.email,
        "first_name": one.first_name,
        "last_name": one.last_name,
        "role": one.role,
        "is_active": one.is_active,
        "tfa_enabled": one.tfa_enabled,
        "last_login": one.last_login_at,
        "created_at": one.created_at,
        "updated_at": one.updated_at,
    }


def pick(one: User) -> dict[str, Any]:
    """Return a person as an entry of a pick list."""
    return {
        "id": one.id,
        "username": one.username,
        "email": one.email,
        "first_name": one.first_name,
        "last_name": one.last_name,
    }


def signed_in(opened: SignedIn, message: str, seconds: int) -> dict[str, Any]:
    """Return the answer to a sign-in."""
    return {
        "message": message,
        "token": opened.token,
        "refresh_token": opened.refresh_token,
        "expires_in": seconds,
        "expires_at": opened.expires_at,
        "user": user(opened.user),
    }


def session(one: Session, current_id: str) -> dict[str, Any]:
    """Return a session as JSON."""
    return {
        "id": one.id,
        "ip_address": one.address,
        "user_agent": one.user_agent,
        "created_at": one.created_at,
        "last_activity": one.last_activity_at,
        "expires_at": one.expires_at,
        "is_current_session": one.id == current_id,
    }


def second_step(needed: SecondStep) -> dict[str, Any]:
    """Return the answer to a right password that a code has to follow."""
    return {
        "message": "TFA verification required",
        "requiresTfa": True,
        "username": needed.username,
        "tfaTicket": needed.ticket,
    }


def device(one: TrustedDevice) -> dict[str, Any]:
    """Return a trusted browser as JSON."""
    return {
        "id": one.id,
        "label": rules.device(one.user_agent),
        "user_agent": one.user_agent,
        "ip_address": one.address,
        "created_at": one.created_at,
        "last_used_at": one.last_used_at,
        "expires_at": one.expires_at,
        "is_current_device": one.current,
    }


def flags(held: frozenset[str]) -> dict[str, bool]:
    """Return every permission and whether it is held."""
    return {permission.key: permission.key in held for permission in permissions.PERMISSIONS}


def role(one: Role) -> dict[str, Any]:
    """Return a role with its flags."""
    return {"role": one.role, "is_builtin": one.built_in, **flags(one.permissions)}


def login_settings(settings: Settings, version: str, *, has_admin: bool) -> dict[str, Any]:
    """Return what the sign-in and set-up pages need to know; readable by everyone, so nothing secret."""
    return {
        "signup_enabled": settings.signup_enabled,
        "show_github_version_on_login": settings.show_github_version_on_login,
        "current_version": version,
        "show_newsletter": bool(settings.newsletter_url),
        "admin_mode": False,
        "hasAdminUsers": has_admin,
        "has_admin_users": has_admin,
        "password_policy": {
            "min_length": settings.password_min_length,
            "require_uppercase": settings.password_require_uppercase,
            "require_lowercase": settings.password_require_lowercase,
            "require_number": settings.password_require_number,
            "require_special": settings.password_require_special,
        },
        "logo_dark": None,
        "logo_light": None,
        "favicon": None,
    }
