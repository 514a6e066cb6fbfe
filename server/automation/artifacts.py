"""What a job left behind as ansible-runner lays it out: a packed folder, written as it is read, in little memory."""

import re
import tarfile
import zlib
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Final

import orjson

from server.automation.artifact_models import EventFile
from server.automation.models import Job, JobHost, Status
from server.automation.queries import artifacts as rows
from server.automation.queries import jobs as job_rows
from server.core.call import Call
from server.core.loop import in_thread

_AT_ONCE: Final = 500
_BLOCK: Final = 512
_SQUEEZED_BYTES: Final = 128 * 1024
_END: Final = bytes(2 * _BLOCK)
_GZIP: Final = 31
_UNFIT: Final = re.compile(r"[^A-Za-z0-9._-]")
#: The words of ansible-runner.
_WORDS: Final = {
    Status.SUCCEEDED: "successful",
    Status.CANCELLED: "canceled",
    Status.TIMED_OUT: "timeout",
    Status.UNREACHABLE: "failed",
    Status.LOST: "failed",
    Status.FAILED: "failed",
}


async def packed(call: Call, job: Job) -> AsyncIterator[bytes]:
    """Yield a job's artifacts as a packed tar file, as far as the asker sees its hosts.

    ``JOB/HOST`` is a private data directory of ansible-runner, ``artifacts/ID`` in it holds ``status``, ``rc``,
    ``stdout`` and one file for each event. What comes while it is read is not in it.
    """
    packer, waiting = zlib.compressobj(wbits=_GZIP), bytearray()
    async for piece in _members(call, job):
        waiting += piece
        # Most pieces are heads of small files: each alone would go to a thread and back.
        if len(waiting) >= _SQUEEZED_BYTES:
            if squeezed := await in_thread(packer.compress, bytes(waiting)):
                yield squeezed
            waiting.clear()
    yield await in_thread(packer.compress, bytes(waiting)) + packer.flush()


async def _members(call: Call, job: Job) -> AsyncIterator[bytes]:
    hosts = await job_rows.list_job_hosts(call.db, call.actor.scope, job.id)
    folders = _folders(hosts)
    about = [{"folder": folders[host.uuid], "host": host.host_name, "status": host.status} for host in hosts]
    told = {"id": job.uuid, "title": job.title, "playbook": job.playbook, "check": job.check_mode, "hosts": about}
    yield _file(f"{job.uuid}/job.json", orjson.dumps(told, option=orjson.OPT_INDENT_2), job.created_at)
    for host in hosts:
        # One after the other on purpose: together they fit no memory.
        async for piece in _of_host(call, job, host, f"{job.uuid}/{folders[host.uuid]}/artifacts/{host.uuid}"):
            yield piece
    yield _END


def _folders(hosts: list[JobHost]) -> dict[str, str]:
    """Return a folder's name for each host: its own name where that is one, and nobody else's."""
    named: dict[str, str] = {}
    for host in hosts:
        plain = _UNFIT.sub("_", host.host_name).strip(".") or host.uuid
        named[host.uuid] = plain if plain not in named.values() else f"{plain}-{host.uuid}"
    return named


async def _of_host(call: Call, job: Job, host: JobHost, folder: str) -> AsyncIterator[bytes]:
    at = host.finished_at or job.created_at
    status = _WORDS.get(Status(host.status), "running")
    yield _file(f"{folder}/status", status.encode(), at)
    if host.rc is not None:
        yield _file(f"{folder}/rc", str(host.rc).encode(), at)
    if host.reason:
        yield _file(f"{folder}/stderr", f"{host.reason}\n".encode(), at)
    size = await rows.size_of_output(call.db, job.job_date, host.id, until=job.position)
    yield _head(f"{folder}/stdout", size, at)
    written = 0
    async for files in _handfuls(call, job, host):
        text = b"".join(one.stdout.encode() + b"\n" for one in files if one.stdout)
        written += len(text)
        yield text
    # Retention may have taken events meanwhile: what was announced is filled up all the same.
    yield bytes(size - written + _padding(size))
    async for files in _handfuls(call, job, host):
        yield b"".join(
            _file(f"{folder}/job_events/{one.counter}-{_UNFIT.sub('_', one.uuid)}.json", one.text.encode(), at)
            for one in files
        )


async def _handfuls(call: Call, job: Job, host: JobHost) -> AsyncIterator[list[EventFile]]:
    after = 0
    while files := await rows.list_files(
        call.db, job.job_date, host.id, playbook=job.playbook_file, after=after, until=job.position, limit=_AT_ONCE
    ):
        yield files
        after = files[-1].counter


def _file(name: str, content: bytes, at: datetime) -> bytes:
    return _head(name, len(content), at) + content + bytes(_padding(len(content)))


def _head(name: str, size: int, at: datetime) -> bytes:
    found = tarfile.TarInfo(name)
    found.size, found.mtime, found.mode = size, int(at.timestamp()), 0o600
    return found.tobuf(tarfile.PAX_FORMAT)


def _padding(size: int) -> int:
    return -size % _BLOCK
