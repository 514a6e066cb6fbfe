"""Intake: the letterbox for what agents report; it keeps nothing itself."""
