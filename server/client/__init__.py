"""The command line as a client of a running server's API; it needs nothing of the server's rooms."""
