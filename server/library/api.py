"""Projects, their files and credentials for programs, and the door of webhooks."""

from typing import Final

from aiohttp import web

from server.library import credentials, files, schemas, service, syncing
from server.library.errors import BadInput
from server.library.models import MOST_BYTES
from server.web.forms import read_bytes, read_json
from server.web.problems import json_answer
from server.web.routing import Routes, call, gated, open_to_all, path_text

routes: Final = Routes()

_VIEW: Final = "can_view_hosts"
_MANAGE: Final = "can_manage_automation"
_WEBHOOK_BYTES: Final = 5 * 1024**2


@routes.get("/api/v1/projects")
@gated(_VIEW)
async def list_projects(request: web.Request) -> web.Response:
    """Answer the projects that the asker may see."""
    return json_answer({"projects": [schemas.listed_view(one) for one in await service.listed(call(request))]})


@routes.post("/api/v1/projects")
@gated(_MANAGE)
async def create_project(request: web.Request) -> web.Response:
    """Make a project."""
    body = await read_json(request, schemas.ProjectBody)
    made = await service.create(call(request), body.wanted())
    headers = {"Location": f"/api/v1/projects/{made.slug}"}
    return json_answer(schemas.project_view(made), status=201, headers=headers)


@routes.get("/api/v1/projects/{project}")
@gated(_VIEW)
async def show_project(request: web.Request) -> web.Response:
    """Answer one project: its files, what was found in them, and its last synchronisations."""
    asked = call(request)
    found = await service.fetch(asked, path_text(request, "project"))
    body = {
        **schemas.project_view(found),
        "level": await service.level(asked, found),
        "files": [schemas.file_view(one) for one in await files.listed(asked, found)],
        "findings": [schemas.finding_view(one) for one in await service.findings(asked, found)],
        "syncs": [schemas.sync_view(one) for one in await service.syncs(asked, found)],
    }
    return json_answer(body)


@routes.put("/api/v1/projects/{project}")
@gated(_MANAGE)
async def change_project(request: web.Request) -> web.Response:
    """Change what is said about a project."""
    body = await read_json(request, schemas.ProjectBody)
    changed = await service.change(call(request), path_text(request, "project"), body.wanted())
    return json_answer(schemas.project_view(changed))


@routes.delete("/api/v1/projects/{project}")
@gated(_MANAGE)
async def delete_project(request: web.Request) -> web.Response:
    """Delete a project."""
    await service.delete(call(request), path_text(request, "project"))
    return web.Response(status=204)


@routes.post("/api/v1/projects/{project}/sync")
@gated(_VIEW)
async def sync(request: web.Request) -> web.Response:
    """Fetch a git project again."""
    await service.sync(call(request), path_text(request, "project"))
    return json_answer({"message": "The project is being synchronised"}, status=202)


@routes.post("/api/v1/projects/{project}/webhook")
@open_to_all("webhooks of git servers, signed with the project's secret", limit="auth")
async def webhook(request: web.Request) -> web.Response:
    """Take the word of a git server that there is something new."""
    body = await read_bytes(request, _WEBHOOK_BYTES)
    await syncing.called(call(request), path_text(request, "project"), body, request.headers)
    return json_answer({"message": "The project is being synchronised"}, status=202)


@routes.post("/api/v1/projects/{project}/webhook-secret")
@gated(_MANAGE)
async def renew_webhook(request: web.Request) -> web.Response:
    """Make a new secret for the webhook; it is shown here and never again."""
    return json_answer({"secret": await service.renew_webhook(call(request), path_text(request, "project"))})


@routes.get("/api/v1/projects/{project}/files/{path:.+}")
@gated(_VIEW)
async def show_file(request: web.Request) -> web.Response:
    """Answer a file as it is."""
    asked = call(request)
    found = await service.fetch(asked, path_text(request, "project"))
    content, version = await files.read(asked, found, path_text(request, "path"))
    headers = {"X-File-Version": str(version), "Content-Disposition": "attachment"}
    return web.Response(body=content, content_type="application/octet-stream", headers=headers)


@routes.put("/api/v1/projects/{project}/files/{path:.+}")
@gated(_MANAGE)
async def save_file(request: web.Request) -> web.Response:
    """Keep a new version of a file."""
    body = await read_json(request, schemas.FileBody)
    project, path = path_text(request, "project"), path_text(request, "path")
    version = await files.save(call(request), project, path, body.text, version=body.version, why=body.why)
    return json_answer({"path": path, "version": version}, status=201 if body.version == 0 else 200)


