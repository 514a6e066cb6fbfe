"""The overview's numbers, for people's programs."""

from typing import Final

from aiohttp import web

from server.dashboard import figures, schemas
from server.web.forms import query_number
from server.web.problems import json_answer
from server.web.routing import Routes, call, gated

routes: Final = Routes()


@routes.get("/api/v1/dashboard/stats")
@gated("can_view_dashboard")
async def stats(request: web.Request) -> web.Response:
    """Answer the numbers of the cards, the charts and the last thirty days."""
    return json_answer(schemas.stats(await figures.stats(call(request))))


@routes.get("/api/v1/dashboard/navigation-stats")
@gated("can_view_dashboard")
async def navigation_stats(request: web.Request) -> web.Response:
    """Answer the numbers that stand beside the navigation."""
    return json_answer(schemas.navigation(await figures.navigation(call(request))))


@routes.get("/api/v1/dashboard/packages")
@gated("can_view_packages")
async def packages(request: web.Request) -> web.Response:
    """Answer the packages of which at least one host waits for an update."""
    return json_answer(await figures.outdated_packages(call(request)))


@routes.get("/api/v1/dashboard/package-trends")
@gated("can_view_packages")
async def package_trends(request: web.Request) -> web.Response:
    """Answer how many packages waited for an update on each of the last days, of the fleet or of one host.

    Of the fleet only to who sees all of it; ``hostId`` names the one host.
    """
    days = query_number(request, "days", 30, most=365)
    host = request.query.get("hostId", "")
    host = "" if host == "all" else host
    return json_answer(schemas.trends(await figures.trends(call(request), days, host)))


@routes.get("/api/v1/dashboard/recent-users")
@gated("can_view_users")
async def recent_users(request: web.Request) -> web.Response:
    """Answer who signed in last."""
    return json_answer([schemas.person(one) for one in await figures.recent_people(call(request))])


@routes.get("/api/v1/dashboard/recent-collection")
@gated("can_view_hosts")
async def recent_collection(request: web.Request) -> web.Response:
    """Answer which hosts were heard of last."""
    return json_answer([schemas.report(one) for one in await figures.recent_reports(call(request))])
