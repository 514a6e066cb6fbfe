"""Reading bodies: size first, then JSON or form into a pydantic model, with every complaint at once."""

from collections.abc import Mapping
from typing import Any, TypeVar

import orjson
from aiohttp import web
from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from server.core.errors import Invalid, TooLarge
from server.web.routing import world

Model = TypeVar("Model", bound=BaseModel)


class Body(BaseModel):
    """Base of every model at a door: unknown fields are ignored, as clients of all ages send them."""

    model_config = ConfigDict(extra="ignore", frozen=True, populate_by_name=True)


class TextBody(Body):
    """A body whose texts the database can take: U+0000 is in no name that exists, so it is left out."""

    @field_validator("*", mode="before")
    @classmethod
    def without_nul(cls, value: object) -> object:
        """Leave out U+0000, in lists as well."""
        if isinstance(value, list):
            return [one.replace("\x00", "") if isinstance(one, str) else one for one in value]
        return value.replace("\x00", "") if isinstance(value, str) else value


class BadBody(Invalid):
    """The body is not what this door takes."""

    code = "invalid_body"
    text = "Invalid request body"


async def read_bytes(request: web.Request, limit_bytes: int | None = None) -> bytes:
    """Return the whole body; ``TooLarge`` beyond the limit, before it is read when its length is announced."""
    limit = world(request).env.body_limit_bytes if limit_bytes is None else limit_bytes
    if request.content_length is not None and request.content_length > limit:
        raise TooLarge
    return await _collect(request, limit)


async def _collect(request: web.Request, limit: int) -> bytes:
    pieces = bytearray()
    try:
        async for piece in request.content.iter_any():
            pieces += piece
            if len(pieces) > limit:
                raise TooLarge
    except web.RequestPayloadError as error:
        # It says that it is packed, or in pieces, and is not.
        raise BadBody from error
    return bytes(pieces)


async def read_json_value(request: web.Request, limit_bytes: int | None = None) -> Any:
    """Return the decoded body; ``BadBody`` when it is not JSON."""
    try:
        return orjson.loads(await read_bytes(request, limit_bytes))
    except orjson.JSONDecodeError as error:
        raise BadBody from error


async def read_json(request: web.Request, model: type[Model], limit_bytes: int | None = None) -> Model:
    """Return the body as ``model``; ``BadBody`` with every complaint, field by field."""
    return parse(model, await read_json_value(request, limit_bytes))


async def read_form(request: web.Request, model: type[Model]) -> Model:
    """Return a posted form as ``model``; repeated fields become lists, empty ones are left out."""
    return parse(model, await form_values(request))


async def posted(request: web.Request) -> Mapping[str, object]:
    """Return what a browser posted; ``BadBody`` for what no browser sends, ``TooLarge`` beyond the limits."""
    try:
        return await request.post()
    except web.HTTPRequestEntityTooLarge as error:
        raise TooLarge from error
    except (ValueError, LookupError, AssertionError, web.RequestPayloadError) as error:
        # Parts without a name, lines without an end, letters of no known alphabet.
        raise BadBody from error


def page_of(form: Mapping[str, object], *starts: str) -> str:
    """Return the page that a form says it stands on (``here``); empty unless it begins like one of these."""
    here = str(form.get("here", ""))
    return here if here.startswith(starts) and here.isprintable() else ""


async def form_values(request: web.Request) -> dict[str, Any]:
    """Return a posted form as it came: text, or a list for repeated fields (names ending in ``[]`` always are)."""
    await posted(request)
    form = await request.post()
    values: dict[str, Any] = {}
    for name in form:
        texts = [value for value in form.getall(name) if isinstance(value, str)]
        plain = name.removesuffix("[]")
        if name != plain or len(texts) > 1:
            values[plain] = texts
        elif texts and texts[0] != "":
            values[plain] = texts[0]
    return values


def parse(model: type[Model], value: Any) -> Model:
    """Return ``value`` as ``model``, or refuse it with all complaints."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise BadBody(complaints(error)) from error


def complaints(error: ValidationError) -> dict[str, str]:
    """Return one sentence per field; the empty name stands for the whole body."""
    return {
        ".".join(str(part) for part in item["loc"]): str(item["msg"]).removeprefix("Value error, ")
        for item in error.errors()
    }


def query_number(request: web.Request, name: str, default: int, *, least: int = 1, most: int = 10_000) -> int:
    """Return a number of the query, held within its limits; nonsense counts as absent."""
    raw = request.query.get(name, "")
    return min(most, max(least, int(raw))) if raw.isdecimal() and len(raw) < 10 else default  # noqa: PLR2004 (keeps int() small)
