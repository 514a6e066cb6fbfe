"""What the variables about signing in and passwords do, set in the environment as an operator sets them."""

import base64
import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from server.core.call import Call
from server.core.env import Env, read, refusal
from server.core.env_values import NUMBERS, SIZES, TRUTHS, duration_seconds, size, truth
from server.core.secretbox import BadSeal, Secret, SecretBox
from server.settings import rules
from server.settings.variables import VARIABLES, uncatalogued
from tests.conftest import Browser
from tests.factories.people import PASSWORD, bearer, person, sign_in

LOGIN = "/api/v1/auth/login"
CHANGE = "/api/v1/auth/change-password"


class Given:
    """A server whose environment says ``SAID``."""

    SAID: ClassVar[dict[str, str]] = {}

    @pytest.fixture
    def env(self, env: Env) -> Env:
        told = read({"ENV_FILE": "", **self.SAID})
        return replace(
            env,
            given=Secret(self.SAID),
            session_idle_minutes=told.session_idle_minutes,
            access_seconds=told.access_seconds,
            session_seconds=told.session_seconds,
        )


class TestLockout(Given):
    SAID: ClassVar = {"MAX_LOGIN_ATTEMPTS": "2", "LOCKOUT_DURATION_MINUTES": "7"}

    @pytest.mark.proves("ENV-53", "ENV-54")
    async def test_two_bad_passwords_lock_that_account_for_seven_minutes(self, client: Browser, call: Call) -> None:
        one, other = await person(call), await person(call)
        for _ in range(2):
            answer = await client.post(LOGIN, json={"username": one.username, "password": "wrong"})
            assert answer.status in {401, 423, 429}
        right = await client.post(LOGIN, json={"username": one.username, "password": PASSWORD})
        assert right.status != 200
        until = await call.db.value("select locked_until from users where id = %(id)s", id=one.id)
        assert timedelta(minutes=6, seconds=50) < until - datetime.now(UTC) <= timedelta(minutes=7)
        # Per account, never per address: the next person at the same desk gets in.
        assert (await client.post(LOGIN, json={"username": other.username, "password": PASSWORD})).status == 200


class TestCookies(Given):
    SAID: ClassVar = {"AUTH_BROWSER_SESSION_COOKIES": "true"}

    @pytest.mark.proves("ENV-52")
    async def test_they_end_with_the_browser(self, client: Browser, call: Call) -> None:
        user = await person(call)
        answer = await client.post(LOGIN, json={"username": user.username, "password": PASSWORD})
        for name in ("token", "refresh_token"):
            cookie = answer.cookies[name]
            assert (cookie["max-age"], cookie["expires"]) == ("", ""), name


async def test_without_it_they_stay(client: Browser, call: Call) -> None:
    user = await person(call)
    answer = await client.post(LOGIN, json={"username": user.username, "password": PASSWORD})
    assert answer.cookies["refresh_token"]["max-age"]


def life_of(token: str) -> int:
    """Return how many seconds a signed token is good for."""
    body = token.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    return int(claims["exp"]) - int(claims["iat"])


class TestLives(Given):
    SAID: ClassVar = {"JWT_EXPIRES_IN": "2m", "JWT_REFRESH_EXPIRES_IN": "36h"}

    @pytest.mark.proves("ENV-50", "ENV-51")
    async def test_tokens_live_as_long_as_is_said(self, client: Browser, call: Call) -> None:
        user = await person(call)
        answer = await client.post(LOGIN, json={"username": user.username, "password": PASSWORD})
        assert life_of(answer.cookies["token"].value) == 120
        assert life_of(answer.cookies["refresh_token"].value) == 36 * 3600
        ends = await call.db.value("select expires_at - created_at from user_sessions")
        assert abs(ends - timedelta(hours=36)) < timedelta(seconds=5)


class TestDefaultRole(Given):
    SAID: ClassVar = {"DEFAULT_USER_ROLE": "viewer"}

    @pytest.mark.proves("ENV-61")
    async def test_new_people_have_it_and_the_others_keep_theirs(self, client: Browser, call: Call) -> None:
        old = await person(call, "user")
        headers = await bearer(call)
        body = {"username": "newcomer", "email": "newcomer@example.com", "password": PASSWORD}
        answer = await client.post("/api/v1/auth/admin/users", json=body, headers=headers)
        assert answer.status in {200, 201}, await answer.text()
        roles = "select role from users where username = any(%(names)s) order by username"
        found = await call.db.column(roles, names=["newcomer", old.username])
        assert sorted(found) == ["readonly", "user"]


