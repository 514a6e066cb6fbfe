"""Who may what, for every role, set of permissions, token, module and limit: properties rather than examples."""

from collections.abc import Collection

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.core.call import Actor
from server.core.errors import Refused
from server.identity import permissions, reach
from server.identity.errors import ModuleOff, RoleUnknown
from server.identity.models import Known
from server.identity.permissions import ADMIN_ROLES, BUILT_IN, FIXED, KEYS, MODULES
from server.identity.reach import WHOLE_SERVER
from server.identity.sessions import actor_of

ROLES = st.sampled_from([*BUILT_IN, "crew"])
#: What the table may hold: also keys of another version.
STORED = st.none() | st.lists(st.sampled_from([*sorted(KEYS), "can_fly", ""]), unique=True)
GROUPS = st.none() | st.lists(st.sampled_from(["a", "b", "c", "d"]), unique=True)
SCOPES = STORED
GATES = st.lists(st.sampled_from(sorted(KEYS)), unique=True, max_size=3)
MODULE = st.sampled_from(["", *MODULES])
OFF = st.lists(st.sampled_from(MODULES), unique=True)


def actor(
    role: str,
    stored: list[str] | None,
    *,
    scopes: list[str] | None = None,
    by_role: list[str] | None = None,
    by_user: list[str] | None = None,
) -> Actor:
    """Whom the doorkeeper makes of what one query found."""
    known = Known("1", "2", "anna", role, True, stored, None, None, by_user, by_role, scopes)
    return actor_of(known, "token" if scopes is not None else "person", "")


def seen(groups: reach.Reach, fleet: Collection[str] = ("a", "b", "c", "d", "e", "")) -> set[str]:
    """Which hosts of a fleet, one in each group and one in none, somebody sees."""
    return set(fleet) if groups is None else {one for one in fleet if one in groups}


@given(role=ROLES, stored=STORED, scopes=SCOPES, by_role=GROUPS, by_user=GROUPS)
def test_a_token_never_may_more_than_its_owner(
    role: str,
    stored: list[str] | None,
    scopes: list[str] | None,
    by_role: list[str] | None,
    by_user: list[str] | None,
) -> None:
    owner = actor(role, stored, by_role=by_role, by_user=by_user)
    token = actor(role, stored, scopes=scopes, by_role=by_role, by_user=by_user)
    assert token.permissions == (owner.permissions if scopes is None else owner.permissions & frozenset(scopes))
    assert token.groups == owner.groups


@given(role=ROLES, stored=STORED, wanted=GATES, module=MODULE, off=OFF)
def test_a_gate_opens_exactly_for_who_holds_one_of_its_permissions(
    role: str, stored: list[str] | None, wanted: list[str], module: str, off: list[str]
) -> None:
    asker = actor(role, stored)
    answer = reach.refusal(asker, wanted, module, off)
    if wanted and not asker.role:
        assert answer is RoleUnknown
    elif wanted and not asker.permissions & set(wanted):
        assert answer is Refused
    elif module in off:
        assert answer is ModuleOff
    else:
        assert answer is None


@given(role=ROLES, stored=STORED, more=STORED, wanted=GATES, module=MODULE, off=OFF)
def test_a_permission_more_closes_no_gate(
    role: str, stored: list[str] | None, more: list[str] | None, wanted: list[str], module: str, off: list[str]
) -> None:
    if stored is None:
        return
    wider = actor(role, [*stored, *(more or ())])
    assert actor(role, stored).permissions <= wider.permissions
    if reach.refusal(actor(role, stored), wanted, module, off) is None:
        assert reach.refusal(wider, wanted, module, off) is None


@given(stored=STORED, by_role=GROUPS, by_user=GROUPS, scopes=SCOPES)
def test_an_unknown_role_may_nothing(
    stored: list[str] | None, by_role: list[str] | None, by_user: list[str] | None, scopes: list[str] | None
) -> None:
    gone = actor("crew", None, scopes=scopes, by_role=by_role, by_user=by_user)
    assert gone.permissions == frozenset()
    assert reach.refusal(gone, ["can_view_hosts"], "", ()) is RoleUnknown
    assert stored is None or actor("crew", stored).permissions == KEYS & frozenset(stored)


@given(stored=STORED, by_role=GROUPS, by_user=GROUPS)
def test_administrators_hold_what_the_product_says_whatever_the_tables_say(
    stored: list[str] | None, by_role: list[str] | None, by_user: list[str] | None
) -> None:
    top = actor("superadmin", stored, by_role=by_role, by_user=by_user)
    assert top.permissions == KEYS
    assert top.groups is None
    admin = actor("admin", stored, by_role=by_role)
    assert admin.permissions == KEYS - {permissions.SUPERUSERS}
    assert admin.groups is None
    for role in FIXED:
        assert actor(role, stored).permissions == BUILT_IN[role]


@given(role=ROLES, by_role=GROUPS, by_user=GROUPS)
def test_two_limits_leave_what_both_allow(role: str, by_role: list[str] | None, by_user: list[str] | None) -> None:
    together = seen(reach.of(role, by_role, by_user))
    assert together == seen(reach.of(role, by_role, None)) & seen(reach.of(role, None, by_user))
    if role not in ADMIN_ROLES:
        assert together == seen(None if by_role is None else frozenset(by_role)) & seen(
            None if by_user is None else frozenset(by_user)
        )


@given(role=ROLES, by_role=GROUPS, by_user=GROUPS, less=GROUPS)
def test_a_limit_shows_nobody_more(
    role: str, by_role: list[str] | None, by_user: list[str] | None, less: list[str] | None
) -> None:
    before = reach.of(role, by_role, by_user)
    narrower = less if by_user is None else [one for one in by_user if less is None or one in less]
    after = reach.of(role, by_role, narrower)
    assert seen(after) <= seen(before)
    assert reach.within(after, before)


@given(role=ROLES, stored=STORED, by_role=GROUPS, by_user=GROUPS)
def test_who_is_limited_holds_nothing_over_the_whole_server(
    role: str, stored: list[str] | None, by_role: list[str] | None, by_user: list[str] | None
) -> None:
    free, limited = actor(role, stored), actor(role, stored, by_role=by_role, by_user=by_user)
    if limited.groups is None:
        assert limited.permissions == free.permissions
    else:
        assert limited.permissions == free.permissions - WHOLE_SERVER


@given(one=GROUPS, other=GROUPS, third=GROUPS)
def test_reaching_within_is_an_order(one: list[str] | None, other: list[str] | None, third: list[str] | None) -> None:
    a, b, c = (None if groups is None else frozenset(groups) for groups in (one, other, third))
    assert reach.within(a, a)
    assert reach.within(a, None)
    assert reach.within(None, a) is (a is None)
    assert not (reach.within(a, b) and reach.within(b, c)) or reach.within(a, c)
    assert not (reach.within(a, b) and reach.within(b, a)) or a == b


@pytest.mark.parametrize("role", BUILT_IN)
def test_a_built_in_role_holds_what_the_page_says(role: str) -> None:
    assert actor(role, sorted(BUILT_IN[role])).permissions == BUILT_IN[role]
