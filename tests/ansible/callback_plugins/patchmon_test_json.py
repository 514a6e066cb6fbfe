"""Prints every task result as one line of JSON."""

import json
from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: patchmon_test_json
type: stdout
short_description: One line of JSON per task result
description: For tests.
"""


class CallbackModule(CallbackBase):  # type: ignore[misc]
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "patchmon_test_json"

    def v2_runner_on_ok(self, result: Any) -> None:
        self._tell("ok", result)

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:  # noqa: ARG002 (Ansible passes it)
        self._tell("failed", result)

    def v2_runner_on_skipped(self, result: Any) -> None:
        self._tell("skipped", result)

    def v2_runner_on_unreachable(self, result: Any) -> None:
        self._tell("unreachable", result)

    def _tell(self, status: str, result: Any) -> None:
        line = {"task": result.task.name, "host": result.host.name, "status": status, "result": dict(result.result)}
        self._display.display(json.dumps(line, default=str))
