"""What webhooks refuse."""

from server.core.errors import Conflict, Invalid, Missing, Refused


class WebhookMissing(Missing):
    """No webhook has this id."""

    code = "webhook_not_found"
    text = "Webhook not found"


class DeliveryMissing(Missing):
    """The webhook has no such delivery."""

    code = "delivery_not_found"
    text = "Delivery not found"


class BadWebhook(Invalid):
    """The webhook cannot be like this."""

    code = "bad_webhook"
    text = "The webhook cannot be saved like this"


class WebhookOff(Conflict):
    """Nothing is sent while it is off."""

    code = "webhook_off"
    text = "The webhook is switched off"


class WholeFleetWebhooks(Refused):
    """Webhooks tell of every host."""

    code = "whole_fleet_only"
    text = "Webhooks tell of the whole fleet, so only people who see all of it keep them"
