"""Signing in with other services: OpenID providers and Discord."""
