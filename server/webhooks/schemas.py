"""Bodies and answers of the doors of webhooks."""

from typing import Any

from pydantic import Field

from server.web.forms import TextBody
from server.webhooks.models import Row, Webhook


class WebhookBody(TextBody):
    """A webhook; without a secret one is made, or the one there is stays."""

    name: str = Field(max_length=400)
    url: str = Field(max_length=4000)
    events: list[str] = Field(default=[], max_length=100)
    secret: str = Field(default="", max_length=400)
    enabled: bool = True

    def webhook(self) -> Webhook:
        """Return what is wanted."""
        return Webhook(self.name, self.url.strip(), tuple(dict.fromkeys(self.events)), self.secret, self.enabled)


def webhook_view(row: Row, secret: str = "") -> dict[str, Any]:
    """Return a webhook for programs; its secret only right after it was made."""
    shown = (
        "id",
        "name",
        "url",
        "events",
        "enabled",
        "note",
        "failing_since",
        "created_by",
        "created_at",
        "updated_at",
    )
    last = {key.removeprefix("last_"): row[key] for key in row if key.startswith("last_")}
    return {
        **{key: row[key] for key in shown},
        "last_delivery": last if row["last_at"] else None,
        **({"secret": secret} if secret else {}),
    }
