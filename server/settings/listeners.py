"""Hears that another process changed a setting, and tells the porch what operators decided about it."""

from collections.abc import AsyncIterator
from urllib.parse import urlsplit

from aiohttp import web

from server.core.call import Call
from server.core.loop import Keeper
from server.settings import branding, profiling, service
from server.settings.models import Effective
from server.web.brand import BRAND
from server.web.edge import EDGE, Budget, EdgePolicy
from server.web.navigation import MODULES_OFF
from server.web.routing import WORLD


def set_up(app: web.Application) -> None:
    """Refuse to start with operator variables that cannot be used."""
    service.demand_usable(app[WORLD].env)
    app[EDGE] = edge
    app[BRAND] = branding.brand
    app[MODULES_OFF] = service.modules_off


async def resources(app: web.Application) -> AsyncIterator[None]:
    """Follow changes for as long as the server runs."""
    keeper = Keeper()
    keeper.start("settings-bell", service.keep_fresh(app[WORLD]))
    keeper.start("brand-bell", branding.keep_fresh(app[WORLD]))
    if app[WORLD].env.profiling:
        keeper.start("memory", profiling.tell_memory(app[WORLD].env.memory_seconds))
    yield
    await keeper.close()


async def edge(call: Call) -> EdgePolicy:
    """Return what operators decided about limits, origins and names."""
    effective = await service.at_the_edge(call)
    settings = effective.settings
    return EdgePolicy(
        budgets={
            "general": Budget(settings.rate_limit_max, settings.rate_limit_window_ms),
            "auth": Budget(settings.auth_rate_limit_max, settings.auth_rate_limit_window_ms),
            "agent": Budget(settings.agent_rate_limit_max, settings.agent_rate_limit_window_ms),
            "password": Budget(settings.password_rate_limit_max, settings.password_rate_limit_window_ms),
        },
        origins=settings.cors_origin,
        hosts=_hosts(effective),
    )


def _hosts(effective: Effective) -> frozenset[str]:
    # Nobody decided, or decided for everyone: the API answers under any name.
    origins = effective.settings.cors_origin
    if effective.sources["cors_origin"] == "default" or not origins or "*" in origins:
        return frozenset()
    # Install commands use the server's own URL, so it is a name of ours too.
    urls = (*origins, *((effective.settings.server_url,) if effective.server_url_is_known else ()))
    return frozenset(name for url in urls if (name := urlsplit(url).hostname))
