"""A fleet for demonstrations and measurements: hosts that look real and do not exist."""
