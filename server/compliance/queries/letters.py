"""Adding up the letters of scans: a letter per rule, in the order of the scan's layout."""

from typing import Final

#: Columns of a tally, from rows of ``a``: rule, state (its letter), number.
SUMS: Final = ", ".join(
    f"coalesce(sum(a.number) filter (where a.state = '{letter}'), 0)::int as {column}"
    for letter, column in (
        ("p", "passed"), ("f", "failed"), ("w", "warned"), ("s", "skipped"), ("n", "not_applicable"), ("e", "errors")
    )
)  # fmt: skip
#: What gives each row of ``s`` (layout, states) its rules and letters as ``a``.
LETTERS: Final = """
      join compliance_layouts l on l.id = s.layout
     cross join unnest(l.rules, string_to_array(s.states, null)) as a (rule, state)
"""


def waived_score(of: str) -> str:
    """Return the expression for a score in which waived rules do not count, of ``compliance_latest`` as ``of``."""
    return (
        f"case when {of}.waived = 0 then {of}.score else greatest({of}.score, round(100.0 * {of}.passed / "
        f"nullif({of}.passed + {of}.failed + {of}.warned + {of}.errors - {of}.waived, 0), 2)::double precision) end"
    )
