"""Compliance in the browser: the fleet, its rules, one host."""

from typing import Final

from server.compliance.pages import (
    benchmarks,
    comparing,
    deeds,
    fleet,
    host,
    overview,
    policies,
    remedies,
    rule,
    waivers,
)
from server.compliance.pages.frame import MODULE, VIEW
from server.web.navigation import Entry

routes: Final = (
    *overview.routes,
    *fleet.routes,
    *rule.routes,
    *host.routes,
    *deeds.routes,
    *benchmarks.routes,
    *remedies.routes,
    *policies.routes,
    *comparing.routes,
    *waivers.routes,
)
ENTRIES: Final = (Entry("Assure", "Security Compliance", "/compliance", "checklist", 10, VIEW, module=MODULE),)
HOST_TABS: Final = host.HOST_TABS
