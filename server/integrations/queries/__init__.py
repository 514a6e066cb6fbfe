"""Every statement of the integrations room, one module per noun."""
