"""Secrets, refused characters and sizes."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.protocol.cleaning import MASK, Cleaner, cut_text, fit


@pytest.mark.parametrize(
    ("secret", "text"),
    [
        ("hunter2", "the password is hunter2."),
        ('pa"ss\\word', json.dumps({"msg": 'pa"ss\\word'})),
        ("geheim-ß", json.dumps("geheim-ß")),
        ("it's", "echo 'it'\"'\"'s'"),
        ("first line of key\nsecond line of key", "…\nsecond line of key\n…"),
    ],
)
def test_a_secret_is_masked_in_every_form_it_is_printed_in(secret: str, text: str) -> None:
    clean = Cleaner([secret]).text(text)
    assert MASK in clean
    assert secret.splitlines()[-1] not in clean


def test_a_secret_of_several_words_is_masked_where_it_was_split() -> None:
    assert Cleaner(["canary-a canary-b"]).value(["-pcanary-a", "canary-b"]) == [f"-p{MASK}", MASK]


def test_a_secret_that_contains_another_leaves_nothing_of_itself() -> None:
    numbers = {"pin": 4711, "price": 14711, "rate": -20.125, "on": True}
    assert Cleaner(["4711", "-20.125"]).value(numbers) == {"pin": MASK, "price": 14711, "rate": MASK, "on": True}
    assert Cleaner(["abc", "abcdef"]).text("x abcdef y") == f"x {MASK} y"


def test_tiny_and_empty_values_do_not_blacken_the_text() -> None:
    assert Cleaner(["", "a", "no", " \n "]).text("a banana, no") == "a banana, no"


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("mysql --password=canary -u root", f"mysql --password={MASK} -u root"),
        ("mysql --password canary -u root", f"mysql --password {MASK} -u root"),
        ("tool --api-key 'can ary' go", f"tool --api-key {MASK} go"),
        ("git clone https://me:canary@host/x", f"git clone https://me:{MASK}@host/x"),
        ("tool --no-password --force", "tool --no-password --force"),
        ("the token of the day", "the token of the day"),
        ("http://host:8080/a@b", "http://host:8080/a@b"),
    ],
)
def test_passwords_in_command_lines_are_masked_though_nobody_named_them(text: str, clean: str) -> None:
    assert Cleaner().text(text) == clean


def test_the_word_behind_a_password_option_is_masked_in_a_list() -> None:
    assert Cleaner().value(["mysql", "--password", "canary"]) == ["mysql", "--password", MASK]


def test_values_are_clean_at_any_depth_and_in_names() -> None:
    dirty: dict[str, object] = {"a": [{"hunter2": ("x", {"y": "hunter2"})}], "n": 1, "t": True, "z": None}
    assert Cleaner(["hunter2"]).value(dirty) == {"a": [{MASK: ["x", {"y": MASK}]}], "n": 1, "t": True, "z": None}


def test_what_postgresql_refuses_is_replaced() -> None:
    assert Cleaner().value(["a\0b", "\ud800x", float("nan"), float("inf")]) == ["a\ufffdb", "\ufffdx", "nan", "inf"]


def test_endless_nesting_ends() -> None:
    deep: object = "bottom"
    for _ in range(5000):
        deep = [deep]
    assert "bottom" not in json.dumps(Cleaner().value(deep))


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.integers() | st.text(), st.lists))
def test_a_clean_value_is_json_that_databases_take(value: object) -> None:
    text = json.dumps(Cleaner(["secret"]).value(value), allow_nan=False, ensure_ascii=False)
    assert "\0" not in text
    text.encode()


def test_a_small_event_is_left_alone() -> None:
    item: dict[str, object] = {"event": "x", "result": {"a": 1}}
    assert fit(item) is item


def test_a_large_result_is_cut_and_marked_but_keeps_what_matters() -> None:
    item: dict[str, object] = {
        "event": "runner_on_ok",
        "stdout": "s" * 300_000,
        "result": {"changed": True, "rc": 0, "msg": "m" * 9000, "lines": ["x" * 300] * 2000},
    }
    small = fit(item)
    assert len(json.dumps(small).encode()) <= 256 * 1024
    result = small["result"]
    assert isinstance(result, dict)
    assert result["cut"] is True
    assert result["changed"] is True
    assert "characters cut" in str(small["stdout"])


def test_every_oversized_field_gives_way() -> None:
    item: dict[str, object] = {"task": "t" * 400_000, "message": "m" * 400_000, "stats": {"ok": {"h" * 400_000: 1}}}
    assert len(json.dumps(fit(item)).encode()) <= 256 * 1024


def test_a_cut_text_keeps_both_ends() -> None:
    text = cut_text("a" * 50 + "b" * 50, 20)
    assert text.startswith("a" * 10)
    assert text.endswith("b" * 10)
    assert "80 characters cut" in text
