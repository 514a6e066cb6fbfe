"""Every address of every interface, asked of the kernel over netlink."""

from __future__ import annotations

import ipaddress
import socket
import struct
from typing import Dict, Iterator, List, NamedTuple, Tuple

_RTM_GETADDR = 22
_RTM_NEWADDR = 20
_NLMSG_ERROR = 2
_NLMSG_DONE = 3
_REQUEST_DUMP = 0x301
_IFA_ADDRESS = 1
_IFA_LOCAL = 2
_HEADER = struct.Struct("=IHHII")
_ADDRESS = struct.Struct("=BBBBI")
_ATTRIBUTE = struct.Struct("=HH")
_ANSWER_BYTES = 65536
_TIMEOUT_SECONDS = 5.0


class Address(NamedTuple):
    """One address; ``prefix`` is the length of its network part."""

    address: str
    family: str
    prefix: int


def addresses() -> Dict[int, List[Address]]:
    """Return the addresses by interface index.

    Raises:
        OSError: the kernel does not answer.
    """
    found: Dict[int, List[Address]] = {}
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as channel:
        channel.settimeout(_TIMEOUT_SECONDS)
        size = _HEADER.size + _ADDRESS.size
        channel.send(_HEADER.pack(size, _RTM_GETADDR, _REQUEST_DUMP, 1, 0) + _ADDRESS.pack(0, 0, 0, 0, 0))
        for kind, payload in _answers(channel):
            if kind == _RTM_NEWADDR:
                index, address = _parse(payload)
                found.setdefault(index, []).append(address)
    return found


def _answers(channel: socket.socket) -> Iterator[Tuple[int, bytes]]:
    while True:
        data = channel.recv(_ANSWER_BYTES)
        offset = 0
        while offset + _HEADER.size <= len(data):
            length, kind, _flags, _sequence, _process = _HEADER.unpack_from(data, offset)
            if kind == _NLMSG_DONE:
                return
            if kind == _NLMSG_ERROR or length < _HEADER.size:
                raise OSError("netlink refused to list addresses")
            yield kind, data[offset + _HEADER.size : offset + length]
            offset += (length + 3) & ~3


def _parse(payload: bytes) -> Tuple[int, Address]:
    family, prefix, _flags, _scope, index = _ADDRESS.unpack_from(payload)
    raw = b""
    offset = _ADDRESS.size
    while offset + _ATTRIBUTE.size <= len(payload):
        length, kind = _ATTRIBUTE.unpack_from(payload, offset)
        if length < _ATTRIBUTE.size:
            break
        value = payload[offset + _ATTRIBUTE.size : offset + length]
        # On a point-to-point link the local address is ours, the other one the peer's.
        if kind == _IFA_LOCAL or (kind == _IFA_ADDRESS and not raw):
            raw = value
        offset += (length + 3) & ~3
    name = "inet" if family == socket.AF_INET else "inet6"
    return index, Address(str(ipaddress.ip_address(raw)), name, prefix)
