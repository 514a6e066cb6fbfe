"""The connection plugin where only a proxy leads to the server."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.ansible.test_relay import Laptop, agents, laptop, running  # noqa: F401 (fixtures)
from tests.factories.house import House, ServerProcess
from tests.stand_ins.proxy import proxy

pytestmark = [pytest.mark.real, pytest.mark.timeout(200)]
PLAY = """\
- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.ping:
    - ansible.builtin.command: echo through the proxy
      register: said
    - ansible.builtin.debug: {msg: "heard {{ said.stdout }}"}
"""


@pytest.mark.parametrize("persist", ["5", "0"], ids=["kept open", "one by one"])
async def test_the_proxy_leads_to_the_server(
    house: House,
    running: ServerProcess,  # noqa: F811 (the fixture)
    laptop: Laptop,  # noqa: F811 (the fixture)
    unused_tcp_port_factory: Callable[[], int],
    persist: str,
) -> None:
    await agents(house, running, "web-01", automation="any")
    laptop.inventory("web-01")
    # A name that only the proxy can find.
    over = replace(laptop, url="http://patchmon.inside:8000", variables={"PATCHMON_PERSIST": persist})
    port = unused_tcp_port_factory()
    near = f"http://ops:p%40ss@127.0.0.1:{port}"
    async with proxy(port, {"patchmon.inside:8000": running.port}, people="ops:p@ss") as between:
        code, said = await over.play(PLAY, PATCHMON_PROXY=near)
        assert code == 0, said
        assert "heard through the proxy" in said
        # One connection carries all tasks where it is kept open.
        assert set(between.passed) == {"patchmon.inside:8000"}
        assert (len(between.passed) == 1) == (persist == "5"), between.passed

        # What the environment says counts as it does for every other program.
        code, said = await over.play(PLAY, HTTP_PROXY=near, http_proxy=near)
        assert code == 0, said

        code, said = await over.play(PLAY, PATCHMON_PROXY=f"http://ops:wrong@127.0.0.1:{port}")
        assert code != 0
        assert "407 Proxy Authentication Required" in said
        assert "wrong@" not in said

        gone = len(between.passed), len(between.refused)
        code, said = await over.play(PLAY, HTTP_PROXY=near, http_proxy=near, NO_PROXY="patchmon.inside")
        assert code != 0
        assert "cannot be reached" in said
        code, said = await over.play(PLAY, http_proxy=near, PATCHMON_PROXY="none")
        assert code != 0
        assert (len(between.passed), len(between.refused)) == gone

        code, said = await over.play(PLAY, PATCHMON_PROXY="socks5://127.0.0.1:1080")
        assert code != 0
        assert "has to be http://" in said


async def test_a_proxy_that_is_away_is_named(
    laptop: Laptop,  # noqa: F811 (the fixture)
    unused_tcp_port_factory: Callable[[], int],
) -> None:
    laptop.inventory("web-01")
    code, said = await laptop.play(PLAY, PATCHMON_PROXY=f"http://127.0.0.1:{unused_tcp_port_factory()}")
    assert code != 0
    assert "UNREACHABLE" in said
    assert "cannot be reached" in said
