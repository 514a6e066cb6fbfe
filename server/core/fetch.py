"""Opens URLs that people name, and nothing that is only reachable from inside: looks up, refuses, pins, limits."""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Final, TypeVar

from aiohttp import ClientError, ClientResponse, ClientSession, ClientTimeout, TCPConnector
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from server.core.env import Env

Network = IPv4Network | IPv6Network
Address = IPv4Address | IPv6Address
Lookup = Callable[[str, int], Awaitable[list[str]]]
Answer = TypeVar("Answer")

_SCHEMES: Final = frozenset({"http", "https"})
_MOVED: Final = frozenset({301, 302, 303, 307, 308})
_NAT64: Final = IPv6Network("64:ff9b::/96")
#: Where clouds hand out credentials; open to nobody by accident, also not where private networks are.
_LINK_LOCAL: Final = (IPv4Network("169.254.0.0/16"), IPv6Network("fe80::/10"), IPv6Network("fd00:ec2::/32"))
_PIECE_BYTES: Final = 16 * 1024


class FetchRefused(Exception):
    """The URL leads where this server does not go; the text names the host and says why."""


class FetchFailed(Exception):
    """Nothing usable came back; the text says what happened."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """An answer: ``url`` is where it came from after redirects; the names of ``headers`` are in lower case."""

    status: int
    url: str
    content_type: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


async def _system(host: str, port: int) -> list[str]:
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


_lookup: Lookup = _system


def set_lookup(lookup: Lookup | None) -> None:
    """Replace how names become addresses (tests); ``None`` brings the system's way back."""
    global _lookup  # noqa: PLW0603 (one resolver per process is the point)
    _lookup = lookup or _system


def refusal(address: str, allowed: Sequence[Network] = (), *, private: bool = False) -> str:
    """Return why nobody may connect to an address, or an empty text when everybody may.

    ``allowed`` are networks that the operator opened; ``private`` opens private ones and this machine as well, but
    never those where clouds hand out credentials.
    """
    one = _plain(ip_address(address.partition("%")[0]))
    if any(one in network for network in allowed if network.version == one.version):
        return ""
    if any(one in network for network in _LINK_LOCAL if network.version == one.version):
        return "is a link-local address"
    if one.is_multicast or one.is_unspecified or (one.is_reserved and not one.is_private):
        return "is not the address of a server"
    return "" if one.is_global or private else "is an address of a private network"


def _plain(one: Address) -> Address:
    # Several spellings of IPv6 carry an IPv4 address, and it is that one which is reached in the end.
    if isinstance(one, IPv4Address):
        return one
    inner = one.ipv4_mapped or one.sixtofour or (one.teredo[1] if one.teredo else None)
    if inner is None and one in _NAT64:
        inner = IPv4Address(int(one) & 0xFFFFFFFF)
    return inner or one


class _Pinned(AbstractResolver):
    """Looks a name up once for each connection, and hands out only what was checked: that is what is connected to."""

    def __init__(self, allowed: Sequence[Network], *, private: bool) -> None:
        self._allowed = allowed
        self._private = private

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        del family
        addresses = await _lookup(host, port)
        demand(host, addresses, self._allowed, private=self._private)
        return [_resolved(host, address, port) for address in addresses]

    async def close(self) -> None:
        """Nothing is kept."""


def _resolved(host: str, address: str, port: int) -> ResolveResult:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return ResolveResult(
        hostname=host, host=address, port=port, family=family, proto=socket.IPPROTO_TCP, flags=socket.AI_NUMERICHOST
    )


def demand(host: str, addresses: Sequence[str], allowed: Sequence[Network], *, private: bool) -> None:
    """Refuse a host when any of its addresses is closed."""
    if not addresses:
        raise FetchFailed(f"{host} has no address")
    for address in addresses:
        if why := refusal(address, allowed, private=private):
            raise FetchRefused(f"{host} ({address}) {why}" if host != address else f"{host} {why}")


