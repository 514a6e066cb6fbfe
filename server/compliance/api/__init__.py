"""Compliance for programs, one module per noun."""

from typing import Final

from server.compliance.api import benchmarks, comparing, fleet, remedies, reports, waivers

routes: Final = (
    *fleet.routes,
    *benchmarks.routes,
    *remedies.routes,
    *reports.routes,
    *comparing.routes,
    *waivers.routes,
)
