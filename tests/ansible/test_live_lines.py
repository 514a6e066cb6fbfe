"""Live lines and result files: helpful when somebody is there, harmless when nobody is."""

import json
import socket
import time
from pathlib import Path

import pytest
from ansible_collections.patchmon.fleet.plugins.module_utils._live import LiveLines
from ansible_collections.patchmon.fleet.plugins.module_utils._result import write_result

from tests.ansible.conftest import Watcher


def test_each_line_arrives_whole(watcher: Watcher, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATCHMON_LIVE_SOCKET", str(watcher.path))
    live = LiveLines()

    live("Setting up grün …")
    live("one\ntwo\rthree")
    live("lone \ud800 surrogate")
    live.close()

    watcher.wait_for("surrogate", 5)
    assert watcher.lines == ["Setting up grün …", "one two three", "lone ? surrogate"]


@pytest.mark.parametrize("path", ["", "/nowhere/live.sock"])
def test_nobody_there_is_no_error(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATCHMON_LIVE_SOCKET", path)
    live = LiveLines()

    live("into the void")
    live.close()


def test_a_watcher_who_does_not_read_holds_nothing_up_for_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "live.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asleep:
        asleep.bind(str(path))
        asleep.listen()
        monkeypatch.setenv("PATCHMON_LIVE_SOCKET", str(path))
        live = LiveLines()
        started = time.monotonic()

        for _ in range(2000):
            live("x" * 1000)

    assert time.monotonic() - started < 4


def test_results_are_complete_files_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATCHMON_RESULT_DIR", str(tmp_path))

    first = write_result("package_update", {"changes": ["grün"]})
    second = write_result("package_update", {"changes": []})

    assert first is not None
    assert second is not None
    assert first != second
    assert json.loads(Path(first).read_text(encoding="utf-8")) == {
        "module": "package_update",
        "result": {"changes": ["grün"]},
    }
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".json", ".json"]


def test_a_result_that_cannot_be_written_is_an_error_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATCHMON_RESULT_DIR", str(tmp_path / "missing"))

    with pytest.raises(FileNotFoundError):
        write_result("package_update", {})
