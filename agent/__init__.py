"""PatchMon agent: one outbound connection, reports, and playbooks run on the host."""

__version__ = "3.0.0"
