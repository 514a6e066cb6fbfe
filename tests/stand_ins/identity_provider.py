"""An OpenID provider and a Discord in one small server: they do what the real ones do, and lie when a test says so."""

import base64
import hashlib
import ssl
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlencode

from aiohttp import web
from aiohttp.test_utils import TestServer
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from joserfc import jwt
from joserfc.jwk import RSAKey

CLIENT: Final = "patchmon"
#: With a colon and a plus: both halves of the pair are encoded before they are joined.
PASSWORD: Final = "s3cret:+/with odd=signs"
PNG: Final = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
Claims = dict[str, Any]


def _new_key(name: str) -> RSAKey:
    return RSAKey.generate_key(2048, {"kid": name, "use": "sig", "alg": "RS256"})


@dataclass
class Grant:
    """A code that was given out, good once."""

    challenge: str
    redirect_uri: str
    nonce: str
    claims: Claims


@dataclass
class Provider:
    """What it knows and how it behaves; tests set the fields.

    Attributes:
        person: claims of whoever signs in next.
        discord: the Discord user who signs in next.
        twist: changes the claims of an ID token before it is signed.
        sign: makes another token of the claims than an honest provider would.
        info: what the user info endpoint adds.
        asked: the queries of every authorization request.
        seen: what every request carried: path and headers.
        down: answers 503 to everything.
        document: changes the discovery document.
    """

    url: str = ""
    person: Claims = field(default_factory=dict)
    discord: Claims = field(default_factory=dict)
    twist: Callable[[Claims], None] = lambda _: None
    sign: Callable[[Claims], str] | None = None
    info: Claims = field(default_factory=dict)
    document: Claims = field(default_factory=dict)
    key: RSAKey = field(default_factory=lambda: _new_key("one"))
    grants: dict[str, Grant] = field(default_factory=dict)
    access: dict[str, Claims] = field(default_factory=dict)
    asked: list[dict[str, str]] = field(default_factory=list)
    seen: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    redeemed: list[dict[str, str]] = field(default_factory=list)
    down: bool = False
    picture: bytes = PNG
    password: str = PASSWORD

    def honest(self, claims: Claims) -> str:
        """Return the token as it should be."""
        return jwt.encode({"alg": "RS256", "kid": self.key.kid}, claims, self.key)

    def new_key(self) -> None:
        """Sign with another key from now on."""
        self.key = _new_key(f"key-{time.monotonic_ns()}")


def application(provider: Provider) -> web.Application:
    """Return the server over a provider."""
    app = web.Application(middlewares=[_watched(provider)])
    door = _Doors(provider)
    app.router.add_get("/.well-known/openid-configuration", door.discovery)
    app.router.add_get("/jwks", door.jwks)
    app.router.add_get("/authorize", door.authorize)
    app.router.add_post("/token", door.token)
    app.router.add_get("/userinfo", door.userinfo)
    app.router.add_get("/picture", door.show_picture)
    app.router.add_get("/moved", door.moved)
    app.router.add_get("/api/oauth2/authorize", door.authorize_discord)
    app.router.add_post("/api/oauth2/token", door.token)
    app.router.add_get("/api/users/@me", door.discord_person)
    app.router.add_get("/avatars/{user}/{name}", door.show_picture)
    app.router.add_get("/v1.0/me/photo/$value", door.photo)
    return app


