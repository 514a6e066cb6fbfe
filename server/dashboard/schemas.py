"""What comes in and goes out at the doors of the overview."""

from typing import Any

from pydantic import AliasChoices, Field

from server.dashboard.models import Columns, Layout, PersonLine, Placed, ReportLine, Stats, Trends
from server.web.forms import Body, TextBody

Json = dict[str, Any]
_SMALL = 32_767


class PlacedBody(TextBody):
    """A card where somebody wants it."""

    card: str = Field(validation_alias=AliasChoices("cardId", "card_id"), max_length=100)
    enabled: bool = True
    order: int = Field(0, ge=0, le=_SMALL)
    span: int = Field(1, validation_alias=AliasChoices("col_span", "colSpan"), ge=1, le=_SMALL)


class PreferencesBody(Body):
    """Cards to place."""

    preferences: tuple[PlacedBody, ...] = Field(max_length=200)

    def placed(self) -> list[Placed]:
        """Return the models."""
        return [Placed(one.card, one.enabled, one.order, one.span) for one in self.preferences]


class ColumnsBody(Body):
    """In how many columns the cards stand; what is left out stays."""

    stats: int | None = Field(None, validation_alias=AliasChoices("stats_columns", "statsColumns"))
    charts: int | None = Field(None, validation_alias=AliasChoices("charts_columns", "chartsColumns"))

    def chosen(self, before: Columns) -> Columns:
        """Return the model."""
        return Columns(
            before.stats if self.stats is None else self.stats, before.charts if self.charts is None else self.charts
        )


def preferences(layout: Layout) -> list[Json]:
    """Return the cards in their order."""
    return [
        {"cardId": one.card.id, "enabled": one.enabled, "order": one.position, "col_span": one.span}
        for one in layout.places
    ]


def defaults(layout: Layout) -> list[Json]:
    """Return the cards with what they are called and what they show."""
    return [
        {**json, "title": one.card.title, "description": one.card.about, "kind": one.card.kind}
        for json, one in zip(preferences(layout), layout.places, strict=True)
    ]


def columns(chosen: Columns) -> Json:
    """Return the columns."""
    return {"stats_columns": chosen.stats, "charts_columns": chosen.charts}


def stats(found: Stats) -> Json:
    """Return every number."""
    return {
        "cards": cards(found),
        "charts": charts(found),
        "trends": {
            "updateTrends": [
                {
                    "date": one.day.isoformat(),
                    "packages": one.packages,
                    "outdated": one.outdated,
                    "security": one.security,
                }
                for one in found.days
            ]
        },
        "lastUpdated": found.at,
    }


def cards(found: Stats) -> Json:
    """Return the numbers of the cards.

    What is called after packages counts each package once; ``pendingUpdates`` adds up what waits on each host.
    """
    fleet = found.fleet
    return {
        **navigation(found)["cards"],
        "upToDateHosts": fleet.up_to_date,
        "hostsWithSecurityUpdates": fleet.need_security_updates,
        "hostsNeedingReboot": fleet.need_reboot,
        "hostsAwaitingData": fleet.never_reported,
        "activeHosts": fleet.active,
        "staleHosts": fleet.stale,
        "securityUpdates": found.kinds.security,
        "pendingUpdates": fleet.updates,
        "pendingSecurityUpdates": fleet.security_updates,
        **({} if found.people is None else {"totalUsers": found.people}),
    }


def charts(found: Stats) -> Json:
    """Return the parts of each chart."""
    fleet = found.fleet
    return {
        "osDistribution": [
            {"name": one.name, "count": one.hosts, "os_type": one.kind, "os_version": one.version}
            for one in found.systems
        ],
        "updateStatusDistribution": [
            {"name": "Up to date", "count": fleet.up_to_date},
            {"name": "Needs updates", "count": fleet.need_updates - fleet.need_security_updates},
            {"name": "Needs security updates", "count": fleet.need_security_updates},
            {"name": "Never reported", "count": fleet.never_reported},
        ],
        "packageUpdateDistribution": [
            {"name": "Security", "count": found.kinds.security},
            {"name": "Regular", "count": found.kinds.outdated - found.kinds.security},
        ],
    }


def navigation(found: Stats) -> Json:
    """Return what stands beside the navigation."""
    fleet = found.fleet
    return {
        "cards": {
            "totalHosts": fleet.hosts,
            "onlineHosts": fleet.connected,
            "offlineHosts": fleet.hosts - fleet.connected,
            "hostsNeedingUpdates": fleet.need_updates,
            "totalOutdatedPackages": found.kinds.outdated,
            "totalHostGroups": found.groups,
            "totalRepos": found.repositories,
        },
        "lastUpdated": found.at,
    }


def trends(found: Trends) -> Json:
    """Return the lines of a chart, the hosts to choose from, and how it is now."""
    return {
        "chartData": {
            "labels": [one.day.isoformat() for one in found.days],
            "datasets": [
                {"label": "Total packages", "data": [one.packages for one in found.days]},
                {"label": "Outdated packages", "data": [one.outdated for one in found.days]},
                {"label": "Security packages", "data": [one.security for one in found.days]},
            ],
        },
        "hosts": found.hosts,
        "period": found.period,
        "hostId": found.host or "all",
        "currentPackageState": {
            "total_packages": found.now.packages,
            "packages_count": found.now.outdated,
            "security_count": found.now.security,
        },
    }


def person(one: PersonLine) -> Json:
    """Return who signed in."""
    return {"id": one.id, "username": one.username, "email": one.email, "role": one.role, "last_login": one.at}


def report(one: ReportLine) -> Json:
    """Return a host that was heard of."""
    return {
        "id": one.id,
        "friendly_name": one.name,
        "hostname": one.hostname,
        "last_update": one.at,
        "packages": one.packages,
        "updates": one.updates,
        "security_updates": one.security_updates,
    }
