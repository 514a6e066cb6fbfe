"""Documents that cannot rot: what they list is compared with what the code has."""

import re
from pathlib import Path
from typing import Final

import pytest

from agent.protocol.messages import FROM_AGENT, FROM_SERVER
from server.settings.rules import CATALOGUE
from server.settings.variables import VARIABLES

ROOT: Final = Path(__file__).resolve().parents[2]


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("message", [*FROM_AGENT, *FROM_SERVER], ids=lambda kind: kind.type)
def test_the_protocol_page_lists_every_message_with_every_field(message: type) -> None:
    page = text("docs/protocol.md")
    section = re.search(rf"^#+ .*`{message.type}`.*?(?=^#+ |\Z)", page, re.DOTALL | re.MULTILINE)  # type: ignore[attr-defined]
    assert section is not None
    missing = [name for name in message.__dataclass_fields__ if f"`{name}`" not in section[0]]  # type: ignore[attr-defined]
    assert missing == []


def test_the_settings_page_lists_every_variable() -> None:
    names = set(re.findall(r'"([A-Z][A-Z0-9_]{2,})"', text("server/core/env.py")))
    names |= {setting.variable for setting in CATALOGUE if setting.variable} - {"TZ"}
    names |= {known.key for known in VARIABLES if known.category == "Single sign-on"}
    listed = set(re.findall(r"`([A-Z][A-Z0-9_]{2,})`", text("docs/settings.md")))
    assert names - listed == set()
    assert listed - names == set()


def test_the_readme_names_every_verb_of_the_makefile() -> None:
    verbs = set(re.findall(r"^([a-z]+):", text("Makefile"), re.MULTILINE)) - {"help", "setup", "clean"}
    assert {verb for verb in verbs if f"make {verb}" not in text("README.md")} == set()


def test_links_between_the_documents_lead_somewhere() -> None:
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    broken = [
        f"{page.relative_to(ROOT)}: {target}"
        for page in pages
        for target in re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", page.read_text(encoding="utf-8"))
        if not (page.parent / target).exists()
    ]
    assert broken == []
