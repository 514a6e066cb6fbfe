"""The scripts for Windows: read by a parser of their language, and by what they must do.

No Windows runs here: that they do it is shown by what they say, not by their doing it.
"""

import html
import re

import pytest
import tree_sitter_powershell
from tree_sitter import Language, Node, Parser

from server.core.call import Call
from server.settings import service as settings
from tests.factories.hosts import Browser, enrolled
from tests.hosts.test_people import page, posted


def mistakes(script: str) -> list[str]:
    """Return what a parser of PowerShell stumbles over."""
    tree = Parser(Language(tree_sitter_powershell.language())).parse(script.encode())

    def below(node: Node) -> list[str]:
        here = [f"{node.start_point}: {node.text!r}"] if node.is_error or node.is_missing else []
        return here + [found for child in node.children for found in below(child)]

    return below(tree.root_node)


def test_the_parser_sees_mistakes() -> None:
    assert mistakes("if ($a { 'x' }")
    assert not mistakes("if ($a) { 'x' }")


@pytest.mark.proves(
    "AGENT-INST-15", "AGENT-SVC-04", "AGENT-UPD-06", "AGENT-PLAT-03", "AGENT-PATH-09", "AGENT-INST-13", "AGENT-DIFF-01"
)
async def test_the_installer_does_what_it_must(client: Browser, call: Call) -> None:
    agent = await enrolled(call, client, "win-01", expected_platform="windows")
    answer = await agent.get("/hosts/install")
    assert answer.content_type == "text/plain"
    assert 'filename="patchmon_install_windows.ps1"' in answer.headers["Content-Disposition"]
    script = await answer.text()
    assert mistakes(script) == []
    assert agent.api_key not in script
    assert f"$env:PATCHMON_SERVER_URL = 'http://127.0.0.1:{client.port}'" in script
    assert "$env:PATCHMON_IGNORE_SSL = 'false'" in script
    token = re.search(r"PATCHMON_BOOTSTRAP_TOKEN = '([^']+)'", script)
    assert token
    for words in (
        "This script must be run as Administrator",
        "[Net.SecurityProtocolType]::Tls12",
        "@($env:PROCESSOR_ARCHITEW6432, $env:PROCESSOR_ARCHITECTURE)",
        "'ARM64' { return 'arm64' }",
        "32-bit Windows is not supported",
        "Get-FileHash $Fresh -Algorithm SHA256",
        "$ServiceName = 'PatchMonAgent'",
        '-DisplayName \'PatchMon Agent\' -BinaryPathName "`"$Agent`" serve"',
        "-StartupType Automatic",
        "SetEnvironmentVariable('Path', ($Path.TrimEnd(';') + ';' + $InstallPath), 'Machine')",
        "Bootstrap token may have expired.",
        "CreateEventSource($ServiceName, 'Application')",
    ):
        assert words in script, words
    # A program that is there is replaced in one step between stop and start, and three older ones are kept.
    body = script[script.index("function Install-Agent") : script.index("function Test-Agent")]
    steps = ["Get-FileHash $Fresh", "Stop-Service $ServiceName", "Backup-Agent", "Move-Item $Fresh $Agent -Force"]
    assert sorted(steps, key=body.index) == steps
    assert script.index("Install-Agent $Credentials") < script.index("\nStart-Agent")
    assert re.search(
        r"'patchmon-agent\.exe\.backup\.\*' \| Sort-Object Name -Descending \|\s+Select-Object -Skip 3", script
    )
    assert "credential" not in re.sub(r"(?i)credentials?(file)?", "", script)
    exchanged = await client.post("/api/v1/hosts/bootstrap/exchange", json={"token": token[1]})
    assert (await exchanged.json())["apiKey"] == agent.api_key
    # What a server is called cannot end the text it stands in.
    await settings.change(call, {"ignore_ssl_self_signed": True})
    script = await (await agent.get("/hosts/install?os=windows&arch=arm64")).text()
    assert "$env:PATCHMON_IGNORE_SSL = 'true'" in script
    assert "$Architecture = 'arm64'" in script
    assert "$Architecture = ''" in await (await agent.get("/hosts/install?os=windows&arch=arm")).text()


