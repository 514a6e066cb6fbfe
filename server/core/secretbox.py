"""Secrets: hidden when printed, encrypted when stored, compared in constant time."""

import base64
import hashlib
import hmac
import re
import secrets
from typing import Final, Generic, TypeVar

from cryptography.exceptions import InvalidTag
from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

#: What is sealed now, and what earlier versions sealed.
_VERSION: Final = "v2:"
_EARLIER: Final = "v1:"
_NONCE_BYTES: Final = 12
_KEY: Final = re.compile(r"^[0-9a-fA-F]{64}$")

T = TypeVar("T")


class Secret(Generic[T]):
    """A value that does not print itself; ``reveal()`` at the place of use."""

    __slots__ = ("_value",)

    def __init__(self, value: T) -> None:
        self._value = value

    def reveal(self) -> T:
        """Return the value; call it only where the value is needed."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(***)"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._value == other._value

    def __hash__(self) -> int:
        return hash(self._value)


class BadSeal(Exception):
    """A stored secret was sealed with another key or was changed."""


class SecretBox:
    """Seals stored secrets and makes machine-key verifiers from one master key.

    Sealing is AES-256-GCM. A master key of 64 hexadecimal digits is the key itself, any other is hashed with SHA-256.
    """

    def __init__(self, master: Secret[str]) -> None:
        self._cipher = AESGCM(_key(master))
        self._fernet = Fernet(base64.urlsafe_b64encode(_derive(master, "stored secrets")))
        self._pepper = _derive(master, "machine keys")
        self._signing = _derive(master, "signatures")

    def seal(self, plain: str) -> str:
        """Encrypt ``plain`` for a column or a Redis value."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        sealed = nonce + self._cipher.encrypt(nonce, plain.encode(), _VERSION.encode())
        return _VERSION + base64.urlsafe_b64encode(sealed).decode()

    def open(self, sealed: str) -> str:
        """Decrypt what ``seal`` made; raises ``BadSeal`` for anything else."""
        try:
            if sealed.startswith(_VERSION):
                data = base64.urlsafe_b64decode(sealed.removeprefix(_VERSION))
                return self._cipher.decrypt(data[:_NONCE_BYTES], data[_NONCE_BYTES:], _VERSION.encode()).decode()
            return self._fernet.decrypt(sealed.removeprefix(_EARLIER).encode()).decode()
        except (InvalidTag, InvalidToken, ValueError) as error:
            message = "a stored secret cannot be opened with this key"
            raise BadSeal(message) from error

    def verifier(self, key: str) -> str:
        """Return the stored form of a 256-bit machine key.

        A slow hash buys nothing for keys nobody can guess and would cap a core at a dozen agents a second.
        """
        return "hmac-sha256:" + hmac.new(self._pepper, _bytes(key), hashlib.sha256).hexdigest()

    def verifies(self, key: str, stored: str) -> bool:
        """Compare in constant time; only for verifiers made by ``verifier``."""
        return hmac.compare_digest(self.verifier(key).encode(), stored.encode())

    def sign(self, text: str) -> str:
        """Return a short signature of ``text`` (CSRF tokens, set-up links)."""
        return hmac.new(self._signing, _bytes(text), hashlib.sha256).hexdigest()[:40]

    def signed(self, text: str, signature: str) -> bool:
        """Check a signature made by ``sign``, in constant time."""
        return hmac.compare_digest(self.sign(text).encode(), _bytes(signature))


def _bytes(text: str) -> bytes:
    # Headers and cookies bring whatever bytes a client sent, as half characters.
    return text.encode(errors="surrogatepass")


def _key(master: Secret[str]) -> bytes:
    text = master.reveal()
    return bytes.fromhex(text) if _KEY.match(text) else hashlib.sha256(text.encode()).digest()


def _derive(master: Secret[str], purpose: str) -> bytes:
    kdf = HKDF(algorithm=hashes.SHA256(), length=32, salt=b"patchmon", info=purpose.encode())
    return kdf.derive(master.reveal().encode())
