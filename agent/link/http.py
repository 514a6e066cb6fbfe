"""Requests to the server: proxies, certificates, a deadline, and another attempt only when nothing came back."""

from __future__ import annotations

import base64
import http.client
import json
import ssl
import time
from dataclasses import dataclass
from typing import Callable, Dict, Mapping, Optional, Union
from urllib.parse import unquote, urlsplit

from agent import __version__
from agent.config import Config, Credentials, Environment
from agent.link.failures import cause, refused

REQUEST_SECONDS = 30.0
#: A result of many megabytes on a slow line.
UPLOAD_SECONDS = 300.0
ATTEMPTS = 4
_PAUSE_SECONDS = 2.0
_MAX_ANSWER_BYTES = 8 * 1024 * 1024
_STALL_SECONDS = 60.0
_DOWNLOAD_SECONDS = 1800.0
_MAX_DOWNLOAD_BYTES = 100 * 1024 * 1024
_PART_BYTES = 256 * 1024
_OK = 200

Body = Union[bytes, None]


class Unreachable(Exception):
    """No answer came; the text names the cause."""


class BadAnswer(Exception):
    """The server answered with something else than 200."""

    def __init__(self, status: int, text: str, location: str = "") -> None:
        super().__init__(refused(status, location))
        self.status = status
        self.text = text


@dataclass(frozen=True)
class Answer:
    """Status and body of an answer."""

    status: int
    body: bytes
    is_json: bool
    location: str = ""

    def fields(self) -> Dict[str, object]:
        """Return the JSON object; empty for any other content, as if nothing had been said."""
        if not self.is_json:
            return {}
        try:
            found = json.loads(self.body)
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}


