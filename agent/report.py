"""The report: what the collectors found, in the form it goes over the wire."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import Any, Dict, List, Sequence, Tuple

from agent import __version__
from agent.collect import COLLECTORS, Fields, Host, Note, beside, drivers, run
from agent.config import Config
from agent.protocol.hashes import section_hashes
from agent.system.log import Log

SECTIONS = ("packages", "repos", "interfaces", "hostname")
_REFRESH_LOCK_SECONDS = 60
_SECONDS_PER_MINUTE = 60
#: Every key of a full report and what it is when nobody could tell.
_EMPTY: Dict[str, Any] = {
    "packages": None,
    "repositories": None,
    "osType": "",
    "osVersion": "",
    "hostname": "",
    "ip": "",
    "architecture": "",
    "agentVersion": __version__,
    "machineId": "",
    "kernelVersion": "",
    "selinuxStatus": "",
    "systemUptime": "",
    "loadAverage": None,
    "cpuModel": "",
    "cpuCores": 0,
    "ramInstalled": 0,
    "swapSize": 0,
    "diskDetails": None,
    "gatewayIp": "",
    "dnsServers": None,
    "networkInterfaces": None,
    "executionTime": 0,
    "needsReboot": False,
    "packageManager": "",
}
_ALWAYS = ("osType", "osVersion", "architecture", "agentVersion", "machineId", "hashes", "agentExecutionMs")
_OF_SECTION: Dict[str, Tuple[str, ...]] = {
    "packages": ("packages", "packageManager"),
    "repos": ("repositories",),
    "interfaces": ("networkInterfaces", "ip", "gatewayIp", "dnsServers"),
    "hostname": ("hostname",),
}
_METRICS = (
    "cpuCores",
    "cpuModel",
    "ramInstalled",
    "swapSize",
    "diskDetails",
    "systemUptime",
    "bootTime",
    "loadAverage",
    "needsReboot",
    "rebootReason",
    "unfinishedPackages",
    "cpuSockets",
    "cpuMhz",
    "ramUsed",
    "ramFree",
    "hardwareVendor",
    "hardwareProduct",
    "hardwareSerial",
)
#: Said also when there is nothing to say: only that takes an earlier word back.
_PLAIN_NO = ("needsReboot", "unfinishedPackages")


class CannotReport(Exception):
    """Something without which a report is worthless could not be found out."""


@dataclass(frozen=True)
class Report:
    """A full report in wire form, and what could not be found out."""

    fields: Fields
    notes: Sequence[Note]

    @property
    def packages(self) -> List[Dict[str, Any]]:
        """Return the package rows."""
        found = self.fields["packages"]
        return found if isinstance(found, list) else []

    def ping(self) -> Fields:
        """Return the body of a check-in: hashes and what changes all the time."""
        metrics = {
            key: self.fields[key]
            for key in _METRICS
            if self.fields.get(key) or (key in _PLAIN_NO and key in self.fields)
        }
        return {
            "hashes": self.fields["hashes"],
            "metrics": metrics,
            "agentVersion": __version__,
            "agentExecutionMs": self.fields["agentExecutionMs"],
        }

    @staticmethod
    def known_sections(wanted: object) -> List[str]:
        """Return which of our sections are in a list of the server's; names of other sections are none of ours."""
        return [name for name in SECTIONS if name in wanted] if isinstance(wanted, list) else []

    def partial(self, sections: Sequence[str]) -> Fields:
        """Return a report of some sections; everything else is there and empty."""
        claimed = self.known_sections(list(sections))
        keys = {*_ALWAYS, *(key for name in claimed for key in _OF_SECTION[name])}
        return {**_EMPTY, **{key: self.fields[key] for key in keys}, "sections": claimed}


def compose(host: Host = Host()) -> Report:  # noqa: B008 (frozen)
    """Run every collector.

    Raises:
        CannotReport: the operating system, the host's name or its packages are unknown.
    """
    begun = time.monotonic()
    outcome = run(COLLECTORS, host)
    if outcome.fatal:
        raise CannotReport("; ".join(f"{note.collector}: {note.text}" for note in outcome.fatal))
    spent = time.monotonic() - begun
    fields: Fields = {**_EMPTY, "repositories": [], "diskDetails": [], "dnsServers": [], "networkInterfaces": []}
    fields.update(_cleaned(beside.merged(outcome.fields)))
    fields["executionTime"] = round(spent, 3)
    fields["agentExecutionMs"] = int(spent * 1000)
    fields["hashes"] = section_hashes(
        fields["packages"],  # type: ignore[arg-type]
        fields["repositories"],  # type: ignore[arg-type]
        fields["networkInterfaces"],  # type: ignore[arg-type]
        str(fields["hostname"]),
    )
    return Report(fields, tuple(outcome.notes))


def refresh_package_lists(config: Config, log: Log) -> None:
    """Fetch the package lists when the configured mode says so; without root, or when it fails, the old ones serve."""
    mode = config.package_cache_refresh_mode
    if mode == "never" or os.geteuid() != 0:
        return
    package = drivers.drivers()
    try:
        manager = package.detect()
        age = manager.cache_age_seconds()
        if mode == "if_stale" and age is not None and age < config.package_cache_refresh_max_age * _SECONDS_PER_MINUTE:
            return
        manager.refresh(lambda text: log.debug("Refreshing package lists", line=text), _REFRESH_LOCK_SECONDS)
    except package.PackageManagerError as error:
        log.warning("Package lists could not be refreshed", error=str(error))


def _cleaned(value: Any) -> Any:
    # Names of files and packages may hold bytes that are no text; they must be clean before they are hashed.
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-8", "replace").decode("utf-8", "replace")
    if isinstance(value, dict):
        return {key: _cleaned(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_cleaned(item) for item in value]
    return value