def certificate(folder: Path) -> Path:
    """Make a certificate for this machine that nobody else signed; its file is its authority as well."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a provider for tests")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    plain = serialization.NoEncryption()
    pem = serialization.Encoding.PEM
    file = folder / "provider.pem"
    file.write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain) + made.public_bytes(pem))
    return file


@asynccontextmanager
async def running(certificate_file: Path | None = None) -> AsyncIterator[Provider]:
    """Run one on a free port of this machine; over https when there is a certificate."""
    provider = Provider()
    server = TestServer(application(provider), scheme="https" if certificate_file else "http")
    context = None
    if certificate_file:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate_file)
    await server.start_server(ssl=context)
    provider.url = str(server.make_url("")).rstrip("/")
    try:
        yield provider
    finally:
        await server.close()


def _watched(provider: Provider) -> Any:
    @web.middleware
    async def watched(request: web.Request, handler: Any) -> web.StreamResponse:
        provider.seen.append((request.path, dict(request.headers)))
        if provider.down:
            raise web.HTTPServiceUnavailable
        answer: web.StreamResponse = await handler(request)
        return answer

    return watched


class _Doors:
    def __init__(self, provider: Provider) -> None:
        self.provider = provider

    async def discovery(self, _request: web.Request) -> web.Response:
        url = self.provider.url
        return web.json_response(
            {
                "issuer": url,
                "authorization_endpoint": f"{url}/authorize",
                "token_endpoint": f"{url}/token",
                "jwks_uri": f"{url}/jwks",
                "userinfo_endpoint": f"{url}/userinfo",
                "end_session_endpoint": f"{url}/logout",
                "response_types_supported": ["code"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["RS256"],
                "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
                "code_challenge_methods_supported": ["S256"],
                **self.provider.document,
            }
        )

    async def jwks(self, _request: web.Request) -> web.Response:
        return web.json_response({"keys": [self.provider.key.as_dict(private=False)]})

    async def authorize(self, request: web.Request) -> web.Response:
        return self._granted(request, self.provider.person)

    async def authorize_discord(self, request: web.Request) -> web.Response:
        return self._granted(request, self.provider.discord)

    def _granted(self, request: web.Request, claims: Claims) -> web.Response:
        query = dict(request.query)
        self.provider.asked.append(query)
        assert query["client_id"] == CLIENT
        assert query["response_type"] == "code"
        assert query["code_challenge_method"] == "S256"
        code = f"code-{time.monotonic_ns()}"
        self.provider.grants[code] = Grant(
            query["code_challenge"], query["redirect_uri"], query.get("nonce", ""), dict(claims)
        )
        back = urlencode({"code": code, "state": query["state"]})
        return web.Response(status=302, headers={"Location": f"{query['redirect_uri']}?{back}"})

    async def token(self, request: web.Request) -> web.Response:
        form = {name: str(value) for name, value in (await request.post()).items()}
        self.provider.redeemed.append(form)
        pair = base64.b64decode(request.headers.get("Authorization", "Basic Og==").removeprefix("Basic ")).decode()
        name, _, password = pair.partition(":")
        if (unquote(name), unquote(password)) != (CLIENT, self.provider.password):
            return web.json_response({"error": "invalid_client", "error_description": "AADSTS7000215: bad"}, status=401)
        grant = self.provider.grants.pop(form.get("code", ""), None)
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if grant is None or grant.challenge != challenge or grant.redirect_uri != form.get("redirect_uri"):
            return web.json_response({"error": "invalid_grant"}, status=400)
        access = f"access-{time.monotonic_ns()}"
        self.provider.access[access] = grant.claims
        return web.json_response(
            {"access_token": access, "token_type": "Bearer", "expires_in": 60, "id_token": self._id_token(grant)}
        )

    def _id_token(self, grant: Grant) -> str:
        now = int(time.time())
        claims = {
            "iss": self.provider.url,
            "aud": CLIENT,
            "iat": now,
            "exp": now + 300,
            "nonce": grant.nonce,
            **grant.claims,
        }
        self.provider.twist(claims)
        return (self.provider.sign or self.provider.honest)(claims)

    async def userinfo(self, request: web.Request) -> web.Response:
        claims = self._bearer(request)
        return web.json_response({"sub": claims.get("sub"), **self.provider.info})

    async def discord_person(self, request: web.Request) -> web.Response:
        return web.json_response(self._bearer(request))

    def _bearer(self, request: web.Request) -> Claims:
        given = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if given not in self.provider.access:
            raise web.HTTPUnauthorized
        return self.provider.access[given]

    async def show_picture(self, _request: web.Request) -> web.Response:
        return web.Response(body=self.provider.picture, content_type="image/png")

    async def photo(self, request: web.Request) -> web.Response:
        self._bearer(request)
        return web.Response(body=self.provider.picture, content_type="image/jpeg")

    async def moved(self, request: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": request.query["to"]})
