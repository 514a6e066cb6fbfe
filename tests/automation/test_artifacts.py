"""A job's artifacts: read by ansible-runner itself, whatever the hosts are called, in little memory."""

import tarfile
import tracemalloc
from io import BytesIO
from pathlib import Path
from typing import Any

from ansible_runner import Runner, RunnerConfig

from server.automation import artifacts, service
from server.core.call import Call
from tests.factories.automation import Api, Fleet
from tests.factories.people import bearer


async def download(api: Api, job: dict[str, Any], status: int = 200) -> bytes:
    async with api.session.get(f"{api.url}/api/v1/jobs/{job['id']}/artifacts.tar.gz", headers=api.headers) as answer:
        assert answer.status == status, await answer.text()
        return await answer.read()


def unpacked(content: bytes, folder: Path) -> Path:
    with tarfile.open(fileobj=BytesIO(content), mode="r:gz") as packed:
        packed.extractall(folder, filter="data")
    (top,) = folder.iterdir()
    return top


async def test_ansible_runner_reads_what_a_job_left_behind(api: Api, fleet: Fleet, tmp_path: Path) -> None:
    web, other = await fleet.online("web-01"), await fleet.online("../odd name")
    job = await api.launch("web-01", "../odd name")
    good, bad = await web.job(), await other.job()
    stats = {"ok": {"web-01": 2}, "changed": {"web-01": 1}, "failures": {}, "dark": {}, "processed": {"web-01": 1}}
    await web.tell(
        good,
        {"event": "playbook_on_play_start", "play": "Ping", "stdout": "\nPLAY [Ping] ***"},
        {
            "event": "runner_on_ok",
            "task": "Ping",
            "changed": True,
            "result": {"ping": "pöng"},
            "stdout": "ok: [web-01]",
        },
        {"event": "playbook_on_stats", "stats": stats, "uuid": "the-end"},
    )
    await web.end(good, "succeeded")
    await other.tell(bad, {"event": "runner_on_failed", "task": "Ping", "stdout": "fatal: no", "result": {"msg": "no"}})
    await other.end(bad, "failed", reason="Ping: no")
    shown = await api.until(job, lambda found: found["finished_at"])
    top = unpacked(await download(api, job), tmp_path)
    assert sorted(one.name for one in top.iterdir()) == ["_odd_name", "job.json", "web-01"]

    ident = next(host["id"] for host in shown["hosts"] if host["name"] == "web-01")
    config = RunnerConfig(private_data_dir=str(top / "web-01"), ident=ident)
    runner = Runner(config)
    runner.status = (Path(config.artifact_dir) / "status").read_text()
    events = list(runner.events)
    assert [event["event"] for event in events] == [
        "playbook_on_play_start", "runner_on_ok", "playbook_on_stats",
    ]  # fmt: skip
    (ok,) = [one for one in runner.host_events("web-01") if one["event"] == "runner_on_ok"]
    assert ok["event_data"]["res"] == {"ping": "pöng"}
    assert (runner.stats["ok"], runner.stats["changed"]) == ({"web-01": 2}, {"web-01": 1})
    assert (runner.status, (Path(config.artifact_dir) / "rc").read_text()) == ("successful", "0")
    with runner.stdout as file:
        assert file.read() == "\nPLAY [Ping] ***\nok: [web-01]\n"
    ended = next((top / "_odd_name" / "artifacts").iterdir())
    assert (ended / "status").read_text() == "failed"
    assert (ended / "stderr").read_text() == "Ping: no\n"


async def test_who_does_not_see_the_job_gets_nothing(api: Api, fleet: Fleet, call: Call) -> None:
    await fleet.enrol("web-01")
    job = await api.launch("web-01")
    nobody = Api(api.session, api.url, {})
    await download(nobody, job, status=401)
    await download(Api(api.session, api.url, await bearer(call, "readonly")), job)
    await download(api, {"id": "nothing"}, status=404)


async def test_a_many_events_take_little_memory(api: Api, fleet: Fleet, call: Call) -> None:
    await fleet.enrol("web-01")
    job = await api.launch("web-01")
    await call.db.execute(
        """
        insert into job_events (job_date, job_host_id, source, counter, job_id, position, at, event, uuid, stdout)
        select j.job_date, h.id, 0, n, j.id, 1, now(), 'runner_on_ok', 'e-' || n, repeat('line ' || n, 20)
          from jobs j join job_hosts h on h.job_id = j.id, generate_series(1, 6000) n
        """
    )
    found = await service.fetch(call, job["id"])
    tracemalloc.start()
    size = 0
    async for piece in artifacts.packed(call, found):
        size += len(piece)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert size > 60_000
    assert peak < 6 * 1024**2
