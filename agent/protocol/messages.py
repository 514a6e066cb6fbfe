"""Every message of the job channel as a dataclass, in both directions.

The channel is an extension of the existing agent WebSocket: one JSON object with a string ``type`` per text frame.
An agent that never says ``hello`` is an existing 2.x agent and is never sent any of these. Readers ignore unknown
fields and unknown types. ``job`` is always the job host's UUID: the idempotency key of everything about it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Dict, List, Tuple, Union

PROTOCOL = 1
#: Existing agents read at most 64 KiB; a chunk of 32 KiB is 43.7 KB as base64.
CHUNK_BYTES = 32 * 1024
#: The server reads at most 512 KiB; events are cut at 256 KiB before they are spooled.
EVENT_BYTES = 256 * 1024
#: A batch leaves after this time or this size, whichever comes first.
BATCH_SECONDS = 0.05
BATCH_BYTES = 64 * 1024
#: Chunks that may be under way unacknowledged: bounds the memory of both sides.
WINDOW_CHUNKS = 8
#: The two counters of a job on a host.
SOURCES = ("runner", "live")


@dataclass(frozen=True)
class Content:
    """Bytes named by what they are: ``digest`` is the lowercase SHA-256 of exactly ``size`` bytes."""

    digest: str
    size: int


@dataclass(frozen=True)
class JobPosition:
    """How far a job is: the highest contiguous counter of each source (0 = nothing)."""

    job: str
    state: str = "running"
    runner: int = 0
    live: int = 0


@dataclass(frozen=True)
class Result:
    """A module's result file, uploaded by HTTP under its digest before ``job_ended`` is sent."""

    module: str
    digest: str
    size: int


# ---------------------------------------------------------------- agent to server


@dataclass(frozen=True)
class Hello:
    """First message of our agent: what it is, what it can do, which jobs it holds.

    ``executors`` names what it can carry out: "on_host" needs Python 3.11, "relayed" 3.9.
    ``automation`` is the local file's word: any, builtin or off. ``jobs`` has one entry per job directory on the
    host, its ``state`` being receiving, running, rebooting or ended. ``abilities``: "stages" are jobs of several
    playbooks, with a restart of the host among them; "sealed_parts" are secret files of the project and secret
    variables of the environment in the spec (``files``: names and base64; ``environment``: names and texts).
    """

    type = "hello"
    protocol: int = PROTOCOL
    agent: str = ""
    python: str = ""
    os: str = ""
    arch: str = ""
    boot_id: str = ""
    ansible: str = ""
    collection: str = ""
    automation: str = "builtin"
    executors: Tuple[str, ...] = ()
    changing_jobs: int = 1
    jobs: Tuple[JobPosition, ...] = ()
    abilities: Tuple[str, ...] = ()


@dataclass(frozen=True)
class JobNeed:
    """Send this part ("project" or "spec") from ``offset`` on; 0 the first time, more when a transfer resumes."""

    type = "job_need"
    job: str = ""
    part: str = "project"
    offset: int = 0


@dataclass(frozen=True)
class JobChunkOk:
    """Everything of this part below ``offset`` is on disk."""

    type = "job_chunk_ok"
    job: str = ""
    part: str = "project"
    offset: int = 0


@dataclass(frozen=True)
class JobRefused:
    """The offer is not carried out and left nothing behind.

    ``code``: forbidden (the local file), busy (too many changing jobs: offer again later), digest (content does not
    match its name), unsupported, no_room, invalid.
    """

    type = "job_refused"
    job: str = ""
    code: str = ""
    reason: str = ""


@dataclass(frozen=True)
class JobState:
    """The job is here: receiving, running, rebooting or ended. Also the answer to a repeated offer."""

    type = "job_state"
    job: str = ""
    state: str = "running"
    runner: int = 0
    live: int = 0


@dataclass(frozen=True)
class JobEvents:
    """Consecutive events of one source, ``first`` being the counter of the first item; see docs/protocol.md."""

    type = "job_events"
    job: str = ""
    source: str = "runner"
    first: int = 1
    items: Tuple[Dict[str, Any], ...] = ()


@dataclass(frozen=True)
class JobEnded:
    """The last word about a job; repeated on every connection until ``job_drop``.

    ``status``: succeeded, failed, cancelled, timed_out or lost. ``runner`` and ``live`` are the final counters: the
    server ends the job only when it has stored that many. ``counters``: ok, changed, failed, skipped, unreachable,
    ignored, rescued of the play's statistics.
    """

    type = "job_ended"
    job: str = ""
    status: str = "failed"
    rc: int = 0
    reason: str = ""
    runner: int = 0
    live: int = 0
    counters: Dict[str, int] = field(default_factory=dict)
    results: Tuple[Result, ...] = ()


# ---------------------------------------------------------------- server to agent


@dataclass(frozen=True)
class Welcome:
    """Answer to ``hello``: per announced job what is stored; a job missing here is unknown and is dropped."""

    type = "welcome"
    protocol: int = PROTOCOL
    jobs: Tuple[JobPosition, ...] = ()


@dataclass(frozen=True)
class JobOffer:
    """Run this; both parts are named by digest, the agent asks for what it lacks.

    ``check``: nothing on the host is changed, such jobs may overlap. ``timeout_seconds`` counts from the start.
    ``request_id``: of whoever asked for it, for the logs of both ends.
    """

    type = "job_offer"
    job: str = ""
    playbook: str = ""
    project: Content = Content("", 0)
    spec: Content = Content("", 0)
    check: bool = False
    timeout_seconds: int = 3600
    grace_seconds: int = 30
    request_id: str = ""


@dataclass(frozen=True)
class JobChunk:
    """Bytes of a part from ``offset`` on, ``data`` being standard base64 of at most 32 KiB."""

    type = "job_chunk"
    job: str = ""
    part: str = "project"
    offset: int = 0
    data: str = ""


@dataclass(frozen=True)
class JobAck:
    """Everything up to these counters is stored for good."""

    type = "job_ack"
    job: str = ""
    runner: int = 0
    live: int = 0


@dataclass(frozen=True)
class JobStop:
    """Interrupt every process of the job; kill what is left after the grace."""

    type = "job_stop"
    job: str = ""
    grace_seconds: int = 30


@dataclass(frozen=True)
class JobDrop:
    """The end is stored: forget the job and its files."""

    type = "job_drop"
    job: str = ""


# ---------------------------------------------------------------- relayed commands, both ways
#
# One operation on the host per ``relay``: a command, a file to the host or a file from it. Bytes travel in chunks of at
# most 32 KiB as base64, numbered from 0; not more than ``RELAY_WINDOW`` chunks of one direction are under way that the
# other side has not taken. Whatever ends the connection ends the operations on it.


@dataclass(frozen=True)
class RelayOpen:
    """Begin an operation: "exec" runs ``target`` in a shell, "put" and "fetch" write and read the file it names.

    ``target`` is base64, because neither commands nor names of files need be text. ``by`` names who asks, for the
    host's log. ``live``: lines that a module prints while it runs are wanted too.
    """

    type = "relay_open"
    relay: str = ""
    operation: str = "exec"
    target: str = ""
    by: str = ""
    live: bool = False


@dataclass(frozen=True)
class RelayInput:
    """Bytes for the command's standard input or for the file; ``last`` comes with the last of them, or alone."""

    type = "relay_input"
    relay: str = ""
    number: int = 0
    data: str = ""
    last: bool = False


@dataclass(frozen=True)
class RelayRead:
    """The server has taken so many more chunks of output: as many may follow."""

    type = "relay_read"
    relay: str = ""
    chunks: int = 1


@dataclass(frozen=True)
class RelayCancel:
    """Nobody waits for this operation any more: end every process of it."""

    type = "relay_cancel"
    relay: str = ""


@dataclass(frozen=True)
class RelayOutput:
    """Bytes that the operation gave; ``stream`` is out, err or live."""

    type = "relay_output"
    relay: str = ""
    number: int = 0
    stream: str = "out"
    data: str = ""


@dataclass(frozen=True)
class RelayWritten:
    """The host has taken so many more chunks of input: as many may follow."""

    type = "relay_written"
    relay: str = ""
    chunks: int = 1


@dataclass(frozen=True)
class RelayDone:
    """The operation is over. ``rc`` is the command's; ``size`` counts a file's bytes.

    ``code`` is empty when it was carried out, else: forbidden (the local file), busy, missing (no such file), failed.
    """

    type = "relay_done"
    relay: str = ""
    rc: int = 0
    size: int = 0
    code: str = ""
    reason: str = ""


#: Chunks of one direction of a relayed operation that may be under way.
RELAY_WINDOW = 16
#: So many are taken before the other side hears of it: an acknowledgement for every chunk would double the messages.
RELAY_READ_CHUNKS = 4
#: Of a command line or the name of a file: with base64 and the rest it stays within what agents read.
RELAY_TARGET_BYTES = 40 * 1024


FromAgent = Union[Hello, JobNeed, JobChunkOk, JobRefused, JobState, JobEvents, JobEnded]
FromServer = Union[Welcome, JobOffer, JobChunk, JobAck, JobStop, JobDrop]
RelayToAgent = Union[RelayOpen, RelayInput, RelayRead, RelayCancel]
RelayFromAgent = Union[RelayOutput, RelayWritten, RelayDone]
Message = Union[FromAgent, FromServer, RelayToAgent, RelayFromAgent]

FROM_AGENT: List[type] = [Hello, JobNeed, JobChunkOk, JobRefused, JobState, JobEvents, JobEnded]
FROM_SERVER: List[type] = [Welcome, JobOffer, JobChunk, JobAck, JobStop, JobDrop]
RELAY_TO_AGENT: List[type] = [RelayOpen, RelayInput, RelayRead, RelayCancel]
RELAY_FROM_AGENT: List[type] = [RelayOutput, RelayWritten, RelayDone]
