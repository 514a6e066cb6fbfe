"""What the agent tells the server over HTTP, and what it does with the answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Dict, List, Optional

from agent import __version__
from agent.config import Config, save
from agent.docker.engine import readiness
from agent.link.http import Answer, BadAnswer, Http, Unreachable, as_body, expect_ok
from agent.system.log import Log

if TYPE_CHECKING:
    # The service only starts the processes that make reports; collectors would cost it memory all day.
    from agent.docker.inventory import Inventory
    from agent.report import Report

_HASH_MODULUS = 2**64
_HOUR_MINUTES = 60
_UNAUTHORIZED = 401


@dataclass(frozen=True)
class Server:
    """The server's HTTP side and where to write what happens there."""

    http: Http
    log: Log

    def ping(self, attempts: int = 4) -> None:
        """Send the start notice, which is also the test of the credentials.

        Raises:
            Unreachable: no answer.
            BadAnswer: 401 for wrong credentials, or another status.
        """
        self._checked("POST /hosts/ping", self.http.post("/hosts/ping", None, attempts))

    def check_in(self, report: Report, docker: Optional[Inventory] = None) -> None:
        """Send hashes and metrics; then exactly the sections the server asks for.

        Raises:
            Unreachable, BadAnswer: this check-in is lost; the next one makes up for it.
        """
        told = report.ping()
        if docker is not None:
            told["hashes"] = {**report.fields["hashes"], "dockerHash": docker.hash}  # type: ignore[dict-item]
        answer = self._checked("POST /hosts/ping", self.http.post("/hosts/ping", as_body(told))).fields()
        wanted = answer.get("requestFull")
        try:
            self._send_wanted(report, answer)
        finally:
            if docker is not None and (answer.get("hashGate") is not True or "docker" in str(wanted)):
                self.send_docker(docker)

    def _send_wanted(self, report: Report, answer: Dict[str, object]) -> None:
        if answer.get("hashGate") is not True:
            self.send_report(report)
            return
        sections = report.known_sections(answer.get("requestFull"))
        if not sections:
            self.log.info("Check-in complete, nothing changed")
            return
        self.log.info("Sending changed sections", sections=",".join(sections))
        try:
            self._checked("POST /hosts/update", self.http.post("/hosts/update", as_body(report.partial(sections))))
        except (Unreachable, BadAnswer) as error:
            self.log.warning("Partial report failed, sending everything", error=str(error))
            self.send_report(report)

    def send_report(self, report: Report) -> None:
        """Send a full report.

        Raises:
            Unreachable, BadAnswer: it did not arrive, or was refused.
        """
        self.log.info("Sending report to PatchMon server...")
        body = as_body(report.fields)
        self.log.debug("Report body", bytes=len(body))
        answer = self._checked("POST /hosts/update", self.http.post("/hosts/update", body)).fields()
        self.log.info("Report sent successfully")
        self.log.info(
            "Processed packages",
            count=answer.get("packagesProcessed", 0),
            updates=answer.get("updatesAvailable", 0),
            security=answer.get("securityUpdates", 0),
        )

    def send_docker(self, found: Inventory, *, hashed: bool = True) -> None:
        """Send what Docker has; a failure is only noted, the next report brings it again."""
        self.log.info("Sending Docker inventory", containers=len(found.fields["containers"]))
        try:
            answer = self._checked(
                "POST /integrations/docker", self.http.post("/integrations/docker", found.body(hashed=hashed))
            )
        except (Unreachable, BadAnswer) as error:
            self.log.warning("Docker inventory was not delivered", error=str(error))
            return
        self.log.info("Docker inventory sent", received=answer.fields().get("containers_received", 0))

    def sync_interval(self, config: Config) -> Config:
        """Take over the server's reporting interval; ours stays when it says nothing useful.

        Raises:
            Unreachable: no answer; there is no point in asking for more now.
        """
        try:
            answer = self._checked(
                "GET /settings/update-interval", self.http.get("/settings/update-interval", attempts=1)
            )
        except BadAnswer as error:
            self.log.warning("Reporting interval could not be fetched", error=str(error))
            return config
        minutes = answer.fields().get("updateInterval")
        return with_interval(config, minutes, self.log)

    def sync_integrations(self, config: Config) -> Config:
        """Take over which integrations the server has switched on.

        Raises:
            Unreachable: no answer.
        """
        try:
            answer = self._checked("GET /hosts/integrations", self.http.get("/hosts/integrations", attempts=1)).fields()
        except BadAnswer as error:
            self.log.warning("Integrations could not be fetched", error=str(error))
            return config
        changes = integration_changes(config, answer)
        if not changes:
            return config
        self.log.info("Integrations changed by the server", changes=",".join(sorted(changes)))
        return save(config.file, {"integrations": changes})

    def integration_status(self, config: Config) -> None:
        """Say how ready the integrations that are on are; failures do not matter."""
        names = [
            name
            for name, on in (("docker", config.integrations.docker), ("compliance", config.integrations.compliance))
            if on
        ]
        for name in names:
            components: Dict[str, str] = {}
            status, message = "error", f"This agent ({__version__}) does not collect {name} data yet."
            if name == "docker":
                status, message, components = readiness(config.integrations.docker_socket)
            elif name == "compliance":
                components = {"openscap": "unavailable"}
            body = {
                "integration": name,
                "enabled": True,
                "status": status,
                "message": message,
                "components": components,
            }
            try:
                self.http.post("/hosts/integration-status", as_body(body), attempts=1)
            except Unreachable as error:
                self.log.warning("Integration status could not be sent", integration=name, error=str(error))

    def upload_result(self, digest: str, content: bytes) -> Answer:
        """Put a module's result under its digest.

        Raises:
            Unreachable: no answer.
        """
        return self.http.put(f"/agent/results/{digest}", content, attempts=1)

    def _checked(self, what: str, answer: Answer) -> Answer:
        method, _, path = what.partition(" ")
        self.log.debug("Request", method=method, path=path, status=answer.status, bytes=len(answer.body))
        if answer.status == _UNAUTHORIZED:
            self.log.error("Server refused the credentials: 401 Unauthorized", path=path)
        return expect_ok(answer)


