"""Statements about the host groups that people and roles are limited to."""

from typing import Final

#: What ``Known`` needs of a person ``u`` with the role ``r``; without limits neither table is looked at.
LIMITS: Final = """
               case when u.limited_to_groups
                    then array(select g.group_uuid from user_host_groups g where g.user_id = u.id) end as user_groups,
               case when r.limited_to_groups
                    then array(select g.group_uuid from role_host_groups g where g.role = r.role) end as role_groups
""".strip()
