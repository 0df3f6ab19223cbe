"""Rate limits that hold over all processes and restarts, at the price of a dictionary's look-up for most requests."""
