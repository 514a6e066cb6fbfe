"""What is known about other services and the people they send."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from joserfc.jwk import KeySet

from server.core.secretbox import Secret

Service = Literal["oidc", "discord"]

#: Roles in the order in which a group decides when several match.
MAPPED: tuple[str, ...] = ("superadmin", "admin", "host_manager", "readonly", "user")


@dataclass(frozen=True, slots=True)
class Config:
    """How single sign-on is set up, whoever decided it.

    Attributes:
        client_secret: empty when there is none, or none that can be opened.
        redirect_uri: as chosen, else made of the server's URL.
        groups: the group of each role that has one.
        trusted: the operator's environment names the issuer, so it may be in a private network.
        from_environment: it is the environment that switches it on.
    """

    enabled: bool
    issuer: str
    client_id: str
    client_secret: Secret[str]
    redirect_uri: str
    scopes: str
    enforce_https: bool
    auto_create: bool
    default_role: str
    disable_local: bool
    button_text: str
    post_logout_uri: str
    life_seconds: int
    sync_roles: bool
    groups: Mapping[str, str]
    trusted: bool = False
    from_environment: bool = False

    @property
    def missing(self) -> list[str]:
        """The names of what it cannot do without."""
        needed = {
            "issuer URL": self.issuer,
            "client ID": self.client_id,
            "client secret": self.client_secret.reveal(),
            "redirect URI": self.redirect_uri,
        }
        return [name for name, value in needed.items() if not value]


@dataclass(frozen=True, slots=True)
class Provider:
    """A provider that answered: its discovery document and its keys.

    Attributes:
        configured: the issuer as the settings name it.
        client_id: for which client it was looked up.
        issuer: as it names itself, and as its tokens must.
        names_itself: its answers carry their issuer, so one without is forged.
    """

    configured: str
    client_id: str
    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    keys: KeySet = field(repr=False)
    userinfo_endpoint: str = ""
    end_session_endpoint: str = ""
    auth_methods: Sequence[str] = ()
    names_itself: bool = False


@dataclass(frozen=True, slots=True)
class Started:
    """A way to another service that somebody set out on.

    Attributes:
        verifier: proves at the end that the same server began it.
        return_to: the page to go to afterwards.
        user_id: who links an account; empty when somebody signs in.
    """

    verifier: str
    nonce: str
    return_to: str
    started_at: datetime
    user_id: str = ""


@dataclass(frozen=True, slots=True)
class Departure:
    """Where to send the browser, and what it has to keep until it comes back."""

    url: str
    handle: str
    life_seconds: int


@dataclass(frozen=True, slots=True)
class Arrival:
    """Who a service says this is, checked as far as signatures go.

    Attributes:
        name: how the service calls the person, for showing.
        email_verified: the service says that the address is this person's.
        username: what a new account is called, before it is made unique.
        groups: ``None`` when the service said nothing about groups.
        picture: where the person's picture is.
        access_token: for asking the service more, during this request only.
    """

    service: Service
    issuer: str
    subject: str
    name: str
    email: str
    email_verified: bool
    username: str
    first_name: str = ""
    last_name: str = ""
    groups: Sequence[str] | None = None
    picture: str = ""
    id_token: str = field(default="", repr=False)
    access_token: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Identity:
    """A person as another service knows them."""

    id: str
    user_id: str
    provider: str
    issuer: str
    subject: str
    name: str
    linked_at: datetime
    last_used_at: datetime | None


@dataclass(frozen=True, slots=True)
class Namesake:
    """The account that has an address, and whose word it is: administrator, provider or owner."""

    id: str
    email_by: str


@dataclass(frozen=True, slots=True)
class Avatar:
    """A person's picture."""

    content_type: str
    digest: str
    content: bytes


Claims = Mapping[str, Any]
