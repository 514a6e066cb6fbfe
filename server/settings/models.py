"""The settings in force."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

Source = Literal["env", "database", "default"]

_STANDARD_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Settings:
    """Every operator setting with its effective value.

    Attributes:
        server_protocol, server_host, server_port: the URL that agents and links use.
        update_interval: minutes between two reports of an agent.
        ignore_ssl_self_signed: install commands skip the certificate check, agents too.
        auto_update: agents replace themselves when the server has a newer one.
        session_days: a session ends this long after sign-in, however busy it is.
        browser_session_cookies: sign-in ends with the browser.
        max_login_attempts, lockout_duration_minutes: failed passwords in a row that lock an account, and for how long.
        max_tfa_attempts, tfa_lockout_duration_minutes: wrong codes in a row that close the second step, how long.
        tfa_suspicious_threshold: so many wrong codes in a row are written to the log as a warning.
        tfa_remember_days, tfa_max_remember_sessions: how long a browser is trusted without a code, and how many are.
        two_factor_required: who has to have a second factor: nobody, roles (``two_factor_roles``) or everyone.
        two_factor_grace_days: how long they may go on without from when they are first told.
        disabled_modules: capability modules that are switched off.
        cors_origin: origins whose pages may use the API; once decided, the API answers under their names only.
        rate_limit_max, rate_limit_window_ms: how often one address may ask within a window; likewise for the groups
            auth (signing in), agent (reports of hosts) and password (changing one).
        oidc_redirect_uri, discord_redirect_uri, oidc_post_logout_uri: instead of what is made of the server's URL.
        oidc_disable_local_auth: people sign in with the provider only, for as long as it can be reached.
        newsletter_url: takes name and address of who asks for it at the set-up; empty offers no newsletter.
        audit_retention_days: entries of the audit log that are older are deleted; 0 keeps them for ever.
        job_event_retention_days, job_retention_days: the same for what happened in jobs, and for the jobs themselves.
        patch_stale_days: a host that was not patched for longer, or never, counts as stale.
        default_compliance_mode: when compliance scans new hosts: disabled, on-demand or enabled.
        compliance_scan_interval: minutes between two scheduled scans of a host.
        compliance_remediation_approval: who approves a remediation by playbook: anyone who may, or a second_person.
        enable_logging, log_level: whether more than warnings, errors and the start is written, and from which level on.
        timezone: zone of the schedules and of log lines.
        brand_name, brand_accent: the product's name, and its colour as ``#rrggbb`` (empty for ours).
    """

    server_protocol: str
    server_host: str
    server_port: int
    update_interval: int
    ignore_ssl_self_signed: bool
    auto_update: bool
    signup_enabled: bool
    default_user_role: str
    show_github_version_on_login: bool
    timezone: str
    session_days: int
    browser_session_cookies: bool
    max_login_attempts: int
    lockout_duration_minutes: int
    max_tfa_attempts: int
    tfa_lockout_duration_minutes: int
    tfa_remember_days: int
    tfa_max_remember_sessions: int
    tfa_suspicious_threshold: int
    two_factor_required: str
    two_factor_roles: tuple[str, ...]
    two_factor_grace_days: int
    password_min_length: int
    password_require_uppercase: bool
    password_require_lowercase: bool
    password_require_number: bool
    password_require_special: bool
    disabled_modules: tuple[str, ...]
    cors_origin: tuple[str, ...]
    rate_limit_window_ms: int
    rate_limit_max: int
    auth_rate_limit_window_ms: int
    auth_rate_limit_max: int
    agent_rate_limit_window_ms: int
    agent_rate_limit_max: int
    password_rate_limit_window_ms: int
    password_rate_limit_max: int
    newsletter_url: str
    audit_retention_days: int
    job_event_retention_days: int
    job_retention_days: int
    patch_stale_days: int
    default_compliance_mode: str
    compliance_scan_interval: int
    compliance_remediation_approval: str
    enable_logging: bool
    log_level: str
    brand_name: str
    brand_accent: str
    oidc_enabled: bool
    oidc_issuer_url: str
    oidc_client_id: str
    oidc_redirect_uri: str
    oidc_scopes: str
    oidc_enforce_https: bool
    oidc_auto_create_users: bool
    oidc_default_role: str
    oidc_disable_local_auth: bool
    oidc_button_text: str
    oidc_post_logout_uri: str
    oidc_session_ttl: int
    oidc_sync_roles: bool
    oidc_superadmin_group: str
    oidc_admin_group: str
    oidc_host_manager_group: str
    oidc_user_group: str
    oidc_readonly_group: str
    discord_oauth_enabled: bool
    discord_client_id: str
    discord_redirect_uri: str
    discord_button_text: str

    @property
    def job_days(self) -> int:
        """Days that jobs are kept, never fewer than their events; 0 is for ever."""
        both = (self.job_event_retention_days, self.job_retention_days)
        return max(both) if all(both) else 0

    @property
    def server_url(self) -> str:
        """The URL without a trailing slash; the port is left out where it goes without saying."""
        host = f"[{self.server_host}]" if ":" in self.server_host else self.server_host
        if self.server_port == _STANDARD_PORTS[self.server_protocol]:
            return f"{self.server_protocol}://{host}"
        return f"{self.server_protocol}://{host}:{self.server_port}"


@dataclass(frozen=True, slots=True)
class Effective:
    """The settings in force, and for each one which layer decided it."""

    settings: Settings
    sources: dict[str, Source]

    @property
    def server_url_is_known(self) -> bool:
        """Whether anybody ever said under which URL this server is reached."""
        return self.sources["server_host"] != "default"


@dataclass(frozen=True, slots=True)
class StoredPicture:
    """A picture in the place of ours; ``kind`` is light, dark or favicon, ``digest`` the SHA-256 of its content."""

    kind: str
    file_name: str
    content_type: str
    digest: str
    width: int
    height: int
    updated_at: datetime
    content: bytes
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Branding:
    """What an operator decided about name, colour and pictures."""

    name: str
    accent: str
    pictures: list[StoredPicture]

    def picture(self, kind: str) -> StoredPicture | None:
        """Return the stored picture of a kind."""
        return next((one for one in self.pictures if one.kind == kind), None)


@dataclass(frozen=True, slots=True)
class Variable:
    """One environment variable, as the page and the API show it.

    Attributes:
        effective_value: what is in force, masked when sensitive; ``None`` when there is nothing.
        database_value: what is stored, also while the environment decides.
        conflict: set in the environment and stored.
        requires_restart: it counts from the next start on.
        type, allowed, min, max: what an editor needs.
        advice: what helps to choose a value.
    """

    key: str
    category: str
    description: str
    effective_value: str | None
    source: Source
    default: str | None
    database_value: str | None
    conflict: bool
    editable: bool
    sensitive: bool
    requires_restart: bool
    type: str
    allowed: tuple[str, ...] = ()
    min: int | None = None
    max: int | None = None
    advice: str = ""
