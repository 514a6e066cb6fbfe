"""Shapes: a value fits its own, and what is joined holds for every part."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema_rs import Draft202012Validator

from tools.shapes import merge, merged, plain, shape_of, whole

UUID = "4d9a2c7e-3f60-4b1e-9a58-0d4c8a7b6e21"
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", min_size=1, max_size=2), inner),
    max_leaves=12,
)


@given(VALUES, VALUES, VALUES)
def test_a_joined_shape_holds_for_all_it_was_made_of(one: Any, two: Any, three: Any) -> None:
    joined = merged(map(shape_of, (one, two, three)))
    for said in (plain(joined), plain(merge(whole(plain(merged(map(shape_of, (one, two))))), shape_of(three)))):
        validator = Draft202012Validator(said)
        assert all(validator.is_valid(value) for value in (one, two, three)), said


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([1, 2.5], {"type": "number"}),
        ([None, "a"], {"type": ["null", "string"]}),
        ([None], {"type": "null"}),
        ([UUID, UUID], {"type": "string", "format": "uuid"}),
        ([UUID, "root"], {"type": "string"}),
        (["2026-11-23T18:00:00Z"], {"type": "string", "format": "date-time"}),
        ([[], ["a"]], {"type": "array", "items": {"type": "string"}}),
        ([[]], {"type": "array", "items": {}}),
        (
            [{"a": 1, "b": True}, {"a": 2}],
            {"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "boolean"}}, "required": ["a"]},
        ),
        ([{UUID: 1}, {}], {"type": "object", "additionalProperties": {"type": "integer"}}),
        ([{"9.6": [1]}], {"type": "object", "additionalProperties": {"type": "array", "items": {"type": "integer"}}}),
    ],
)
def test_what_is_said_of_values(values: list[Any], said: dict[str, Any]) -> None:
    assert plain(merged(map(shape_of, values))) == said
