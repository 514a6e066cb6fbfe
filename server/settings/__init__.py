"""Operator settings: what is in force, and whether the environment, an operator or nobody decided it."""
