"""What is written, in which shape, and that nothing secret is."""

import json
import re
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from server.core.redaction import MASK, Shown, masked, masked_text
from tests.conftest import ROOT

CANARY = "hunter2-Zq9x"
NAMES = [
    "password", "newPassword", "db_password", "secret", "client_secret", "OIDC_CLIENT_SECRET", "token", "refresh_token",
    "api_key", "X-API-KEY", "apiKey", "Authorization", "Set-Cookie", "passphrase", "private_key", "credentials",
]  # fmt: skip
LETTERS = st.text(st.characters(codec="ascii", categories=("L", "N")), min_size=8, max_size=40)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=10,
)


class TestMasking:
    @settings(deadline=None)
    @given(st.sampled_from(NAMES), JSON, st.integers(0, 4))
    def test_what_a_name_calls_secret_is_masked_whatever_it_is_and_however_deep(
        self, name: str, value: Any, depth: int
    ) -> None:
        assume(value is not None and value != "")
        nested: Any = {name: value}
        for _ in range(depth):
            nested = [{"more": nested}]
        found = masked("detail", nested)
        for _ in range(depth):
            found = found[0]["more"]
        assert found == {name: MASK}

    @settings(deadline=None)
    @given(LETTERS)
    def test_texts_lose_what_looks_like_a_secret(self, secret: str) -> None:
        for text in (
            f"connecting to postgresql://me:{secret}@db:5432/x failed",
            f"redis://:{secret}@host:6379/0",
            f"GET / Authorization: Bearer {secret}",
            f"Authorization: Basic {secret}",
            f'{{"password": "{secret}", "name": "x"}}',
            f"--api-key={secret} --verbose",
            f"client_secret={secret}&code=1",
            f"AI_ENCRYPTION_KEY is fine but db_password='{secret}' is not",
            f"pmt_{secret}0000",
            f"eyJhbGciOi{secret}.eyJzdWIi{secret}.c2ln{secret}",
            f"-----BEGIN RSA PRIVATE KEY-----\n{secret}\n-----END RSA PRIVATE KEY-----",
            f"-----BEGIN OPENSSH PRIVATE KEY-----\n{secret}",
        ):
            assume(secret not in text.replace(secret, "", 1).replace(secret, ""))
            found = masked_text(text)
            assert secret not in found, text
            assert masked_text(found) == found

    @pytest.mark.parametrize(
        "text",
        [
            "listening on http://127.0.0.1:3000",
            "3 tokens revoked",
            "the token is not valid",
            "password policy",
            "a:b@c",
        ],
    )
    def test_plain_words_stay(self, text: str) -> None:
        assert masked_text(text) == text

    @pytest.mark.parametrize(
        ("name", "value"),
        [("token_id", 7), ("password_min_length", 12), ("max_tfa_attempts", 5), ("event", "password_changed")],
    )
    def test_what_only_tells_about_a_secret_stays(self, name: str, value: object) -> None:
        assert masked(name, value) == value

    def test_numbers_and_truths_are_secrets_too(self) -> None:
        assert masked("x", {"token": 123456, "secret": False, "password": [1, 2], "api_key": 0}) == dict.fromkeys(
            ("token", "secret", "password", "api_key"), MASK
        )

    def test_what_is_meant_to_be_read_is_written(self) -> None:
        link = "http://x/setup?token=abc"
        assert masked("link", Shown(link)) == link
        assert masked("link", link) == f"http://x/setup?token={MASK}"


@pytest.mark.parametrize("set_up", ["pass", "log.set_up('debug', colours=True)", "log.set_up('debug')"])
def test_an_exception_shows_where_it_happened_and_nothing_that_variables_hold(set_up: str) -> None:
    program = f"""
import sys
from server.core import log
{set_up}

def fails(given):
    password = given[::-1]
    raise ValueError("it went wrong")

try:
    fails({CANARY!r})
except ValueError:
    log.get_log("server.x").exception("failed")
"""
    ran = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    found = ran.stdout + ran.stderr
    assert "ValueError: it went wrong" in found
    assert CANARY not in found
    assert CANARY[::-1] not in found
    assert "locals" not in found


def said(program: str, *lines: str) -> list[str]:
    """Run a program that logs and return what it wrote."""
    start = "from server.core import log; import logging, io, sys\n"
    code = start + program + "\n" + "\n".join(lines)
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT, timeout=30
    )
    assert done.stdout == ""
    return done.stderr.splitlines()


ALL = (
    "l = log.get_log('server.x'); s = log.get_log('server.serve')",
    "l.debug('a'); l.info('b', n=1); l.warning('c'); l.error('d'); s.info('listening')",
    "logging.getLogger('aiohttp').info('e'); logging.getLogger('aiohttp').warning('f')",
)


def events(lines: list[str]) -> str:
    return "".join(re.findall(r"event=(\w+)", " ".join(lines))).replace("listening", "L")


@pytest.mark.proves("ENV-98")
def test_the_switch_leaves_warnings_errors_and_the_start() -> None:
    assert events(said("log.set_up('info', enabled=False)", *ALL)) == "cdLf"
    assert events(said("log.set_up('info', enabled=True)", *ALL)) == "bcdLef"


@pytest.mark.parametrize(
    ("level", "written"), [("debug", "abcdLef"), ("info", "bcdLef"), ("warn", "cdf"), ("error", "d")]
)
def test_the_level_is_the_least_that_is_written(level: str, written: str) -> None:
    assert events(said(f"log.set_up('{level}')", *ALL)) == written


def test_the_level_changes_while_it_runs_unless_it_was_set_for_good() -> None:
    change = "log.follow('debug', enabled=True, zone='UTC')"
    assert events(said("log.set_up('error', followed=True)", change, *ALL)) == "abcdLef"
    assert events(said("log.set_up('error')", change, *ALL)) == "d"


@pytest.mark.proves("OPS-34")
def test_each_record_is_one_line_that_programs_read() -> None:
    noisy = ("log.get_log('server.x').error('two\\nlines', password='geheim', n={'token': 5}, t='a \"b\"')",)
    [line] = said("log.set_up('info', shape='json')", *noisy)
    found = json.loads(line)
    assert list(found)[:3] == ["timestamp", "level", "event"]
    assert (found["event"], found["password"], found["n"], found["t"]) == ("two\nlines", MASK, {"token": MASK}, 'a "b"')
    [plain] = said("log.set_up('info')", "log.get_log('server.x').info('x', reason='a\\nb')")
    assert re.fullmatch(r'timestamp=\S+ level=info event=x reason="?a\\nb"?', plain)


def test_a_traceback_keeps_the_secret_of_its_error() -> None:
    lines = (
        "try:", "  raise ValueError('postgresql://me:geheim@db')", "except ValueError:",
        "  log.get_log('server.x').exception('failed')",
    )  # fmt: skip
    text = "\n".join(said("log.set_up('info', shape='json')", *lines))
    assert "Traceback" in text
    assert "geheim" not in text


@pytest.mark.proves("ENV-122", "ENV-123")
def test_times_are_those_of_the_zone() -> None:
    [line] = said("log.set_up('info', zone='Asia/Kolkata')", "log.get_log('server.x').info('x')")
    assert re.search(r"timestamp=\S+\+05:30 ", line)
    code = "from server.core import env; e = env.read({'TIMEZONE': 'Asia/Tokyo', 'TZ': %r}); log.set_up(zone=e.zone)"
    for given_zone, offset in (("", r"\+09:00"), ("UTC", "Z")):
        [line] = said(code % given_zone, "log.get_log('server.x').info('x')")
        assert re.search(rf"timestamp=\S+{offset} ", line)
