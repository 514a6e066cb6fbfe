"""A registry in the manner of Docker Hub: it hands out tokens, knows indexes, and can be out of temper."""

import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

INDEX = "application/vnd.oci.image.index.v1+json"
TOKEN = "a-token-for-nobody"


@dataclass
class Registry:
    """What a test sets before and looks at afterwards; ``manifests`` are by path and tag."""

    port: int = 0
    manifests: dict[tuple[str, str], tuple[str, list[str]]] = field(default_factory=dict)
    tags: dict[str, list[str]] = field(default_factory=dict)
    status: int = 200
    retry_after: str = ""
    private: bool = False
    asked: list[tuple[str, str]] = field(default_factory=list)
    tokens: int = 0


@asynccontextmanager
async def running(registry: Registry, context: ssl.SSLContext) -> AsyncIterator[Registry]:
    """Serve on a loopback port until the block ends."""
    app = web.Application()

    async def token(request: web.Request) -> web.Response:
        assert request.query["service"] == "stand-in"
        registry.tokens += 1
        return web.json_response({"token": "" if registry.private else TOKEN})

    async def answer(request: web.Request) -> web.Response:
        registry.asked.append((request.method, request.path))
        if registry.status != 200:
            headers = {"Retry-After": registry.retry_after} if registry.retry_after else {}
            return web.Response(status=registry.status, headers=headers)
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            realm = f"https://{request.host}/token"
            challenge = f'Bearer realm="{realm}",service="stand-in",scope="repository:pull"'
            return web.Response(status=401, headers={"WWW-Authenticate": challenge})
        path = request.match_info["path"]
        if path.endswith("/tags/list"):
            return _tags(registry, request, path.removesuffix("/tags/list"))
        name, _, tag = path.rpartition("/manifests/")
        found = registry.manifests.get((name, tag))
        if found is None:
            return web.Response(status=404)
        digest, members = found
        body = json.dumps({"manifests": [{"digest": one} for one in members]}).encode()
        return web.Response(body=body, content_type=INDEX, headers={"Docker-Content-Digest": digest})

    app.router.add_get("/token", token)
    app.router.add_route("*", "/v2/{path:.+}", answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", registry.port, ssl_context=context)
    await site.start()
    registry.port = runner.addresses[0][1]
    try:
        yield registry
    finally:
        await runner.cleanup()


def _tags(registry: Registry, request: web.Request, name: str) -> web.Response:
    """Two at a time, as registries send them in pages."""
    left = [one for one in sorted(registry.tags.get(name, [])) if one > request.query.get("last", "")]
    headers = {"Link": '</v2/next>; rel="next"'} if len(left) > 2 else {}
    return web.json_response({"name": name, "tags": left[:2]}, headers=headers)