class Http:
    """Blocking client for one server; use it in a thread where a loop runs."""

    def __init__(self, config: Config, environment: Environment, credentials: Optional[Credentials]) -> None:
        self._base = config.api_url
        self._environment = environment
        # Reading the system's authorities takes time and memory that plain HTTP does not need.
        secure = self._base.startswith("https:")
        self._context = tls_context(verify=environment.verifies(config)) if secure else None
        self._headers = {
            "User-Agent": f"patchmon-agent/{__version__}",
            "Accept": "application/json",
            **(credentials.headers if credentials else {}),
        }

    def get(self, path: str, attempts: int = ATTEMPTS) -> Answer:
        """Ask for something."""
        return self.send("GET", path, None, "application/json", attempts)

    def post(self, path: str, body: Body, attempts: int = ATTEMPTS) -> Answer:
        """Send JSON, or nothing at all."""
        return self.send("POST", path, body, "application/json", attempts)

    def put(self, path: str, body: bytes, attempts: int = ATTEMPTS) -> Answer:
        """Put content under its name."""
        return self.send("PUT", path, body, "application/octet-stream", attempts, UPLOAD_SECONDS)

    def send(
        self,
        method: str,
        path: str,
        body: Body,
        content_type: str,
        attempts: int = ATTEMPTS,
        seconds: float = REQUEST_SECONDS,
    ) -> Answer:
        """Send one request within ``seconds``; whatever status comes back is final.

        Raises:
            Unreachable: no answer in any attempt.
        """
        if not self._base:
            raise Unreachable("no server is configured (patchmon_server)")
        for left in range(attempts - 1, -1, -1):
            try:
                return self._once(method, path, body, content_type, seconds)
            except (OSError, http.client.HTTPException) as error:
                if left == 0:
                    raise Unreachable(cause(error, urlsplit(self._base).hostname or "")) from error
                time.sleep(_PAUSE_SECONDS)
        raise AssertionError("at least one attempt")

    def download(self, path: str, take: Callable[[bytes], object]) -> None:
        """Fetch a file part by part, as the server holds it; what came is not more than part of it when this fails.

        Raises:
            Unreachable: it did not come, stalled, broke off, or is larger than an agent can be.
            BadAnswer: the server has no such file.
        """
        deadline = time.monotonic() + _DOWNLOAD_SECONDS
        try:
            connection, target = self._open(f"{self._base}{path}")
            try:
                connection.request("GET", target, headers={**self._headers, "Accept-Encoding": "identity"})
                response = connection.getresponse()
                if response.status != _OK:
                    raise _bad(response)
                if connection.sock is not None:
                    connection.sock.settimeout(_STALL_SECONDS)
                got, length = 0, response.getheader("Content-Length") or ""
                for part in iter(lambda: response.read(_PART_BYTES), b""):
                    got += len(part)
                    if got > _MAX_DOWNLOAD_BYTES or time.monotonic() > deadline:
                        raise Unreachable(f"the download was given up after {got} bytes")
                    take(part)
            finally:
                connection.close()
        except (OSError, http.client.HTTPException) as error:
            raise Unreachable(cause(error, urlsplit(self._base).hostname or "")) from error
        if length and int(length) != got:
            raise Unreachable(f"the download broke off after {got} of {length} bytes")

    def _once(self, method: str, path: str, body: Body, content_type: str, seconds: float) -> Answer:
        url = f"{self._base}{path}"
        deadline = time.monotonic() + seconds
        connection, target = self._open(url)
        try:
            headers: Dict[str, str] = {**self._headers, "Content-Type": content_type}
            connection.request(method, target, body=body if body is not None else b"", headers=headers)
            if connection.sock is not None:
                connection.sock.settimeout(max(1.0, deadline - time.monotonic()))
            response = connection.getresponse()
            content = response.read(_MAX_ANSWER_BYTES)
        finally:
            connection.close()
        is_json = "json" in (response.getheader("Content-Type") or "")
        return Answer(response.status, content, is_json, response.getheader("Location") or "")

    def _open(self, url: str) -> "tuple[http.client.HTTPConnection, str]":
        parts = urlsplit(url)
        secure = parts.scheme == "https"
        host, port = parts.hostname or "", parts.port or (443 if secure else 80)
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        proxy = self._environment.proxy_for(url)
        if not proxy:
            return self._connection(host, port, secure=secure), target
        through = urlsplit(proxy)
        near_host, near_port = through.hostname or "", through.port or 3128
        credentials = proxy_credentials(proxy)
        if secure:
            connection = self._connection(near_host, near_port, secure=True)
            connection.set_tunnel(host, port, headers=credentials)
            return connection, target
        self._headers.update(credentials)
        return self._connection(near_host, near_port, secure=False), url

    def _connection(self, host: str, port: int, *, secure: bool) -> http.client.HTTPConnection:
        if secure:
            return http.client.HTTPSConnection(host, port, timeout=REQUEST_SECONDS, context=self._context)
        return http.client.HTTPConnection(host, port, timeout=REQUEST_SECONDS)


def _bad(response: http.client.HTTPResponse) -> BadAnswer:
    text = response.read(300).decode("utf-8", "replace")
    return BadAnswer(response.status, text, response.getheader("Location") or "")


def proxy_credentials(proxy: str) -> Dict[str, str]:
    """Return the header that lets us through a proxy whose address holds a name and a password."""
    parts = urlsplit(proxy)
    if not parts.username:
        return {}
    pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return {"Proxy-Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}


def tls_context(*, verify: bool) -> ssl.SSLContext:
    """Return how certificates are treated: checked against the system's authorities, or not at all."""
    context = ssl.create_default_context()
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def expect_ok(answer: Answer) -> Answer:
    """Let exactly 200 pass.

    Raises:
        BadAnswer: any other status, 201 and 204 included.
    """
    if answer.status != _OK:
        raise BadAnswer(answer.status, answer.body[:300].decode("utf-8", "replace"), answer.location)
    return answer


def as_body(fields: Mapping[str, object]) -> bytes:
    """Return the compact JSON of a request."""
    return json.dumps(fields, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "replace")
