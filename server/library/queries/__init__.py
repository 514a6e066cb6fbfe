"""Every statement of the library, by subject."""
