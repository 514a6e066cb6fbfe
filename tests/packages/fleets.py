"""Fleets whose packages are known, as agents report them."""

from typing import Any

from server.core.call import Call
from tests.factories.hosts import Agent, Browser, enrolled, full_report, package, repository

SECURE: dict[str, Any] = {
    "url": "https://security.debian.org/debian-security",
    "isSecure": True,
    "distribution": "bookworm-security",
}


async def three_hosts(call: Call, client: Browser) -> list[Agent]:
    """Three hosts with curl, one of which is behind; one has a security update of openssl; bash is behind on two."""
    agents = [await enrolled(call, client, name) for name in ("web-01", "web-02", "web-03")]
    repositories = [repository(), repository("debian-security", **SECURE)]
    told = [
        [package("curl", "7.88.1-10", "7.88.1-12"), package("openssl", "3.0.15"), package("bash", "5.2.15")],
        [
            package("curl", "7.88.1-12"),
            package("openssl", "3.0.14", "3.0.15", isSecurityUpdate=True, sourceRepository="debian-security"),
            package("bash", "5.2.15", "5.2.21", category="shells"),
        ],
        [
            package("curl", "7.88.1-12", description="command line tool for transferring data", category="web"),
            package("bash", "5.2.15", "5.2.21", sourceRepository="debian"),
        ],
    ]
    for number, (agent, packages) in enumerate(zip(agents, told, strict=True), start=1):
        answer = await agent.update(full_report(packages, repositories, hostname=f"web-0{number}.example.net"))
        assert answer.status == 200, await answer.text()
    return agents
