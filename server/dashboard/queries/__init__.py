"""Every SQL statement of the room, one module per noun."""
