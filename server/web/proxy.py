"""Where a request really comes from and under which URL it was made, as far as proxies are trusted.

``TRUST_PROXY`` is off, ``true`` (whoever connects is a proxy) or a list of networks (only peers in them are).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Final

from aiohttp import web

from server.core.log import get_log
from server.web.routing import world

log = get_log(__name__)

_OFF: Final = frozenset({"", "false", "0", "no", "off"})
_ALL: Final = frozenset({"true", "1", "yes", "on"})
_warned_peers: set[str] = set()
_WARNED_LIMIT: Final = 100


@dataclass(frozen=True, slots=True)
class Origin:
    """The client's address, and the scheme and host (with port) it used."""

    address: str
    scheme: str
    host: str

    @property
    def secure(self) -> bool:
        """Whether the client speaks https."""
        return self.scheme == "https"

    @property
    def url(self) -> str:
        """The URL the client sees, without a path."""
        return f"{self.scheme}://{self.host}"


def origin(request: web.Request) -> Origin:
    """Return where this request comes from."""
    trust = world(request).env.trust_proxy
    direct = Origin(request.remote or "", request.scheme, request.host)
    found = behind(trust, direct, request.headers)
    if trust.lower() in _OFF and "X-Forwarded-For" in request.headers:
        _warn(direct.address)
    return found


def behind(trust: str, direct: Origin, headers: Mapping[str, str]) -> Origin:
    """Return the origin that trusted proxies report, or the direct one.

    The forwarded addresses are read from the right: each trusted proxy appends the peer it saw, and everything left
    of the first address that is no proxy could have been invented by the client.
    """
    if trust.lower() in _OFF or not _is_proxy(trust, direct.address):
        return direct
    chain = [part.strip() for part in headers.get("X-Forwarded-For", "").split(",") if _is_address(part.strip())]
    address = direct.address
    if trust.lower() in _ALL:
        address = chain[-1] if chain else address
    else:
        for one in reversed(chain):
            address = one
            if not _is_proxy(trust, one):
                break
    scheme = _last(headers.get("X-Forwarded-Proto", "")).lower()
    host = _last(headers.get("X-Forwarded-Host", ""))
    return Origin(address, scheme if scheme in {"http", "https"} else direct.scheme, host or direct.host)


def networks(trust: str) -> list[IPv4Network | IPv6Network]:
    """Return the networks that a list names; raises ``ValueError`` for anything else."""
    return [ip_network(part.strip(), strict=False) for part in trust.split(",") if part.strip()]


def _is_proxy(trust: str, address: str) -> bool:
    if trust.lower() in _ALL:
        return True
    return _is_address(address) and any(ip_address(address) in network for network in networks(trust))


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _last(header: str) -> str:
    return header.rsplit(",", 1)[-1].strip()


def _warn(peer: str) -> None:
    # Once per peer: the operator must see it, the log must not drown in it.
    if peer not in _warned_peers and len(_warned_peers) < _WARNED_LIMIT:
        _warned_peers.add(peer)
        log.warning("forwarded_headers_ignored", peer=peer, advice="set TRUST_PROXY if this peer is your proxy")
