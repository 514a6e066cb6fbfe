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
