"""Small things: what is longer is split by noun."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
MODULE_LINES: Final = 400
FUNCTION_LINES: Final = 40
HOMELESS: Final = {"utils", "util", "helpers", "helper", "common", "misc", "manager", "managers"}


def sources() -> Iterator[Path]:
    for folder in ("server", "agent", "tools", "inventory_plugin", "benchmarks"):
        yield from (ROOT / folder).rglob("*.py")


def test_modules_stay_short() -> None:
    long = {
        str(f.relative_to(ROOT)): n
        for f in sources()
        if (n := len(f.read_text(encoding="utf-8").splitlines())) > MODULE_LINES
    }
    assert long == {}


def test_functions_stay_short() -> None:
    long = {
        f"{file.relative_to(ROOT)}:{node.name}": length
        for file in sources()
        if "preview_samples" not in file.parts  # sample data is one long value
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and (length := code_lines(node)) > FUNCTION_LINES
    }
    assert long == {}


def code_lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Count a function's lines without its docstring and, in queries, without the statement's text."""
    texts = sum(
        (child.end_lineno or child.lineno) - child.lineno
        for child in ast.walk(node)
        if isinstance(child, ast.Constant) and isinstance(child.value, str)
    )
    return (node.end_lineno or node.lineno) - node.lineno + 1 - texts


def test_every_module_has_a_home_and_a_sentence() -> None:
    assert [str(f.relative_to(ROOT)) for f in sources() if f.stem in HOMELESS] == []
    silent = [
        str(f.relative_to(ROOT))
        for f in sources()
        if ast.get_docstring(ast.parse(f.read_text(encoding="utf-8"))) is None
    ]
    assert silent == []
