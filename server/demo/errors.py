"""What the demonstration fleet refuses."""

from server.core.errors import Conflict


class RealHosts(Conflict):
    """Somebody works with this database."""

    code = "real_hosts"
    text = "This database has {hosts} that the demonstration did not make. Use a database of its own: DATABASE_URL=…"
