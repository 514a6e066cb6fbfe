"""Every statement of workflows, by what it is about."""
