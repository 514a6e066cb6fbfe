"""Projects from real git repositories: fetched, published, kept when a fetch fails, never a way to run a program."""

import asyncio
import base64
import hashlib
import hmac
import os
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from subprocess import run

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from server.core.env import Env
from server.library import git, rules
from server.library.errors import BadProject
from tests.library.conftest import Projects
from tests.library.test_projects import SITE

TOKEN = "canary-token-61fa"


@pytest.fixture
def env(env: Env) -> Env:
    return replace(env, library_files=True)


def repo_git(folder: Path, *words: str) -> str:
    told = {"HOME": str(folder), "PATH": os.environ["PATH"], "GIT_CONFIG_NOSYSTEM": "1"}
    who = ("-c", "user.name=t", "-c", "user.email=t@example.com")
    return run(["git", *who, "-C", str(folder), *words], check=True, capture_output=True, text=True, env=told).stdout


def commit(folder: Path, **files: str) -> str:
    """Write files, commit them, and return the commit."""
    for name, text in files.items():
        path = folder / name.replace("__", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    repo_git(folder, "add", ".")
    repo_git(folder, "commit", "-q", "-m", "change")
    return repo_git(folder, "rev-parse", "HEAD").strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repo"
    folder.mkdir()
    repo_git(folder, "init", "-q", "-b", "main")
    commit(folder, site__yml=SITE)
    return folder


async def test_a_repository_is_followed_and_its_last_good_revision_stays(api: Projects, repository: Path) -> None:
    await api.project(kind="git", url=f"file://{repository}", every_minutes=15)
    await api.work()
    first = await api.shown()
    assert first["syncs"][0]["status"] == "succeeded", first["syncs"][0]
    assert first["revision"] == repo_git(repository, "rev-parse", "HEAD").strip()
    assert [one["path"] for one in first["files"]] == ["site.yml"]
    refused = await api.put("site.yml", "x", version=1, status=409)
    assert refused["code"] == "not_writable"

    # A push rings, signed in either way; nobody else does.
    secret = (await api.ask("POST", "/projects/shop/webhook-secret"))["secret"]
    second = commit(repository, site__yml=SITE.replace("everybody", "nobody"))
    body = b'{"ref": "refs/heads/main"}'
    good = {"X-Hub-Signature-256": "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}
    for headers, status in (({}, 403), ({"X-Gitlab-Token": "no"}, 403), (good, 202), ({"X-Gitlab-Token": secret}, 202)):
        hook = f"{api.url}/api/v1/projects/shop/webhook"
        async with api.session.post(hook, data=body, headers=headers) as answer:
            assert answer.status == status, await answer.text()
    await api.work()
    assert (await api.shown())["revision"] == second
    listed = {one["name"]: one["title"] for one in (await api.ask("GET", "/playbooks"))["playbooks"]}
    assert listed["shop/site"] == "Greet nobody"

    # A link and a branch that is gone: both fail in words, and what was good stays launchable.
    (repository / "etc").symlink_to("/etc")
    commit(repository)
    await api.ask("POST", "/projects/shop/sync", status=202)
    await api.work()
    failed = await api.shown()
    assert (failed["syncs"][0]["status"], failed["syncs"][0]["reason"]) == (
        "failed", "etc is a link; only plain files are kept",
    )  # fmt: skip
    assert failed["revision"] == second
    changed = {"title": "shop", "kind": "git", "url": f"file://{repository}", "branch": "nowhere"}
    await api.ask("PUT", "/projects/shop", changed)
    await api.work()
    gone = await api.shown()
    assert "Remote branch nowhere not found" in gone["syncs"][0]["reason"]
    assert gone["digest"] == failed["digest"]


@pytest.mark.parametrize(
    "url",
    [
        "ext::sh -c id", "ext::sh%20-c%20id", "fd::17", "--upload-pack=touch /tmp/x", "-oProxyCommand=id", "git://h/x",
        "ssh://-oProxyCommand=id/x", "git@-oProxyCommand=id:x", "https://user:secret@h/x", "file:///etc", "/etc", "",
        "https:///x", "http://h\n/x", "gopher://h/x", "git@host:-x", "ssh://h:22:33/x", "javascript:alert(1)",
    ],
)  # fmt: skip
def test_addresses_that_could_run_something_are_refused(url: str) -> None:
    assert rules.complaint_of_url(url, files=False)


@pytest.mark.parametrize(
    "url",
    ["https://git.example.com/a/b.git", "http://10.0.0.5:3000/a.git", "ssh://git@h:2222/a", "git@h.example:a/b.git"],
)
def test_ordinary_addresses_are_taken(url: str) -> None:
    assert rules.complaint_of_url(url, files=False) == ""


async def test_where_clouds_hand_out_credentials_nothing_is_fetched() -> None:
    with pytest.raises(BadProject, match="link-local"):
        await git.fetch_files(git.Source("http://169.254.169.254/x.git", "", {}), lambda _: None)


@pytest.fixture
async def smart(repository: Path) -> AsyncIterator[str]:
    """A git server over HTTP that wants a token: git's own backend behind it."""

    async def answer(request: web.Request) -> web.Response:
        wanted = "Basic " + base64.b64encode(f"bot:{TOKEN}".encode()).decode()
        if request.headers.get("Authorization") != wanted:
            return web.Response(status=401, headers={"WWW-Authenticate": "Basic"})
        told = {
            "GIT_PROJECT_ROOT": str(repository.parent), "GIT_HTTP_EXPORT_ALL": "1", "PATH": os.environ["PATH"],
            "PATH_INFO": request.path, "QUERY_STRING": request.query_string, "REQUEST_METHOD": request.method,
            "CONTENT_TYPE": request.headers.get("Content-Type", ""), "REMOTE_USER": "bot",
            "GIT_PROTOCOL": request.headers.get("Git-Protocol", ""),
            "GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "*",
        }  # fmt: skip
        backend = await asyncio.create_subprocess_exec(
            "git", "http-backend", env=told, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
        )
        out, _ = await backend.communicate(await request.read())
        head, _, body = out.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        status = int(headers.pop("Status", "200 OK").split()[0])
        return web.Response(status=status, body=body, headers=headers)

    app = web.Application(client_max_size=2**24)
    app.router.add_route("*", "/{path:.*}", answer)
    server = TestServer(app)
    await server.start_server()
    yield str(server.make_url("/repo"))
    await server.close()


async def test_a_token_opens_a_repository_and_is_in_no_log(api: Projects, smart: str) -> None:
    await api.project(kind="git", url=smart)
    await api.work()
    first = await api.shown()
    assert first["syncs"][0]["status"] == "failed", first["syncs"][0]
    body = {"name": "Bot", "kind": "git_token", "values": {"username": "bot", "token": TOKEN}}
    made = await api.ask("POST", "/credentials", body, status=201)
    assert made["names"] == ["token", "username"]
    changed = await api.ask("PUT", f"/credentials/{made['id']}", {**body, "name": "The bot", "values": {}})
    assert (changed["id"], changed["name"], changed["names"]) == (made["id"], "The bot", made["names"])
    assert TOKEN not in str(changed)
    await api.ask("PUT", "/projects/shop", {"title": "shop", "kind": "git", "url": smart, "credential_id": made["id"]})
    await api.work()
    shown = await api.shown()
    assert shown["syncs"][0]["status"] == "succeeded", shown["syncs"][0]
    assert TOKEN not in str(shown)
