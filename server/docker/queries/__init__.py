"""Every statement of the docker room."""
