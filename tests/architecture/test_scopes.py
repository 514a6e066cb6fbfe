"""Every statement that reads hosts, or what hangs on them, for people keeps to the host groups of whoever asks."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).resolve().parents[2]
SERVER: Final = ROOT / "server"
#: Tables whose rows belong to a host, or list hosts.
OF_HOSTS: Final = re.compile(
    r"\b(?:from|join|update|delete from)\s+(hosts|host_(?!groups\b)\w+|job_hosts|job_events|job_results|jobs"
    r"|docker_(?:hosts|host_images|containers|volumes|networks))\b"
)

_BY_AGENTS: Final = "what a host says about itself, and what it has to do"
_BY_KEY: Final = "by the key of a host that was found within the asker's groups"
_BY_JOB_HOST: Final = "by the key of a job host that was found within the groups of whoever asks"
_BY_TOKENS: Final = "tokens of programs reach every host, and only people who see the whole fleet hand them out"
_BY_WHOLE: Final = "only people who see the whole fleet come this far"
_BY_SYSTEM: Final = "the server's own work, which nobody reads"
#: Functions that need no groups, and why; ``*`` stands for all of a module.
ALLOWED: Final = {
    "hosts/queries/agents.py:*": _BY_AGENTS,
    "hosts/queries/links.py:*": _BY_AGENTS,
    "docker/queries/storage.py:*": _BY_AGENTS,
    "docker/queries/registries.py:*": _BY_SYSTEM,
    "docker/queries/fleet.py:list_chosen": _BY_KEY,
    "docker/queries/one.py:list_users_of": _BY_KEY,
    "docker/queries/one.py:delete_record": _BY_KEY,
    "docker/queries/one.py:delete_orphans": _BY_SYSTEM,
    "hosts/queries/heads.py:fetch_details": _BY_KEY,
    "hosts/queries/heads.py:list_activity": _BY_KEY,
    "hosts/queries/plain.py:list_listed": "by the condition of the list of hosts, in queries/fleet.py",
    "hosts/queries/plain.py:list_sets": "looked up by the hosts that were read; their groups are narrowed after",
    "packages/queries/counts.py:count_packages": _BY_WHOLE,
    "packages/queries/counts.py:count_sources": _BY_WHOLE,
    "packages/queries/counts.py:list_unused_packages": _BY_SYSTEM,
    "packages/queries/counts.py:delete_unused_packages": _BY_SYSTEM,
    "packages/queries/sources.py:delete_repository": _BY_WHOLE,
    "packages/queries/sources.py:recount_links": _BY_WHOLE,
    "packages/queries/sources.py:delete_orphans": _BY_WHOLE,
    "packages/queries/of_host.py:list_packages": _BY_KEY,
    "packages/queries/of_host.py:list_repositories": _BY_KEY,
    "packages/queries/of_host.py:list_changes": _BY_KEY,
    "packages/queries/of_host.py:list_state": _BY_KEY,
    "packages/queries/of_host.py:delete_changes": _BY_SYSTEM,
    "packages/queries/storage.py:fetch_stored": _BY_AGENTS,
    "packages/queries/storage.py:write_packages": _BY_AGENTS,
    "packages/queries/storage.py:write_repositories": _BY_AGENTS,
    "hosts/queries/changes.py:store_changes": _BY_KEY,
    "hosts/queries/changes.py:store_pending": _BY_KEY,
    "hosts/queries/changes.py:mark_pending_sent": _BY_KEY,
    "hosts/queries/changes.py:confirm_pending": _BY_AGENTS,
    "automation/queries/native.py:*": _BY_SYSTEM,
    "automation/queries/relay.py:list_host_uuids": _BY_SYSTEM,
    "automation/queries/relay.py:list_relay_forsaken": _BY_SYSTEM,
    "automation/queries/relay.py:list_relay_jobs": _BY_SYSTEM,
    "automation/queries/relay.py:list_relay_waiting": _BY_SYSTEM,
    "automation/queries/relay.py:mark_relay_seen": _BY_SYSTEM,
    "automation/queries/relay.py:mark_relayed": "the hosts of a job that were found within the asker's groups",
    "automation/queries/relay.py:mark_relayed_hosts": _BY_SYSTEM,
    "patching/queries/native.py:*": _BY_AGENTS,
    "packages/queries/windows.py:*": _BY_AGENTS,
    "commands/queries.py:settle": _BY_KEY,
    "commands/queries.py:insert_overdue": _BY_SYSTEM,
    "commands/queries.py:list_waiting": _BY_SYSTEM,
    "dossier/queries/happenings.py:*": _BY_KEY,
    "dossier/queries/comparing.py:count_differences": _BY_KEY,
    "dossier/queries/comparing.py:list_deviations": _BY_KEY,
    "automation/queries/artifacts.py:*": _BY_JOB_HOST,
    "automation/queries/events.py:list_runner_rows": _BY_JOB_HOST,
    "automation/queries/events.py:list_last_output": _BY_JOB_HOST,
    "automation/queries/events.py:has_events": _BY_JOB_HOST,
    "automation/queries/library.py:list_results": _BY_JOB_HOST,
    "automation/queries/jobs.py:insert_job_hosts": "writes the hosts that were found within the asker's groups",
    "automation/queries/jobs.py:list_host_jobs": _BY_KEY,
    "automation/queries/life.py:*": _BY_SYSTEM,
    "automation/queries/retention.py:*": _BY_SYSTEM,
    "patching/queries/policies.py:list_effective": _BY_KEY,
    "patching/queries/progress.py:list_moved": _BY_SYSTEM,
    "patching/queries/progress.py:list_words": _BY_SYSTEM,
    "patching/queries/progress.py:list_results": _BY_SYSTEM,
    "patching/queries/progress.py:store_output": _BY_SYSTEM,
    "patching/queries/runs.py:lock_runs": _BY_SYSTEM,
    "patching/queries/runs.py:lock_due": _BY_SYSTEM,
    "patching/queries/runs.py:update_released": _BY_SYSTEM,
    "patching/queries/freshness.py:lock_hosts": _BY_SYSTEM,
    "patching/queries/freshness.py:list_verdicts": _BY_SYSTEM,
    "patching/queries/freshness.py:store_verdicts": _BY_SYSTEM,
    "patching/queries/freshness.py:mark_stale": _BY_SYSTEM,
    "patching/queries/freshness.py:unmark_stale": _BY_SYSTEM,
    "campaigns/queries/hosts.py:lock_waiting": _BY_SYSTEM,
    "campaigns/queries/hosts.py:list_offline": _BY_SYSTEM,
    "campaigns/queries/hosts.py:list_succeeded": _BY_SYSTEM,
    "campaigns/queries/hosts.py:find_check": _BY_SYSTEM,
    "integrations/queries/figures.py:*": _BY_TOKENS,
    "integrations/queries/hosts.py:*": _BY_TOKENS,
    "webhooks/queries.py:collect": _BY_SYSTEM,
    "workflows/queries/runs.py:list_standings": _BY_SYSTEM,
    "compliance/queries/policies.py:list_due": _BY_SYSTEM,
    "compliance/queries/policies.py:list_ready": _BY_SYSTEM,
    "compliance/queries/remedies.py:list_open": _BY_SYSTEM,
    "compliance/queries/storage.py:*": _BY_AGENTS,
    "compliance/queries/waivers.py:recount": "counts numbers anew, and returns nothing",
    "compliance/queries/tasks.py:list_due": _BY_SYSTEM,
    "compliance/queries/tasks.py:list_unprepared": _BY_SYSTEM,
    "compliance/queries/tasks.py:list_open": _BY_SYSTEM,
    "compliance/queries/tasks.py:list_of_jobs": _BY_SYSTEM,
    "compliance/queries/guides.py:list_users": "guides are the whole server's: one may not go while any host needs it",
    "compliance/queries/tasks.py:bind_job": _BY_SYSTEM,
    "compliance/queries/tasks.py:lock_open": _BY_KEY,
    "compliance/queries/tasks.py:find_last": _BY_KEY,
    "compliance/queries/tasks.py:list_last": _BY_KEY,
    "demo/queries/docker.py:*": "makes containers to look at, from the server's own command line",
    "hosts/queries/rollouts.py:list_rollouts": "counts how far a version of the agent is, over the whole fleet",
    "integrations/queries/inventory.py:list_page": _BY_TOKENS,
    "demo/queries/compliance.py:*": "makes scans to look at, from the server's own command line",
    "demo/queries/fleet.py:*": "makes and removes hosts to look at, from the server's own command line",
    "demo/queries/patching.py:*": "makes patch runs to look at, from the server's own command line",
    "demo/queries/jobs.py:*": "makes and removes jobs to look at, from the server's own command line",
    "dashboard/queries/jobs.py:count_unfinished": "for monitoring, which has a token of its own",
    "dashboard/queries/metrics.py:fetch_metrics": "for monitoring, which has a token of its own",
    "dashboard/queries/history.py:insert_sample": _BY_SYSTEM,
}


def functions() -> Iterator[tuple[str, ast.AsyncFunctionDef, str]]:
    """Every statement's function, with the text of all constants it uses."""
    for file in sorted([*SERVER.glob("*/queries.py"), *SERVER.glob("*/queries/*.py")]):
        source = file.read_text(encoding="utf-8")
        tree = ast.parse(source)
        constants = {
            target.id: ast.get_source_segment(source, node) or ""
            for node in tree.body
            if isinstance(node, ast.Assign | ast.AnnAssign)
            for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
            if isinstance(target, ast.Name)
        }
        for node in tree.body:
            if isinstance(node, ast.AsyncFunctionDef):
                yield f"{file.relative_to(SERVER)}:{node.name}", node, statement(node, source, constants)


