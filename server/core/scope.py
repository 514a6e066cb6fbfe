"""The host groups that whoever asks is limited to: one parameter and one condition for every statement."""

from typing import TypeAlias

#: UUIDs of host groups, in order; ``None`` is the whole fleet, an empty list no host at all.
Groups: TypeAlias = list[str] | None


def among(group: str) -> str:
    """Return the condition that a group's UUID (the expression ``group``) is one of the parameter ``groups``."""
    return f"(%(groups)s::uuid[] is null or {group} = any(%(groups)s::uuid[]))"


def in_scope(host: str, *, many: bool = False) -> str:
    """Return the condition that a host is in one of the groups of the statement's parameter ``groups``.

    Args:
        host: the expression with the host's key, such as ``h.id``.
        many: the statement reads a large part of a large table. Its members are then always hashed, and PostgreSQL may
            use several processes, which an ``exists`` keeps it from.

    The values stand in the statement when PostgreSQL plans it: without a limit nothing of this is left. With one, lists
    hash the members of the groups once, and what looks for a single host asks the index of its memberships.
    """
    if many:
        return f"""(%(groups)s::uuid[] is null or {host} in (
            select in_member.host_id
              from host_group_members in_member
              join host_groups in_group on in_group.id = in_member.host_group_id
             where in_group.uuid = any(%(groups)s::uuid[])))"""  # noqa: S608 (the host is a column of ours)
    return f"""(%(groups)s::uuid[] is null or exists (
            select from host_group_members in_member
              join host_groups in_group on in_group.id = in_member.host_group_id
             where in_member.host_id = {host} and in_group.uuid = any(%(groups)s::uuid[])))"""
