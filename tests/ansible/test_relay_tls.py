"""The connection plugin over HTTPS: a private authority, none at all, and a certificate that is not looked at."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from tests.ansible.test_relay import Laptop, agents, laptop, running  # noqa: F401 (fixtures)
from tests.factories.house import House, ServerProcess
from tests.stand_ins.identity_provider import certificate

pytestmark = pytest.mark.real
PLAY = """\
- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.ping:
    - ansible.builtin.command: echo over https
      register: said
    - ansible.builtin.debug: {msg: "heard {{ said.stdout }}"}
"""


@pytest.fixture
async def front(
    running: ServerProcess,  # noqa: F811 (the fixture)
    tmp_path: Path,
    unused_tcp_port_factory: Callable[[], int],
) -> AsyncIterator[tuple[str, Path]]:
    """What stands before a server in the field: it ends TLS with a certificate that a private authority made."""
    file = certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    port = unused_tcp_port_factory()

    async def carry(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, ssl.SSLError):
            while piece := await source.read(65536):
                target.write(piece)
                await target.drain()
        target.close()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        behind_reader, behind_writer = await asyncio.open_connection("127.0.0.1", running.port)
        await asyncio.gather(carry(reader, behind_writer), carry(behind_reader, writer))

    async with await asyncio.start_server(accept, "127.0.0.1", port, ssl=context):
        yield f"https://127.0.0.1:{port}", file


@pytest.mark.timeout(200)
async def test_a_private_authority_is_trusted_where_it_is_named_and_nowhere_else(
    house: House,
    running: ServerProcess,  # noqa: F811 (the fixture)
    laptop: Laptop,  # noqa: F811 (the fixture)
    front: tuple[str, Path],
) -> None:
    await agents(house, running, "web-01", automation="any")
    url, authority = front
    laptop.inventory("web-01")
    over = replace(laptop, url=url)

    code, said = await over.play(PLAY, PATCHMON_CA_FILE=str(authority))
    assert code == 0, said
    assert "heard over https" in said

    code, said = await over.play(PLAY)
    assert code != 0
    assert "certificate" in said.lower(), said
    assert "heard over https" not in said

    code, said = await over.play(PLAY, PATCHMON_VERIFY_SSL="false")
    assert code == 0, said
    assert "heard over https" in said

    code, said = await over.play(PLAY, PATCHMON_CA_FILE=str(authority.with_name("missing.pem")))
    assert code != 0
    assert "missing.pem" in said, said
