"""URLs that people name lead nowhere inside."""

from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from ipaddress import ip_network

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from server.core import fetch
from server.core.env import Env
from server.core.fetch import Fetcher, FetchFailed, FetchRefused, fetcher, refusal

LOOPBACK = (ip_network("127.0.0.0/8"),)
LIMIT = 10_000
Say = Callable[[str, list[str]], None]


@pytest.fixture
async def site() -> AsyncIterator[TestServer]:
    """A site that answers, moves on, is large, or slow."""
    app = web.Application()
    seen: list[web.Request] = []

    async def show(request: web.Request) -> web.StreamResponse:
        seen.append(request)
        return web.Response(text=request.headers.get("Authorization", "nothing"))

    async def move(request: web.Request) -> web.StreamResponse:
        return web.Response(status=302, headers={"Location": request.query["to"]})

    async def large(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        for _ in range(100):
            await answer.write(b"x" * 1000)
        return answer

    async def slow(_request: web.Request) -> web.StreamResponse:
        import asyncio  # noqa: PLC0415

        await asyncio.sleep(5)
        return web.Response()

    async def bomb(_request: web.Request) -> web.StreamResponse:
        import zlib  # noqa: PLC0415

        body = zlib.compress(b"0" * 50_000_000)
        return web.Response(body=body, headers={"Content-Encoding": "deflate"})

    app.router.add_route("*", "/show", show)
    app.router.add_route("*", "/move", move)
    app.router.add_get("/large", large)
    app.router.add_get("/slow", slow)
    app.router.add_get("/bomb", bomb)
    server = TestServer(app)
    await server.start_server()
    yield server
    await server.close()


@pytest.fixture
def names() -> Iterator[dict[str, list[list[str]]]]:
    """What each name answers, lookup by lookup; the last answer stays."""
    known: dict[str, list[list[str]]] = {}

    async def lookup(host: str, _port: int) -> list[str]:
        answers = known[host]
        return answers.pop(0) if len(answers) > 1 else answers[0]

    fetch.set_lookup(lookup)
    yield known
    fetch.set_lookup(None)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",
        "255.255.255.255", "240.0.0.1", "192.0.2.1", "198.18.0.1", "::1", "::", "fe80::1", "fc00::1", "fd00:ec2::254",
        "ff02::1", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "64:ff9b::10.0.0.1", "2002:7f00:1::", "2001:db8::1",
        "fe80::1%eth0",
    ],
)  # fmt: skip
def test_what_is_not_public_is_closed(address: str) -> None:
    assert refusal(address)


@pytest.mark.parametrize("address", ["1.1.1.1", "140.82.121.4", "2606:4700:4700::1111", "64:ff9b::101:101"])
def test_what_is_public_is_open(address: str) -> None:
    assert refusal(address) == ""


def test_operators_open_networks_and_never_the_clouds_by_accident() -> None:
    assert refusal("10.1.2.3", (ip_network("10.0.0.0/8"),)) == ""
    assert refusal("11.1.2.3", (ip_network("10.0.0.0/8"),)) == ""
    assert refusal("192.168.0.1", (ip_network("10.0.0.0/8"),))
    assert refusal("::ffff:10.1.2.3", (ip_network("10.0.0.0/8"),)) == ""
    assert refusal("10.1.2.3", private=True) == ""
    assert refusal("127.0.0.1", private=True) == ""
    for address in ("169.254.169.254", "::ffff:169.254.169.254", "fd00:ec2::254", "fe80::1"):
        assert refusal(address, private=True)
    assert refusal("169.254.169.254", (ip_network("169.254.169.254/32"),)) == ""


def test_the_environment_says_which_networks_are_open() -> None:
    env = replace(Env(), outbound_allow_private="10.0.0.0/8, 192.168.7.0/24,fd12::/16")
    assert [str(one) for one in fetcher(env).allowed] == ["10.0.0.0/8", "192.168.7.0/24", "fd12::/16"]


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:{port}/show",
        "http://localhost:{port}/show",
        "http://[::ffff:127.0.0.1]:{port}/show",
        "http://[::1]:{port}/show",
        "http://127.1:{port}/show",
        "http://0x7f000001:{port}/show",
        "http://2130706433:{port}/show",
        "file:///etc/passwd",
        "gopher://127.0.0.1:{port}/show",
        "http://user:password@1.1.1.1/",
        "//1.1.1.1/",
        "",
    ],
)
async def test_no_spelling_of_this_machine_is_reached(site: TestServer, url: str) -> None:
    with pytest.raises((FetchRefused, FetchFailed)):
        await Fetcher().get(url.format(port=site.port), limit_bytes=LIMIT)