class Policy(Given):
    async def change(self, client: Browser, call: Call, new: str) -> tuple[int, str]:
        user = await person(call)
        await sign_in(client, user.username)
        answer = await client.put(CHANGE, json={"currentPassword": PASSWORD, "newPassword": new})
        return answer.status, str((await answer.json()).get("error", ""))


class TestStrictPolicy(Policy):
    @pytest.mark.proves("ENV-65", "ENV-66", "ENV-67", "ENV-68", "ENV-69", "ENV-70")
    @pytest.mark.parametrize("weak", ["Abc-12", "abcdefg-1", "ABCDEFG-1", "Abcdefg-x", "Abcdefgh1"])
    async def test_every_rule_holds_unless_it_is_switched_off(self, client: Browser, call: Call, weak: str) -> None:
        assert await self.change(client, call, weak) == (400, "Password does not meet the password policy")


class TestLaxPolicy(Policy):
    SAID: ClassVar = {
        "PASSWORD_MIN_LENGTH": "4", "PASSWORD_REQUIRE_UPPERCASE": "false", "PASSWORD_REQUIRE_LOWERCASE": "false",
        "PASSWORD_REQUIRE_NUMBER": "false", "PASSWORD_REQUIRE_SPECIAL": "false",
    }  # fmt: skip

    @pytest.mark.proves("ENV-65", "ENV-66", "ENV-67", "ENV-68", "ENV-69")
    @pytest.mark.parametrize("weak", ["Ab-1", "abcdefg-1", "ABCDEFG-1", "Abcdefg-x", "Abcdefgh1"])
    async def test_what_is_switched_off_asks_nothing(self, client: Browser, call: Call, weak: str) -> None:
        assert (await self.change(client, call, weak))[0] == 200


class TestValues:
    @pytest.mark.proves("ENV-13")
    @pytest.mark.parametrize(
        ("text", "seconds"), [("30s", 30), ("15m", 900), ("2h", 7200), ("7d", 604800), ("1d", 86400)]
    )
    def test_durations(self, text: str, seconds: int) -> None:
        assert duration_seconds(text) == seconds

    @pytest.mark.proves("ENV-13")
    @pytest.mark.parametrize("text", ["", "15", "m", "1w", "1.5h", "-1m", "1 h", "0s", "1H", "\u0661m"])
    def test_what_is_no_duration(self, text: str) -> None:
        with pytest.raises(ValueError, match="must be a duration"):
            duration_seconds(text)

    @pytest.mark.proves("ENV-15")
    @pytest.mark.parametrize(("name", "default"), TRUTHS.items())
    def test_a_switch_keeps_its_default_unless_it_is_said_otherwise(self, name: str, default: bool) -> None:
        field = {
            "ENABLE_HSTS": "hsts", "ENABLE_PPROF": "profiling", "PATCHMON_WORKER_INSIDE": "worker_inside",
            "PATCHMON_DEVELOPMENT": "development",
        }.get(name)  # fmt: skip
        for said, wanted in (({}, default), ({name: ""}, default), ({name: "true"}, True), ({name: "false"}, False)):
            env = read({"ENV_FILE": "", **said})
            if field:
                assert getattr(env, field) is wanted
            elif name == "REDIS_TLS_VERIFY":
                assert env.redis.verify is wanted
        assert (truth("TRUE"), truth("False")) == (True, False)
        assert refusal(name, "perhaps")

    @pytest.mark.parametrize(("name", "number"), NUMBERS.items())
    def test_every_number_has_its_limits(self, name: str, number: Any) -> None:
        env = {"ENV_FILE": "", "REDIS_HOST": "x", "DATABASE_URL": "postgresql://x", "JWT_SECRET": "x"}
        for fine in (number.least, number.default, number.most):
            read({**env, name: str(fine)})
        for wrong in (number.least - 1, number.most + 1, "1.5", "1e3", "ten", "0x10", "9" * 40):
            assert refusal(name, str(wrong)) or name == "REDIS_PORT", (name, wrong)

    @pytest.mark.parametrize("text", ["-1", "1.5mb", "mb", "5 tb", "0", "\u0661"])
    def test_what_is_no_size(self, text: str) -> None:
        with pytest.raises(ValueError, match="must be a size"):
            size(text)

    def test_every_default_is_a_value_that_is_taken(self) -> None:
        assert [name for name, text in SIZES.items() if refusal(name, text)] == []
        assert uncatalogued() == set()
        assert [known.key for known in VARIABLES if known.storable and refusal(known.key, known.default)] == []


