"""Modules write lines; batches of whole lines come out."""

import socket
import threading
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from agent.supervise.live import LiveSocket
from tests.factories.jobs import wait_for


class Heard:
    def __init__(self, folder: Path) -> None:
        self.batches: list[tuple[str, datetime]] = []
        self.path = folder / "live.sock"
        self.socket = LiveSocket(self.path, lambda text, at: self.batches.append((text, at)))

    def module(self) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.connect(str(self.path))
        return connection

    @property
    def text(self) -> str:
        return "".join(text for text, _ in self.batches)


@pytest.fixture
def heard(tmp_path: Path) -> Iterator[Heard]:
    heard = Heard(tmp_path)
    yield heard
    if heard.socket._thread.is_alive():
        heard.socket.close()


def test_a_line_arrives_within_the_batch_time(heard: Heard) -> None:
    with heard.module() as module:
        module.sendall(b"Unpacking tiny\n")
        before = time.monotonic()
        wait_for(lambda: heard.batches, 2)
        assert time.monotonic() - before < 1
        assert heard.text == "Unpacking tiny\n"


def test_half_a_line_waits_for_its_end(heard: Heard) -> None:
    with heard.module() as module:
        module.sendall(b"50 % ")
        time.sleep(0.2)
        assert heard.batches == []
        module.sendall("… 100 % ✓\n".encode())
        wait_for(lambda: heard.batches, 2)
        assert heard.text == "50 % … 100 % ✓\n"


def test_many_lines_travel_in_batches_of_about_a_kilobyte(heard: Heard) -> None:
    with heard.module() as module:
        module.sendall(b"".join(b"%05d %s\n" % (number, b"x" * 50) for number in range(1000)))
    wait_for(lambda: heard.text.count("\n") == 1000, 5)
    assert [line[:5] for line in heard.text.splitlines()] == [f"{number:05d}" for number in range(1000)]
    assert max(len(text) for text, _ in heard.batches) < 1024 + 60
    assert len(heard.batches) < 100


def test_many_modules_may_write_at_once(heard: Heard) -> None:
    def write(name: int) -> None:
        with heard.module() as module:
            for number in range(100):
                module.sendall(b"%d-%d\n" % (name, number))

    writers = [threading.Thread(target=write, args=(name,)) for name in range(8)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    wait_for(lambda: heard.text.count("\n") == 800, 5)
    for name in range(8):
        own = [line for line in heard.text.splitlines() if line.startswith(f"{name}-")]
        assert own == [f"{name}-{number}" for number in range(100)]


def test_a_line_without_end_is_passed_on_in_pieces(heard: Heard) -> None:
    with heard.module() as module:
        module.sendall(b"x" * 300_000)
    wait_for(lambda: len(heard.text) >= 300_000, 5)
    assert max(len(text) for text, _ in heard.batches) < 256 * 1024


def test_the_last_words_are_heard_at_the_close(heard: Heard) -> None:
    with heard.module() as module:
        module.sendall(b"last line\nand no end")
        heard.socket.close()
    assert heard.text == "last line\nand no end\n"


def test_bytes_that_are_no_text_do_no_harm(heard: Heard) -> None:
    with heard.module() as module:
        module.sendall(b"\xff\xfe\n")
    wait_for(lambda: heard.batches, 2)
    assert heard.text == "\ufffd\ufffd\n"
