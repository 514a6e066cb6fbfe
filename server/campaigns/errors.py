"""What campaigns and maintenance windows refuse."""

from server.core.errors import Conflict, Invalid, Missing, Refused


class CampaignMissing(Missing):
    """No campaign has this id, or none of its hosts is within the asker's groups."""

    code = "campaign_not_found"
    text = "Campaign not found"


class WindowMissing(Missing):
    """No window has this id."""

    code = "maintenance_window_not_found"
    text = "Maintenance window not found"


class BadCampaign(Invalid):
    """What was sent is no campaign; ``complaints`` says why, field by field."""

    code = "invalid_body"
    text = "{error}"

    @classmethod
    def of(cls, complaints: dict[str, str]) -> "BadCampaign":
        """Return the refusal that says the first complaint and carries all of them."""
        return cls(complaints, error=next(iter(complaints.values())))


class BadWindow(BadCampaign):
    """What was sent is no maintenance window."""


class NotNow(Conflict):
    """The campaign is in a state in which this cannot be done; somebody else may have been faster."""

    code = "campaign_state"
    text = "A campaign that is {status} cannot be {verb}"


class NothingToRelaunch(Conflict):
    """Every host succeeded, or is gone."""

    code = "nothing_to_relaunch"
    text = "No host of this campaign is left to run again"


class WholeFleetWindows(Refused):
    """A window may reach hosts that the asker does not see."""

    code = "whole_fleet_only"
    text = "Only people who see the whole fleet can make, change, start or delete maintenance windows"


class BeyondGroups(Refused):
    """The campaign reaches hosts that the asker does not see."""

    code = "beyond_host_groups"
    text = "This campaign reaches hosts outside your host groups"
