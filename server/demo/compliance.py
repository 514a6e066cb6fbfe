"""Makes the demonstration fleet's compliance: a benchmark of 400 rules, and scans of the last weeks."""

import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from server.demo.models import Machine

Rows = list[dict[str, object]]

DIGESTS: Final = ("demonstration-openscap", "demonstration-docker-bench")
PREFIX: Final = "xccdf_org.example.content_rule_"
_SCANS: Final = 4
#: Section, what its rules look after, severity, and the fix.
_AREAS: Final = (
    ("1.1", "file system", "mount_{}", "File systems: options of {} are restrictive", "low", ""),
    ("1.5", "kernel", "sysctl_{}", "Kernel: {} is hardened", "medium", "sysctl -w kernel.{}=1"),
    ("2.1", "services", "service_{}", "Services: {} is not in use", "medium", "systemctl disable --now {}"),
    ("3.3", "network", "net_{}", "Network: {} is hardened", "medium", "sysctl -w net.ipv4.{}=0"),
    ("4.1", "audit", "audit_{}", "Audit: changes of {} are recorded", "low", "auditctl -w /etc/{} -p wa"),
    ("5.2", "ssh", "sshd_{}", "SSH server: {} is configured", "high", "sed -i 's/^#{}.*/{} no/' /etc/ssh/sshd_config"),
    ("5.4", "accounts", "accounts_{}", "Accounts: {} is enforced", "high", "sed -i 's/^{}.*/{} 30/' /etc/login.defs"),
    ("6.1", "files", "permissions_{}", "Permissions: {} is for root only", "critical", "chmod 0600 /etc/{}"),
)  # fmt: skip
_THINGS: Final = (
    "passwd", "shadow", "group", "gshadow", "crontab", "motd", "issue", "hosts_allow", "rsyslog", "chrony", "avahi",
    "cups", "dhcpd", "ldap", "nfs", "rpcbind", "snmpd", "squid", "telnet", "tftp", "redirects", "source_route",
    "forwarding", "syncookies", "martians", "router_advertisements", "dmesg", "kptr", "ptrace", "core_dumps", "aslr",
    "root_login", "empty_passwords", "x11", "banner", "idle_timeout", "max_auth", "ciphers", "macs", "kex", "grace",
    "password_age", "password_warning", "umask", "lockout", "history", "tmp", "var", "home", "boot",
)  # fmt: skip
_BENCH: Final = (
    ("Host Configuration", 8), ("Docker Daemon Configuration", 14), ("Docker Daemon Configuration Files", 10),
    ("Container Images and Build File", 7), ("Container Runtime", 18), ("Docker Security Operations", 3),
    ("Docker Swarm Configuration", 5),
)  # fmt: skip
#: How likely a rule holds on a host that is well kept.
_KEPT: Final = {"critical": 0.97, "high": 0.9, "medium": 0.86, "low": 0.8}


def rules() -> Rows:
    """Return the rules of both scanners, in the order of their layouts."""
    found: Rows = []
    for section, about, name, title, severity, fix in _AREAS:
        for number, thing in enumerate(_THINGS, 1):
            words = thing.replace("_", " ")
            found.append(
                {
                    "kind": "openscap", "ref": PREFIX + name.format(thing), "title": title.format(words),
                    "severity": severity, "section": f"{section}.{number}",
                    "description": f"Looks whether the {about} settings of {words} are as the benchmark asks for.",
                    "rationale": f"What is left open here is where an attack on the {about} of a host begins.",
                    "remediation": fix.replace("{}", thing),
                }
            )  # fmt: skip
    for number, (section, many) in enumerate(_BENCH, 1):
        found += [
            {
                "kind": "docker-bench", "ref": f"demo_bench_{number}.{n}", "title": f"{section}: check {number}.{n}",
                "severity": "unknown", "section": section, "description": f"Check {number}.{n} of the benchmark.",
                "rationale": "", "remediation": "",
            }
            for n in range(1, many + 1)
        ]  # fmt: skip
    return sorted(found, key=lambda one: (one["kind"] != "openscap", str(one["ref"])))


