"""Packages: what is installed on each host and what could be newer."""
