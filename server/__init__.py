"""PatchMon server: keeps a fleet's inventory and runs Ansible playbooks on its hosts."""

__version__ = "3.0.0"