async def test_what_is_allowed_is_fetched(site: TestServer) -> None:
    fetched = await Fetcher(LOOPBACK).get(str(site.make_url("/show")), limit_bytes=LIMIT)
    assert (fetched.status, fetched.body) == (200, b"nothing")


@pytest.mark.parametrize(
    "target", ["http://169.254.169.254/latest", "http://127.0.0.2:1/", "file:///etc/passwd", "ftp://x/"]
)
async def test_each_redirect_is_looked_at(site: TestServer, target: str) -> None:
    narrow = Fetcher((ip_network("127.0.0.1/32"),))
    url = site.make_url("/move").with_query(to=target)
    with pytest.raises(FetchRefused):
        await narrow.get(str(url), limit_bytes=LIMIT)


async def test_a_redirect_within_what_is_allowed_is_followed_but_not_for_ever(site: TestServer) -> None:
    url = str(site.make_url("/move").with_query(to="/show"))
    headers = {"Authorization": "Bearer x"}
    assert (await Fetcher(LOOPBACK).get(url, limit_bytes=LIMIT, headers=headers)).body == b"Bearer x"
    loop = str(site.make_url("/move"))
    with pytest.raises(FetchFailed, match="too often"):
        await Fetcher(LOOPBACK).get(
            f"{loop}?to={loop}%3Fto%3D/move%3Fto%3D/move%3Fto%3D/show", limit_bytes=LIMIT, redirects=1
        )


async def test_headers_stay_with_the_host_they_were_meant_for(
    site: TestServer, names: dict[str, list[list[str]]]
) -> None:
    names["other.example"] = [["127.0.0.1"]]
    url = site.make_url("/move").with_query(to=f"http://other.example:{site.port}/show")
    fetched = await Fetcher(LOOPBACK).get(str(url), limit_bytes=LIMIT, headers={"Authorization": "Bearer x"})
    assert fetched.body == b"nothing"


async def test_a_name_is_looked_up_once_and_that_address_is_the_one_reached(
    site: TestServer, names: dict[str, list[list[str]]]
) -> None:
    """A name that answers differently the second time reaches nothing by it."""
    narrow = Fetcher((ip_network("127.0.0.1/32"),))
    names["turns.example"] = [["127.0.0.1"], ["127.0.0.2"]]
    url = f"http://turns.example:{site.port}"
    assert (await narrow.get(f"{url}/show", limit_bytes=LIMIT)).status == 200
    names["turns.example"] = [["127.0.0.1"], ["127.0.0.2"]]
    with pytest.raises(FetchRefused, match=r"127\.0\.0\.2"):
        await narrow.get(f"{url}/move?to=/show", limit_bytes=LIMIT)
    # One closed address among open ones closes the name.
    names["mixed.example"] = [["127.0.0.1", "10.0.0.1"]]
    with pytest.raises(FetchRefused, match=r"10\.0\.0\.1"):
        await narrow.get(f"http://mixed.example:{site.port}/show", limit_bytes=LIMIT)


async def test_sizes_and_times_are_limited(site: TestServer) -> None:
    with pytest.raises(FetchFailed, match="larger"):
        await Fetcher(LOOPBACK).get(str(site.make_url("/large")), limit_bytes=LIMIT)
    with pytest.raises(FetchFailed):
        await Fetcher(LOOPBACK).get(str(site.make_url("/bomb")), limit_bytes=1_000_000)
    with pytest.raises(FetchFailed, match="no answer"):
        await Fetcher(LOOPBACK).get(str(site.make_url("/slow")), limit_bytes=LIMIT, seconds=0.2)


async def test_https_only_means_it(site: TestServer) -> None:
    with pytest.raises(FetchRefused, match="https"):
        await Fetcher(LOOPBACK, https_only=True).get(str(site.make_url("/show")), limit_bytes=LIMIT)


async def test_a_form_is_sent_and_led_nowhere_else(site: TestServer) -> None:
    sent = await Fetcher(LOOPBACK).post(str(site.make_url("/show")), {"a": "b"}, limit_bytes=LIMIT)
    assert sent.status == 200
    moved = await Fetcher(LOOPBACK).post(str(site.make_url("/move?to=/show")), {"a": "b"}, limit_bytes=LIMIT)
    assert moved.status == 302
