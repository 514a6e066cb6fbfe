"""Processors, and what the firmware says the machine is."""

from __future__ import annotations

import os
from typing import Dict, Set

from .base import Collector, Fields, Host

_MODEL_KEYS = ("model name", "Model", "Hardware", "cpu model", "Processor", "cpu")
_MODEL_FILES = ("/sys/firmware/devicetree/base/model", "/sys/class/dmi/id/product_name")
_FIRMWARE = {"hardwareVendor": "sys_vendor", "hardwareProduct": "product_name", "hardwareSerial": "product_serial"}
#: What makers leave in the firmware where a name should stand, in lower case.
_FILLERS = frozenset(
    ("", "none", "n/a", "unknown", "not specified", "not applicable", "default string", "to be filled by o.e.m.",
     "system manufacturer", "system product name", "system serial number", "0", "0123456789", "123456789")
)  # fmt: skip
_KHZ_PER_MHZ = 1000


def collect(host: Host) -> Fields:
    """Return the processors' name, number and speed, and the machine's maker, model and serial number."""
    text = host.read("/proc/cpuinfo")
    found: Dict[str, str] = {}
    count = 0
    sockets: Set[str] = set()
    for line in text.splitlines():
        key, _, value = line.partition(":")
        key = key.strip()
        count += key == "processor"
        if key == "physical id":
            sockets.add(value.strip())
        found.setdefault(key, value.strip())
    model = next((found[key] for key in _MODEL_KEYS if found.get(key)), "")
    model = model or next((name for name in map(host.line, _MODEL_FILES) if name), "").rstrip("\0")
    fields: Fields = {"cpuModel": " ".join(model.split()), "cpuCores": count or os.cpu_count() or 0}
    if sockets:
        fields["cpuSockets"] = len(sockets)
    mhz = _mhz(host, found.get("cpu MHz", ""))
    if mhz:
        fields["cpuMhz"] = mhz
    firmware = {name: stated(host.line(f"/sys/class/dmi/id/{file}")) for name, file in _FIRMWARE.items()}
    return {**fields, **{name: text for name, text in firmware.items() if text}}


def stated(text: str) -> str:
    """Return what the firmware says, empty where its maker filled nothing in."""
    plain = " ".join(text.split())
    return "" if plain.lower().rstrip(".") in _FILLERS or plain.lower() in _FILLERS else plain


def _mhz(host: Host, now: str) -> int:
    # The most it can do says more about a machine than what it does at this moment.
    for text, divisor in ((host.line("/sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq"), _KHZ_PER_MHZ), (now, 1)):
        try:
            return round(float(text) / divisor)
        except ValueError:
            continue
    return 0


COLLECTOR = Collector("hardware", collect)
