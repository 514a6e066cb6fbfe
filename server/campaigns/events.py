"""What campaigns announce; the facts that a message about one needs travel along."""

from dataclasses import dataclass
from typing import ClassVar

from server.core.bus import Event


@dataclass(frozen=True, slots=True)
class CampaignEvent(Event):
    """Something happened to a campaign.

    Attributes:
        hosts: how many it reaches; 0 before it started.
        reason: in plain words; empty when there is nothing to explain.
    """

    name: ClassVar[str] = "campaign"
    severity: ClassVar[str] = "informational"
    campaign: str
    campaign_name: str
    hosts: int = 0
    reason: str = ""
    reference_type: str = "campaign"

    @property
    def link(self) -> str:
        """Where a person reads more."""
        return f"/patching/campaigns/{self.campaign}"


@dataclass(frozen=True, slots=True)
class CampaignAwaitsApproval(CampaignEvent):
    """Somebody has to sign it off."""

    name: ClassVar[str] = "campaign_awaits_approval"
    severity: ClassVar[str] = "warning"


@dataclass(frozen=True, slots=True)
class CampaignStarted(CampaignEvent):
    """Its first wave begins."""

    name: ClassVar[str] = "campaign_started"


@dataclass(frozen=True, slots=True)
class CampaignStopped(CampaignEvent):
    """Too many hosts failed, or the check between two waves did."""

    name: ClassVar[str] = "campaign_stopped"
    severity: ClassVar[str] = "error"


@dataclass(frozen=True, slots=True)
class CampaignCompleted(CampaignEvent):
    """Every wave is over."""

    name: ClassVar[str] = "campaign_completed"


@dataclass(frozen=True, slots=True)
class CampaignAbandoned(CampaignEvent):
    """Somebody gave it up."""

    name: ClassVar[str] = "campaign_abandoned"
    severity: ClassVar[str] = "warning"


@dataclass(frozen=True, slots=True)
class CampaignMissed(CampaignEvent):
    """Its window went by without it."""

    name: ClassVar[str] = "campaign_missed"
    severity: ClassVar[str] = "warning"


@dataclass(frozen=True, slots=True)
class CampaignExpired(CampaignEvent):
    """Its window ended before every host was reached."""

    name: ClassVar[str] = "campaign_expired"
    severity: ClassVar[str] = "warning"


@dataclass(frozen=True, slots=True)
class MaintenanceAnnounced(Event):
    """A window opens soon; said once for each opening.

    Attributes:
        starts_at: ISO 8601, UTC, as ``ends_at``.
    """

    name: ClassVar[str] = "maintenance_announced"
    severity: ClassVar[str] = "informational"
    window: str
    window_name: str
    starts_at: str
    ends_at: str
    hosts: int = 0
    reference_type: str = "maintenance_window"

    @property
    def link(self) -> str:
        """Where a person reads more."""
        return f"/patching/windows/{self.window}"


@dataclass(frozen=True, slots=True)
class CampaignChanged(Event):
    """A campaign or one of its hosts is elsewhere; its followers look."""

    name: ClassVar[str] = "campaign_changed"
    campaign: str = ""

    @property
    def topic(self) -> str:
        """One topic per campaign."""
        return campaign_topic(self.campaign)


@dataclass(frozen=True, slots=True)
class CampaignsChanged(Event):
    """Campaigns or windows were made, moved or deleted: lists look again."""

    name: ClassVar[str] = "campaigns_changed"


def campaign_topic(campaign: str) -> str:
    """Return the topic of a campaign's followers."""
    return f"campaign:{campaign}"
