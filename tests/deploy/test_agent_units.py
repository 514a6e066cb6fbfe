"""The service of the agent is the same one wherever it comes from, and as closed as package managers allow."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
UNIT = ROOT / "deploy/systemd/patchmon-agent.service"


def served() -> str:
    text = (ROOT / "templates/install/agent.sh.j2").read_text()
    found = re.search(r"cat >(\S+) <<END\n(\[Unit\].*?)^END$", text, re.DOTALL | re.MULTILINE)
    assert found
    assert found[1] == "/etc/systemd/system/patchmon-agent.service"
    return found[2].replace("$AGENT", "/usr/local/bin/patchmon-agent").replace("$CONFIG_DIR", "/etc/patchmon")


@pytest.mark.proves("AGENT-PATH-06", "AGENT-SVC-01")
def test_the_installer_writes_the_unit_of_the_package() -> None:
    assert served() == UNIT.read_text()
    for fact in ("Description=PatchMon Agent Service", "After=network.target", "Wants=network.target", "Type=simple",
                 "User=root", "ExecStart=/usr/local/bin/patchmon-agent serve", "Restart=always", "RestartSec=10",
                 "WorkingDirectory=/etc/patchmon", "StandardOutput=journal", "StandardError=journal",
                 "SyslogIdentifier=patchmon-agent", "WantedBy=multi-user.target"):  # fmt: skip
        assert f"\n{fact}\n" in served() or served().endswith(f"{fact}\n"), fact


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_it_gives_away_what_nobody_needs() -> None:
    command = ["systemd-analyze", "security", "--offline=true", "--no-pager", str(UNIT)]
    text = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    closed = {line.split()[1].rstrip("=") for line in text.splitlines() if line.startswith("✓")}
    assert {"LockPersonality", "RestrictRealtime", "KeyringMode"} <= closed
    exposure = re.search(r"exposure level for patchmon-agent.service: ([\d.]+)", text)
    assert exposure
    # Who installs packages may do nearly everything; it must not become more.
    assert float(exposure[1]) <= 9.5