def waivers(host: str, group: str, now: datetime) -> Rows:
    """Return waivers of every kind: of the fleet, a group and a host; in force, about to end, over, and revoked."""
    told = (
        ("mount_home", "fleet", "Home is no file system of its own on our images", "Ada Obi", 200, False),
        ("sshd_banner", "group", "The bastion shows the banner; these hosts are reached through it only", "Bo Lind",
         12, False),
        ("accounts_password_age", "host", "The kiosk signs in with a certificate, its password is locked", "Cleo Marsh",
         80, False),
        ("audit_motd", "fleet", "Waited for the new image, which is rolled out", "Ada Obi", -9, False),
        ("service_nfs", "group", "The last export moved to object storage", "Bo Lind", 60, True),
    )  # fmt: skip
    return [
        {
            "ref": PREFIX + name, "target": target, "host": host if target == "host" else None,
            "host_group": group if target == "group" else None, "reason": reason, "owner": owner,
            "expires_on": (now + timedelta(days=days)).date().isoformat(),
            "made_at": (now - timedelta(days=30)).isoformat(),
            "ended_at": (now - timedelta(days=8)).isoformat() if days < 0 or revoked else None, "revoked": revoked,
        }
        for name, target, reason, owner, days, revoked in told
    ]  # fmt: skip


def scans(dice: random.Random, machines: Sequence[Machine], now: datetime) -> Rows:
    """Return what scans of these hosts found, the oldest first; every tenth host was never scanned."""
    known = rules()
    cis = [one for one in known if one["kind"] == "openscap"]
    bench = [one for one in known if one["kind"] == "docker-bench"]
    found: Rows = []
    for machine in machines:
        care = dice.triangular(0.45, 1.0, 0.95)
        if dice.random() < 0.1:  # noqa: PLR2004 (a share)
            continue
        last = now - timedelta(hours=dice.choice((3, 9, 20, 20, 20, 70, 400, 900)), minutes=dice.randrange(60))
        states = _states(dice, cis, care)
        for back in range(_SCANS - 1, -1, -1):
            at = last - timedelta(days=3 * back)
            found.append(_scan(machine.uuid, "openscap", "level1_server", at, states, cis, DIGESTS[0]))
            states = _mended(dice, states)
        if dice.random() < 0.15:  # noqa: PLR2004 (a share)
            letters = "".join(dice.choices("pws", (6, 2, 1), k=len(bench)))
            row = _scan(machine.uuid, "docker-bench", "Docker Bench for Security", last, letters, bench, DIGESTS[1])
            found.append(row)
    return found


def _states(dice: random.Random, known: Rows, care: float) -> str:
    return "".join(
        "n" if dice.random() < 0.06 else "p" if dice.random() < _KEPT[str(one["severity"])] * care else "f"  # noqa: PLR2004 (a share)
        for one in known
    )


def _mended(dice: random.Random, states: str) -> str:
    return "".join("p" if one == "f" and dice.random() < 0.08 else one for one in states)  # noqa: PLR2004 (a share)


def _scan(uuid: str, kind: str, profile: str, at: datetime, states: str, known: Rows, digest: str) -> dict[str, object]:
    passed, failed, warned = states.count("p"), states.count("f"), states.count("w")
    failing = [str(one["severity"]) for one, state in zip(known, states, strict=True) if state == "f"]
    findings = {
        str(place): [f"{one['title']}: not as required", "", ""]
        for place, (one, state) in enumerate(zip(known, states, strict=True), 1)
        if state == "f"
    }
    return {
        "uuid": uuid, "kind": kind, "profile": profile, "at": at, "states": states, "digest": digest,
        "total": len(states), "passed": passed, "failed": failed, "warned": warned, "skipped": states.count("s"),
        "not_applicable": states.count("n"), "score": round(100 * passed / max(1, passed + failed + warned), 2),
        "failed_by": [failing.count(one) for one in ("critical", "high", "medium", "low", "unknown")],
        "findings": findings,
    }  # fmt: skip
