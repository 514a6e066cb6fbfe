"""Hosts: that they exist, their groups and credentials, and when they were last heard of."""
