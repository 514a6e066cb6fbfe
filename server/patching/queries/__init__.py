"""Statements of patching: runs, policies, output."""
