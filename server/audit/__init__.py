"""Who did what: every room records here, and nothing is ever changed afterwards."""
