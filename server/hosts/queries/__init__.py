"""Every statement of the hosts room, one module per noun."""
