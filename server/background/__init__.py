"""Background work as people see it: what runs by the clock, how it went, what waits, and starting it by hand."""
