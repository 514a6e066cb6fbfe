"""What webhooks announce."""

from dataclasses import dataclass
from typing import ClassVar

from server.core.bus import Event


@dataclass(frozen=True, slots=True)
class WebhookSwitchedOff(Event):
    """Nothing arrived for days, so nothing more is sent; ``reason`` is what the last attempt said."""

    name: ClassVar[str] = "webhook_switched_off"
    severity: ClassVar[str] = "error"
    webhook: str
    webhook_name: str
    reason: str = ""
    reference_type: str = "webhook"

    @property
    def link(self) -> str:
        """Where a person reads more."""
        return f"/settings/webhooks/{self.webhook}"


@dataclass(frozen=True, slots=True)
class WebhooksChanged(Event):
    """Webhooks or deliveries were made: the worker looks."""

    name: ClassVar[str] = "webhooks_changed"
