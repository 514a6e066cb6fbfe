"""What agent and server agree on; standard library only, imported by both."""