@dataclass(frozen=True, slots=True)
class Fetcher:
    """Fetches within limits.

    Attributes:
        allowed: networks that the operator opened although they are not public.
        private: the URL is the operator's own word, so it may lead into private networks.
        https_only: plain http is refused, also after a redirect.
        authorities: a file of further certificate authorities that count.
    """

    allowed: tuple[Network, ...] = ()
    private: bool = False
    https_only: bool = False
    authorities: Path | None = None

    async def get(
        self,
        url: str,
        *,
        limit_bytes: int,
        seconds: float = 10,
        headers: Mapping[str, str] | None = None,
        redirects: int = 3,
    ) -> Fetched:
        """Fetch a URL; each redirect is checked like the first address, and takes no headers to another host.

        Raises ``FetchRefused`` or ``FetchFailed``.
        """
        return await self._within(seconds, self._follow("GET", url, limit_bytes, dict(headers or {}), redirects))

    async def head(
        self, url: str, *, seconds: float = 10, headers: Mapping[str, str] | None = None, redirects: int = 3
    ) -> Fetched:
        """Ask what would be sent, with the same care. Raises ``FetchRefused`` or ``FetchFailed``."""
        return await self._within(seconds, self._follow("HEAD", url, 0, dict(headers or {}), redirects))

    async def post(
        self,
        url: str,
        form: Mapping[str, str],
        *,
        limit_bytes: int,
        seconds: float = 10,
        headers: Mapping[str, str] | None = None,
    ) -> Fetched:
        """Send a form; redirects are not followed. Raises ``FetchRefused`` or ``FetchFailed``."""
        target = self._checked(url)
        asked = self._once("POST", target, limit_bytes, dict(headers or {}), dict(form))
        fetched, _ = await self._within(seconds, asked)
        return fetched

    async def send(
        self, url: str, body: bytes, *, headers: Mapping[str, str], limit_bytes: int, seconds: float = 10
    ) -> Fetched:
        """Send bytes; redirects are not followed. Raises ``FetchRefused`` or ``FetchFailed``."""
        asked = self._once("POST", self._checked(url), limit_bytes, dict(headers), body)
        fetched, _ = await self._within(seconds, asked)
        return fetched

    async def _within(self, seconds: float, asked: Awaitable[Answer]) -> Answer:
        try:
            async with asyncio.timeout(seconds):
                return await asked
        except TimeoutError as error:
            raise FetchFailed(f"no answer within {seconds:g} seconds") from error
        except (ClientError, OSError, ValueError) as error:
            raise FetchFailed(str(error) or type(error).__name__) from error

    async def _follow(
        self, method: str, url: str, limit_bytes: int, headers: dict[str, str], redirects: int
    ) -> Fetched:
        target = self._checked(url)
        for _ in range(redirects + 1):
            fetched, location = await self._once(method, target, limit_bytes, headers, None)
            if location is None:
                return fetched
            moved = self._checked(str(target.join(URL(location))))
            if moved.origin() != target.origin():
                headers = {name: value for name, value in headers.items() if name == "Accept"}
            target = moved
        raise FetchFailed(f"{target.host} redirects too often")

    def _checked(self, url: str) -> URL:
        target = URL(url)
        if target.scheme not in _SCHEMES or not target.host:
            raise FetchRefused("only http and https URLs are opened")
        if self.https_only and target.scheme != "https":
            raise FetchRefused(f"{target.host} is not reached over https")
        if target.user is not None or target.password is not None:
            raise FetchRefused("a URL with a name or password in it is not opened")
        return target

    async def _once(
        self, method: str, url: URL, limit_bytes: int, headers: dict[str, str], form: dict[str, str] | bytes | None
    ) -> tuple[Fetched, str | None]:
        # aiohttp asks no resolver about what is an address already.
        if _is_address(host := url.host or ""):
            demand(host, [host], self.allowed, private=self.private)
        resolver = _Pinned(self.allowed, private=self.private)
        trusted = _context(self.authorities) if self.authorities else True
        connector = TCPConnector(resolver=resolver, use_dns_cache=False, force_close=True, ssl=trusted)
        async with (
            ClientSession(connector=connector, trust_env=False, timeout=ClientTimeout(connect=10)) as session,
            session.request(
                method,
                url,
                data=form,
                headers={"Accept-Encoding": "identity", "User-Agent": "PatchMon", **headers},
                allow_redirects=False,
            ) as answer,
        ):
            if method != "POST" and answer.status in _MOVED and (location := answer.headers.get("Location")):
                return Fetched(answer.status, str(url), "", b""), location
            body = b"" if method == "HEAD" else await _limited(answer, limit_bytes)
            told = {name.lower(): value for name, value in answer.headers.items()}
            return Fetched(answer.status, str(url), answer.content_type, body, told), None


@cache
def _context(authorities: Path) -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.load_verify_locations(cafile=authorities)
    return context


async def _limited(answer: ClientResponse, limit_bytes: int) -> bytes:
    if (answer.content_length or 0) > limit_bytes:
        raise FetchFailed(f"the answer is larger than {limit_bytes} bytes")
    body = bytearray()
    async for piece in answer.content.iter_chunked(_PIECE_BYTES):
        body += piece
        if len(body) > limit_bytes:
            raise FetchFailed(f"the answer is larger than {limit_bytes} bytes")
    return bytes(body)


def _is_address(host: str) -> bool:
    try:
        ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def fetcher(env: Env, *, private: bool = False, https_only: bool = False) -> Fetcher:
    """Return what opens URLs on this server, with the networks that the operator opened."""
    allowed = tuple(
        ip_network(part.strip(), strict=False) for part in env.outbound_allow_private.split(",") if part.strip()
    )
    return Fetcher(allowed, private=private, https_only=https_only, authorities=env.authorities)