@pytest.mark.proves("AGENT-RM-01", "AGENT-RM-06", "AGENT-RM-07")
async def test_the_removal_does_what_it_must(client: Browser) -> None:
    script = await (await client.get("/api/v1/hosts/remove?os=windows")).text()
    assert mistakes(script) == []
    for switch in ("RemoveConfig", "RemoveLogs", "RemoveAll", "Force"):
        assert f"[switch]${switch}" in script
    assert "[string]$InstallPath = 'C:\\Program Files\\PatchMon'" in script
    assert "[string]$ConfigPath = 'C:\\ProgramData\\PatchMon'" in script
    for words in (
        "& sc.exe delete PatchMonAgent",
        "Get-Process 'patchmon-agent'",
        "$WithConfig = $RemoveAll -or $RemoveConfig",
        "$WithLogs = $RemoveAll -or $RemoveLogs",
        "if (-not $Force)",
        "Remove-Known $InstallPath",
    ):
        assert words in script, words
    # Nothing of the configuration goes outside of what was asked for.
    outside = re.sub(r"(?ms)^if \(\$With.*?(^\}|\}$)", "", script)
    assert "Remove-Known $ConfigPath" not in outside
    assert "config.yml" not in outside


@pytest.mark.proves("AGENT-ENR-02", "AGENT-ENR-06", "AGENT-CMD-03", "AGENT-PLAT-12", "INV-31", "INV-38")
async def test_the_wizard_writes_the_command_as_ticked(as_admin: Browser, call: Call) -> None:
    assert re.findall(r'href="/hosts/new\?os=(\w+)"', await page(as_admin, "/hosts/new")) == [
        "linux",
        "freebsd",
        "windows",
    ]
    form = await page(as_admin, "/hosts/new?os=windows")
    assert "Self-signed certificate (SSL bypass)" in form
    assert "Use curl instead of Invoke-WebRequest" in form
    assert not re.search(r'name="(bypass_ssl|with_curl)"\s+value="true" checked', form)
    assert "bypass_ssl" not in await page(as_admin, "/hosts/new?os=linux")

    async def command(name: str, **ticks: str) -> str:
        told = {"friendly_name": name, "expected_platform": "windows", **ticks}
        status, text, _ = await posted(as_admin, "/hosts/new", told)
        assert status == 200, text
        assert "Unblock-File" in text
        found = re.search(r'id="install-command"[^>]*><code>(.*?)</code>', text, re.DOTALL)
        assert found
        return html.unescape(found[1]).strip()

    plain = await command("a")
    url = f"http://127.0.0.1:{as_admin.port}/api/v1/hosts/install?os=windows"
    assert plain.startswith(f'(Invoke-WebRequest -Uri "{url}" -Headers @{{"X-API-ID"="patchmon_')
    assert plain.endswith(
        '-UseBasicParsing).Content | Out-File -Encoding utf8 "$env:TEMP\\patchmon-install.ps1"; '
        '& "$env:TEMP\\patchmon-install.ps1"'
    )
    point = "[Net.ServicePointManager]"
    bypass = f"{point}::SecurityProtocol = [Net.SecurityProtocolType]::Tls12; "
    bypass += f"{point}::ServerCertificateValidationCallback = {{$true}}; "
    assert (await command("b", bypass_ssl="true")).startswith(f"{bypass}(Invoke-WebRequest ")
    with_curl = await command("c", with_curl="true")
    assert with_curl.startswith('curl.exe -s -H "X-API-ID: patchmon_')
    assert f'-o "$env:TEMP\\patchmon-install.ps1" "{url}"' in with_curl
    assert (await command("d", with_curl="true", bypass_ssl="true")).startswith("curl.exe -sk ")
    for line in (plain, with_curl, await command("e", bypass_ssl="true")):
        assert mistakes(line) == []
    # Nobody chooses an architecture; every named system has its tile.
    tiles = await page(as_admin, "/hosts/new")
    for words in ("Ubuntu, Debian, CentOS, RHEL, Rocky, Alma, Fedora, Alpine", "13 and 14, also pfSense",
                  "10 and 11 (amd64 or ARM64), Server 2019, 2022 and 2025"):  # fmt: skip
        assert words in tiles
    assert not re.search(r'name="arch', tiles + form)
    # Where the server's own certificate is said to be self-signed, the box is ticked already; it can be cleared.
    await settings.change(call, {"ignore_ssl_self_signed": True})
    ticked = await page(as_admin, "/hosts/new?os=windows")
    boxes = re.findall(r"<input[^>]*type=\"checkbox\"[^>]*>", ticked)
    state = {name: "checked" in box for box in boxes for name in ("bypass_ssl", "with_curl") if f'name="{name}"' in box}
    assert state == {"bypass_ssl": True, "with_curl": False}
    assert (await command("f")).startswith(bypass)
    assert (await command("g", bypass_ssl="false")).startswith("(Invoke-WebRequest ")
