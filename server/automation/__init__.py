"""Playbooks and their jobs: who asked, where they run, what happened, live."""
