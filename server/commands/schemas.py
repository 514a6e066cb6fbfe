"""Bodies of the commands room's doors."""

from pydantic import AliasChoices, Field

from server.web.forms import TextBody


class HostsBody(TextBody):
    """Which hosts are meant."""

    host_ids: tuple[str, ...] = Field((), max_length=10_000, validation_alias=AliasChoices("hostIds", "host_ids"))
