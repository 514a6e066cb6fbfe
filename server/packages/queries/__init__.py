"""Every statement of the packages room, one module per noun."""
