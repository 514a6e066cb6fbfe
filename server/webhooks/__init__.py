"""Signed messages to other programs about what happens here, retried until they arrive."""
