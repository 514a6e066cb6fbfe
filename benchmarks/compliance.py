"""Bar 20: a scan of 400 rules stored, against an upsert for each rule; the fleet's pages over 10,000 hosts."""

import asyncio
import random
import statistics
import time
import tracemalloc
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from benchmarks.equipment import Bench, Host, Stage, connect
from benchmarks.outcome import Outcome, least, most
from benchmarks.screen import percentile
from server.compliance import reports
from server.core.call import Call, system
from server.demo import service as demo

_RULES: Final = 400
_HOSTS: Final = 10_000
_ASKED: Final = 20
_EACH: Final = 5


def submission(number: int) -> bytes:
    """Return what a host hands in; hosts differ in what fails."""
    dice = random.Random(number)
    results: list[dict[str, Any]] = [
        {
            "rule_ref": f"xccdf_org.ssgproject.content_rule_number_{rule:04}",
            "title": f"Ensure that setting number {rule} is as the benchmark asks for",
            "status": dice.choices(("pass", "fail", "notapplicable"), (7, 2, 1))[0],
            "severity": ("low", "medium", "high")[rule % 3],
            "section": f"{rule % 6}.{rule}",
            "description": f"Looks at setting {rule}. " + "What a benchmark says about it takes a few lines. " * 6,
            "rationale": f"Setting {rule} matters. " + "Why it does takes a few lines as well. " * 4,
            "remediation": f"setting={rule}\n" + "# commands that change a file\n" * 10,
            "finding": f"found {dice.randrange(1000)}" if dice.random() < 0.2 else "",
        }
        for rule in range(_RULES)
    ]
    scan = {"profile_name": "level1_server", "profile_type": "openscap", "status": "completed", "results": results}
    return orjson.dumps({"scans": [{**scan, "completed_at": datetime.now(UTC).isoformat()}]})


async def measure(bench: Bench) -> list[Outcome]:
    stored = Outcome("20a", "scan of 400 rules stored / an upsert per rule", "×", least(8), None, arm_unit="ms")
    memory = Outcome("20b", "memory while a scan is read / the file", "×", most(3), None)
    board = Outcome("20c", "overview of 10,000 hosts × 400 rules, p95", "ms", most(150), None)
    rule = Outcome("20d", "one rule over 10,000 hosts, p95", "ms", most(200), None)
    async with bench.stage() as stage:
        hosts = await stage.enrol(1 + bench.rounds * _EACH)
        await _post(stage, hosts.pop(), submission(0))
        await asyncio.to_thread(_prepare, stage)
        for number in range(bench.rounds):
            mine, its = [], []
            for each in range(_EACH):
                body = submission(1 + number * _EACH + each)
                mine.append(await _post(stage, hosts.pop(), body))
                its.append(await asyncio.to_thread(_upserts, stage, number * _EACH + each, body))
            stored.ratio(statistics.median(mine) * 1000, statistics.median(its) * 1000, faster=False)
        memory.values.append(_memory(submission(1)))
    async with bench.stage(serve=False) as stage:
        call = Call(stage.world, system("benchmark"))
        await demo.fill(call, 500 if bench.quick else _HOSTS, 1, lambda *_: None)
        await stage.serve()
        name = await stage.world.db.value(
            """
            select r.uuid from compliance_rules r join compliance_tallies t on t.rule = r.id
             order by t.failed desc limit 1
            """
        )
        for path, outcome in (("dashboard", board), (f"rules/{name}?limit=50", rule)):
            times = []
            for _ in range(_ASKED):
                began = time.perf_counter()
                await stage.api.ask("GET", f"/compliance/{path}")
                times.append(time.perf_counter() - began)
            outcome.values.append(percentile(times, 0.95) * 1000)
    return [stored, memory, board, rule]


async def _post(stage: Stage, host: Host, body: bytes) -> float:
    headers = {**host.headers, "Content-Type": "application/json"}
    began = time.perf_counter()
    async with stage.api.session.post(f"{stage.url}/api/v1/compliance/scans", data=body, headers=headers) as answer:
        if answer.status != 200:
            raise RuntimeError(await answer.text())
        await answer.read()
    return time.perf_counter() - began


def _prepare(stage: Stage) -> None:
    with connect(stage.dsn) as link, link.cursor() as cursor:
        cursor.execute(
            """
            create table plain_rules (ref text primary key, title text, severity text, section text, description text,
                                      rationale text, remediation text);
            create table plain_results (host int, ref text references plain_rules, status text, finding text,
                                        primary key (host, ref));
            """
        )


def _upserts(stage: Stage, host: int, body: bytes) -> float:
    began = time.perf_counter()
    results = orjson.loads(body)["scans"][0]["results"]
    with connect(stage.dsn) as link, link.cursor() as cursor:
        for one in results:
            cursor.execute(
                """
                insert into plain_rules values (%s, %s, %s, %s, %s, %s, %s)
                    on conflict (ref) do update set title = excluded.title, description = excluded.description
                """,
                [one[name] for name in ("rule_ref", "title", "severity", "section", "description", "rationale",
                                        "remediation")],
            )  # fmt: skip
            cursor.execute(
                """
                insert into plain_results values (%s, %s, %s, %s)
                    on conflict (host, ref) do update set status = excluded.status, finding = excluded.finding
                """,
                [host, one["rule_ref"], one["status"], one["finding"]],
            )
    return time.perf_counter() - began


def _memory(body: bytes) -> float:
    # A large file, as large as one may be: what does not grow with it does not count.
    whole = orjson.loads(body)
    results = whole["scans"][0]["results"]
    whole["scans"][0]["results"] = [{**one, "rule_ref": f"{one['rule_ref']}_{n}"} for n in range(10) for one in results]
    large = orjson.dumps(whole)
    tracemalloc.start()
    found = reports.read(large, datetime.now(UTC))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    if len(found.scans[0].rules) != 10 * _RULES:
        raise RuntimeError("not everything was read")
    return peak / len(large)
