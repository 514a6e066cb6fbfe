"""The JSON doors of the integrations, one module per noun."""

from typing import Final

from server.integrations.api import card, enrolment, hosts, inventory, relay, tokens, writes

routes: Final = (
    *tokens.routes,
    *enrolment.routes,
    *hosts.routes,
    *inventory.routes,
    *writes.routes,
    *relay.routes,
    *card.routes,
)
