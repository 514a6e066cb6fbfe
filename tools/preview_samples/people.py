"""Sample pages of accounts and roles."""

from dataclasses import replace
from typing import Final

from server.identity import forms, permissions
from server.identity.models import User
from server.identity.pages.roles import Column, Editor
from server.web.fields import filled
from tools.preview_samples.frame import Sample, before, shell, uuid

RULES: Final = ["At least 8 characters", "One upper-case letter", "One digit"]
ROLES: Final = [(role, permissions.word(role)) for role in permissions.BUILT_IN]


def somebody(number: int, name: str, first: str, last: str, role: str, *, active: bool = True) -> User:
    """Return an account; the odd ones have a second step, the last never signed in."""
    seen = before(minutes=7**number) if active else None
    email = f"{name}@example.com"
    made = before(days=90)
    return User(uuid(number), name, email, first, last, role, active, number % 2 == 1, seen, made, made)


PEOPLE: Final = [
    somebody(1, "ada", "Ada", "Lovelace", "superadmin"),
    somebody(2, "grace", "Grace", "Hopper", "admin"),
    somebody(3, "katherine.johnson.of.the.long.name", "", "", "host_manager"),
    somebody(4, "linus", "Linus", "Pauling", "readonly", active=False),
]
PAGES: Final[list[Sample]] = [
    (
        "sign-up",
        "identity/sign_up.html",
        {
            "shell": shell("Sign up", "/signup", person=None, nav=[]),
            "fields": list(forms.SIGN_UP),
            "complaints": [],
            "rules": RULES,
        },
    ),
    (
        "users",
        "settings/users.html",
        {
            "shell": shell("Users", "/settings"),
            "users": PEOPLE,
            "role_words": dict(ROLES),
            "own_id": uuid(1),
            "may_manage": True,
            "touchable": frozenset(one.id for one in PEOPLE),
            "registration": [replace(one, choices=ROLES) for one in forms.REGISTRATION],
            "complaints": [],
        },
    ),
    (
        "users-new",
        "settings/users_new.html",
        {
            "shell": shell("Add User", "/settings"),
            "fields": filled(forms.NEW_USER, {}, {"username": "must have at least 3 characters"}),
            "complaints": [("username", "Username must have at least 3 characters")],
            "rules": RULES,
        },
    ),
    (
        "users-edit",
        "settings/users_edit.html",
        {
            "shell": shell("User", "/settings"),
            "user": PEOPLE[1],
            "role_word": "Admin",
            "own": False,
            "fields": filled(forms.USER, {"username": "grace", "email": "grace@example.com", "is_active": True}, {}),
            "complaints": [],
            "password_fields": forms.RESET,
            "password_complaints": [],
            "rules": RULES,
        },
    ),
    *(
        (
            name,
            "settings/roles.html",
            {
                "shell": shell("Roles", "/settings"),
                "available": True,
                "columns": [
                    Column(role, word, permissions.BUILT_IN[role], role not in permissions.FIXED)
                    for role, word in ROLES
                ],
                "tiers": [
                    (tier, risk, [one for one in permissions.PERMISSIONS if one.tier == tier])
                    for tier, risk in permissions.TIERS
                ],
                "presets": [(key, word) for key, word, _ in permissions.PRESETS],
                "editor": editor,
            },
        )
        for name, editor in (
            ("roles", None),
            ("roles-edit", Editor("patch_crew", "Patch crew", permissions.BUILT_IN["user"], True, [], [])),
            ("roles-new", Editor("", "", permissions.BUILT_IN["readonly"], False, list(forms.ROLE), [])),
        )
    ),
]
