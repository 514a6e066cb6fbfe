"""A killed server takes its programs with it, and the next one has every committed row at once."""

import os
import pwd
import signal
from pathlib import Path

import pytest

from tests.core.embedded.processes import Parent, Python, kill_after, left_in, nothing_left_within, python_of_nobody

ROWS_BEFORE_EACH_KILL = 25
KILLS = 5
# Five seconds when the machine is idle; six processes and all their syncs on a busy one take longer.
BUSY = pytest.mark.timeout(150)


def killed_again_and_again(
    data_dir: Path, kills: int, *, user: int | None = None, python: Python | None = None
) -> list[float]:
    """Kill a server in the middle of its commits, several times in a row; return how long each restart took."""
    committed: set[int] = set()
    bell = 0
    seconds = []
    for _ in range(kills):
        server = Parent(data_dir, user=user, python=python)
        assert committed <= set(server.hello["rows"])
        # The bell is rung after the commit, so a kill may fall between the two.
        assert bell <= server.hello["bell"] <= max(server.hello["rows"], default=0)
        seconds.append(server.hello["seconds"])
        server.wait_for_rows(ROWS_BEFORE_EACH_KILL)
        server.kill()
        committed |= set(server.committed)
        bell = max(server.committed)
    last = Parent(data_dir, user=user, python=python)
    assert committed <= set(last.hello["rows"])
    assert last.hello["rows"] == list(range(1, len(last.hello["rows"]) + 1))
    seconds.append(last.hello["seconds"])
    assert last.end() == 0
    return seconds


@BUSY
def test_five_kills_in_a_row_lose_nothing(data_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    seconds = killed_again_and_again(data_dir, KILLS)
    with capsys.disabled():
        print(f" starts after a kill: {', '.join(f'{each:.2f} s' for each in seconds[1:])}", end=" ")
    # About 0.2 s when the machine is idle. On a busy one, what a start after a clean stop took says how busy.
    assert sorted(seconds[1:])[KILLS // 2] < max(1.0, 5 * seconds[0])
    assert left_in(data_dir) == []


@BUSY
@pytest.mark.usefixtures("as_root")
def test_an_ordinary_user_runs_everything_as_itself(empty_dir: Path) -> None:
    if (python := python_of_nobody()) is None:
        pytest.skip("the user nobody cannot run this environment's Python, nor the system's with its packages")
    nobody = pwd.getpwnam("nobody")
    os.chown(empty_dir, nobody.pw_uid, nobody.pw_gid)
    killed_again_and_again(empty_dir, 2, user=nobody.pw_uid, python=python)
    assert {path.stat().st_uid for path in empty_dir.rglob("*")} == {nobody.pw_uid}
    assert left_in(empty_dir) == []


def test_a_killed_server_leaves_no_process_even_if_none_follows(data_dir: Path) -> None:
    server = Parent(data_dir)
    server.wait_for_rows(3)
    assert len(left_in(data_dir)) >= 2
    server.kill()
    assert nothing_left_within(data_dir, 5)
    # Empty: the programs took their sockets with them.
    Path(server.hello["runtime_dir"]).rmdir()


def test_a_clean_stop_leaves_no_process_and_no_socket(data_dir: Path) -> None:
    server = Parent(data_dir)
    server.wait_for_rows(3)
    assert Path(server.hello["runtime_dir"]).is_dir()
    assert server.end() == 0
    assert left_in(data_dir) == []
    assert not Path(server.hello["runtime_dir"]).exists()


@pytest.mark.real
def test_a_former_postgresql_that_does_not_stop_is_ended(data_dir: Path) -> None:
    server = Parent(data_dir)
    server.wait_for_rows(10)
    # A checkpointer that stands still makes the fast stop wait for ever.
    (checkpointer,) = [int(line.split()[0]) for line in left_in(data_dir) if "checkpointer" in line]
    os.kill(checkpointer, signal.SIGSTOP)
    server.kill()
    assert not nothing_left_within(data_dir, 1)
    following = Parent(data_dir)
    assert set(server.committed) <= set(following.hello["rows"])
    assert following.end() == 0


@pytest.mark.real
def test_a_first_start_killed_at_any_moment_does_not_spoil_the_directory(empty_dir: Path) -> None:
    for milliseconds in range(150, 2000, 150):
        kill_after(empty_dir, milliseconds / 1000)
    assert nothing_left_within(empty_dir, 10)
    server = Parent(empty_dir)
    server.wait_for_rows(3)
    assert server.end() == 0


@pytest.mark.real
def test_many_kills_at_any_moment_corrupt_nothing(data_dir: Path) -> None:
    committed: set[int] = set()
    for round_number in range(20):
        server = Parent(data_dir)
        assert committed <= set(server.hello["rows"])
        server.wait_for_rows(1 + round_number * 37 % 400)
        server.kill()
        committed |= set(server.committed)
    last = Parent(data_dir)
    assert committed <= set(last.hello["rows"])
    assert last.end() == 0