def statement(node: ast.AsyncFunctionDef, source: str, constants: dict[str, str]) -> str:
    """The function's text without what its docstring says, and that of the constants behind it."""
    body = [part for part in node.body if not (isinstance(part, ast.Expr) and isinstance(part.value, ast.Constant))]
    text = "\n".join(ast.get_source_segment(source, part) or "" for part in body)
    seen: set[str] = set()
    while more := {name for name in constants if name not in seen and re.search(rf"\b{name}\b", text)}:
        seen |= more
        text += "\n".join(constants[name] for name in more)
    return text


def is_scoped(node: ast.AsyncFunctionDef, text: str) -> bool:
    """Whether the function takes the groups, and its statement looks at them."""
    named = {one.arg for one in (*node.args.args, *node.args.kwonlyargs)}
    return "groups" in named and "groups=groups" in text and bool(re.search(r"in_scope\(|among\(", text))


def allowed(name: str) -> bool:
    return name in ALLOWED or f"{name.split(':', maxsplit=1)[0]}:*" in ALLOWED


def test_every_statement_about_hosts_keeps_to_the_groups_of_whoever_asks() -> None:
    unscoped = [
        name
        for name, node, text in functions()
        if OF_HOSTS.search(text) and not is_scoped(node, text) and not allowed(name)
    ]
    assert unscoped == [], "take `groups` and use in_scope(), or say in ALLOWED why nobody limited reads it"


def test_the_list_of_exceptions_holds_nothing_that_is_gone() -> None:
    known = {name for name, _, text in functions() if OF_HOSTS.search(text)}
    modules = {name.split(":")[0] for name in known}
    stale = [name for name in ALLOWED if name not in known and name.removesuffix(":*") not in modules]
    assert stale == []


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ('async def a(db):\n    return await db.all("select 1 from hosts")', False),
        ('async def a(db, groups):\n    return await db.all("select 1 from hosts", groups=groups)', False),
        ('async def a(db, groups):\n    return await db.all(f"from hosts h where {in_scope(1)}", groups=groups)', True),
    ],
)
def test_a_statement_that_forgets_the_groups_would_be_seen(source: str, expected: bool) -> None:
    node = ast.parse(source).body[0]
    assert isinstance(node, ast.AsyncFunctionDef)
    text = statement(node, source, {})
    assert OF_HOSTS.search(text)
    assert is_scoped(node, text) is expected
