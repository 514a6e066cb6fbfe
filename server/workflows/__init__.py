"""Playbooks in sequence, and what starts them at its time: workflows and schedules."""
