"""Live links to agents: who is connected where, and how a message reaches them."""