def with_interval(config: Config, minutes: object, log: Log) -> Config:
    """Return the configuration with an interval the server named, saved with its offset when it differs."""
    if isinstance(minutes, bool) or not isinstance(minutes, int) or minutes <= 0 or minutes == config.update_interval:
        return config
    log.info("Reporting interval changed by the server", minutes=minutes, before=config.update_interval)
    return save(config.file, {"update_interval": minutes})


def with_offset(config: Config, api_id: str) -> Config:
    """Return the configuration with this host's place in the interval, saved when it changed."""
    offset = report_offset(api_id, config.update_interval)
    return config if offset == config.report_offset else save(config.file, {"report_offset": offset})


def with_settings(config: Config, message: Dict[str, object], log: Log) -> Config:
    """Return the configuration after a ``settings_update``; what the message does not hold stays."""
    config = with_interval(config, message.get("update_interval"), log)
    mode, age = message.get("package_cache_refresh_mode"), message.get("package_cache_refresh_max_age")
    if mode not in ("always", "if_stale", "never"):
        return config
    changes: Dict[str, object] = {"package_cache_refresh_mode": mode}
    if isinstance(age, int) and 1 <= age <= 1440:  # noqa: PLR2004 (a day in minutes)
        changes["package_cache_refresh_max_age"] = age
    return save(config.file, changes)


def integration_changes(config: Config, answer: Dict[str, object]) -> Dict[str, object]:
    """Return what of ``integrations`` differs from what the server says."""
    told = answer.get("integrations")
    told = told if isinstance(told, dict) else {}
    changes: Dict[str, object] = {}
    if isinstance(told.get("docker"), bool) and told["docker"] != config.integrations.docker:
        changes["docker"] = told["docker"]
    compliance: Dict[str, object] = {}
    wanted = told.get("compliance")
    if isinstance(wanted, bool) and wanted != bool(config.integrations.compliance):
        compliance["enabled"] = wanted
    scanners = (("openscap", config.integrations.openscap), ("docker_bench", config.integrations.docker_bench))
    for name, now in scanners:
        scanner = answer.get(f"compliance_{name}_enabled")
        if isinstance(scanner, bool) and scanner != now:
            compliance[f"{name}_enabled"] = scanner
    return {**changes, "compliance": compliance} if compliance else changes


def pushed_integrations(config: object) -> Dict[str, object]:
    """Return what a pushed configuration may change: docker and compliance, never the proxy switches."""
    if not isinstance(config, dict):
        return {}
    changes: Dict[str, object] = {}
    if isinstance(config.get("docker"), bool):
        changes["docker"] = config["docker"]
    given = config.get("compliance")
    compliance: Dict[str, object] = {}
    if isinstance(given, dict):
        compliance = {key: given[key] for key in _SCANNERS if isinstance(given.get(key), bool)}
        given = given.get("enabled")
    if isinstance(given, (bool, str)):
        compliance["enabled"] = _mode(given)
    for key in _SCANNERS:
        if isinstance(config.get(f"compliance_{key}"), bool):
            compliance[key] = config[f"compliance_{key}"]
    return {**changes, "compliance": compliance} if compliance else changes


_SCANNERS: List[str] = ["openscap_enabled", "docker_bench_enabled"]


def _mode(value: object) -> object:
    return {"true": True, "false": False}.get(value, "on-demand") if isinstance(value, str) else value


def report_offset(api_id: str, interval_minutes: int) -> int:
    """Return how many seconds into each interval this host reports: always the same for the same id."""
    number = 0xCBF29CE484222325
    for byte in api_id.encode():
        number = (number ^ byte) * 0x100000001B3 % _HASH_MODULUS
    if interval_minutes >= _HOUR_MINUTES:
        return number % _HOUR_MINUTES * 60
    return number % (interval_minutes * 60)
