"""Processors."""

from __future__ import annotations

import os
from typing import Dict

from .base import Collector, Fields, Host

_MODEL_KEYS = ("model name", "Model", "Hardware", "cpu model", "Processor", "cpu")
_MODEL_FILES = ("/sys/firmware/devicetree/base/model", "/sys/class/dmi/id/product_name")


def collect(host: Host) -> Fields:
    """Return the processor's name and the number of logical processors."""
    text = host.read("/proc/cpuinfo")
    found: Dict[str, str] = {}
    count = 0
    for line in text.splitlines():
        key, _, value = line.partition(":")
        key = key.strip()
        count += key == "processor"
        found.setdefault(key, value.strip())
    model = next((found[key] for key in _MODEL_KEYS if found.get(key)), "")
    model = model or next((name for name in map(host.line, _MODEL_FILES) if name), "").rstrip("\0")
    return {"cpuModel": " ".join(model.split()), "cpuCores": count or os.cpu_count() or 0}


COLLECTOR = Collector("hardware", collect)
