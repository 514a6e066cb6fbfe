"""The only place that starts processes and writes files."""