@routes.delete("/api/v1/projects/{project}/files/{path:.+}")
@gated(_MANAGE)
async def remove_file(request: web.Request) -> web.Response:
    """Take a file away."""
    await files.remove(call(request), path_text(request, "project"), path_text(request, "path"))
    return web.Response(status=204)


@routes.post("/api/v1/projects/{project}/archive", name="library.upload")
@gated(_MANAGE)
async def upload(request: web.Request) -> web.Response:
    """Take an archive (its name is the query's ``name``); ``replace=true`` removes every file that is not in it."""
    name = request.query.get("name", "")
    if not name or "\0" in name:
        raise BadInput.of({"name": "Say the name of the archive: playbooks.tar.gz, or playbooks.zip"})
    data = await read_bytes(request, MOST_BYTES)
    replace = request.query.get("replace") == "true"
    changed = await files.upload(call(request), path_text(request, "project"), name, data, replace_all=replace)
    return json_answer({"changed": changed})


@routes.get("/api/v1/projects/{project}/playbooks/{file}")
@gated(_VIEW)
async def show_playbook(request: web.Request) -> web.Response:
    """Answer what is said about a playbook beside its text."""
    asked = call(request)
    found = await service.fetch(asked, path_text(request, "project"))
    return json_answer(schemas.said_view(await service.said(asked, found, path_text(request, "file"))))


@routes.put("/api/v1/projects/{project}/playbooks/{file}")
@gated(_MANAGE)
async def change_playbook(request: web.Request) -> web.Response:
    """Say title, survey, approval and usual credentials of a playbook."""
    body = await read_json(request, schemas.PlaybookBody)
    wanted = body.said(path_text(request, "file"), list(body.survey))
    await service.say(call(request), path_text(request, "project"), wanted)
    return json_answer(schemas.said_view(wanted))


@routes.get("/api/v1/projects/{project}/rights")
@gated(_MANAGE)
async def list_rights(request: web.Request) -> web.Response:
    """Answer who may do what with a project."""
    asked = call(request)
    found = await service.fetch(asked, path_text(request, "project"), "edit")
    return json_answer({"rights": [schemas.grant_view(one) for one in await service.grants(asked, found)]})


@routes.put("/api/v1/projects/{project}/rights")
@gated(_MANAGE)
async def give(request: web.Request) -> web.Response:
    """Let somebody do something, or nothing, with a project or one of its playbooks."""
    body = await read_json(request, schemas.GrantBody)
    await service.grant(call(request), path_text(request, "project"), body.grant())
    return json_answer(schemas.grant_view(body.grant()))


@routes.delete("/api/v1/projects/{project}/rights")
@gated(_MANAGE)
async def take_back(request: web.Request) -> web.Response:
    """Forget what somebody may do."""
    body = await read_json(request, schemas.GrantBody)
    await service.revoke(call(request), path_text(request, "project"), body.grant())
    return web.Response(status=204)


@routes.get("/api/v1/credentials")
@gated(_MANAGE)
async def list_credentials(request: web.Request) -> web.Response:
    """Answer the credentials that the asker may use, without a value."""
    found = await credentials.listed(call(request))
    return json_answer({"credentials": [schemas.credential_view(one, uses) for one, uses in found]})


@routes.post("/api/v1/credentials")
@gated(_MANAGE)
async def create_credential(request: web.Request) -> web.Response:
    """Keep a credential."""
    body = await read_json(request, schemas.CredentialBody)
    made = await credentials.create(call(request), body.wanted())
    return json_answer(schemas.credential_view(await credentials.fetch(call(request), made)), status=201)


@routes.put("/api/v1/credentials/{credential}")
@gated(_MANAGE)
async def change_credential(request: web.Request) -> web.Response:
    """Change a credential."""
    body = await read_json(request, schemas.CredentialBody)
    credential = path_text(request, "credential")
    await credentials.change(call(request), credential, body.wanted())
    return json_answer(schemas.credential_view(await credentials.fetch(call(request), credential)))


@routes.delete("/api/v1/credentials/{credential}")
@gated(_MANAGE)
async def delete_credential(request: web.Request) -> web.Response:
    """Forget a credential."""
    await credentials.delete(call(request), path_text(request, "credential"))
    return web.Response(status=204)
