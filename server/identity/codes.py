"""Pure work with codes: the one-time codes of an authenticator, and backup codes."""

import re
import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import Final

import orjson
import pyotp
import segno

_STEP_SECONDS: Final = 30
#: A clock may be this many steps wrong, either way.
_DRIFT_STEPS: Final = 1
_SECRET_LENGTH: Final = 32
_BACKUP_CODES: Final = 10
_BACKUP_LENGTH: Final = 8
_ALPHABET: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
_TIMED: Final = re.compile(r"^[0-9]{6}$", re.ASCII)
_BACKUP: Final = re.compile(rf"^[A-Z0-9]{{{_BACKUP_LENGTH}}}$", re.ASCII)
_ISSUER: Final = "PatchMon"


def new_secret() -> str:
    """Return a new shared secret in base 32, as it is typed by hand."""
    return pyotp.random_base32(_SECRET_LENGTH)


def address(secret: str, username: str) -> str:
    """Return the ``otpauth://`` address that an authenticator reads from the picture."""
    return pyotp.TOTP(secret, interval=_STEP_SECONDS).provisioning_uri(name=username, issuer_name=_ISSUER)


def picture(secret: str, username: str) -> str:
    """Return the QR code of the secret as a ``data:`` address; dark on light in every theme, as cameras want it."""
    uri: str = segno.make(address(secret, username), error="m").png_data_uri(scale=5, border=3)
    return uri


def one_line(name: str) -> str:
    """Return a name as it was meant: one line, without what cannot be seen."""
    return " ".join("".join(char if char.isprintable() else " " for char in name).split())


def tidy(code: str) -> str:
    """Return a code as it was meant: people type it in groups and in small letters."""
    return re.sub(r"[\s-]+", "", code).upper()


def matching_step(secret: str, code: str, now: datetime, last_step: int) -> int | None:
    """Return the time step whose code this is, if that is about now and after the last one that was accepted."""
    if not _TIMED.match(code):
        return None
    timed = pyotp.TOTP(secret, interval=_STEP_SECONDS)
    current = int(now.timestamp()) // _STEP_SECONDS
    found = None
    # All are compared, so that the time it takes says nothing.
    for step in range(current - _DRIFT_STEPS, current + _DRIFT_STEPS + 1):
        same = secrets.compare_digest(timed.generate_otp(step), code)
        if same and step > last_step:
            found = step
    return found


def is_backup(code: str) -> bool:
    """Tell whether this looks like a backup code, before a slow hash is spent on it."""
    return bool(_BACKUP.match(code)) and not _TIMED.match(code)


def new_backup_codes() -> list[str]:
    """Return a new set of backup codes."""
    return ["".join(secrets.choice(_ALPHABET) for _ in range(_BACKUP_LENGTH)) for _ in range(_BACKUP_CODES)]


def packed(hashes: Sequence[str]) -> str:
    """Return the hashes as the column keeps them."""
    return orjson.dumps(list(hashes)).decode()


def unpacked(stored: str | None) -> list[str]:
    """Return the hashes of a column; what was mistyped there by hand opens nothing."""
    try:
        value = orjson.loads(stored or "[]")
    except orjson.JSONDecodeError:
        return []
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []
