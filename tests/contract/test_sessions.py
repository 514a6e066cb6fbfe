"""Server and agent talking through the same file, without sockets: what one says the other understands."""

import json
import random

from hypothesis import given, settings
from hypothesis import strategies as st

from agent.protocol.archive import digest
from agent.protocol.codec import BadMessage, decode, encode
from agent.protocol.messages import FROM_AGENT, FROM_SERVER, Content, Hello, JobEnded, JobOffer, JobPosition, Result
from agent.protocol.session import (
    AgentSession,
    Consider,
    Finish,
    Forget,
    Greeted,
    Keep,
    Launch,
    Mistake,
    Resume,
    Send,
    ServerSession,
    Store,
    Taken,
    Wanted,
)

JOB = "11111111-1111-1111-1111-111111111111"


class Cable:
    """Carries messages as JSON text until both sides are silent; keeps what neither session decides by itself."""

    def __init__(self, hello: Hello, have: dict[str, int] | None = None) -> None:
        self.server, self.agent = ServerSession(), AgentSession(hello)
        self.parts = {"project": b"", "spec": b""}
        self.disk = {"project": bytearray(), "spec": bytearray()}
        self.have = have or {}
        self.at_server: list[object] = []
        self.at_agent: list[object] = []
        self.longest = 0

    def run(self, effects: list[object], *, of_agent: bool) -> None:
        queue = [(of_agent, effect) for effect in effects]
        while queue:
            from_agent, effect = queue.pop(0)
            if isinstance(effect, Send):
                text = encode(effect.message)
                self.longest = max(self.longest, len(text.encode()))
                message = decode(json.loads(text))
                assert message == effect.message
                answers = (self.server if from_agent else self.agent).received(message)
                queue += [(not from_agent, answer) for answer in answers]
            elif from_agent:
                queue += [(True, answer) for answer in self._agent(effect)]
            else:
                queue += [(False, answer) for answer in self._server(effect)]

    def _agent(self, effect: object) -> list[object]:
        self.at_agent.append(effect)
        if isinstance(effect, Consider):
            return list(self.agent.accept(effect.offer, self.have))
        if isinstance(effect, Keep):
            assert len(self.disk[effect.part]) == effect.offset
            self.disk[effect.part] += effect.data
            return list(self.agent.kept(effect.job, effect.part, len(self.disk[effect.part])))
        return []

    def _server(self, effect: object) -> list[object]:
        self.at_server.append(effect)
        if isinstance(effect, Wanted):
            content = self.parts[effect.part]
            offset = self.server.resume_offset(effect.job, effect.part)
            return list(self.server.provide(effect.job, effect.part, content, offset))
        return []


def offer(project: bytes, spec: bytes) -> JobOffer:
    return JobOffer(JOB, "ping", Content(digest(project), len(project)), Content(digest(spec), len(spec)), check=True)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 400_000), st.integers(1, 40_000), st.floats(0, 1))
def test_any_project_arrives_whole_from_wherever_it_stopped(size: int, spec_size: int, share: float) -> None:
    dice = random.Random(size)
    project, spec = dice.randbytes(size), dice.randbytes(spec_size)
    have = int(size * share)
    cable = Cable(Hello(), {"project": have})
    cable.parts = {"project": project, "spec": spec}
    cable.disk["project"] += project[:have]
    cable.run(list(cable.agent.opened()), of_agent=True)
    cable.run(list(cable.server.offer(offer(project, spec))), of_agent=False)
    assert [type(effect) for effect in cable.at_agent if isinstance(effect, Launch)] == [Launch]
    assert bytes(cable.disk["project"]) == project
    assert bytes(cable.disk["spec"]) == spec
    assert cable.longest <= 64 * 1024
    assert any(isinstance(effect, Taken) for effect in cable.at_server)


def test_welcome_resumes_what_is_known_and_forgets_the_rest() -> None:
    hello = Hello(
        jobs=(JobPosition(JOB, "running", 9, 4), JobPosition("other", "ended", 1, 0), JobPosition("half", "receiving"))
    )
    cable = Cable(hello)
    cable.run(list(cable.agent.opened()), of_agent=True)
    assert cable.at_server == [Greeted(hello)]
    known = (JobPosition(JOB, "running", 7, 4), JobPosition("half", "receiving"))
    cable.run(list(cable.server.welcome(known)), of_agent=False)
    assert cable.at_agent == [Resume(JOB, 7, 4), Forget("other")]


def test_events_and_the_end_arrive_as_they_were_sent() -> None:
    cable = Cable(Hello())
    cable.run(list(cable.agent.opened()), of_agent=True)
    items = ({"counter": 3, "stdout": "\x1b[32mgrün\x1b[0m"},)
    ended = JobEnded(JOB, "failed", -9, "killed", 3, 1, {"ok": 1}, (Result("m", "0" * 64, 5),))
    cable.run(list(cable.agent.events(JOB, "runner", 3, items)), of_agent=True)
    cable.run(list(cable.agent.ended(ended)), of_agent=True)
    assert cable.at_server[1:] == [Store(JOB, "runner", 3, items), Finish(ended)]


def test_a_server_takes_nothing_before_hello_and_nothing_of_its_own() -> None:
    server = ServerSession()
    for kind in FROM_AGENT[1:]:
        assert isinstance(server.received(kind())[0], Mistake)
    server.received(Hello())
    for kind in FROM_SERVER:
        assert isinstance(server.received(kind())[0], Mistake)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
FIELDS = sorted({name for kind in (*FROM_AGENT, *FROM_SERVER) for name in kind.__dataclass_fields__})  # type: ignore[attr-defined]


@given(
    st.sampled_from([kind.type for kind in (*FROM_AGENT, *FROM_SERVER)]),  # type: ignore[attr-defined]
    st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=6),
)
def test_whatever_arrives_is_a_message_or_a_bad_message(kind: str, fields: dict[str, object]) -> None:
    try:
        message = decode({**fields, "type": kind})
    except BadMessage:
        return
    assert message is not None
    assert decode(json.loads(encode(message))) == message
