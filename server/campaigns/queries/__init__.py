"""Statements of campaigns: windows, campaigns, their waves and hosts."""
