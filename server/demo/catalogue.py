"""Operating systems, roles, sites and packages of the demonstration fleet."""

from functools import cache
from pathlib import Path
from typing import Final

from server.demo.models import Kind, Release, Role

#: Every host has these many kinds, of which the first ones of the catalogue are the same everywhere.
PACKAGES_PER_HOST: Final = 200
EVERYWHERE: Final = 120

_DEBIAN: Final = ("https://deb.debian.org/debian", "https://deb.debian.org/debian-security")
_UBUNTU: Final = "http://archive.ubuntu.com/ubuntu"


def _apt(code: str, components: str) -> tuple[tuple[str, str, bool], ...]:
    return ((code, components, False), (f"{code}-updates", components, False), (f"{code}-security", components, True))


RELEASES: Final = (
    Release(
        "debian-12",
        "Debian GNU/Linux",
        "12 (bookworm)",
        0.36,
        "apt",
        "6.1.0-26-amd64",
        "-1+deb12u{}",
        _DEBIAN[0],
        _apt("bookworm", "main contrib"),
    ),
    Release(
        "debian-11",
        "Debian GNU/Linux",
        "11 (bullseye)",
        0.06,
        "apt",
        "5.10.0-33-amd64",
        "-1+deb11u{}",
        _DEBIAN[0],
        _apt("bullseye", "main"),
    ),
    Release(
        "ubuntu-24.04",
        "Ubuntu",
        "24.04.1 LTS (Noble Numbat)",
        0.17,
        "apt",
        "6.8.0-48-generic",
        "-2ubuntu0.{}",
        _UBUNTU,
        _apt("noble", "main universe"),
    ),
    Release(
        "ubuntu-22.04",
        "Ubuntu",
        "22.04.5 LTS (Jammy Jellyfish)",
        0.19,
        "apt",
        "5.15.0-125-generic",
        "-1ubuntu0.{}",
        _UBUNTU,
        _apt("jammy", "main universe"),
    ),
    Release(
        "rocky-9",
        "Rocky Linux",
        "9.4 (Blue Onyx)",
        0.12,
        "dnf",
        "5.14.0-427.42.1.el9_4.x86_64",
        "-{}.el9",
        "https://dl.rockylinux.org/pub/rocky/9",
        (("baseos", "9", False), ("appstream", "9", False), ("security", "9", True)),
    ),
    Release(
        "alma-8",
        "AlmaLinux",
        "8.10 (Cerulean Leopard)",
        0.06,
        "dnf",
        "4.18.0-553.27.1.el8_10.x86_64",
        "-{}.el8",
        "https://repo.almalinux.org/almalinux/8",
        (("baseos", "8", False), ("appstream", "8", False), ("security", "8", True)),
    ),
    Release(
        "leap-15.6",
        "openSUSE Leap",
        "15.6",
        0.04,
        "zypper",
        "6.4.0-150600.23.25-default",
        "-150600.{}",
        "https://download.opensuse.org/distribution/leap/15.6",
        (("oss", "15.6", False), ("update", "15.6", False), ("sle-update", "15.6", True)),
    ),
)

#: Repositories of other makers, and the roles whose hosts have them.
THIRD_PARTY: Final = (
    ("https://download.docker.com/linux", "stable", "docker", ("k8s", "ci", "app")),
    ("https://apt.postgresql.org/pub/repos", "pgdg", "postgresql", ("db",)),
    ("https://pkgs.k8s.io/core:/stable:/v1.30", "stable", "kubernetes", ("k8s",)),
    ("https://artifacts.elastic.co/packages/8.x", "stable", "elastic", ("mon",)),
    ("https://packages.grafana.com/oss", "stable", "grafana", ("mon",)),
    ("https://deb.nodesource.com/node_20.x", "nodistro", "nodesource", ("app", "web")),
    ("http://mirror.internal.example.com/legacy", "stable", "house", ("app", "store")),
)

ROLES: Final = (
    Role(
        "web",
        0.20,
        "Web servers",
        ("nginx", "apache2", "libapache2", "php8.2", "varnish", "certbot", "python3-certbot"),
    ),
    Role("app", 0.20, "Application servers", ("nodejs", "tomcat10", "openjdk", "supervisor", "ruby3.1", "uwsgi")),
    Role("db", 0.12, "Databases", ("postgresql", "mariadb", "mysql", "mongodb", "borgbackup")),
    Role("k8s", 0.14, "Kubernetes nodes", ("containerd.io", "kubelet", "kubeadm", "ipset", "multipath")),
    Role("cache", 0.06, "Caches", ("redis", "memcached")),
    Role("mq", 0.04, "Message queues", ("rabbitmq", "etcd")),
    Role("lb", 0.04, "Load balancers", ("haproxy", "keepalived")),
    Role("ci", 0.05, "Build machines", ("gitlab-runner", "ansible", "golang", "docker")),
    Role("mon", 0.04, "Monitoring", ("prometheus", "grafana", "elasticsearch", "filebeat", "telegraf", "collectd")),
    Role("mail", 0.03, "Mail", ("exim4", "postfix", "dovecot")),
    Role("dns", 0.02, "Name servers", ("unbound", "dnsmasq", "bind9")),
    Role("store", 0.04, "Storage", ("nfs-kernel", "samba", "glusterfs", "zfsutils", "mdadm")),
    Role("vpn", 0.02, "Gateways", ("openvpn", "wireguard", "strongswan", "slapd", "vault")),
)

SITES: Final = (
    ("fra", "Frankfurt", 0.30),
    ("ams", "Amsterdam", 0.20),
    ("iad", "Ashburn", 0.22),
    ("sjc", "San José", 0.12),
    ("sgp", "Singapore", 0.10),
    ("syd", "Sydney", 0.06),
)
STAGES: Final = (("prod", "Production", 0.70), ("staging", "Staging", 0.18), ("dev", "Development", 0.12))
COLOURS: Final = ("#3B82F6", "#10B981", "#F59E0B", "#8B5CF6", "#EF4444", "#14B8A6", "#6B7280", "#EC4899")


@cache
def kinds() -> tuple[Kind, ...]:
    """Return the catalogue of packages, in its order."""
    text = (Path(__file__).parent / "packages.txt").read_text(encoding="utf-8")
    lines = [line.split() for line in text.splitlines() if line and not line.startswith("#")]
    return tuple(Kind(place, line[0], line[1], line[2], len(line) > 3) for place, line in enumerate(lines))  # noqa: PLR2004 (the mark is the fourth word)


def profile(role: Role, turn: int) -> list[int]:
    """Return the places of the kinds that such a host has; hosts of one role differ by their turn."""
    own = {name for one in ROLES for name in _of(one)}
    mine = [kind.place for kind in kinds()[EVERYWHERE:] if kind.name in _of(role)]
    rest = [kind.place for kind in kinds()[EVERYWHERE:] if kind.name not in own]
    start = (ROLES.index(role) * 37 + turn * 11) % len(rest)
    more = (rest[start:] + rest[:start])[: PACKAGES_PER_HOST - EVERYWHERE - len(mine)]
    return sorted([*range(EVERYWHERE), *mine, *more])


@cache
def _of(role: Role) -> frozenset[str]:
    return frozenset(kind.name for kind in kinds()[EVERYWHERE:] if kind.name.startswith(role.kinds))
