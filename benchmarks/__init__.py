"""Measures the product against the smallest program that does the same, both arms in one run."""
