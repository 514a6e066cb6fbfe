"""Every statement of the compliance room."""
