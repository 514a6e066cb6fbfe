"""Containers on this host: what there is, what happens to it, and deleting it, all through the engine's own socket."""
