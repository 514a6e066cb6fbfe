"""Looks across rooms and writes only what is its own: how people arrange the overview, and samples of the fleet."""
