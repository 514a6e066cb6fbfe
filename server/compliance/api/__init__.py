"""Compliance for programs, one module per noun."""

from typing import Final

from server.compliance.api import benchmarks, comparing, fleet, fleet_report, policies, remedies, reports, waivers

routes: Final = (
    *fleet.routes,
    *benchmarks.routes,
    *remedies.routes,
    *policies.routes,
    *reports.routes,
    *fleet_report.routes,
    *comparing.routes,
    *waivers.routes,
)