class TestPresets:
    @pytest.mark.proves("ENV-186", "ENV-187")
    @pytest.mark.parametrize(
        "said",
        [
            {"JWT_EXPIRES_IN": "1h", "JWT_REFRESH_EXPIRES_IN": "7d"},
            {"JWT_EXPIRES_IN": "30m", "JWT_REFRESH_EXPIRES_IN": "3d"},
            {"JWT_EXPIRES_IN": "15m", "JWT_REFRESH_EXPIRES_IN": "1d"},
            {"PASSWORD_MIN_LENGTH": "12", "PASSWORD_RATE_LIMIT_MAX": "3"},
            {"MAX_LOGIN_ATTEMPTS": "3", "LOCKOUT_DURATION_MINUTES": "30"},
            {"SESSION_INACTIVITY_TIMEOUT_MINUTES": "15"},
            {"SESSION_INACTIVITY_TIMEOUT_MINUTES": "60"},
            {
                "MAX_TFA_ATTEMPTS": "3", "TFA_LOCKOUT_DURATION_MINUTES": "60", "TFA_REMEMBER_ME_EXPIRES_IN": "7d",
                "TFA_MAX_REMEMBER_SESSIONS": "3", "TFA_SUSPICIOUS_ACTIVITY_THRESHOLD": "2",
            },
        ],
    )  # fmt: skip
    def test_the_documented_ones_are_taken(self, said: dict[str, str]) -> None:
        assert read({"ENV_FILE": "", **said}, also=rules.complaints).given.reveal().items() >= said.items()


class TestKeys:
    SAID: ClassVar = {"DATABASE_URL": "postgresql://u:p@h/d", "JWT_SECRET": "j", "ENV_FILE": ""}

    @pytest.mark.proves("ENV-110", "ENV-112")
    def test_a_key_of_64_digits_is_used_as_it_is_and_others_are_hashed(self) -> None:
        for text, raw in (
            ("0f" * 32, bytes.fromhex("0f" * 32)),
            ("a sentence", hashlib.sha256(b"a sentence").digest()),
            ("0f" * 64, hashlib.sha256(b"0f" * 64).digest()),
        ):
            env = read({**self.SAID, "AI_ENCRYPTION_KEY": text})
            sealed = SecretBox(env.master_key).seal("hunter2")
            version, _, rest = sealed.partition(":")
            data = base64.urlsafe_b64decode(rest)
            assert AESGCM(raw).decrypt(data[:12], data[12:], f"{version}:".encode()) == b"hunter2"
            assert SecretBox(env.master_key).seal("hunter2") != sealed

    @pytest.mark.proves("ENV-111", "ENV-113", "ENV-179")
    def test_the_first_key_that_is_set_counts(self) -> None:
        names = ("AI_ENCRYPTION_KEY", "SECRET_ENCRYPTION_KEY", "SESSION_SECRET")
        for first in range(len(names)):
            said = {name: name.lower() for name in names[first:]}
            env = read({**self.SAID, **said, **dict.fromkeys(names[:first], "")})
            assert (env.master_key.reveal(), env.derived_key) == (names[first].lower(), False)
        derived = read(self.SAID)
        other = read({**self.SAID, "DATABASE_URL": "postgresql://u:another@h/d"})
        assert derived.derived_key
        sealed = SecretBox(derived.master_key).seal("x")
        assert SecretBox(read(self.SAID).master_key).open(sealed) == "x"
        with pytest.raises(BadSeal):
            SecretBox(other.master_key).open(sealed)

    def test_what_was_sealed_by_earlier_versions_still_opens(self) -> None:
        box = SecretBox(Secret("one"))
        assert box.open("v1:" + box._fernet.encrypt(b"old").decode()) == "old"
        for broken in ("v2:", "v2:AAAA", "v2:" + "A" * 40, "v1:x", "", "v3:x", box.seal("x")[:-4]):
            with pytest.raises(BadSeal):
                box.open(broken)
