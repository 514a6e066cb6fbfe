"""Every statement of the identity room, one module per noun; callers see them as one drawer."""

from server.identity.queries.people import (
    find_credentials,
    find_password,
    find_user,
    find_user_named,
    insert_user,
    mark_failure,
    mark_signed_in,
    update_password,
    update_profile,
)
from server.identity.queries.roles import (
    list_roles,
)
from server.identity.queries.sessions import (
    delete_old_sessions,
    delete_other_sessions,
    delete_session,
    find_refreshable,
    find_session,
    insert_session,
    list_sessions,
    mark_activity,
    replace_session_token,
)
from server.identity.queries.setup import (
    delete_setup_links,
    has_admin,
    insert_setup_link,
    is_setup_link,
    lock_setup,
    trim_setup_links,
)
from server.identity.queries.tokens import (
    find_token,
    insert_token,
    list_tokens,
    mark_token_revoked,
    mark_token_used,
)

__all__ = [
    "delete_old_sessions",
    "delete_other_sessions",
    "delete_session",
    "delete_setup_links",
    "find_credentials",
    "find_password",
    "find_refreshable",
    "find_session",
    "find_token",
    "find_user",
    "find_user_named",
    "has_admin",
    "insert_session",
    "insert_setup_link",
    "insert_token",
    "insert_user",
    "is_setup_link",
    "list_roles",
    "list_sessions",
    "list_tokens",
    "lock_setup",
    "mark_activity",
    "mark_failure",
    "mark_signed_in",
    "mark_token_revoked",
    "mark_token_used",
    "replace_session_token",
    "trim_setup_links",
    "update_password",
    "update_profile",
]
