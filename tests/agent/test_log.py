"""The log file: its lines, its rotation, and what happens when it cannot be written."""

import gzip
import os
import re
import time
from pathlib import Path

import pytest

from agent.system.log import Log, last_lines
from tests.agent.conftest import Agent


@pytest.mark.proves("AGENT-LOG-03", "AGENT-LOG-04")
def test_a_line(tmp_path: Path) -> None:
    file = tmp_path / "logs" / "agent.log"
    log = Log(file, "warn", on_terminal=False)
    log.info("not this")
    log.warning('He said "no"', host="web-01", text="two words", empty="", lines="a\nlevel=error forged")
    log.error("bad")
    first, second = file.read_text().splitlines()
    stamp = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d"
    rest = r'level=warn msg="He said \\"no\\"" host=web-01 text="two words" empty="" lines="a\\nlevel=error forged"'
    assert re.fullmatch(f"{stamp} {rest}", first)
    assert re.fullmatch(f'{stamp} level=error msg="bad"', second)


@pytest.mark.proves("AGENT-LOG-02", "AGENT-PATH-05")
def test_rotation(tmp_path: Path) -> None:
    file = tmp_path / "logs" / "agent.log"
    log = Log(file, "info", on_terminal=False, max_bytes=2000)
    for number in range(200):
        log.info("line", number=f"{number:080}")
    rotated = sorted(file.parent.glob("*.log.gz"))
    assert 1 <= len(rotated) <= 5
    assert file.stat().st_size <= 2200
    assert all("level=info" in gzip.decompress(one.read_bytes()).decode() for one in rotated)
    assert (file.parent.stat().st_mode & 0o777, file.stat().st_mode & 0o777) == (0o700, 0o600)
    # Two weeks later the old ones go.
    for one in rotated:
        os.utime(one, (time.time() - 15 * 86400,) * 2)
    for number in range(25):
        log.info("later", number=f"{number:080}")
    assert not [one for one in rotated if one.exists()]


def test_two_processes_write_one_file(tmp_path: Path) -> None:
    file = tmp_path / "agent.log"
    logs = [Log(file, "info", on_terminal=False, max_bytes=3000) for _ in range(2)]
    for number in range(60):
        for name, log in enumerate(logs):
            log.info("record", writer=name, number=number)
    text = file.read_text() + "".join(gzip.decompress(one.read_bytes()).decode() for one in tmp_path.glob("*.gz"))
    assert sorted(re.findall(r"writer=(\d) number=(\d+)", text)) == sorted(
        (str(writer), str(number)) for writer in range(2) for number in range(60)
    )


def test_the_end_of_a_log(tmp_path: Path) -> None:
    file = tmp_path / "agent.log"
    file.write_text("".join(f"{number} {'x' * 100}\n" for number in range(5000)))
    assert [line.split()[0] for line in last_lines(file, 3).splitlines()] == ["4997", "4998", "4999"]


async def test_a_log_that_cannot_be_written_does_not_stop_a_report(agent: Agent) -> None:
    (agent.folder / "logs").write_text("a file where the folder should be")
    done = await agent.run("report")
    assert done.code == 0
    assert "Log file cannot be written" in done.err
    assert "Report sent successfully" in done.err
