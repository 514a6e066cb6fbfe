"""Looks across rooms and writes nothing: the overview, the health of the server, where a search leads."""
