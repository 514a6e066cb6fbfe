"""Scans of hosts against security benchmarks: asked for, received, scored and shown."""
