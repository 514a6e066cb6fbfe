"""What monitoring reads: how many requests this process answered, by route, and how long they took."""

import hmac
import time
from typing import Final

from aiohttp import web
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics, generate_latest

from server.web.routing import Handler, world

_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_BUCKETS: Final = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_OTHER: Final = "other"
_CLIENT_LEFT: Final = 499

# When a series began tells nobody anything, and doubles what is sent.
disable_created_metrics()  # type: ignore[no-untyped-call]


class Meters:
    """The counters of one process; one registry for each application, so that two in one process do not mix."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry(auto_describe=True)
        self._requests = Counter(
            "patchmon_http_requests", "Requests answered", ("method", "route", "status"), registry=self.registry
        )
        self._seconds = Histogram(
            "patchmon_http_request_seconds",
            "Time to the end of the answer",
            ("method", "route"),
            buckets=_BUCKETS,
            registry=self.registry,
        )

    def note(self, request: web.Request, status: int, seconds: float) -> None:
        """Count one request; what has no route of ours counts as one, whatever its path was."""
        resource = request.match_info.route.resource
        route = resource.canonical if resource is not None else _OTHER
        method = request.method if request.method in _METHODS else _OTHER
        self._requests.labels(method, route, str(status)).inc()
        if request.match_info.route.name is None:
            # Named routes are streams, sockets and downloads: their length says nothing about the server.
            self._seconds.labels(method, route).observe(seconds)

    def text(self, readings: dict[str, dict[str, int]]) -> bytes:
        """Return everything in the text format, with readings taken now: by name, then by label (empty: none)."""
        now = CollectorRegistry()
        for name, values in readings.items():
            labels = () if set(values) == {""} else ("state",)
            gauge = Gauge(f"patchmon_{name}", name.replace("_", " ").capitalize(), labels, registry=now)
            for label, value in values.items():
                (gauge.labels(label) if labels else gauge).set(value)
        return generate_latest(self.registry) + generate_latest(now)


METERS: Final = web.AppKey("meters", Meters)


@web.middleware
async def metered(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Count every request, also those that end in a redirect or a refusal."""
    # Every failure becomes an answer further in; what gets past this is a client that left.
    began, status = time.perf_counter(), _CLIENT_LEFT
    try:
        response = await handler(request)
        status = response.status
    except web.HTTPException as answer:
        status = answer.status
        raise
    finally:
        request.config_dict[METERS].note(request, status, time.perf_counter() - began)
    return response


def knows_the_token(request: web.Request) -> bool | None:
    """Tell whether the asker sent the token of monitoring; ``None`` when the operator set none."""
    token = world(request).env.metrics_token.reveal()
    if not token:
        return None
    given = request.headers.get("Authorization", "").removeprefix("Bearer ").strip()
    return hmac.compare_digest(given.encode(), token.encode())
