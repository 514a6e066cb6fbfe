"""Ansible's vault format: finding what is encrypted, sending it apart, and opening it. Pure.

A value ``!vault |`` in a YAML file becomes a reference to a secret variable, named by the digest of what is encrypted:
so the project that travels holds nothing of it, is the same whatever the password is, and every rule of precedence
stays as it was. A file that is encrypted as a whole travels as a secret file.
"""

import hashlib
import hmac
import re
from binascii import Error, unhexlify
from collections.abc import Iterable, Mapping
from typing import Final

import yaml
from cryptography.hazmat.primitives import hashes, padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC

from server.library.models import Files

#: The variable under which opened values travel.
VARIABLE: Final = "patchmon_vault"
_HEADER: Final = "$ANSIBLE_VAULT;"
_TAG: Final = "!vault"
_OLD_TAG: Final = "!vault-encrypted"
_FORMAT: Final = re.compile(r"\$ANSIBLE_VAULT;1\.[12];AES256(?:;(?P<label>[^\s;]+))?\s*\n")
_KEY_BYTES: Final = 80
_ROUNDS: Final = 10_000
_MOST_VALUES: Final = 500


class NotOpened(Exception):
    """No password opens it; the text does not say what it is."""


def is_encrypted(content: bytes) -> bool:
    """Tell whether a whole file is encrypted."""
    return content.startswith(_HEADER.encode())


def take_out(files: Files) -> tuple[dict[str, bytes], dict[str, str], dict[str, str]]:
    """Return the files as they travel, the encrypted values by their names, and the encrypted files by their paths.

    Raises ``ValueError`` with a sentence for a project with too many of them.
    """
    travelling: dict[str, bytes] = {}
    values: dict[str, str] = {}
    whole: dict[str, str] = {}
    for path, content in files.items():
        travelling[path] = content
        if is_encrypted(content):
            whole[path] = content.decode("ascii", "replace")
            # The ciphertext stays here: what travels is only that there is something.
            travelling[path] = b"# encrypted: comes with the job\n"
        elif path.endswith((".yml", ".yaml")) and _TAG.encode() in content:
            text, found = _without_values(content.decode("utf-8", "surrogateescape"))
            travelling[path] = text.encode("utf-8", "surrogateescape")
            values |= found
    if len(values) + len(whole) > _MOST_VALUES:
        message = f"more than {_MOST_VALUES} encrypted values; encrypt fewer, or whole files"
        raise ValueError(message)
    return travelling, values, whole


def _without_values(text: str) -> tuple[str, dict[str, str]]:
    try:
        nodes = [node for node in yaml.compose_all(text, yaml.SafeLoader) if node is not None]
    except yaml.YAMLError:
        # The check of the project says what is wrong with it.
        return text, {}
    found: dict[str, str] = {}
    for node in sorted(_tagged(nodes), key=lambda one: -one.start_mark.index):
        name = name_of(node.value)
        found[name] = node.value
        start, end = node.start_mark.index, node.end_mark.index
        line_end = "\n" if text[start:end].endswith("\n") else ""
        text = f'{text[:start]}"{{{{ {VARIABLE}.{name} }}}}"{line_end}{text[end:]}'
    return text, found


def _tagged(nodes: Iterable[yaml.Node]) -> Iterable[yaml.ScalarNode]:
    waiting, seen = list(nodes), set()
    while waiting:
        node = waiting.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, yaml.ScalarNode) and node.tag in {_TAG, _OLD_TAG}:
            yield node
        elif isinstance(node, yaml.SequenceNode):
            waiting += node.value
        elif isinstance(node, yaml.MappingNode):
            waiting += [one for pair in node.value for one in pair]


def name_of(ciphertext: str) -> str:
    """Return the name under which an encrypted value travels."""
    return "v" + hashlib.sha256(ciphertext.strip().encode()).hexdigest()[:24]


def opened(ciphertext: str, passwords: Mapping[str, str]) -> bytes:
    """Return what is encrypted; ``passwords`` are by their vault id, which is only a hint which to try first.

    Raises ``NotOpened``.
    """
    match = _FORMAT.match(ciphertext.strip() + "\n")
    if match is None:
        message = "it is not in the format of ansible-vault"
        raise NotOpened(message)
    label = match["label"] or ""
    try:
        salt, digest, data = (unhexlify(part) for part in unhexlify("".join(ciphertext.split()[1:])).split(b"\n", 2))
    except (Error, ValueError) as error:
        message = "it is cut off or damaged"
        raise NotOpened(message) from error
    for _, password in sorted(passwords.items(), key=lambda one: one[0] != label):
        plain = _decrypted(password, salt, digest, data)
        if plain is not None:
            return plain
    message = "no vault password of this launch opens it"
    raise NotOpened(message)


def _decrypted(password: str, salt: bytes, digest: bytes, data: bytes) -> bytes | None:
    kdf = PBKDF2HMAC(algorithm=hashes.SHA256(), length=_KEY_BYTES, salt=salt, iterations=_ROUNDS)
    keys = kdf.derive(password.strip().encode())
    if not hmac.compare_digest(hmac.new(keys[32:64], data, hashlib.sha256).digest(), digest):
        return None
    cipher = Cipher(algorithms.AES(keys[:32]), modes.CTR(keys[64:])).decryptor()
    unpadder = padding.PKCS7(128).unpadder()
    return unpadder.update(cipher.update(data) + cipher.finalize()) + unpadder.finalize()
