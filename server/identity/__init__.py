"""People, their roles, how they sign in, and the middleware that decides who may pass."""
