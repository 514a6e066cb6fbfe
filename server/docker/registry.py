"""Asking a registry: what it has under a name and a tag, signed in as nobody, in the way registries want it."""

import json
import re
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote, urlencode

from server.core.fetch import Fetched, Fetcher, FetchFailed, FetchRefused
from server.docker.models import Answer, Reference
from server.docker.references import door, newest_of

_INDEXES: Final = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
_MANIFESTS: Final = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
_ACCEPT: Final = ", ".join((*_INDEXES, *_MANIFESTS))
_CHALLENGE: Final = re.compile(r'([a-zA-Z_]+)="([^"]*)"')
_MANIFEST_BYTES: Final = 4 * 1024**2
_TAGS_BYTES: Final = 4 * 1024**2
_TOKEN_BYTES: Final = 64 * 1024
_PAGES: Final = 5
_PAGE: Final = 1000
_OK, _UNAUTHORIZED, _FORBIDDEN, _MISSING, _TOO_MANY = 200, 401, 403, 404, 429
_BROKEN: Final = 500
_LONGEST_WAIT_SECONDS: Final = 6 * 3600
_LOOPBACK: Final = ("localhost", "127.", "[::1]")


class RegistryAway(Exception):
    """The registry is not there, or asks us to wait: nothing is asked of it for a while.

    Attributes:
        wait_seconds: how long it wants us to wait; ``None`` when it did not say.
    """

    def __init__(self, text: str, wait_seconds: int | None = None) -> None:
        super().__init__(text)
        self.wait_seconds = wait_seconds


@dataclass(slots=True)
class Registry:
    """One registry for as long as it is asked: it keeps the tokens it was given, by what they are for."""

    name: str
    fetcher: Fetcher
    _tokens: dict[str, str] = field(default_factory=dict)

    @property
    def _base(self) -> str:
        return f"https://{door(self.name)}/v2"

    async def look_up(self, wanted: Reference, known: Answer) -> Answer:
        """Return what is under a name and tag; ``known`` is what was found the last time.

        Raises ``RegistryAway``.
        """
        if self.name.startswith(_LOOPBACK):
            return Answer(problem="Only the host itself reaches this registry.")
        path = quote(wanted.path)
        url = f"{self._base}/{path}/manifests/{quote(wanted.tag, safe='')}"
        head = await self._ask("HEAD", url, path, _MANIFEST_BYTES)
        if problem := self._problem(head):
            return Answer(problem=problem)
        digest = head.headers.get("docker-content-digest", "")
        digests = known.digests if digest and digest == known.digest else (digest,)
        if digests == (digest,) and head.content_type in _INDEXES:
            digests = (digest, *await self._members(url, path))
        if not digest:
            return Answer(problem=f"{self.name} gives no digests.")
        return Answer(digest, digests, await self._newer_tag(wanted, path))

    async def _members(self, url: str, path: str) -> tuple[str, ...]:
        """Return what an index leads to: a host may know its image by its own platform's digest."""
        found = _object(await self._ask("GET", url, path, _MANIFEST_BYTES)).get("manifests")
        members = found if isinstance(found, list) else []
        return tuple(str(one["digest"]) for one in members if isinstance(one, dict) and one.get("digest"))

    async def _newer_tag(self, wanted: Reference, path: str) -> str:
        if not any(letter.isdigit() for letter in wanted.tag) or "." not in wanted.tag:
            return ""
        tags: list[str] = []
        url = f"{self._base}/{path}/tags/list?{urlencode({'n': _PAGE})}"
        for _ in range(_PAGES):
            answer = await self._ask("GET", url, path, _TAGS_BYTES)
            found = _object(answer).get("tags")
            page = [str(one) for one in found] if isinstance(found, list) else []
            tags += page
            if answer.status != _OK or 'rel="next"' not in answer.headers.get("link", "") or not page:
                break
            url = f"{self._base}/{path}/tags/list?{urlencode({'n': _PAGE, 'last': page[-1]})}"
        return newest_of(wanted.tag, tags)

    async def _ask(self, method: str, url: str, path: str, limit_bytes: int) -> Fetched:
        answer = await self._send(method, url, self._tokens.get(path, ""), limit_bytes)
        challenge = answer.headers.get("www-authenticate", "")
        if answer.status == _UNAUTHORIZED and challenge.lower().startswith("bearer"):
            self._tokens[path] = await self._token(challenge, path)
            answer = await self._send(method, url, self._tokens[path], limit_bytes)
        return answer

    async def _token(self, challenge: str, path: str) -> str:
        told = dict(_CHALLENGE.findall(challenge))
        query = {"scope": told.get("scope") or f"repository:{path}:pull"}
        if told.get("service"):
            query["service"] = told["service"]
        realm = told.get("realm", "")
        answer = await self._send("GET", f"{realm}{'&' if '?' in realm else '?'}{urlencode(query)}", "", _TOKEN_BYTES)
        given = _object(answer)
        return str(given.get("token") or given.get("access_token") or "")

    async def _send(self, method: str, url: str, token: str, limit_bytes: int) -> Fetched:
        headers = {"Accept": _ACCEPT, **({"Authorization": f"Bearer {token}"} if token else {})}
        try:
            if method == "HEAD":
                answer = await self.fetcher.head(url, headers=headers)
            else:
                answer = await self.fetcher.get(url, limit_bytes=limit_bytes, headers=headers)
        except FetchRefused as error:
            raise RegistryAway(f"{error} (OUTBOUND_ALLOW_PRIVATE opens private networks)") from error
        except FetchFailed as error:
            raise RegistryAway(f"{self.name} is not reached: {error}") from error
        if answer.status == _TOO_MANY:
            raise RegistryAway(f"{self.name} asks us to wait: too many requests", _wait(answer))
        if answer.status >= _BROKEN:
            raise RegistryAway(f"{self.name} answers {answer.status}", _wait(answer))
        return answer

    def _problem(self, answer: Fetched) -> str:
        if answer.status == _OK:
            return ""
        if answer.status in {_UNAUTHORIZED, _FORBIDDEN}:
            return f"{self.name} wants a sign-in for this image, or does not have it."
        if answer.status == _MISSING:
            return f"{self.name} does not have this tag any more."
        return f"{self.name} answers {answer.status}."


def _object(answer: Fetched) -> dict[str, Any]:
    try:
        found = json.loads(answer.body) if answer.status == _OK else {}
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _wait(answer: Fetched) -> int | None:
    told = answer.headers.get("retry-after", "")
    return min(int(told), _LONGEST_WAIT_SECONDS) if told.isdecimal() and len(told) < 9 else None  # noqa: PLR2004 (keeps int() small)
